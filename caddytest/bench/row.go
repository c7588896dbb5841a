package main

import (
	"fmt"
	"io"
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

	next   int             // number of the next request, so that no client or path comes again
	costs  []time.Duration // for a request, by round
	waits  []time.Duration // of all requests
	memory float64
}

// want is the status that the subject answers with: bare Caddy refuses nothing.
func (r *row) want() int {
	if r == r.base {
		return 200
	}
	return r.load.status
}

// measure loads the subject for one round; a first one warms it and is not kept.
func (r *row) measure(o Options, warming bool) error {
	n := o.Requests
	if r.load.heavy {
		n = max(n/10, 1)
	}
	each := max(n/o.Conns, 1)
	clients := make([]*client, o.Conns)
	for i := range clients {
		c, err := dial(r.subject.address)
		if err != nil {
			return err
		}
		defer c.conn.Close()
		clients[i] = c
		// Setting up a connection is no part of a request.
		if _, err := c.do(r.load, r.next); err != nil {
			return err
		}
		r.next++
	}
	pid := r.subject.process.cmd.Process.Pid
	waits := make([]time.Duration, each*o.Conns)
	errs := make([]error, o.Conns)
	before, err := processorTime(pid)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	for k, c := range clients {
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
	if err != nil {
		return err
	}
	r.next += each * o.Conns
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if !warming {
		r.costs = append(r.costs, (after-before)/time.Duration(each*o.Conns))
		r.waits = append(r.waits, waits...)
	}
	r.memory, err = resident(pid)
	return err
}

// ratios are those of the rounds, sorted.
func (r *row) ratios() []float64 {
	out := make([]float64, len(r.costs))
	for i := range out {
		out[i] = float64(r.costs[i]) / float64(r.base.costs[i])
	}
	slices.Sort(out)
	return out
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
	tail, term := 0.0, 1.0 // term: n over k
	all := 1.0
	for range n {
		all *= 2
	}
	k := 0
	for ; k < n/2; k++ {
		if (tail+term)/all > 0.025 {
			break
		}
		tail += term
		term = term * float64(n-k) / float64(k+1)
	}
	k = max(k-1, 0)
	return sorted[k], sorted[n-1-k]
}

func printTable(out io.Writer, rows []*row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "load\tsubject\tCPU µs\t× bare\t95 %\tp50 µs\tp99 µs\tRSS MiB")
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
		ratios := r.ratios()
		low, high := interval(ratios)
		at := func(p int) float64 { return float64(r.waits[(len(r.waits)-1)*p/100]) / 1000 }
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%.3f\t%.3f–%.3f\t%.0f\t%.0f\t%.0f\n", name, r.subject.name,
			median(costs), median(ratios), low, high, at(50), at(99), r.memory)
	}
	return w.Flush()
}
