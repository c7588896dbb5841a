package ratelimit

import (
	"math"
	"time"
	"unsafe"
)

// open makes a way for a cell that is not there: the one that settle or an
// earlier charge of the call has chosen, a free one, or a victim's. It returns
// nil when every way is taken by this very call, or when a shadow would have to
// displace an enforced cell.
func (t *Table) open(c *Charge, plan []step, i int, now int64) *small {
	s, l := &plan[i], c.Limit
	if w := s.set.find(s.identity); w >= 0 {
		s.way = w // a duplicate in this call has opened it
		return s.set.at(w)
	}
	if shared := t.sharedOf(s.index); shared != nil {
		s.way = t.vacate(plan, i)
		cell, view := s.set.claimAll(s.way, s.identity), t.inherited(shared, l, s.identity, now)
		cell.become(&view)
		return cell
	}
	if l.Algorithm != Window || c.cost() > maxSmall {
		if s.way = t.line(plan, i, -1, now); s.way < 0 {
			return nil
		}
		t.forgetLine(s.set, s.way, now)
		return s.set.claimAll(s.way, s.identity)
	}
	if s.way = t.victim(plan, i, now); s.way < 0 {
		return nil
	}
	t.forget(s.set, s.way, now)
	s.way = t.vacate(plan, i)
	return s.set.claim(s.way, s.identity)
}

// grow makes the small cell of a charge a large one, which holds more. It returns nil
// where open does.
func (t *Table) grow(plan []step, i int, now int64) *small {
	s, f := &plan[i], &t.fits[plan[i].index]
	grown, capacity := s.set.at(s.way).grown(), f.capacity(s.way)
	to := t.line(plan, i, s.way, now)
	if to < 0 {
		return nil
	}
	s.set.clear(s.way)
	t.forgetLine(s.set, to, now)
	c := s.set.claimAll(to, s.identity)
	c.become(&grown)
	f.setCapacity(to, capacity)
	for j := range plan {
		if p := &plan[j]; p.set == s.set && p.identity == s.identity {
			p.way, p.cell = to, c
		}
	}
	return c
}

// vacate moves a cell that is not at home out of the home of a new one, into the way
// that the new one was to have, and returns where that goes. So of those who share a
// home one is there, until a full set has to forget.
func (t *Table) vacate(plan []step, i int) int8 {
	s, to, home := plan[i].set, plan[i].way, plan[i].identity.home()
	if to/2 == home {
		return to
	}
	for w := 2 * home; w < 2*home+2; w += s.span(w) {
		c := s.at(w)
		if c.free() || c.identity().home() == home || pinned(plan, s, w) || c.large() && t.sharedOf(plan[i].index) == nil {
			continue
		}
		t.move(plan[i].index, w, to)
		return w
	}
	return to
}

// move puts a cell into another way, whatever is there.
func (t *Table) move(index uint32, from, to int8) {
	s, f := &t.sets[index], &t.fits[index]
	if c := s.at(from); c.large() {
		moved := *c.all()
		s.clear(from)
		s.claimAll(to, moved.identity()).become(&moved)
	} else {
		moved := *c
		s.clear(from)
		at := s.claim(to, moved.identity())
		moved.meta = moved.meta&^0xff | at.meta&0xff
		*at = moved
	}
	f.setCapacity(to, f.capacity(from))
}

// share charges a shared cell. It keeps the longest window of those that are in
// it: nobody's debt may be forgotten by another's window.
func (t *Table) share(c *large, l *Limit, cost uint64, now int64) {
	c.meta |= isLarge // it was made without
	ms := l.sharedWindow()
	if c.total() != 0 && c.debt(now) != 0 {
		ms = max(ms, c.window)
	}
	c.chargeWindow(ms, cost, now)
	t.evicts.shared.Add(1)
}

// forget counts the debt of a victim.
func (t *Table) forget(s *set, w int8, now int64) {
	c := s.at(w)
	if c.free() {
		return
	}
	if debt := c.debt(now); debt != 0 {
		t.forgot(c.kind(), debt)
	}
}

// forgetLine counts the debts of all that are in a line.
func (t *Table) forgetLine(s *set, first int8, now int64) {
	for w := first; w < first+2; w += s.span(w) {
		t.forget(s, w, now)
	}
}

// forgot counts debt that the table no longer knows of.
func (t *Table) forgot(k kind, debt uint32) {
	if k&kindShadow != 0 {
		t.evicts.shadows.Add(1)
		return
	}
	t.evicts.cells.Add(1)
	t.evicts.debt.Add(uint64(debt))
}

// victim is the way that is best forgotten: a free one, else a shadow, else
// whoever has used the smallest part of his limit, and of equals the one who
// would soonest be free. A client at his limit comes after everybody who is not,
// so filling a set with fresh clients never clears the one who has exhausted his
// own; when all are at their limit, refusing newcomers would let a flood lock
// everybody out, so one goes and its debt is counted. Limits that cannot accept
// that say Protect.
//
// Ways that this call charges are pinned, and a shadow displaces only shadows.
func (t *Table) victim(plan []step, i int, now int64) int8 {
	s := plan[i].set
	best, least := int8(-1), mostLost
	shadow := plan[i].identity.kind()&kindShadow != 0
	t.fetch(plan[i].index)
	for n := range int8(lines) {
		line := plan[i].identity.home() ^ n
		for w := 2 * line; w < 2*line+2; w += s.span(w) {
			if pinned(plan, s, w) {
				continue
			}
			r, owes := t.rankOf(plan[i].index, w, now)
			if !owes {
				return w
			}
			if r.less(least) && !(shadow && r.enforced) {
				best, least = w, r
			}
		}
	}
	return best
}

// fetch has all lines of a set come from memory together, for who looks through it.
func (t *Table) fetch(index uint32) {
	prefetch(unsafe.Pointer(&t.fits[index]))
	for line := range int8(lines) {
		prefetch(unsafe.Pointer(t.sets[index].at(2 * line)))
	}
}

// line is the first way of the line that is best forgotten for a large cell, or -1: a free
// one, also if somebody can be moved out of it, else the one in which the least is lost.
// grows is the way of the small cell that will be the large one, -1 for a new one.
func (t *Table) line(plan []step, i int, grows int8, now int64) int8 {
	s, index, home := plan[i].set, plan[i].index, plan[i].identity.home()
	shadow := plan[i].identity.kind()&kindShadow != 0
	alone, best, least := int8(-1), int8(-1), mostLost
	t.fetch(index)
	for n := range int8(lines) {
		first := 2 * (home ^ n)
		r, debtors, last := t.rankOfLine(plan, index, first, grows, now)
		if debtors == 0 {
			return first
		}
		// Beside the cell that grows there is nobody to move another one to, so its
		// neighbour moves if he can.
		if debtors == 1 && !s.at(last).large() && (alone < 0 || alone^1 != grows) {
			alone = last
		}
		if debtors < needed && r.less(least) && !(shadow && r.enforced) {
			best, least = first, r
		}
	}
	if alone < 0 {
		return best
	}
	for n := range int8(ways) {
		if to := 2*home ^ n; to/2 != alone/2 && t.spare(plan, index, to, now) {
			t.move(index, alone, to)
			return alone &^ 1
		}
	}
	return best
}

// spare tells whether a small cell may be put into a way.
func (t *Table) spare(plan []step, index uint32, w int8, now int64) bool {
	s := &t.sets[index]
	if w%2 == 1 && s.span(w-1) == 2 || pinned(plan, s, w) {
		return false
	}
	_, owes := t.rankOf(index, w, now)
	return !owes
}

// rank orders cells by how much is lost with them.
type rank struct {
	enforced bool
	part     uint64 // of the limit that is used, of 2^24: a client at his limit has all of them
	free     int64  // when the debt has run out
}

func (r rank) less(o rank) bool {
	if r.enforced != o.enforced {
		return o.enforced
	}
	if r.part != o.part {
		return r.part < o.part
	}
	return r.free < o.free
}

// mostLost comes after all others.
var mostLost = rank{enforced: true, part: math.MaxUint64}

// rankOf ranks the cell of a way, if it owes something.
func (t *Table) rankOf(index uint32, w int8, now int64) (r rank, owes bool) {
	c := t.sets[index].at(w)
	if c.free() {
		return r, false
	}
	debt := c.debt(now)
	if debt == 0 {
		return r, false
	}
	return rank{
		enforced: c.kind()&kindShadow == 0,
		part:     uint64(debt) << 24 / uint64(max(t.fits[index].capacity(w), 1)),
		free:     c.clears(now),
	}, true
}

// needed is more debtors than a line can have.
const needed = 3

// rankOfLine is the highest rank in a line, not counting the way that grows, how many
// there owe something, needed if the call charges one, and who is the last of them.
func (t *Table) rankOfLine(plan []step, index uint32, first, grows int8, now int64) (worst rank, debtors int, last int8) {
	s := &t.sets[index]
	for w := first; w < first+2; w += s.span(w) {
		if w == grows {
			continue
		}
		if pinned(plan, s, w) {
			return worst, needed, w
		}
		if r, owes := t.rankOf(index, w, now); owes {
			if debtors == 0 || worst.less(r) {
				worst = r
			}
			debtors, last = debtors+1, w
		}
	}
	return worst, debtors, last
}

// clears is when a cell with debt will owe nothing.
func (c *small) clears(now int64) int64 {
	switch c.kind() &^ kindShadow {
	case kindBucket:
		return int64(c.all().words()[0])
	case kindBlock, kindQuota:
		return c.ends()
	}
	sub := subWindow(c.window)
	return c.windowAt(now, sub).leaves(0, sub)
}

// pinned tells whether the call charges a way.
func pinned(plan []step, s *set, w int8) bool {
	for i := range plan {
		if plan[i].set == s && plan[i].way == w {
			return true
		}
	}
	return false
}

// settle chooses where a cell of a protected set that is not there will be: with
// an earlier charge of the call, in a free way, else in the shared cell. It
// writes nothing.
func (t *Table) settle(plan []step, i int, now int64) int8 {
	s := &plan[i]
	for j := range plan[:i] {
		if p := &plan[j]; p.index == s.index && p.identity == s.identity {
			return p.way
		}
	}
	if w := s.free(plan, now); w >= 0 {
		return w
	}
	return inShared
}

// free is the line of a protected set nearest to a cell's home that nobody needs, or -1.
func (s *step) free(plan []step, now int64) int8 {
	for n := range int8(lines) {
		w := 2 * (s.identity.home() ^ n)
		if c := s.set.at(w); !pinned(plan, s.set, w) && (c.free() || c.debt(now) == 0) {
			return w
		}
	}
	return -1
}

// sharedWindow is the window, in milliseconds, in which a limit is counted in a
// shared cell: its own, for a bucket the time that it takes to refill. A whole
// bucket per refill is less than the bucket would admit, never more; at least a
// second, as all windows. A quota is counted in a window that no period outlasts.
func (l *Limit) sharedWindow() uint32 {
	if l.Algorithm == Window {
		return l.milliseconds()
	}
	if l.Algorithm == Quota {
		return uint32(l.Period.longest() / time.Millisecond)
	}
	ns, _ := span(l.capacity(), uint64(l.Window), uint64(l.Rate))
	return uint32((max(time.Duration(ns)+1, MinWindow) + time.Millisecond - 1) / time.Millisecond)
}

// inherited is the cell of a client who comes to a protected set, if the shared
// cell is not empty: what it holds may be his, so he starts with all of it.
func (t *Table) inherited(c *large, l *Limit, d identity, now int64) large {
	view := c.inWindow(l.sharedWindow(), now)
	if l.Algorithm != Window {
		total := uint64(view.windowAt(now, subWindow(view.window)).total)
		view = large{small: small{meta: isLarge}}
		switch {
		case total == 0:
		case l.Algorithm == Quota:
			view.chargeQuota(l, 0, total, t.wall(), now)
		default:
			view.chargeBucket(l, total, now)
		}
	}
	view.meta = uint64(d)<<identBit | isLarge
	return view
}
