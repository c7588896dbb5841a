package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// row is a load on a subject.
type row struct {
	load    *load
	subject *subject
	base    *row

	clients []*client       // while it is loaded
	next    int             // number of the next request, so that no client or path comes again
	costs   []time.Duration // for a request, by round
	waits   []time.Duration // of all requests
	memory  float64
}

// want is the status that the subject answers with: bare Caddy refuses nothing.
func (r *row) want() int {
	if r == r.base {
		return 200
	}
	return r.load.status
}

// turns is how many times a row has its turn in a round. They are short, so that
// the rows that are compared meet the same machine, and long enough that the caches
// are those of the row.
const turns = 4

// measureRound loads every row for one round, each in several turns, every time in
// another order: none always follows the same one.
func measureRound(ctx context.Context, rows []*row, o Options, order *rand.Rand) error {
	for _, r := range rows {
		if err := r.open(o.Conns); err != nil {
			return fmt.Errorf("%s, %s: %w", r.load.name, r.subject.name, err)
		}
		defer r.close()
	}
	for range turns {
		for _, i := range order.Perm(len(rows)) {
			if err := ctx.Err(); err != nil {
				return err
			}
			r := rows[i]
			each := r.share(o, turns)
			cost, waits, err := r.turn(each)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", r.load.name, r.subject.name, err)
			}
			r.costs = append(r.costs, cost/time.Duration(each*o.Conns))
			r.waits = append(r.waits, waits...)
		}
	}
	for _, r := range rows {
		var err error
		if r.memory, err = resident(r.subject.process.cmd.Process.Pid); err != nil {
			return err
		}
	}
	return nil
}

// warm loads the subject until its memory grows no more. A heap that collects by its
// limit alone takes fresh pages from the system until it has been filled once, and
// each costs a fault: a subject with few rows would pay for that in the rounds that
// count, one with many rows before.
func (r *row) warm(ctx context.Context, o Options) error {
	if err := r.open(o.Conns); err != nil {
		return err
	}
	defer r.close()
	pid := r.subject.process.cmd.Process.Pid
	before, err := resident(pid)
	for err == nil && ctx.Err() == nil {
		if _, _, err = r.turn(r.share(o, 1)); err != nil {
			return err
		}
		last := before
		if before, err = resident(pid); before < last*1.01 {
			return err
		}
	}
	return errors.Join(err, ctx.Err())
}

// share is how many requests each connection makes in one of so many turns.
func (r *row) share(o Options, turns int) int {
	n := o.Requests
	if r.load.heavy {
		n /= 10
	}
	return max(n/o.Conns/turns, 1)
}

// open connects, and makes a request on each connection: setting it up is no part
// of one.
func (r *row) open(conns int) error {
	for range conns {
		c, err := dial(r.subject.address)
		if err != nil {
			return err
		}
		r.clients = append(r.clients, c)
		if _, err := c.do(r.load, r.next); err != nil {
			return err
		}
		r.next++
	}
	return nil
}

func (r *row) close() {
	for _, c := range r.clients {
		_ = c.conn.Close()
	}
	r.clients = nil
}

// turn makes so many requests on each connection, and returns what the subject used
// of the processors for all of them and how long each took.
func (r *row) turn(each int) (cost time.Duration, waits []time.Duration, err error) {
	pid := r.subject.process.cmd.Process.Pid
	waits = make([]time.Duration, each*len(r.clients))
	errs := make([]error, len(r.clients))
	before, err := processorTime(pid)
	if err != nil {
		return 0, nil, err
	}
	var running sync.WaitGroup
	for k, c := range r.clients {
		running.Go(func() {
			for i := range each {
				began := time.Now()
				status, err := c.do(r.load, r.next+k*each+i)
				if err == nil && status != r.want() {
					err = fmt.Errorf("it answered %d and not %d", status, r.want())
				}
				if err != nil {
					errs[k] = err
					return
				}
				waits[k*each+i] = time.Since(began)
			}
		})
	}
	running.Wait()
	after, err := processorTime(pid)
	r.next += each * len(r.clients)
	return after - before, waits, errors.Join(append(errs, err)...)
}

// ratios are those of the turns, sorted, and that of all of them together.
func (r *row) ratios() (sorted []float64, total float64) {
	var own, base time.Duration
	for i := range r.costs {
		sorted = append(sorted, float64(r.costs[i])/float64(r.base.costs[i]))
		own, base = own+r.costs[i], base+r.base.costs[i]
	}
	slices.Sort(sorted)
	return sorted, float64(own) / float64(base)
}

// median is that of a sorted list.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// interval is the 95 % interval of the median of a sorted list, from the binomial
// distribution and without a thought about the shape of what was measured. With
// less than six there is none, and it is the whole range.
func interval(sorted []float64) (low, high float64) {
	n := len(sorted)
	ln := func(m int) float64 { v, _ := math.Lgamma(float64(m) + 1); return v } // of m!
	k, tail := 0, 0.0
	for ; k < n/2; k++ {
		if tail += math.Exp(ln(n) - ln(k) - ln(n-k) - float64(n)*math.Ln2); tail > 0.025 {
			break
		}
	}
	k = max(k-1, 0)
	return sorted[k], sorted[n-1-k]
}

func printTable(out io.Writer, rows []*row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "load\tsubject\tCPU µs\t× bare\t95 %\ttotal\tp50 µs\tp99 µs\tRSS MiB")
	last := ""
	for _, r := range rows {
		name := r.load.name
		if name == last {
			name = ""
		}
		last = r.load.name
		costs := make([]float64, len(r.costs))
		for i, c := range r.costs {
			costs[i] = float64(c) / 1000
		}
		slices.Sort(costs)
		slices.Sort(r.waits)
		ratios, total := r.ratios()
		low, high := interval(ratios)
		at := func(p int) float64 { return float64(r.waits[(len(r.waits)-1)*p/100]) / 1000 }
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%.3f\t%.3f–%.3f\t%.3f\t%.0f\t%.0f\t%.0f\n", name, r.subject.name,
			median(costs), median(ratios), low, high, total, at(50), at(99), r.memory)
	}
	return w.Flush()
}
