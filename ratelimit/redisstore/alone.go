package redisstore

import (
	"errors"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

var errSlow = errors.New("it did not answer in time")

// alone decides without Redis, each limit as its OnStoreFailure says.
func (s *Store) alone(charges []ratelimit.Charge, out []ratelimit.Decision) (admitted bool) {
	p := plans.Get().(*plan)
	defer p.release()
	p.charges, p.out = charges, out
	denied := false
	for i := range charges {
		c := charges[i]
		if sharedLimit(&c) {
			switch c.Limit.OnStoreFailure {
			case ratelimit.FailDeny:
				out[i] = ratelimit.Decision{Unavailable: true, RetryAfter: time.Second, Reset: time.Second}
				denied = true
				continue
			case ratelimit.FailAllow:
				out[i] = ratelimit.Decision{Admitted: true, Remaining: c.Limit.Capacity()}
				continue
			default:
				p.shared[i] = s.bucket(c.Limit, c.Key)
				p.insert(p.shared[i])
				c.Limit = s.share(c.Limit)
			}
		}
		p.local[p.locals], p.at[p.locals] = c, uint8(i)
		p.locals++
	}
	local, at := p.local[:p.locals], p.at[:p.locals]
	if denied {
		// Nothing is charged, as by any refusal.
		for i, j := range at {
			st := s.table.Peek(local[i].Limit, local[i].Key)
			out[j] = ratelimit.Decision{Admitted: true, Remaining: st.Remaining, Reset: st.Reset}
		}
		return false
	}
	admitted = s.doubting(p)
	for i, j := range at {
		out[j] = p.decisions[i]
	}
	if admitted {
		for _, j := range at {
			// What Redis is not told now it is told when it can be asked, as far as
			// there is room to remember it.
			if c := &charges[j]; sharedLimit(c) && c.When == ratelimit.Now {
				s.settle(&call{op: opCharge, limit: c.Limit, bucket: p.shared[j], min: cost(c), untold: 1})
			}
		}
	}
	return admitted
}

// doubting has the table decide, and from then on judge too what Redis grants: until
// Redis has been told of this it would grant the same once more. Who decides by Redis
// asks the table first and charges it later, and nothing may come between.
func (s *Store) doubting(p *plan) (admitted bool) {
	s.lock(p)
	defer p.unlock()
	if !s.table.Take(p.local[:p.locals], p.decisions[:p.locals]) {
		return false
	}
	for i, j := range p.at[:p.locals] {
		switch b := p.shared[j]; {
		case b == nil:
		case p.local[i].When == ratelimit.Now:
			b.untold++
		case p.local[i].When == ratelimit.Later:
			b.open = true
		}
	}
	return true
}

// shareKey is a limit as one of so many nodes has it.
type shareKey struct {
	limit ratelimit.Limit
	nodes int
}

// share is this node's part of a limit, one at least.
func (s *Store) share(l *ratelimit.Limit) *ratelimit.Limit {
	nodes := s.Nodes()
	if nodes == 1 {
		return l
	}
	key := shareKey{*l, nodes}
	if part, ok := s.shares.Load(key); ok {
		return part.(*ratelimit.Limit)
	}
	part := *l
	part.Rate = max(1, l.Rate/nodes)
	if l.Burst != 0 {
		part.Burst = max(1, l.Burst/nodes)
	}
	if !part.Usable() { // a bucket that takes too long to refill
		part = *l
	}
	actual, _ := s.shares.LoadOrStore(key, &part)
	return actual.(*ratelimit.Limit)
}

// Peek implements ratelimit.Limiter. Redis is asked when it can be.
func (s *Store) Peek(l *ratelimit.Limit, k ratelimit.Key) ratelimit.State {
	st := s.table.Peek(l, k)
	a, ok := s.askNow(opLook, l, k)
	if !ok {
		return st
	}
	st.Used = l.Capacity() - int(a.remaining)
	st.Remaining, st.Reset, st.Blocked = int(a.remaining), a.reset, a.blocked
	st.Found = st.Used > 0 || st.Blocked > 0
	return st
}

// PeekShadow implements ratelimit.Limiter: shadows are each node's own.
func (s *Store) PeekShadow(l *ratelimit.Limit, k ratelimit.Key) ratelimit.State {
	return s.table.PeekShadow(l, k)
}

// Forget implements ratelimit.Limiter. Other nodes believe what they know for a second
// yet. What they have not told Redis by now is not forgotten.
func (s *Store) Forget(l *ratelimit.Limit, k ratelimit.Key) bool {
	owed := s.table.Forget(l, k)
	a, ok := s.askNow(opForget, l, k)
	if !ok {
		return owed
	}
	b := s.bucket(l, k)
	b.mu.Lock()
	b.tokens, b.refused, b.blocked = 0, 0, false
	b.mu.Unlock()
	return owed || a.granted > 0
}

// askNow asks Redis about one bucket and waits.
func (s *Store) askNow(what op, l *ratelimit.Limit, k ratelimit.Key) (answer, bool) {
	if !l.Usable() || l.Algorithm == ratelimit.Concurrency || !s.up.Load() {
		return answer{}, false
	}
	q := &call{op: what, limit: l, bucket: s.bucket(l, k), done: make(chan struct{})}
	s.ask(q)
	select {
	case <-q.done:
		return q.answer, q.err == nil
	case <-time.After(s.cfg.Patience):
		return answer{}, false
	}
}
