package ratelimit

import "time"

// State is what the table knows of one client.
type State struct {
	// Found: the client has a cell with debt. Without one the rest says what a
	// limit says to somebody who was never there.
	Found bool
	// Used is what is owed, Remaining what would still be admitted.
	Used, Remaining int
	// Reset is how long until Remaining next grows, 0 when nothing is owed.
	Reset time.Duration
	// Held is what requests on their way hold: of Remaining it is taken off.
	Held int
	// Blocked is how long a penalty lasts yet.
	Blocked time.Duration
}

// Peek looks at a client's cell without charging it. Of a protected limit whose
// set is full it sees only cells, not what is in the shared one.
func (t *Table) Peek(l *Limit, k Key) State { return t.peek(l, k, false) }

// PeekShadow looks at the cell that monitored charges go to.
func (t *Table) PeekShadow(l *Limit, k Key) State { return t.peek(l, k, true) }

func (t *Table) peek(l *Limit, k Key, shadow bool) State {
	if !l.Usable() {
		return State{}
	}
	index, d := t.place(l, k, shadow)
	s, capacity := &t.sets[index], l.capacity()
	mu := t.lockOf(index)
	mu.Lock()
	defer mu.Unlock()
	now := t.clock()
	st := t.look(s, l, d, now)
	held := t.held.of(&Charge{Limit: l, Key: k, Shadow: shadow})
	st.Held = int(held)
	st.Remaining = max(0, st.Remaining-int(min(held, capacity)))
	if l.Algorithm == Concurrency {
		st.Used, st.Found = st.Held, held > 0
	}
	if l.Penalty != 0 {
		if st.Blocked = s.blocked(d, now); st.Blocked > 0 {
			st.Found, st.Remaining = true, 0
			st.Reset = max(st.Reset, st.Blocked)
		}
	}
	return st
}

// look reads a cell alone.
func (t *Table) look(s *set, l *Limit, id identity, now int64) State {
	capacity := l.capacity()
	w := s.find(id)
	if w < 0 || l.Algorithm == Concurrency {
		return State{Remaining: int(capacity)}
	}
	c := s.at(w).grown()
	if l.Algorithm == Window && c.window != l.milliseconds() {
		c = c.inWindow(l.milliseconds(), now)
	}
	debt := c.debt(now)
	if debt == 0 {
		return State{Remaining: int(capacity)}
	}
	// A charge that costs more than fits is refused, and so says what is there.
	var d Decision
	if l.Algorithm == Quota {
		checkQuota(&d, &c, l, 0, capacity+1, t.wall(), now)
		number, _ := l.Period.at(t.wall())
		debt = c.quotaUsed(l.Period, number, now)
	} else if l.Algorithm == Bucket {
		checkBucket(&d, &c, l, capacity, 0, capacity+1, now)
	} else {
		sub := subWindow(c.window)
		c.windowAt(now, sub).check(&d, &c.small, sub, capacity, 0, capacity+1, now)
	}
	return State{Found: true, Used: int(debt), Remaining: d.Remaining, Reset: d.Reset}
}

// Forget clears what a client owes and the penalty, in the enforced cell and in
// its shadow, and reports whether there was anything. What requests on their way
// hold stays until they are settled. What newcomers to a full protected set owe
// together cannot be told apart and stays.
func (t *Table) Forget(l *Limit, k Key) bool {
	if !l.Usable() {
		return false
	}
	enforced := t.pardon(l, k, false)
	return t.pardon(l, k, true) || enforced
}

func (t *Table) pardon(l *Limit, k Key, shadow bool) bool {
	index, d := t.place(l, k, shadow)
	s := &t.sets[index]
	mu := t.lockOf(index)
	mu.Lock()
	defer mu.Unlock()
	now := t.clock()
	owed := false
	for _, d := range [...]identity{d, d.block()} {
		if w := s.find(d); w >= 0 {
			owed = owed || s.at(w).debt(now) != 0
			s.clear(w)
			t.touched(index)
		}
	}
	return owed
}

// Stats is what a table has been through. Counts only grow.
type Stats struct {
	Slots    int // of both parts; a slot may have two cells
	Occupied int // cells that owe something, shadows included
	// Held is what charges hold that are not settled. It is 0 when no request is
	// on its way.
	Held int

	// Evicted is how many enforced cells were forgotten while they owed
	// something, EvictedDebt how much they owed, in tokens: so many charges more
	// than the limits say can have been admitted at most.
	Evicted, EvictedDebt uint64
	// EvictedShadows is how often a monitored limit lost count.
	EvictedShadows uint64
	// Shared is how many charges went to shared cells of full protected sets.
	// When it grows, give the table more ProtectedSlots.
	Shared uint64
}

// EvictedDebt is [Stats.EvictedDebt] alone, at no cost.
func (t *Table) EvictedDebt() uint64 { return t.evicts.debt.Load() }

// Stats looks at every set, locking one at a time: some milliseconds for a
// default table. It is meant for metrics and people, not for requests.
func (t *Table) Stats() Stats {
	st := Stats{
		Slots:          len(t.sets) * lines,
		Evicted:        t.evicts.cells.Load(),
		EvictedDebt:    t.evicts.debt.Load(),
		EvictedShadows: t.evicts.shadows.Load(),
		Shared:         t.evicts.shared.Load(),
		Held:           int(t.held.total()),
	}
	for i := range t.sets {
		st.Occupied += t.occupied(uint32(i))
	}
	return st
}

func (t *Table) occupied(index uint32) (n int) {
	mu := t.lockOf(index)
	mu.Lock()
	defer mu.Unlock()
	s, now := &t.sets[index], t.clock()
	for w := int8(0); w < ways; w += s.span(w) {
		if c := s.at(w); !c.free() && c.debt(now) != 0 {
			n++
		}
	}
	return n
}
