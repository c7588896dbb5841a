// Command bench measures what the guard costs, beside bare Caddy and rivals:
//
//	go -C caddytest/bench run .               # the whole proxy, beside bare Caddy and rivals
//	go -C caddytest/bench run . -growth       # how cost grows with what there is
//	go -C caddytest/bench run . -budgets 1s   # the parts, against their budgets
//
// It runs each subject as a process of its own on the loopback address, in front
// of one upstream, and loads them in turns, once each has filled the memory that it
// may have: in every round the subjects of a load have four short turns each, every
// time in another order. A turn's ratio is what the proxy process used of the
// processor for a request (user and system, from the operating system's clock for
// that process), over what bare Caddy used in its turn; the table has the median over
// all turns and its 95 % interval, and under total the ratio of all that was used, in
// which what is rare counts too: a garbage collection, and whatever the machine did
// besides. A second bare Caddy tells how much of a difference is none.
//
// It is a module of its own, so that nobody who builds the plugin gets the rivals
// with it, and it needs Linux. nginx is left out, and said so, when it is not there.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/apiguard/caddy-api-guard"
)

// roleVariable makes the program one of the processes that are measured.
const roleVariable = "API_GUARD_BENCH_ROLE"

// Options are what a run is made of.
type Options struct {
	Rounds, Requests, Conns int
	Memory                  string // GOMEMLIMIT of every Go process; they collect by it alone; empty: as Go does by itself
	Only                    string // part of the names of the rows to run; empty: all
	Profile                 string // a folder for a CPU profile of each Caddy; empty: none
	Apart                   bool   // the proxies on one half of the processors, load and upstream on the other

	at place // of the proxies
}

func main() {
	if become(os.Getenv(roleVariable)) {
		return
	}
	var o Options
	growth := flag.Bool("growth", false, "measure instead how cost grows with operations, versions, hosts, clients, limits and routes in the inventory")
	benchtime := flag.String("budgets", "", "run instead the benchmarks of the budgets, each for such a time or count (-budgets 1s, -budgets 1x), and hold them against them")
	flag.IntVar(&o.Rounds, "rounds", 20, "rounds; every row is measured once in each")
	flag.IntVar(&o.Requests, "requests", 2000, "requests of a row in a round; a tenth of it for bodies of 100 KB")
	flag.IntVar(&o.Conns, "conns", 4, "connections that a load uses at once")
	flag.StringVar(&o.Memory, "memory", "192MiB", "memory limit of each Go process, with GOGC=off, so that garbage collection is equal")
	flag.StringVar(&o.Only, "only", "", "rows whose name has this text, and bare Caddy")
	flag.StringVar(&o.Profile, "profile", "", "write to this folder a CPU profile of each Caddy under the rows that ran")
	flag.BoolVar(&o.Apart, "apart", true, "keep the proxies on one half of the processors, load and upstream on the other")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	began := time.Now()
	run := Run
	switch {
	case *growth:
		run = Grow
	case *benchtime != "":
		run = func(ctx context.Context, _ Options, out, progress io.Writer) error {
			return Budgets(ctx, parts, "../..", *benchtime, out, progress)
		}
	}
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
	if *benchtime == "" {
		fmt.Printf("\n%d rounds of %d requests, %d connections", o.Rounds, o.Requests, o.Conns)
	}
	fmt.Printf("\n%v\n", time.Since(began).Round(time.Second))
}

// become is the body of the processes that are measured.
func become(role string) bool {
	switch role {
	case "":
		return false
	case "upstream":
		go exitWithParent()
		serveUpstream(os.Stdout)
	case "caddy":
		go exitWithParent()
		if profile := os.Getenv(profileVariable); profile != "" {
			go profileOnSignal(profile)
		}
		caddycmd.Main()
	}
	return true
}

// exitWithParent ends the process when its standard input closes, so that none is
// left behind.
func exitWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(3)
}

// Run measures and prints the table to out.
func Run(ctx context.Context, o Options, out, progress io.Writer) error {
	back, err := o.part()
	if err != nil {
		return err
	}
	defer back()
	fleet, err := startFleet(ctx, o, progress)
	if err != nil {
		return err
	}
	defer fleet.stop()
	rows := fleet.rows(o.Only)
	for _, r := range rows {
		fmt.Fprintf(progress, "\rwarming %-60s", r.load.name+", "+r.subject.name)
		if err := r.warm(ctx, o); err != nil {
			return fmt.Errorf("%s, %s: %w", r.load.name, r.subject.name, err)
		}
	}
	fmt.Fprint(progress, "\r", strings.Repeat(" ", 70), "\r")
	if o.Profile != "" {
		fleet.signalProfiles()
	}
	others := fleet.othersSince()
	groups, order := grouped(rows), rand.New(rand.NewPCG(1, 2))
	for round := range o.Rounds {
		for _, g := range order.Perm(len(groups)) {
			if err := measureRound(ctx, groups[g], o, order); err != nil {
				return err
			}
		}
		fmt.Fprintf(progress, "\rround %d of %d", round+1, o.Rounds)
	}
	fmt.Fprint(progress, "\r", strings.Repeat(" ", 40), "\r")
	fmt.Fprintf(progress, "other processes had %.1f %% of the processors\n", others())
	if err := fleet.finishProfiles(); err != nil {
		return err
	}
	return printTable(out, rows)
}

// part parts the processors, if it is to, until back is called.
func (o *Options) part() (back func(), err error) {
	if !o.Apart {
		return func() {}, nil
	}
	o.at, back, err = apart()
	return back, err
}

// grouped are the rows of each load together, since they are compared.
func grouped(rows []*row) [][]*row {
	var groups [][]*row
	for i, r := range rows {
		if i == 0 || r.load != rows[i-1].load {
			groups = append(groups, nil)
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], r)
	}
	return groups
}
