package ratelimit

import (
	"math"
	"sync/atomic"
	"time"
)

// open makes a way for a cell that is not there: the one that settle or an
// earlier charge of the call has chosen, a free one, or a victim's. It returns
// nil when every way is taken by this very call, or when a shadow would have to
// displace an enforced cell.
func (t *Table) open(l *Limit, plan []step, i int, now int64) *slot {
	s := &plan[i]
	if w := s.set.find(s.tag, s.mark); w >= 0 {
		s.way = w // a duplicate in this call has opened it
		return &s.set.way[w]
	}
	if shared := t.sharedOf(s.index); shared != nil {
		s.way = s.set.vacate(plan, i)
		c := s.set.claim(s.way, s.tag, s.mark)
		c.become(t.inherited(shared, l, s.mark, now))
		return c
	}
	if s.way = s.set.victim(plan, i, now); s.way < 0 {
		return nil
	}
	if v := &s.set.way[s.way]; s.set.tag[s.way] != 0 {
		if debt := v.debt(now); debt != 0 {
			t.forgot(v.meta>>16, debt)
		}
	}
	s.way = s.set.vacate(plan, i)
	return s.set.claim(s.way, s.tag, s.mark)
}

// vacate moves a cell that is not at home out of the home of a new one, into the way
// that the new one was to have, and returns where that goes. So of those who share a
// home one is there, until a full set has to forget.
func (s *set) vacate(plan []step, i int) int8 {
	to, at := plan[i].way, home(plan[i].tag)
	if to == at || home(s.tag[at]) == at || pinned(plan, s, at) {
		return to
	}
	s.way[to].become(s.way[at])
	s.setCapacity(to, s.capacity(at))
	atomic.StoreUint32(&s.tag[to], s.tag[at])
	return at
}

// share charges a shared cell. It keeps the longest window of those that are in
// it: nobody's debt may be forgotten by another's window.
func (t *Table) share(c *slot, l *Limit, cost uint64, now int64) {
	ms := l.sharedWindow()
	if c.used() != 0 && c.debt(now) != 0 {
		ms = max(ms, c.window)
	}
	c.chargeWindow(ms, cost, now)
	t.evicts.shared.Add(1)
}

// forgot counts debt that the table no longer knows of.
func (t *Table) forgot(mark, debt uint32) {
	if kind(mark)&kindShadow != 0 {
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
func (s *set) victim(plan []step, i int, now int64) int8 {
	best, least := int8(-1), rank{enforced: true, part: math.MaxUint64}
	shadow := kind(plan[i].mark)&kindShadow != 0
	for n := range int8(ways) {
		w := (home(plan[i].tag) + n) % ways
		if pinned(plan, s, w) {
			continue
		}
		if s.tag[w] == 0 {
			return w
		}
		debt := s.way[w].debt(now)
		if debt == 0 {
			return w
		}
		r := s.rank(w, debt, now)
		if shadow && r.enforced {
			continue
		}
		if r.less(least) {
			best, least = w, r
		}
	}
	return best
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

func (s *set) rank(w int8, debt uint32, now int64) rank {
	c := &s.way[w]
	return rank{
		enforced: c.kind()&kindShadow == 0,
		part:     uint64(debt) << 24 / uint64(max(s.capacity(w), 1)),
		free:     c.free(now),
	}
}

// free is when the cell will owe nothing.
func (c *slot) free(now int64) int64 {
	if k := c.kind() &^ kindShadow; k == kindBucket || k == kindBlock {
		return int64(c.data[0])
	}
	if c.kind()&^kindShadow == kindQuota {
		return int64(c.data[1])
	}
	sub := subWindow(c.window)
	v := c.windowAt(now, sub)
	age := uint32(v.epoch) - c.epoch
	return (v.epoch - int64(age) + counters) * sub
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
		if p := &plan[j]; p.index == s.index && p.tag == s.tag && p.mark == s.mark {
			return p.way
		}
	}
	if w := s.free(plan, now); w >= 0 {
		return w
	}
	return inShared
}

// free is the way nearest to a cell's home that nobody needs, or -1.
func (s *step) free(plan []step, now int64) int8 {
	for n := range int8(ways) {
		w := (home(s.tag) + n) % ways
		if !pinned(plan, s.set, w) && (s.set.tag[w] == 0 || s.set.way[w].debt(now) == 0) {
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
func (t *Table) inherited(c *slot, l *Limit, mark uint32, now int64) slot {
	view := c.inWindow(l.sharedWindow(), now)
	switch l.Algorithm {
	case Quota:
		total := view.windowAt(now, subWindow(view.window)).total
		view = slot{}
		if total != 0 {
			view.chargeQuota(l, 0, uint64(total), t.wall(), now)
		}
	case Bucket:
		total := view.windowAt(now, subWindow(view.window)).total
		view = slot{}
		if total != 0 {
			view.chargeBucket(l, uint64(total), now)
		}
	}
	view.meta = view.meta&0xffff | mark<<16
	return view
}
