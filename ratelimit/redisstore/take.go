package redisstore

import (
	"strconv"
	"sync"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// plan is the way of one call through Take.
type plan struct {
	charges []ratelimit.Charge
	out     []ratelimit.Decision
	shared  [ratelimit.MaxCharges]*bucket // nil: not shared

	// The charges that the table judges, and where they stand in the call.
	local     [ratelimit.MaxCharges]ratelimit.Charge
	decisions [ratelimit.MaxCharges]ratelimit.Decision
	at        [ratelimit.MaxCharges]uint8
	locals    int

	order [ratelimit.MaxCharges]*bucket // to be locked, in the order of their names
	locks int

	granted []*call // by Redis for this call
}

var plans = sync.Pool{New: func() any { return new(plan) }}

func (p *plan) release() {
	clear(p.shared[:len(p.charges)])
	clear(p.order[:p.locks])
	clear(p.local[:p.locals])
	clear(p.granted)
	p.charges, p.out, p.locals, p.locks, p.granted = nil, nil, 0, 0, p.granted[:0]
	plans.Put(p)
}

// sharedLimit tells whether a charge counts for the whole fleet.
func sharedLimit(c *ratelimit.Charge) bool {
	return !c.Shadow && c.Limit != nil && c.Limit.Algorithm != ratelimit.Concurrency
}

func cost(c *ratelimit.Charge) int64 { return int64(max(c.Cost, 1)) }

// Take implements ratelimit.Limiter. It waits for Redis at most as long as Config.Patience says, and only
// when this node has no lease of one of the limits.
func (s *Store) Take(charges []ratelimit.Charge, out []ratelimit.Decision) (admitted bool) {
	return s.TakeAt(time.Time{}, charges, out)
}

// TakeAt implements ratelimit.Limiter. Limits that are shared go by this node's clock
// when it decides, since it may have waited for Redis.
func (s *Store) TakeAt(at time.Time, charges []ratelimit.Charge, out []ratelimit.Decision) (admitted bool) {
	if len(charges) > ratelimit.MaxCharges || len(out) != len(charges) {
		return s.table.TakeAt(at, charges, out) // which refuses it
	}
	any := false
	for i := range charges {
		charges[i].Ticket = 0
		if !charges[i].Limit.Usable() {
			return s.table.TakeAt(at, charges, out)
		}
		any = any || sharedLimit(&charges[i])
	}
	if !any {
		return s.table.TakeAt(at, charges, out)
	}
	if !s.up.Load() {
		return s.alone(charges, out)
	}
	p := plans.Get().(*plan)
	defer p.release()
	p.charges, p.out = charges, out
	for i := range charges {
		c := &charges[i]
		if sharedLimit(c) {
			p.shared[i] = s.bucket(c.Limit, c.Key)
			p.insert(p.shared[i])
			continue
		}
		p.local[p.locals], p.at[p.locals] = *c, uint8(i)
		p.locals++
	}
	deadline := s.now() + int64(s.cfg.Patience)
	for range 8 {
		switch s.decide(p) {
		case yes:
			return true
		case no:
			s.giveBack(p)
			return false
		}
		if !s.fetch(p, deadline) {
			s.unhold(p)
			return s.alone(charges, out)
		}
	}
	// Others took what Redis gave, each time. That is not for ever.
	for i := range out {
		out[i] = ratelimit.Decision{RetryAfter: time.Second, Reset: time.Second}
	}
	s.unhold(p)
	s.giveBack(p)
	return false
}

// giveBack returns what was granted for a call that is refused: else who is refused
// by one limit would use up the others, of which he may not be the only client.
func (s *Store) giveBack(p *plan) {
	for _, q := range p.granted {
		b := q.bucket
		b.mu.Lock()
		n := int64(0)
		if b.until == q.sent+int64(LeaseTime) {
			n = min(q.min, q.answer.granted, b.tokens)
			b.tokens -= n
			b.remaining += n
		}
		b.mu.Unlock()
		if n > 0 {
			s.ask(&call{op: opReturn, limit: q.limit, bucket: b, min: n, want: q.answer.grant})
		}
	}
}

func (p *plan) insert(b *bucket) {
	at := p.locks
	for at > 0 && p.order[at-1].limit > b.limit {
		at--
	}
	if at > 0 && p.order[at-1] == b {
		return
	}
	copy(p.order[at+1:p.locks+1], p.order[at:p.locks])
	p.order[at] = b
	p.locks++
}

// lock locks the buckets of the call, which no other call can want the other way round.
// None of them is forgotten before it is unlocked, and one that was forgotten before this
// is looked up again: whoever judges a client by two buckets judges him twice.
func (s *Store) lock(p *plan) {
	for {
		gone := false
		for _, b := range p.order[:p.locks] {
			b.mu.Lock()
			gone = gone || b.gone
		}
		if !gone {
			return
		}
		p.unlock()
		clear(p.order[:p.locks])
		p.locks = 0
		for i := range p.charges {
			if p.shared[i] != nil {
				p.shared[i] = s.bucket(p.charges[i].Limit, p.charges[i].Key)
				p.insert(p.shared[i])
			}
		}
	}
}

func (p *plan) unlock() {
	for _, b := range p.order[:p.locks] {
		b.mu.Unlock()
	}
}

// need is what a charge costs, on top of the charges before it to the same bucket.
func (p *plan) need(i int) int64 {
	n := cost(&p.charges[i])
	for j := range i {
		if p.shared[j] == p.shared[i] && p.charges[j].When == ratelimit.Now {
			n += cost(&p.charges[j])
		}
	}
	return n
}

// again tells whether a later charge of the call is to the same bucket.
func (p *plan) again(i int) bool {
	for j := i + 1; j < len(p.charges); j++ {
		if p.shared[j] == p.shared[i] && p.charges[j].When == ratelimit.Now {
			return true
		}
	}
	return false
}

type verdict uint8

const (
	ask verdict = iota
	yes
	no
)

// decide admits or refuses by what this node knows, or says that Redis has to be
// asked. What the charges before it in the call take of the same bucket counts.
func (s *Store) decide(p *plan) verdict {
	s.lock(p)
	defer p.unlock()
	now, result := s.now(), yes
	for i := range p.charges {
		b, c := p.shared[i], &p.charges[i]
		if b == nil {
			continue
		}
		need, capacity := p.need(i), int64(c.Limit.Capacity())
		fits, refused := b.fits(need, now)
		if b.doubted() && !refused && s.doubts(b, c, need, now) {
			fits, refused = false, true
		}
		switch {
		case c.When == ratelimit.Look:
			fits = !refused
		case c.When == ratelimit.Later:
			fits = c.Ticket != 0
			refused = refused && !fits
		}
		if need > capacity {
			fits, refused = false, true
		}
		b.decide(&p.out[i], need, capacity, now, fits)
		switch {
		case refused:
			if c.When == ratelimit.Look && c.Limit.Penalty != 0 && !b.blocked {
				s.ask(&call{op: opPunish, limit: c.Limit, bucket: b, min: need})
			}
			result = no
		case !fits && result == yes:
			result = ask
		}
	}
	if result == ask {
		return ask
	}
	if result == yes && p.locals > 0 {
		if !s.table.Take(p.local[:p.locals], p.decisions[:p.locals]) {
			result = no
		}
	} else if p.locals > 0 {
		for i := range p.locals {
			p.decisions[i] = ratelimit.Decision{Admitted: true}
		}
	}
	for i := range p.locals {
		p.out[p.at[i]] = p.decisions[i]
	}
	if result == no {
		s.unhold(p)
		return no
	}
	for i := range p.charges {
		b, c := p.shared[i], &p.charges[i]
		if b == nil || c.When != ratelimit.Now {
			continue
		}
		b.tokens -= cost(c)
		b.used += cost(c)
		p.out[i].Remaining = int(min(b.remaining+b.tokens, int64(c.Limit.Capacity())))
		s.mirror(c)
		if b.size > 8 && b.tokens <= b.size/2 && b.lead == nil && b.remaining > 0 {
			b.lead = &call{op: opTake, limit: c.Limit, bucket: b, leads: true, done: make(chan struct{})}
			b.lead.want = b.want(1, s.lease(c.Limit, cost(c)), now)
			b.claimed = 0
			if !s.ask(b.lead) {
				b.lead = nil
			}
		}
	}
	return yes
}

// mirror charges the table too, so that it knows what this node has let in when it
// has to decide alone.
func (s *Store) mirror(c *ratelimit.Charge) {
	m := *c
	m.When = ratelimit.Look
	s.table.Settle(&m, true)
}

// fetch asks Redis for what is missing, all at once, and reports whether it answered.
func (s *Store) fetch(p *plan, deadline int64) bool {
	now := s.now()
	if now >= deadline {
		return false
	}
	type waited struct {
		*call
		at  int
		own bool // asked by this call, and not by another one for many
	}
	waits := make([]waited, 0, 4)
	ok := true
	for i := range p.charges {
		b, c := p.shared[i], &p.charges[i]
		if b == nil || c.When == ratelimit.Look || c.Ticket != 0 {
			continue
		}
		if c.When == ratelimit.Now && p.again(i) {
			continue
		}
		q := &call{op: opTake, limit: c.Limit, bucket: b, min: p.need(i), done: make(chan struct{})}
		b.mu.Lock()
		fits, refused := b.fits(q.min, now)
		switch {
		case c.When == ratelimit.Later:
			q.op, q.min, fits = opHold, cost(c), false
		case now < b.until:
			q.min = max(1, q.min-b.tokens)
		}
		if fits || refused {
			b.mu.Unlock()
			continue
		}
		if q.want = q.min; q.op == opTake {
			if b.lead != nil && b.lead.want-b.claimed >= q.min {
				b.claimed += q.min
				waits = append(waits, waited{call: b.lead, at: i})
				b.mu.Unlock()
				continue
			}
			if b.lead == nil {
				b.lead, b.claimed, q.leads = q, q.min, true
				q.want = b.want(q.min, s.lease(c.Limit, cost(c)), now)
			}
		}
		b.mu.Unlock()
		if !s.ask(q) {
			ok = false
			if q.leads {
				b.mu.Lock()
				b.lead = nil
				b.mu.Unlock()
			}
		}
		waits = append(waits, waited{q, i, true})
	}
	timer := time.NewTimer(time.Duration(deadline - now))
	defer timer.Stop()
	for _, q := range waits {
		select {
		case <-q.done:
			switch {
			case q.err != nil:
				ok = false
			case !q.own || q.answer.granted == 0:
			case q.op == opHold:
				p.charges[q.at].Ticket = q.answer.seconds
			default:
				p.granted = append(p.granted, q.call)
			}
		case <-timer.C:
			s.fail(errSlow)
			if q.op == opHold {
				go s.abandon(q.call)
			}
			ok = false
		}
	}
	return ok
}

// abandon lets go of a hold that came too late for its request.
func (s *Store) abandon(q *call) {
	<-q.done
	if q.err == nil && q.answer.granted > 0 {
		s.ask(&call{op: opRelease, limit: q.limit, bucket: q.bucket, min: q.min, unhold: strconv.FormatInt(q.answer.seconds, 10)})
	}
}

// unhold lets go of what a call that is refused has held.
func (s *Store) unhold(p *plan) {
	for i := range p.charges {
		if c := &p.charges[i]; c.Ticket != 0 && p.shared[i] != nil {
			s.ask(&call{op: opRelease, limit: c.Limit, bucket: p.shared[i], min: cost(c), unhold: strconv.FormatInt(c.Ticket, 10)})
			c.Ticket = 0
		}
	}
}

// Settle implements ratelimit.Limiter. Redis is told later: until then it takes what
// was held for what counts.
func (s *Store) Settle(c *ratelimit.Charge, counts bool) {
	if c.Limit == nil || !sharedLimit(c) {
		s.table.Settle(c, counts)
		return
	}
	alone := c.When == ratelimit.Later && c.Ticket == 0 // taken while Redis could not be asked
	if !counts && c.Ticket == 0 {
		if alone {
			s.table.Settle(c, false)
		}
		return
	}
	q := &call{op: opCharge, limit: c.Limit, bucket: s.locked(c.Limit, c.Key), min: cost(c)}
	if c.Ticket != 0 {
		q.unhold = strconv.FormatInt(c.Ticket, 10)
		c.Ticket = 0
	}
	switch {
	case !counts:
		q.op = opRelease
	case alone:
		q.untold = 1
		q.bucket.untold++ // before the table lets go of what nobody else holds
		s.table.Settle(c, true)
	default:
		s.mirror(c)
	}
	q.bucket.mu.Unlock()
	s.settle(q)
}

// settle tells Redis, or remembers to.
func (s *Store) settle(c *call) {
	if !s.up.Load() || !s.ask(c) {
		s.owed.note(s, c)
	}
}
