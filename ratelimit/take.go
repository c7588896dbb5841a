package ratelimit

import (
	"math"
	"math/bits"
	"time"
	"unsafe"
)

// inShared is the way of a charge that goes to its set's shared cell.
const inShared int8 = ways

// step is one charge's way through Take. Clearing four of them is a tenth of
// what a decision costs, so they are packed.
type step struct {
	set      *set   // nil for a limit that cannot be computed
	cell     *small // nil: not there
	sub      int64  // of a window, 0 for a bucket
	pending  uint64
	seen     window // or of a bucket the arrival time that the charge leads to
	identity identity
	index    uint32 // of set
	ms       uint32
	capacity uint32
	way      int8 // of cell in set, -1: not there
	blocked  bool // by a penalty
	read     bool // seen is what the cell says, and nothing of this call changes it before the charge
}

// same tells whether two steps charge one cell.
func (s *step) same(o *step) bool {
	return s.index == o.index && (s.identity == o.identity || s.way == inShared && o.way == inShared)
}

// Take asks all limits and charges all of them or none: it reports whether
// every enforced charge fits. out[i] says what the limit of charges[i] thinks.
//
// A refusal charges nothing anywhere, shadows included, and writes to no cell; the
// one thing that it may do is begin a penalty. An admission charges every enforced cell, and those shadows that had room. The
// same cell may come several times and is charged as often.
//
// More than [MaxCharges] charges (see [ValidateAll]), or an out of another
// length, are a mistake of the caller's and are refused, as is a charge to a
// limit that [Limit.Validate] would reject. Take allocates nothing.
func (t *Table) Take(charges []Charge, out []Decision) (admitted bool) {
	return t.takeAt(unread, charges, out)
}

// TakeAt is Take for a caller who knows what time it is: at is what time.Now has told him
// of late, with nothing in between that waits for anybody. What he waited for since
// would count as made before it, and leave the limit as much earlier. Without a reading
// of the monotonic clock, or for a table with a clock of its own, it is Take.
func (t *Table) TakeAt(at time.Time, charges []Charge, out []Decision) (admitted bool) {
	if t.now != nil || at == at.Round(0) {
		return t.Take(charges, out)
	}
	return t.takeAt(max(0, int64(at.Sub(t.base))), charges, out)
}

// unread is the time of a caller who has not read the clock.
const unread = math.MinInt64

// takeAt is Take by a reading of the clock.
func (t *Table) takeAt(now int64, charges []Charge, out []Decision) bool {
	if len(charges) > MaxCharges || len(out) != len(charges) {
		for i := range out {
			out[i] = Decision{RetryAfter: Never}
		}
		return false
	}
	if len(charges) <= 4 { // clearing 16 steps takes longer than deciding 3
		var plan [4]step
		return t.take(now, charges, out, plan[:len(charges)])
	}
	var plan [MaxCharges]step
	return t.take(now, charges, out, plan[:len(charges)])
}

func (t *Table) take(now int64, charges []Charge, out []Decision, plan []step) bool {
	charges, out = charges[:len(plan)], out[:len(plan)] // no bounds to check below
	var locks [MaxCharges]uint32
	n := 0
	for i := range plan {
		c, s := &charges[i], &plan[i]
		if !c.Limit.Usable() {
			continue
		}
		s.index, s.identity = t.place(c.Limit, c.Key, c.Shadow)
		s.set, s.capacity = &t.sets[s.index], uint32(c.Limit.capacity())
		if c.Limit.Algorithm == Window {
			s.ms = c.Limit.milliseconds()
			s.sub = subWindow(s.ms)
		}
		// The lines of most cells come from memory together, while the clock is read
		// and the locks are taken, which lets no load pass.
		prefetch(unsafe.Pointer(s.set.at(2 * s.identity.home())))
		n = insert(&locks, n, t.stripe(s.index))
	}
	if now == unread {
		now = t.clock()
	}

	// In the order of their indexes, each once: calls that want the same sets
	// wait for each other and never in a circle.
	for _, i := range locks[:n] {
		t.locks[i].Lock()
	}
	for i := range plan {
		if s := &plan[i]; s.set != nil {
			s.glance()
		}
	}
	for i := range plan {
		if s := &plan[i]; s.set != nil && s.cell == nil {
			if s.way = s.set.find(s.identity); s.way >= 0 {
				s.cell = s.set.at(s.way)
			} else {
				prefetch(unsafe.Pointer(&t.fits[s.index])) // where charge notes the capacity
			}
		}
	}
	admitted := true
	for i := range plan {
		s, c, d := &plan[i], &charges[i], &out[i]
		if s.plain(c) {
			if n < len(plan) { // two have one lock, if not one cell
				s.pending = pending(charges, out, plan, i)
			}
			if s.check(d, c.Limit, c.cost(), now); s.sub != 0 && s.seen.total == 0 {
				prefetch(unsafe.Pointer(&t.fits[s.index]))
			}
		} else {
			t.checkRare(charges, out, plan, i, now)
		}
		admitted = admitted && (d.Admitted || c.Shadow)
	}
	if admitted {
		for i := range plan {
			if out[i].Admitted {
				t.charge(&charges[i], plan, i, now)
			}
		}
	}
	for i := range plan {
		if !out[i].Admitted && plan[i].set != nil && charges[i].Limit.Penalty != 0 {
			t.punish(&charges[i], &out[i], plan, i, now)
		}
	}
	for _, i := range locks[:n] {
		t.locks[i].Unlock()
	}
	if !admitted {
		untake(charges, out, plan)
	}
	return admitted
}

// plain tells whether a charge is one of nearly all: its cell is there and as its limit
// keeps it, it is charged now, and no penalty can be on it.
func (s *step) plain(c *Charge) bool {
	return s.cell != nil && c.When == Now && c.Limit.Penalty == 0 &&
		(s.sub != 0 && s.cell.window == s.ms || c.Limit.Algorithm == Bucket)
}

// check judges a plain charge, read only, on top of what the earlier ones of the call
// will add to its cell. What it reads of the cell is what is charged if none do.
func (s *step) check(d *Decision, l *Limit, cost uint64, now int64) {
	s.read = s.pending == 0
	if s.sub == 0 {
		then := checkBucket(d, s.cell.all(), l, uint64(s.capacity), s.pending, cost, now)
		s.seen.epoch, s.seen.total = then.ns, uint32(then.frac)
		return
	}
	if !s.cell.running(now, s.sub) {
		s.seen = s.cell.laterAt(now, s.sub)
	} else if s.seen = s.cell.latest(); s.cell.alone() {
		// What most come to, check without the calls: all that counts was charged in this
		// very sub-window.
		used, capacity := uint64(s.seen.total)+s.pending, uint64(s.capacity)
		free := time.Duration((s.seen.epoch+counters)*s.sub - now)
		if used+cost <= capacity {
			*d = Decision{Admitted: true, Remaining: int(capacity - used - cost), Reset: free}
			return
		}
		if s.pending+cost <= capacity {
			*d = Decision{Remaining: int(capacity - min(used, capacity)), RetryAfter: free, Reset: free}
			return
		}
	}
	s.seen.check(d, s.cell, s.sub, uint64(s.capacity), s.pending, cost, now)
}

// checkRare judges a charge that is not plain.
func (t *Table) checkRare(charges []Charge, out []Decision, plan []step, i int, now int64) {
	s, d, c := &plan[i], &out[i], &charges[i]
	if s.set == nil {
		*d = Decision{RetryAfter: Never}
		return
	}
	if c.Limit.Algorithm == Concurrency {
		s.pending = pending(charges, out, plan, i)
		t.checkConcurrency(c, d, s)
		return
	}
	var held uint64
	if c.When == Later {
		held = t.held.of(c)
	}
	t.checkCell(charges, out, plan, i, held, now)
	switch {
	case !d.Admitted && held > 0 && d.RetryAfter == Never && c.cost() <= uint64(s.capacity):
		d.RetryAfter = tryAgain
	case d.Admitted && c.When == Look:
		d.Remaining += int(c.cost())
	}
	if c.Limit.Penalty != 0 {
		s.holdBack(d, now)
	}
}

// checkCell judges a charge by its cell, wherever that is or will be. held is what
// the client holds.
func (t *Table) checkCell(charges []Charge, out []Decision, plan []step, i int, held uint64, now int64) {
	s, d, l, cost := &plan[i], &out[i], charges[i].Limit, charges[i].cost()
	var view large // of a shared cell, or one kept for another window, as this limit sees it
	cell, ms := s.cell, s.ms
	if shared := t.sharedOf(s.index); cell == nil && shared != nil {
		s.way = t.settle(plan, i, now)
		cell = &view.small
		if s.way == inShared {
			ms = l.sharedWindow()
			view = shared.inWindow(ms, now)
		} else {
			view = t.inherited(shared, l, s.identity, now)
		}
	}
	s.pending = pending(charges, out, plan, i)
	owed := s.pending + held
	if s.way != inShared && l.Algorithm == Bucket {
		checkBucket(d, cell.all(), l, uint64(s.capacity), owed, cost, now)
		return
	}
	if s.way != inShared && l.Algorithm == Quota {
		checkQuota(d, cell.all(), l, owed, cost, t.wall(), now)
		return
	}
	if cell == nil {
		cell = &view.small
	} else if cell.window != ms {
		view = cell.inWindow(ms, now)
		cell = &view.small
	}
	sub := subWindow(ms)
	cell.windowAt(now, sub).check(d, cell, sub, uint64(s.capacity), owed, cost, now)
}

// pending is what the earlier charges of the call that have room will add to
// the cell of charge i.
func pending(charges []Charge, out []Decision, plan []step, i int) (n uint64) {
	for j := range plan[:i] {
		if out[j].Admitted && charges[j].When != Look && plan[j].same(&plan[i]) {
			n += charges[j].cost()
		}
	}
	return n
}

// charge commits one charge that was admitted.
func (t *Table) charge(c *Charge, plan []step, i int, now int64) {
	s, l, cost := &plan[i], c.Limit, c.cost()
	if c.When != Now || l.Algorithm == Concurrency {
		if c.holds() {
			t.held.add(c)
		}
		return
	}
	if s.way == inShared {
		t.share(t.sharedOf(s.index), l, cost, now)
		return
	}
	cell := s.cell
	if cell == nil {
		if cell = t.open(c, plan, i, now); cell == nil {
			t.forgot(s.identity.kind(), uint32(min(cost, maxCount)))
			return
		}
	}
	switch {
	case l.Algorithm == Bucket && s.read:
		cell.all().arrive(l, instant{s.seen.epoch, uint64(s.seen.total)})
	case l.Algorithm == Bucket:
		cell.all().chargeBucket(l, cost, now)
	case l.Algorithm == Quota:
		cell.all().chargeQuota(l, c.Key, cost, t.wall(), now)
		t.touched(s.index)
	default:
		v := s.seen
		if !s.read {
			cell.keepIn(s.ms, now)
			v = cell.windowAt(now, s.sub)
		}
		if !cell.holds(uint64(v.total) + cost) {
			if cell = t.grow(plan, i, now); cell == nil {
				t.forgot(s.identity.kind(), uint32(min(cost, maxCount)))
				return
			}
		}
		cell.add(v, cost)
	}
	if m := markOf(s.capacity); cell.mark() != m {
		cell.setMark(m)
		t.fits[s.index].setCapacity(s.way, s.capacity)
	}
}

// untake makes the decisions of a refused call say what is left now that nothing
// was charged.
func untake(charges []Charge, out []Decision, plan []step) {
	for i := range out {
		d := &out[i]
		if d.Admitted && charges[i].When != Look {
			d.Remaining += int(charges[i].cost())
		}
		d.Remaining += int(plan[i].pending)
		if l := charges[i].Limit; d.Admitted && d.Remaining >= int(l.capacity()) {
			d.Remaining, d.Reset = int(l.capacity()), 0
		}
	}
}

// insert adds an index to the n first of a sorted list without repeats, and
// returns how many there are then.
func insert(sorted *[MaxCharges]uint32, n int, index uint32) int {
	at := n
	for at > 0 && sorted[at-1] > index {
		at--
	}
	if at > 0 && sorted[at-1] == index {
		return n
	}
	for i := n; i > at; i-- {
		sorted[i] = sorted[i-1]
	}
	sorted[at] = index
	return n + 1
}

// glance takes a cell that is at home, and has the line of another come from memory.
func (s *step) glance() {
	home := s.identity.home()
	if w := s.set.in(home, s.identity); w >= 0 {
		s.way, s.cell = w, s.set.at(w)
	} else if away := s.set.away(home); away != 0 {
		prefetch(unsafe.Pointer(s.set.at(2 * int8(bits.TrailingZeros8(away)))))
	}
}
