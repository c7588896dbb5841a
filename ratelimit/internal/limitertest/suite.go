// Package limitertest says what every ratelimit.Limiter has to do, whether it counts in
// a table or for a fleet in Redis. A limiter passes when all of its nodes together do
// what one does.
package limitertest

import (
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// Subject is a limiter under test, fresh.
type Subject struct {
	// Nodes decide together. A table is one.
	Nodes []ratelimit.Limiter
	// Advance moves every clock that they go by. They stand still otherwise.
	Advance func(d time.Duration)
}

// Start is when a subject's clocks begin: ten seconds before a day and a month end.
var Start = time.Date(2026, 11, 30, 23, 59, 50, 0, time.UTC)

// Run judges the limiters that open makes.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"a few are exact, and a refusal's wait suffices", (*suite).exact},
		{"a window is strict", (*suite).strictWindow},
		{"a bucket leaks evenly", (*suite).evenBucket},
		{"a quota ends with its period", (*suite).quotaPeriods},
		{"what costs more", (*suite).costs},
		{"all limits or none", (*suite).allOrNone},
		{"a refusal charges nothing", (*suite).refusalsAreFree},
		{"one bucket twice in a call", (*suite).sameBucketTwice},
		{"failures are held until they are answered", (*suite).failures},
		{"what only looks", (*suite).looks},
		{"a penalty", (*suite).penalty},
		{"a monitored limit has cells of its own", (*suite).monitored},
		{"concurrency", (*suite).concurrency},
		{"forgetting", (*suite).forgetting},
		{"peeking", (*suite).peeking},
		{"many at once", (*suite).manyAtOnce},
		{"a large limit", (*suite).large},
		{"mistakes are refused", (*suite).mistakes},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(&suite{T: t, Subject: open(t)})
		})
	}
}

type suite struct {
	*testing.T
	Subject
	turn   int
	spaces int
}

// node is another one each time, as behind a load balancer.
func (s *suite) node() ratelimit.Limiter {
	s.turn++
	return s.Nodes[s.turn%len(s.Nodes)]
}

// limit is a valid one with buckets of its own.
func (s *suite) limit(l ratelimit.Limit) *ratelimit.Limit {
	s.Helper()
	s.spaces++
	l.Name, l.Space = "limit", ratelimit.SpaceOf(s.Name(), string(rune('a'+s.spaces)))
	l.OnStoreFailure = ratelimit.FailDeny // so that no failure looks like a decision
	if err := l.Validate(); err != nil {
		s.Fatal(err)
	}
	return &l
}

func key(n ratelimit.Limiter, l *ratelimit.Limit, client string) ratelimit.Key {
	k := n.Key(l.Space)
	k.String(client)
	return k.Sum()
}

func (s *suite) charge(l *ratelimit.Limit, client string, cost uint32) ratelimit.Charge {
	return ratelimit.Charge{Limit: l, Key: key(s.Nodes[0], l, client), Cost: cost}
}

// take asks some node for several charges at once.
func (s *suite) take(charges ...ratelimit.Charge) (bool, []ratelimit.Decision) {
	s.Helper()
	out := make([]ratelimit.Decision, len(charges))
	admitted := s.node().Take(charges, out)
	all := true
	for i, d := range out {
		if d.Unavailable {
			s.Fatal("the limiter could not ask its store")
		}
		all = all && (d.Admitted || charges[i].Shadow)
	}
	if admitted != all {
		s.Fatalf("it says %t and decides %+v", admitted, out)
	}
	return admitted, out
}

func (s *suite) ask(l *ratelimit.Limit, client string, cost uint32) ratelimit.Decision {
	s.Helper()
	_, out := s.take(s.charge(l, client, cost))
	return out[0]
}

func (s *suite) want(l *ratelimit.Limit, client string, cost uint32, admitted bool) ratelimit.Decision {
	s.Helper()
	d := s.ask(l, client, cost)
	if d.Admitted != admitted {
		s.Fatalf("a cost of %d: %+v, want admitted: %t", cost, d, admitted)
	}
	return d
}

// used waits until every node knows how much a client has used: what is settled may
// be told a little later.
func (s *suite) used(l *ratelimit.Limit, client string, want int) {
	s.Helper()
	k := key(s.Nodes[0], l, client)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		var states []ratelimit.State
		agree := true
		for _, n := range s.Nodes {
			st := n.Peek(l, k)
			states = append(states, st)
			agree = agree && l.Capacity()-st.Remaining == want
		}
		if agree {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("the nodes say %+v, want %d used", states, want)
		}
	}
}

// settled has every node forget what it believes of others without asking, which it
// may for a second.
func (s *suite) settled() { s.Advance(time.Second + time.Millisecond) }

// algorithms are limits of five that take hours.
var algorithms = map[string]ratelimit.Limit{
	"window":        {Rate: 5, Window: time.Hour},
	"bucket":        {Rate: 5, Window: time.Hour, Algorithm: ratelimit.Bucket},
	"quota a day":   {Rate: 5, Algorithm: ratelimit.Quota, Period: ratelimit.Day},
	"quota a month": {Rate: 5, Algorithm: ratelimit.Quota, Period: ratelimit.Month},
}
