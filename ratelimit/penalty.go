package ratelimit

import "time"

// A penalty is a cell of its own in the set of the limit's cell, so that the one
// lock guards both. It is begun by the first charge that its limit refuses and
// not prolonged by those that it refuses itself: who retries all the time is let
// in again as soon as who waits.

// blocked is how long a client's penalty lasts yet, 0 when there is none.
func (s *set) blocked(d identity, now int64) time.Duration {
	w := s.find(d.block())
	if w < 0 {
		return 0
	}
	return time.Duration(max(0, s[w].ends()-now))
}

// holdBack refuses a charge that its limit may have room for, as long as the
// penalty lasts.
func (s *step) holdBack(d *Decision, now int64) {
	left := s.set.blocked(s.identity, now)
	if left == 0 {
		return
	}
	s.blocked, s.pending = true, 0
	if d.Admitted {
		d.Reset = left
	}
	*d = Decision{RetryAfter: max(d.RetryAfter, left), Reset: max(d.Reset, left)}
}

// punish begins the penalty of a charge that its limit, which has one, has just refused. A
// charge that no waiting could make fit is a mistake of the configuration's and
// has none; neither has a newcomer to a full protected set, whose limit he
// shares with others.
func (t *Table) punish(c *Charge, d *Decision, plan []step, i int, now int64) {
	s, l := &plan[i], c.Limit
	if s.blocked || l.Algorithm == Concurrency || c.cost() > uint64(s.capacity) {
		return
	}
	block := s.identity.block()
	w := s.set.find(block)
	if w < 0 {
		if w = t.cellFor(plan, i, now); w < 0 {
			return
		}
		if t.sharedOf(s.index) != nil {
			s.set.claimAll(w, block)
		} else {
			s.set.claim(w, block)
		}
		t.fits[s.index].setCapacity(w, 1) // of which a penalty owes all
	}
	s.set[w].setEnds(now + int64(l.Penalty))
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
	w := t.victim(plan, i, now)
	if w >= 0 {
		t.forget(s.set, w, now)
	}
	return w
}
