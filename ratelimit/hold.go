package ratelimit

import (
	"sync"
	"time"
)

// tryAgain is the RetryAfter of a charge that waits for what others hold: nobody
// knows when they let go of it.
const tryAgain = time.Second

// holds counts what is held and not yet settled: charges of [Later], and those of
// [Concurrency] limits. There is an entry for each client with a request on its
// way, so they need no more room than the requests do, and none is ever evicted:
// a forgotten hold would let in more than the limit says. That is why they are
// not in the table's sets.
//
// A client's count is read and changed under the lock of its set; the lock here
// only guards the map that it is in.
type holds struct {
	shards [32]holdShard
}

type holdShard struct {
	mu sync.Mutex
	n  map[holder]uint64
	_  [48]byte // a cache line each
}

// holder is a client of one limit. Its kind is no part of it, so that a limit
// whose algorithm changed is settled where it was held.
type holder struct {
	key    Key
	shadow bool
}

// spare is how many holders a shard may have had when its empty map is kept.
const spare = 1024

func (h *holds) shard(key Key) *holdShard { return &h.shards[uint64(key)>>32%uint64(len(h.shards))] }

// of is how much a client holds.
func (h *holds) of(c *Charge) uint64 {
	s := h.shard(c.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n[holder{c.Key, c.Shadow}]
}

func (h *holds) add(c *Charge) {
	s := h.shard(c.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == nil {
		s.n = make(map[holder]uint64)
	}
	s.n[holder{c.Key, c.Shadow}] += c.cost()
}

func (h *holds) remove(c *Charge) {
	s := h.shard(c.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	k, cost := holder{c.Key, c.Shadow}, c.cost()
	if n := s.n[k]; n > cost {
		s.n[k] = n - cost
		return
	}
	many := len(s.n) > spare
	delete(s.n, k)
	if many && len(s.n) <= spare/2 { // a map does not shrink by itself
		kept := make(map[holder]uint64, len(s.n))
		for k, n := range s.n {
			kept[k] = n
		}
		s.n = kept
	}
}

// total is how much is held in all.
func (h *holds) total() (n uint64) {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		for _, held := range s.n {
			n += held
		}
		s.mu.Unlock()
	}
	return n
}

// Settle ends what an admitted [Table.Take] has left open, and must be called
// once for each such charge: what it held is let go, and if it counts it is
// charged in the same moment, so that no other call sees it neither held nor
// charged. A charge that only looked holds nothing and may be settled when it
// turns out to count. A [Concurrency] limit is never charged.
//
// What counts is charged whether or not it fits: it has happened.
func (t *Table) Settle(c *Charge, counts bool) {
	if !c.Limit.Usable() {
		return
	}
	charges := [1]Charge{*c}
	charges[0].When = Now
	var out [1]Decision
	var plan [1]step
	s, l := &plan[0], c.Limit
	s.index, s.identity = t.place(l, c.Key, c.Shadow)
	s.set, s.capacity = &t.sets[s.index], uint32(l.capacity())
	if l.Algorithm == Window {
		s.ms = l.milliseconds()
		s.sub = subWindow(s.ms)
	}
	mu := t.lockOf(s.index)
	mu.Lock()
	defer mu.Unlock()
	if c.holds() {
		t.held.remove(c)
	}
	if !counts || l.Algorithm == Concurrency {
		return
	}
	now := t.clock()
	if s.way = s.set.find(s.identity); s.way >= 0 {
		s.cell = s.set.at(s.way)
	}
	t.checkCell(charges[:], out[:], plan[:], 0, 0, now) // finds where it goes
	t.charge(&charges[0], plan[:], 0, now)
}

// checkConcurrency judges a charge to a limit on what is held at one time.
func (t *Table) checkConcurrency(c *Charge, d *Decision, s *step) {
	used, cost, capacity := t.held.of(c)+s.pending, c.cost(), uint64(s.capacity)
	*d = Decision{RetryAfter: Never}
	if used+cost <= capacity {
		*d = Decision{Admitted: true, Remaining: int(capacity - used - cost)}
		return
	}
	if used < capacity {
		d.Remaining = int(capacity - used)
	}
	if cost <= capacity {
		d.RetryAfter = tryAgain
	}
}
