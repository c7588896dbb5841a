package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// dimension is something that there can be more and more of, while all else stays.
type dimension struct {
	name  string
	sizes []int
	// subject is the whole guard with n of it, without a load.
	subject func(n int) *subject
	load    func(n int) *load
	// before brings about what only requests can.
	before func(s *subject, n int) error
}

var tenfold = []int{10, 100, 1_000, 10_000}

func dimensions() []dimension {
	everything := limitOne + limitMore + limitReset
	plain := func(int) *subject { return &subject{globals: guard(everything, ""), document: 10} }
	hit := func(int) *load { return &getHit }
	return []dimension{
		{"operations", tenfold, func(n int) *subject { return &subject{globals: guard(everything, ""), document: n} }, hit, nil},
		{"versions", []int{1, 10, 100, 1_000}, func(n int) *subject {
			return &subject{globals: guardOf(everything, "", "", numbered(n-1, "version w%d {\nhosts "+host+"\npath /w%[1]d\n}\n")), document: 10}
		}, hit, nil},
		{"hosts", []int{1, 10, 100, 1_000}, func(n int) *subject {
			return &subject{globals: guardOf(everything, "", numbered(n-1, " h%d.example.com"), ""), document: 10}
		}, hit, nil},
		{"clients", []int{1_000, 10_000, 100_000, 1_000_000}, plain, func(n int) *load {
			return &load{name: "clients", status: 200, request: crowdOf(uint32(n))}
		}, nil},
		// A request is bound by 16 at most, and 8 of them show themselves in its answer.
		{"limits", []int{1, 2, 4, 8, 16}, func(n int) *subject {
			return &subject{globals: guard(numbered(n, "limit l%d {\nkey {client_ip}\nrate 10000000/1m\n}\n"), ""), document: 10}
		}, hit, nil},
		{"routes", tenfold, plain, hit, discover},
	}
}

// numbered repeats a format for 1 to n.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range max(n, 0) {
		fmt.Fprintf(&b, format, i+1)
	}
	return b.String()
}

// discover asks for n paths that no document has. Words are folded into no template
// in the first segment.
func discover(s *subject, n int) error {
	c, err := dial(s.address)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for i := range n {
		word := []byte("aaaa")
		for k, rest := len(word)-1, i; rest > 0; k, rest = k-1, rest/26 {
			word[k] = byte('a' + rest%26)
		}
		l := load{request: get(discovered + string(word))}
		if status, err := c.do(&l, i); err != nil || status != 200 {
			return fmt.Errorf("asking for a path that is to be discovered: status %d, %v", status, err)
		}
	}
	return nil
}

// size is one column of a dimension: what a guard with n of it costs.
type size struct {
	n     int
	row   row
	start time.Duration // of the processors, until it serves
}

// Grow measures how the whole guard's cost for a request, its start and its memory
// grow with each dimension, one after the other, and fits the exponents.
func Grow(ctx context.Context, o Options, out, progress io.Writer) error {
	o.Memory = "" // what is held is to be seen
	back, err := o.part()
	if err != nil {
		return err
	}
	defer back()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tn\tCPU µs\tp99 µs\tstart, CPU ms\tRSS MiB")
	dir, err := os.MkdirTemp("", "api-guard-growth")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	upstream, backend, err := startUpstream(ctx)
	if err != nil {
		return err
	}
	defer upstream.stop()
	for _, d := range dimensions() {
		if !strings.Contains(d.name, o.Only) {
			continue
		}
		fmt.Fprintln(progress, "measuring", d.name)
		sizes, err := d.measure(ctx, filepath.Join(dir, d.name), backend, o)
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		var n, costs, starts, memory []float64
		for _, s := range sizes {
			slices.Sort(s.row.costs)
			slices.Sort(s.row.waits)
			cost := float64(s.row.costs[len(s.row.costs)/2]) / 1e3
			start := float64(s.start) / 1e6
			fmt.Fprintf(w, "%s\t%d\t%.1f\t%.0f\t%.0f\t%.0f\n", d.name, s.n, cost, float64(s.row.waits[len(s.row.waits)*99/100])/1e3, start, s.row.memory)
			n, costs, starts, memory = append(n, float64(s.n)), append(costs, cost), append(starts, start), append(memory, s.row.memory)
		}
		fmt.Fprintf(w, "\texponent\t%.2f\t\t%.2f\t%.2f\n", exponent(n, costs), exponent(n, starts), exponent(n, memory))
	}
	return w.Flush()
}

// measure runs all sizes at once and loads them in turns, so that they meet the
// same machine.
func (d *dimension) measure(ctx context.Context, dir, backend string, o Options) ([]*size, error) {
	var sizes []*size
	defer func() {
		for _, s := range sizes {
			s.row.subject.process.stop()
		}
	}()
	for _, n := range d.sizes {
		s := d.subject(n)
		s.handler = "api_guard"
		if err := s.start(ctx, filepath.Join(dir, fmt.Sprint(n)), backend, o); err != nil {
			return nil, fmt.Errorf("starting with %d: %w", n, err)
		}
		one := &size{n: n, row: row{load: d.load(n), subject: s}}
		sizes = append(sizes, one)
		var err error
		if one.start, err = processorTime(s.process.cmd.Process.Pid); err != nil {
			return nil, err
		}
		if d.before != nil {
			if err := d.before(s, n); err != nil {
				return nil, err
			}
		}
	}
	var rows []*row
	for _, s := range sizes {
		if err := s.row.warm(ctx, o); err != nil {
			return nil, err
		}
		rows = append(rows, &s.row)
	}
	order := rand.New(rand.NewPCG(1, 2))
	for range o.Rounds {
		if err := measureRound(ctx, rows, o, order); err != nil {
			return nil, err
		}
	}
	return sizes, nil
}

// exponent is k of cost = c · n^k, by least squares over the logarithms: 0 where n
// does not matter, 1 where it is all that does.
func exponent(n, cost []float64) float64 {
	var x, y, xx, xy float64
	for i := range n {
		a, b := math.Log(n[i]), math.Log(cost[i])
		x, y, xx, xy = x+a, y+b, xx+a*a, xy+a*b
	}
	m := float64(len(n))
	return (m*xy - x*y) / (m*xx - x*x)
}
