package ratelimit

import "time"

// A penalty is a cell of its own in the set of the limit's cell, so that the one
// lock guards both. It is begun by the first charge that its limit refuses and
// not prolonged by those that it refuses itself: who retries all the time is let
// in again as soon as who waits.

// blockMark is the mark of the penalty beside a cell, a shadow's beside a shadow.
func blockMark(mark uint32) uint32 { return mark&^uint32(kindMask&^kindShadow) | uint32(kindBlock) }

// blocked is how long a client's penalty lasts yet, 0 when there is none.
func (s *set) blocked(tag, mark uint32, now int64) time.Duration {
	w := s.find(tag, blockMark(mark))
	if w < 0 {
		return 0
	}
	return time.Duration(max(0, int64(s.way[w].data[0])-now))
}

// holdBack refuses a charge that its limit may have room for, as long as the
// penalty lasts.
func (s *step) holdBack(d *Decision, now int64) {
	left := s.set.blocked(s.tag, s.mark, now)
	if left == 0 {
		return
	}
	s.blocked, s.pending = true, 0
	if d.Admitted {
		d.Reset = left
	}
	*d = Decision{RetryAfter: max(d.RetryAfter, left), Reset: max(d.Reset, left)}
}

// punish begins the penalty of a charge that its limit has just refused. A
// charge that no waiting could make fit is a mistake of the configuration's and
// has none; neither has a newcomer to a full protected set, whose limit he
// shares with others.
func (t *Table) punish(c *Charge, d *Decision, plan []step, i int, now int64) {
	s, l := &plan[i], c.Limit
	if s.set == nil || s.blocked || l.Penalty == 0 || l.Algorithm == Concurrency || c.cost() > uint64(s.capacity) {
		return
	}
	mark := blockMark(s.mark)
	w := s.set.find(s.tag, mark)
	if w < 0 {
		if w = t.cellFor(plan, i, now); w < 0 {
			return
		}
		s.set.claim(w, s.tag, mark)
	}
	s.set.way[w].data[0] = uint64(now + int64(l.Penalty))
	s.set.setCapacity(w, 1) // of which a penalty owes all
	if d.RetryAfter != Never {
		d.RetryAfter = max(d.RetryAfter, l.Penalty)
	}
	d.Remaining, d.Reset = 0, max(d.Reset, l.Penalty)
}

// cellFor is a way for a penalty, or -1.
func (t *Table) cellFor(plan []step, i int, now int64) int8 {
	s := &plan[i]
	if t.sharedOf(s.index) != nil {
		return s.free(plan, now)
	}
	w := s.set.victim(plan, i, now)
	if w >= 0 && s.set.tag[w] != 0 {
		if debt := s.set.way[w].debt(now); debt != 0 {
			t.forgot(s.set.way[w].meta>>16, debt)
		}
	}
	return w
}
