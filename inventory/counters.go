package inventory

import (
	"sync/atomic"
	"time"
)

// Status classes: index 0 is "no answer", 1 to 5 are 1xx to 5xx.
const numClasses = 6

var classNames = [numClasses]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

func classOf(status int) int {
	if status < 100 || status > 599 {
		return 0
	}
	return status / 100
}

// counters belong to one documented operation and are written by requests
// directly, without a lock.
type counters struct {
	first, last    atomic.Int64
	touched        atomic.Uint64 // the latest epoch in which anything here changed, see cursor
	best           atomic.Uint32 // rank
	classes        [numClasses]atomic.Uint64
	refused, would [numRules]atomic.Uint64

	traits          atomic.Uint32
	unauthenticated atomic.Uint64           // good answers without credentials,
	unguarded       atomic.Int64            // and when the latest was
	reached         atomic.Int64            // when upstream was latest asked from a public network
	crowd           atomic.Pointer[sketch]  // nil until someone is known
	strange         atomic.Pointer[strange] // nil until there is one

	// What other nodes have; Inventory.mu guards it. moved is the latest epoch in
	// which that changed.
	shares  shares
	moved   uint64
	samples budget
}

// note adds what was seen of a caller.
func (c *counters) note(seen traits, unauthenticated bool, time int64) {
	if bits := uint32(seen); c.traits.Load()&bits != bits {
		c.traits.Or(bits)
	}
	if unauthenticated {
		c.unauthenticated.Add(1)
		if last := c.unguarded.Load(); time-last >= lastGrain {
			c.unguarded.CompareAndSwap(last, time)
		}
	}
}

// reach notes that upstream was asked from a public network.
func (c *counters) reach(time int64) {
	if last := c.reached.Load(); time-last >= int64(1e9) {
		c.reached.CompareAndSwap(last, time)
	}
}

// consumers is the sketch of who called, made at the first call.
func (c *counters) consumers() *sketch {
	if s := c.crowd.Load(); s != nil {
		return s
	}
	c.crowd.CompareAndSwap(nil, new(sketch))
	return c.crowd.Load()
}

// count is how many requests were counted here.
func (c *counters) count() uint64 {
	var n uint64
	for i := range c.classes {
		n += c.classes[i].Load()
	}
	return n
}

// lastGrain is how far last may lag behind, in nanoseconds. It keeps requests
// that come at the same time on several cores from fighting over one cache line.
const lastGrain = int64(1e6)

func (c *counters) add(o *Outcome, epoch *atomic.Uint64) {
	c.classes[classOf(o.Status)].Add(1)
	if o.Verdict != Allow {
		for i := range o.objections().all {
			c.object(i)
		}
	}
	if c.first.Load() == 0 {
		c.first.CompareAndSwap(0, o.Time)
	}
	for {
		last := c.last.Load()
		if o.Time-last < lastGrain || c.last.CompareAndSwap(last, o.Time) {
			break
		}
	}
	for r := uint32(o.worth()); ; {
		best := c.best.Load()
		if r <= best || c.best.CompareAndSwap(best, r) {
			break
		}
	}
	// Last: a walk that began before this request's counts could be seen must
	// find the entry touched since.
	for e := epoch.Load(); ; {
		touched := c.touched.Load()
		if e <= touched || c.touched.CompareAndSwap(touched, e) {
			break
		}
	}
}

func (c *counters) object(objection int) {
	if objection < numRules {
		c.refused[objection].Add(1)
	} else {
		c.would[objection-numRules].Add(1)
	}
}

// tally counts what the inventory's goroutine records. Inventory.mu guards it.
type tally struct {
	first, last int64
	touched     uint64
	best        rank
	classes     [numClasses]uint64
	verdicts    *verdicts // nil until the first refusal
	good        int64     // when it last answered 2xx, a host's baseline aside
	closed      int64     // when the guard last refused it because it is not declared

	shares shares // of other nodes
	moved  uint64 // the latest epoch in which they changed
}

func (t *tally) add(o *Outcome, worth rank, epoch uint64) {
	t.classes[classOf(o.Status)]++
	if o.Verdict != Allow {
		if t.verdicts == nil {
			t.verdicts = new(verdicts)
		}
		for i := range o.objections().all {
			t.verdicts.add(i, 1)
		}
	}
	if t.first == 0 {
		t.first = o.Time
	}
	t.last = max(t.last, o.Time)
	t.best = max(t.best, worth)
	t.touched = epoch
	switch {
	case worth == rankConfirmed && classOf(o.Status) == 2:
		t.good = max(t.good, o.Time)
	case o.Verdict == Refuse && (o.Rule == "unknown_route" || o.Rule == "unknown_host"):
		t.closed = max(t.closed, o.Time)
	}
}

// answers reports whether it answers 2xx: it did within a month, and the guard
// has not closed it since.
func (t *tally) answers(now time.Time) bool { return recent(now, t.good) && t.good > t.closed }

// any reports whether anything was added, here or on another node; epochs are never 0.
func (t *tally) any() bool { return t.touched != 0 || len(t.shares) > 0 }

// class counts answers of a class, here and on other nodes.
func (t *tally) class(i int) uint64 { return t.classes[i] + t.shares.class(i) }

// all counts requests here and on other nodes.
func (t *tally) all() uint64 {
	n := t.count()
	for i := range t.classes {
		n += t.shares.class(i)
	}
	return n
}

func (t *tally) count() uint64 {
	var n uint64
	for _, c := range t.classes {
		n += c
	}
	return n
}

// totals are counts as an answer needs them: read once, of both kinds.
type totals struct {
	first, last int64
	touched     uint64
	best        rank
	count       uint64
	classes     [numClasses]uint64
}

func (t *totals) addTally(s *tally) {
	t.span(s.first, s.last)
	t.touched = max(t.touched, s.touched, s.moved)
	t.best = max(t.best, s.best)
	for i, n := range s.classes {
		t.classes[i] += n
		t.count += n
	}
	s.shares.addTo(t)
}

func (t *totals) addCounters(c *counters) {
	// In the opposite order of counters.add, touched first.
	t.touched = max(t.touched, c.touched.Load(), c.moved)
	t.span(c.first.Load(), c.last.Load())
	t.best = max(t.best, rank(c.best.Load()))
	for i := range c.classes {
		n := c.classes[i].Load()
		t.classes[i] += n
		t.count += n
	}
	c.shares.addTo(t)
}

func (t *totals) span(first, last int64) {
	if first != 0 && (t.first == 0 || first < t.first) {
		t.first = first
	}
	t.last = max(t.last, last)
}

// statuses spells the classes that occurred.
func (t *totals) statuses() map[string]uint64 {
	m := make(map[string]uint64)
	for i, n := range t.classes {
		if n > 0 {
			m[classNames[i]] = n
		}
	}
	return m
}

func byRule(counts *[numRules]uint64) map[string]uint64 {
	m := make(map[string]uint64)
	for i, n := range counts {
		if n > 0 {
			m[ruleNames[i]] = n
		}
	}
	return m
}
