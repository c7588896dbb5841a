package limitertest

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

func (s *suite) exact() {
	s.Advance(time.Minute) // into a month that lasts
	for name, l := range algorithms {
		l := s.limit(l)
		for i := range 5 {
			if d := s.want(l, name, 1, true); d.Remaining != 4-i || d.RetryAfter != 0 {
				s.Errorf("%s: %d says %+v", name, i, d)
			}
		}
		d := s.want(l, name, 1, false)
		if d.Remaining != 0 || d.RetryAfter <= 0 || d.RetryAfter > 31*24*time.Hour || d.Reset > d.RetryAfter {
			s.Errorf("%s: a refusal says %+v", name, d)
		}
		s.want(l, name+"'s neighbour", 1, true)
		s.Advance(d.RetryAfter - time.Millisecond)
		s.want(l, name, 1, false)
		s.Advance(time.Millisecond)
		s.want(l, name, 1, true)
	}
}

// strictWindow finds neither more than N in any interval of a window's length, nor a
// refusal where the last 16/15 of one had room.
func (s *suite) strictWindow() {
	const capacity, window = 7, time.Minute
	l := s.limit(ratelimit.Limit{Rate: capacity, Window: window})
	random := rand.New(rand.NewPCG(3, 5))
	type event struct {
		at   time.Duration
		cost int
	}
	var events []event
	now := time.Duration(0)
	within := func(d time.Duration) (n int) {
		for _, e := range events {
			if now-e.at < d {
				n += e.cost
			}
		}
		return n
	}
	refused := 0
	for range 1500 {
		step := time.Duration(random.Int64N(int64(6 * time.Second))).Truncate(time.Microsecond)
		if random.IntN(10) == 0 {
			step *= 8
		}
		s.Advance(step)
		now += step
		cost := 1 + random.IntN(3)
		if s.ask(l, "client", uint32(cost)).Admitted {
			events = append(events, event{now, cost})
			if n := within(window); n > capacity {
				s.Fatalf("%d admitted within %s", n, window)
			}
			continue
		}
		refused++
		if n := within(window*16/15 + time.Millisecond); n+cost <= capacity {
			s.Fatalf("a cost of %d is refused with %d of %d used", cost, n, capacity)
		}
	}
	if refused < 100 || len(events) < 100 {
		s.Errorf("%d admitted and %d refused show little", len(events), refused)
	}
}

// evenBucket agrees with the textbook at every step.
func (s *suite) evenBucket() {
	const burst, every = 5, 10 * time.Second
	l := s.limit(ratelimit.Limit{Rate: 6, Window: time.Minute, Burst: burst, Algorithm: ratelimit.Bucket})
	random := rand.New(rand.NewPCG(7, 11))
	var now, arrival time.Duration
	for i := range 1500 {
		step := time.Duration(random.Int64N(int64(12 * time.Second))).Truncate(time.Microsecond)
		s.Advance(step)
		now += step
		arrival = max(arrival, now)
		cost := 1 + random.IntN(2)
		fits := arrival+time.Duration(cost)*every <= now+burst*every
		if got := s.ask(l, "client", uint32(cost)); got.Admitted != fits {
			s.Fatalf("step %d: a cost of %d: %+v, want admitted: %t", i, cost, got, fits)
		}
		if fits {
			arrival += time.Duration(cost) * every
		}
	}
}

func (s *suite) quotaPeriods() {
	for _, period := range []ratelimit.Period{ratelimit.Day, ratelimit.Month} {
		l := s.limit(ratelimit.Limit{Rate: 2, Algorithm: ratelimit.Quota, Period: period})
		s.want(l, "client", 2, true)
		s.want(l, "client", 1, false)
	}
	s.Advance(9 * time.Second)
	day := s.limit(ratelimit.Limit{Rate: 2, Algorithm: ratelimit.Quota, Period: ratelimit.Day})
	month := s.limit(ratelimit.Limit{Rate: 2, Algorithm: ratelimit.Quota, Period: ratelimit.Month})
	for _, l := range []*ratelimit.Limit{day, month} {
		s.want(l, "client", 2, true)
		if d := s.want(l, "client", 1, false); d.RetryAfter != time.Second {
			s.Errorf("it waits for %s, want a second", d.RetryAfter)
		}
	}
	s.Advance(time.Second) // the first of December
	for _, l := range []*ratelimit.Limit{day, month} {
		s.want(l, "client", 2, true)
		s.want(l, "client", 1, false)
	}
	s.Advance(24 * time.Hour)
	s.want(day, "client", 1, true)
	if d := s.want(month, "client", 1, false); d.RetryAfter != 30*24*time.Hour {
		s.Errorf("on the second of December it waits for %s", d.RetryAfter)
	}
}

func (s *suite) costs() {
	for name, l := range algorithms {
		l := s.limit(l)
		if d := s.want(l, name, 3, true); d.Remaining != 2 {
			s.Errorf("%s: 3 of 5 leave %d", name, d.Remaining)
		}
		s.want(l, name, 3, false)
		s.want(l, name, 2, true)
		s.want(l, name, 0, false) // a forgotten cost is no free request
		if d := s.want(l, "another", 6, false); d.RetryAfter != ratelimit.Never {
			s.Errorf("%s: 6 of 5 may wait for %s", name, d.RetryAfter)
		}
	}
}

func (s *suite) manyAtOnce() {
	for name, l := range algorithms {
		l := s.limit(l)
		var admitted atomic.Int64
		var wg sync.WaitGroup
		for i := range 90 {
			n := s.Nodes[i%len(s.Nodes)]
			wg.Go(func() {
				var out [1]ratelimit.Decision
				if n.Take([]ratelimit.Charge{{Limit: l, Key: key(n, l, name)}}, out[:]) {
					admitted.Add(1)
				}
			})
		}
		wg.Wait()
		// A token may come to a node whose requests have all been answered.
		for range 6 {
			if s.ask(l, name, 1).Admitted {
				admitted.Add(1)
			}
		}
		if admitted.Load() != 5 {
			s.Errorf("%s: %d admitted, want 5", name, admitted.Load())
		}
	}
}

// large takes a limit of which nodes may hold some: until all of them refuse, they
// have admitted it exactly.
func (s *suite) large() {
	for _, algorithm := range []ratelimit.Algorithm{ratelimit.Window, ratelimit.Bucket} {
		l := s.limit(ratelimit.Limit{Rate: 10_000, Window: time.Hour, Algorithm: algorithm})
		admitted := 0
		for refusals := 0; refusals < len(s.Nodes); {
			if s.ask(l, "client", 1).Admitted {
				admitted++
				refusals = 0
				continue
			}
			refusals++
		}
		if admitted != 10_000 {
			s.Errorf("%s: %d admitted, want 10,000", algorithm, admitted)
		}
	}
}
