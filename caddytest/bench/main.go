// Command bench measures what the guard costs, beside bare Caddy and rivals:
//
//	go -C caddytest/bench run .               # the whole proxy, beside bare Caddy and rivals
//	go -C caddytest/bench run . -growth       # how cost grows with what there is
//	go -C caddytest/bench run . -budgets 1s   # the parts, against their budgets
//
// It runs each subject as a process of its own on the loopback address, in front
// of one upstream, and loads them in turns: in every round each subject gets each
// of its loads once, in another order. A round's ratio is what the proxy process
// used of the processor for a request (user and system, from the operating
// system's clock for that process), over what bare Caddy used for the same load in
// the same round; the table has the median over the rounds and its 95 % interval.
// What the machine does besides is in both and mostly cancels.
//
// It is a module of its own, so that nobody who builds the plugin gets the rivals
// with it, and it needs Linux. nginx is left out, and said so, when it is not there.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
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
	fleet, err := startFleet(ctx, o, progress)
	if err != nil {
		return err
	}
	defer fleet.stop()
	rows := fleet.rows(o.Only)
	for round := range o.Rounds + 1 {
		for i := range rows {
			// Another order in every round, so that none always comes after the same.
			r := rows[(i*stride(len(rows))+round*7)%len(rows)]
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := r.measure(o, round == 0); err != nil {
				return fmt.Errorf("%s, %s: %w", r.load.name, r.subject.name, err)
			}
		}
		if round > 0 {
			fmt.Fprintf(progress, "\rround %d of %d", round, o.Rounds)
		}
	}
	fmt.Fprint(progress, "\r", strings.Repeat(" ", 40), "\r")
	if err := fleet.finishProfiles(); err != nil {
		return err
	}
	return printTable(out, rows)
}

// stride is a step that visits all of n.
func stride(n int) int {
	for s := n/2 + 1; ; s++ {
		a, b := s, n
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return s
		}
	}
}
