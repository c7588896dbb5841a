package limitertest

import (
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

func (s *suite) allOrNone() {
	narrow := s.limit(ratelimit.Limit{Rate: 2, Window: time.Hour})
	for name, l := range algorithms {
		wide := s.limit(l)
		admitted := 0
		for range 12 {
			if ok, _ := s.take(s.charge(wide, "a", 1), s.charge(narrow, name, 1)); ok {
				admitted++
			}
		}
		if admitted != 2 {
			s.Errorf("%s: %d admitted, want 2", name, admitted)
		}
		s.used(wide, "a", 2)
		s.used(narrow, name, 2)
	}
}

// refusalsAreFree has a client that is refused by one limit for long: it is not to use
// up another, which others may share.
func (s *suite) refusalsAreFree() {
	full := s.limit(ratelimit.Limit{Rate: 1, Window: time.Hour})
	s.want(full, "attacker", 1, true)
	var wide []*ratelimit.Limit
	for _, l := range algorithms {
		wide = append(wide, s.limit(l))
	}
	s.Advance(time.Minute) // past the end of day and month
	for range 12 {
		for _, l := range wide {
			if ok, _ := s.take(s.charge(l, "everybody", 2), s.charge(full, "attacker", 1)); ok {
				s.Fatal("admitted")
			}
		}
		s.settled()
	}
	for _, l := range wide {
		s.used(l, "everybody", 0)
		s.settled()
		for range 5 {
			s.want(l, "everybody", 1, true)
		}
		s.want(l, "everybody", 1, false)
	}
}

func (s *suite) sameBucketTwice() {
	for name, l := range algorithms {
		l := s.limit(l)
		twice := func() (bool, []ratelimit.Decision) {
			return s.take(s.charge(l, name, 1), s.charge(l, name, 1))
		}
		for i := range 2 {
			if ok, out := twice(); !ok || out[1].Remaining != 3-2*i {
				s.Fatalf("%s: %+v", name, out)
			}
		}
		if ok, _ := twice(); ok {
			s.Errorf("%s: six of five", name)
		}
		s.used(l, name, 4)
		s.want(l, name, 1, true)
	}
}

func (s *suite) failures() {
	for name, l := range algorithms {
		l := s.limit(l)
		type guess struct {
			node   ratelimit.Limiter
			charge ratelimit.Charge
		}
		try := func() (*guess, bool) {
			c := s.charge(l, name, 1)
			c.When = ratelimit.Later
			g, out := &guess{s.node(), c}, [1]ratelimit.Decision{}
			charges := []ratelimit.Charge{c}
			ok := g.node.Take(charges, out[:])
			if out[0].Unavailable {
				s.Fatal("the limiter could not ask its store")
			}
			g.charge = charges[0]
			return g, ok
		}
		for i := range 8 { // who guesses right is never refused
			g, ok := try()
			if !ok {
				s.Fatalf("%s: right guess %d is refused", name, i)
			}
			g.node.Settle(&g.charge, false)
			s.used(l, name, 0)
		}
		var open []*guess
		for range 12 {
			if g, ok := try(); ok {
				open = append(open, g)
			}
		}
		if len(open) != 5 {
			s.Fatalf("%s: %d guesses at once, want 5", name, len(open))
		}
		s.used(l, name, 5)
		for i, g := range open {
			g.node.Settle(&g.charge, i < 3)
		}
		s.used(l, name, 3)
		s.settled()
		s.want(l, name, 2, true)
		s.want(l, name, 1, false)
	}
}

func (s *suite) looks() {
	for name, l := range algorithms {
		l := s.limit(l)
		look := s.charge(l, name, 1)
		look.When = ratelimit.Look
		for range 8 {
			if ok, _ := s.take(look); !ok {
				s.Fatalf("%s: a look is refused", name)
			}
		}
		s.used(l, name, 0)
		for i := range 7 { // what has happened is charged whether or not it fits
			c := look
			s.node().Settle(&c, true)
			s.used(l, name, min(i+1, 5))
		}
		s.settled()
		s.want(l, name, 1, false)
	}
}

func (s *suite) penalty() {
	l := s.limit(ratelimit.Limit{Rate: 1, Window: time.Second, Penalty: time.Hour})
	s.want(l, "a", 1, true)
	s.want(l, "a", 1, false)
	s.settled()
	for range 6 { // it is not prolonged by those that it refuses
		s.Advance(5 * time.Minute)
		for range s.Nodes {
			if d := s.want(l, "a", 1, false); d.RetryAfter > time.Hour || d.RetryAfter < 20*time.Minute || d.Remaining != 0 {
				s.Fatalf("under a penalty: %+v", d)
			}
		}
	}
	s.want(l, "b", 1, true)
	for _, n := range s.Nodes {
		if st := n.Peek(l, key(n, l, "a")); st.Blocked <= 0 || st.Blocked > time.Hour || !st.Found {
			s.Errorf("a node does not know of the penalty: %+v", st)
		}
	}
	s.Advance(31 * time.Minute)
	s.want(l, "a", 1, true)
}

func (s *suite) monitored() {
	l := s.limit(ratelimit.Limit{Rate: 2, Window: time.Hour})
	shadow := s.charge(l, "a", 1)
	shadow.Shadow = true
	n := s.Nodes[0] // each counts by itself
	refused := 0
	for range 5 {
		var out [1]ratelimit.Decision
		if !n.Take([]ratelimit.Charge{shadow}, out[:]) {
			s.Fatal("a monitored limit refuses")
		}
		if !out[0].Admitted {
			refused++
		}
	}
	if refused != 3 {
		s.Errorf("it would refuse %d of 5, want 3", refused)
	}
	if st := n.PeekShadow(l, shadow.Key); st.Used != 2 {
		s.Errorf("the shadow: %+v", st)
	}
	s.used(l, "a", 0)
	for range 2 {
		s.want(l, "a", 1, true)
	}
	s.want(l, "a", 1, false)
}

func (s *suite) concurrency() {
	l := s.limit(ratelimit.Limit{Rate: 2, Algorithm: ratelimit.Concurrency})
	n := s.Nodes[0] // each counts by itself
	c := []ratelimit.Charge{s.charge(l, "a", 1)}
	var out [1]ratelimit.Decision
	for i, want := range []bool{true, true, false} {
		if n.Take(c, out[:]) != want {
			s.Fatalf("request %d at one time: %+v", i, out[0])
		}
	}
	n.Settle(&c[0], true)
	if !n.Take(c, out[:]) {
		s.Error("refused though one has ended")
	}
}

func (s *suite) forgetting() {
	for name, l := range algorithms {
		l := s.limit(l)
		s.want(l, name, 5, true)
		s.want(l, name, 1, false)
		if !s.node().Forget(l, key(s.Nodes[0], l, name)) {
			s.Errorf("%s: there was nothing to forget", name)
		}
		s.used(l, name, 0)
		s.settled()
		s.want(l, name, 5, true)
		if s.node().Forget(l, key(s.Nodes[0], l, "a stranger")) {
			s.Errorf("%s: a stranger owed something", name)
		}
	}
}

func (s *suite) peeking() {
	for name, l := range algorithms {
		l := s.limit(l)
		k := key(s.Nodes[0], l, name)
		if st := s.node().Peek(l, k); st.Found || st.Used != 0 || st.Remaining != 5 || st.Reset != 0 {
			s.Errorf("%s: of a stranger: %+v", name, st)
		}
		s.want(l, name, 2, true)
		if st := s.node().Peek(l, k); !st.Found || st.Used != 2 || st.Remaining != 3 || st.Reset <= 0 || st.Blocked != 0 {
			s.Errorf("%s: of two: %+v", name, st)
		}
	}
}

func (s *suite) mistakes() {
	l := s.limit(ratelimit.Limit{Rate: 5, Window: time.Hour})
	many := make([]ratelimit.Charge, ratelimit.MaxCharges+1)
	for i := range many {
		many[i] = s.charge(l, "a", 1)
	}
	if s.node().Take(many, make([]ratelimit.Decision, len(many))) {
		s.Error("too many charges are admitted")
	}
	if s.node().Take(many[:2], make([]ratelimit.Decision, 1)) {
		s.Error("charges without a place for their decision are admitted")
	}
	broken := *l
	broken.Rate = 0
	var out [2]ratelimit.Decision
	if s.node().Take([]ratelimit.Charge{s.charge(l, "a", 1), {Limit: &broken, Key: many[0].Key}}, out[:]) {
		s.Error("a limit that cannot be computed admits")
	}
	s.used(l, "a", 0)
}
