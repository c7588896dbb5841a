package redisstore

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/internal/needs"
	"github.com/apiguard/caddy-api-guard/internal/needs/mini"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// server is a Redis that a test has for itself.
type server struct {
	addr   string
	script *redis.Script // nil: the store's own, by the time of Redis
}

// noon is when the clocks under test stand that stand still: no quota's period ends, no
// bucket leaks and no lease is over however long a busy machine takes.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// eachServer runs a test against a real redis-server and against miniredis, whose
// clocks stand.
func eachServer(t *testing.T, test func(t *testing.T, s *server)) {
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		test(t, &server{addr: still(t).Addr()})
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		s := &server{addr: needs.Redis(t).Addr, script: clockedScript(t)}
		s.empty(t)
		test(t, s)
	})
}

// still is a miniredis whose clock stands.
func still(t testing.TB) *miniredis.Miniredis {
	m := mini.Redis(t)
	m.SetTime(noon)
	return m
}

// empty has Redis lose all that it knows, but for the time of a clock that stands.
func (s *server) empty(t testing.TB) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.addr})
	defer client.Close()
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if s.script != nil {
		setClock(client, noon)
	}
}

// node is one process of a fleet, whose clock stands.
func (s *server) node(t testing.TB) *Store {
	t.Helper()
	n := makeNode(t, s.addr, ratelimit.TableConfig{Slots: 4096, Secret: []byte("the fleet's"), Now: stands, Wall: atNoon})
	n.clock, n.wall = stands, atNoon
	if s.script != nil {
		n.script = s.script
	}
	run(t, n)
	await(t, "Redis", func() bool { return n.up.Load() })
	return n
}

func stands() int64     { return int64(time.Hour) }
func atNoon() time.Time { return noon }

// nodeAt is a node at a Redis of any kind, whose clock stands.
func nodeAt(t testing.TB, addr string) *Store {
	t.Helper()
	return (&server{addr: addr}).node(t)
}

// ticking is a node that goes by the process's clock, and Redis by its own.
func ticking(t testing.TB, addr string) *Store {
	t.Helper()
	n := newNode(t, addr)
	await(t, "Redis", func() bool { return n.up.Load() })
	return n
}

func newNode(t testing.TB, addr string) *Store {
	t.Helper()
	n := makeNode(t, addr, ratelimit.TableConfig{Slots: 4096, Secret: []byte("the fleet's")})
	run(t, n)
	return n
}

func makeNode(t testing.TB, addr string, table ratelimit.TableConfig) *Store {
	t.Helper()
	// Only the patience below ends what takes long.
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1, DialTimeout: time.Minute, ReadTimeout: -1, WriteTimeout: -1})
	t.Cleanup(func() { _ = client.Close() })
	return New(Config{
		Client: client, Prefix: "test:", Table: ratelimit.NewTable(table),
		Patience: 30 * time.Second, // of a busy machine
	})
}

// run runs a node until the test ends.
func run(t testing.TB, n *Store) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { n.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

func limit(t testing.TB, l ratelimit.Limit) *ratelimit.Limit {
	t.Helper()
	l.Name, l.Space = "limit", ratelimit.SpaceOf(t.Name())
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	return &l
}

func keyOf(n ratelimit.Limiter, l *ratelimit.Limit, client string) ratelimit.Key {
	k := n.Key(l.Space)
	k.String(client)
	return k.Sum()
}

func take(n ratelimit.Limiter, l *ratelimit.Limit, client string, cost uint32) ratelimit.Decision {
	var out [1]ratelimit.Decision
	n.Take([]ratelimit.Charge{{Limit: l, Key: keyOf(n, l, client), Cost: cost}}, out[:])
	return out[0]
}

// patient retries what a busy machine made Redis miss its 20 ms for.
func (n *Store) patient(t testing.TB) { await(t, "Redis", func() bool { return n.up.Load() }) }

var algorithms = map[string]ratelimit.Limit{
	"window":        {Rate: 5, Window: time.Hour},
	"bucket":        {Rate: 5, Window: time.Hour, Algorithm: ratelimit.Bucket},
	"quota a day":   {Rate: 5, Algorithm: ratelimit.Quota, Period: ratelimit.Day},
	"quota a month": {Rate: 5, Algorithm: ratelimit.Quota, Period: ratelimit.Month},
}

// A few are exact, whichever node is asked.
func TestThreeNodesAdmitFiveOfFive(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s *server) {
		nodes := []*Store{s.node(t), s.node(t), s.node(t)}
		for name, l := range algorithms {
			l := limit(t, l)
			l.OnStoreFailure = ratelimit.FailDeny // so that a slow machine admits nothing beside
			admitted := 0
			for i := range 60 {
				n := nodes[i%3]
				d := take(n, l, name, 1)
				for d.Unavailable {
					n.patient(t)
					d = take(n, l, name, 1)
				}
				if d.Admitted {
					admitted++
					if d.Remaining != 5-admitted {
						t.Errorf("%s: after %d remain %d", name, admitted, d.Remaining)
					}
				} else if d.RetryAfter <= 0 || d.RetryAfter > 32*24*time.Hour {
					t.Errorf("%s: a wait of %s", name, d.RetryAfter)
				}
			}
			if admitted != 5 {
				t.Errorf("%s: %d admitted, want 5", name, admitted)
			}
		}
	})
}

func TestManyAtOnceAreNoMore(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s *server) {
		nodes := []*Store{s.node(t), s.node(t), s.node(t)}
		l := limit(t, ratelimit.Limit{Rate: 5, Window: time.Hour, OnStoreFailure: ratelimit.FailDeny})
		var mu sync.Mutex
		admitted := 0
		var wg sync.WaitGroup
		for i := range 150 {
			wg.Go(func() {
				for {
					n := nodes[i%3]
					d := take(n, l, "client", 1)
					if d.Unavailable {
						n.patient(t)
						continue
					}
					if d.Admitted {
						mu.Lock()
						admitted++
						mu.Unlock()
					}
					return
				}
			})
		}
		wg.Wait()
		if admitted != 5 {
			t.Errorf("%d admitted, want 5", admitted)
		}
	})
}

func TestARefusalChargesNoOtherLimit(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s *server) {
		n := s.node(t)
		narrow := limit(t, ratelimit.Limit{Rate: 2, Window: time.Hour, OnStoreFailure: ratelimit.FailDeny})
		wide := limit(t, ratelimit.Limit{Rate: 12, Window: time.Hour, OnStoreFailure: ratelimit.FailDeny})
		wide.Space++
		var out [2]ratelimit.Decision
		admitted := 0
		for range 30 {
			n.patient(t)
			if n.Take([]ratelimit.Charge{
				{Limit: wide, Key: keyOf(n, wide, "a"), Cost: 1},
				{Limit: narrow, Key: keyOf(n, narrow, "a"), Cost: 1},
			}, out[:]) {
				admitted++
			}
		}
		if admitted != 2 {
			t.Errorf("%d admitted, want 2", admitted)
		}
		n.patient(t)
		// One token may have been granted to the call that the narrow limit refused first.
		if st := n.Peek(wide, keyOf(n, wide, "a")); st.Used < 2 || st.Used > 3 {
			t.Errorf("the wide limit was charged %d, want 2", st.Used)
		}
	})
}

func TestWrongGuessesOfThreeNodesAreFiveAndRightOnesFree(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s *server) {
		nodes := []*Store{s.node(t), s.node(t), s.node(t)}
		l := limit(t, ratelimit.Limit{Rate: 5, Window: time.Hour, OnStoreFailure: ratelimit.FailDeny})
		guess := func(i int) (*ratelimit.Charge, ratelimit.Decision) {
			n := nodes[i%3]
			for {
				var out [1]ratelimit.Decision
				c := []ratelimit.Charge{{Limit: l, Key: keyOf(n, l, "a"), Cost: 1, When: ratelimit.Later}}
				n.Take(c, out[:])
				if out[0].Unavailable {
					n.patient(t)
					continue
				}
				return &c[0], out[0]
			}
		}
		for i := range 20 {
			c, d := guess(i)
			if !d.Admitted {
				t.Fatalf("right guess %d is refused: %+v", i, d)
			}
			nodes[i%3].Settle(c, false)
			await(t, "the hold's end", func() bool { return nodes[i%3].Peek(l, c.Key).Remaining == 5 })
		}
		var open []*ratelimit.Charge
		for i := range 30 { // all at once: nobody has an answer yet
			if c, d := guess(i); d.Admitted {
				open = append(open, c)
			}
		}
		if len(open) != 5 {
			t.Fatalf("%d guesses were let through, want 5", len(open))
		}
		for _, c := range open {
			nodes[0].Settle(c, true)
		}
		for i := range 30 {
			if _, d := guess(i); d.Admitted {
				t.Fatal("a sixth wrong guess")
			}
		}
	})
}

func TestAPenaltyHoldsOnEveryNode(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s *server) {
		a, b := ticking(t, s.addr), ticking(t, s.addr)
		l := limit(t, ratelimit.Limit{Rate: 1, Window: time.Second, Penalty: time.Hour, OnStoreFailure: ratelimit.FailDeny})
		for d := take(a, l, "a", 1); d.Unavailable; d = take(a, l, "a", 1) {
			a.patient(t)
		}
		await(t, "the penalty", func() bool {
			d := take(a, l, "a", 1)
			return !d.Admitted && !d.Unavailable && d.RetryAfter > time.Minute
		})
		await(t, "the other node's", func() bool {
			d := take(b, l, "a", 1)
			return !d.Admitted && !d.Unavailable && d.RetryAfter > time.Minute
		})
		if !a.Forget(l, keyOf(a, l, "a")) {
			t.Error("there was nothing to forget")
		}
		await(t, "an end", func() bool { return take(b, l, "a", 1).Admitted })
	})
}

func TestANodeRepairsWhatRedisLost(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s *server) {
		for name, l := range algorithms {
			n := s.node(t)
			l := limit(t, l)
			l.OnStoreFailure = ratelimit.FailDeny
			for i := 0; i < 4; {
				if take(n, l, name, 1).Admitted {
					i++
				} else {
					n.patient(t)
				}
			}
			s.empty(t)
			admitted := 0
			for range 10 {
				n.patient(t)
				if take(n, l, name, 1).Admitted {
					admitted++
				}
			}
			if admitted != 1 {
				t.Errorf("%s: %d admitted of the fifth that was left", name, admitted)
			}
		}
	})
}

// An hour back does not refuse for an hour, and gives nothing back.
func TestAClockOfRedisThatStepsBack(t *testing.T) {
	t.Parallel()
	m := still(t)
	n := nodeAt(t, m.Addr())
	for name, l := range algorithms {
		l.OnStoreFailure = ratelimit.FailDeny
		if l.Window != 0 {
			l.Window = time.Minute
		}
		l := limit(t, l)
		m.SetTime(noon)
		for i := 0; i < 5; {
			if take(n, l, name, 1).Admitted {
				i++
			} else {
				n.patient(t)
			}
		}
		m.SetTime(noon.Add(-time.Hour))
		d := take(n, l, name, 1)
		if d.Admitted {
			t.Errorf("%s: admitted after the clock stepped back", name)
		}
		if l.Window != 0 && d.RetryAfter > 2*time.Minute {
			t.Errorf("%s: refused for %s", name, d.RetryAfter)
		}
	}
}

func TestWithoutRedisEachLimitDoesWhatItSays(t *testing.T) {
	t.Parallel()
	n := newNode(t, "127.0.0.1:1")
	n.nodes.Store(3)
	for failure, want := range map[ratelimit.StoreFailure]int{ratelimit.FailLocal: 2, ratelimit.FailDeny: 0, ratelimit.FailAllow: 20} {
		l := limit(t, ratelimit.Limit{Rate: 6, Window: time.Hour, OnStoreFailure: failure})
		admitted := 0
		for range 20 {
			d := take(n, l, failure.String(), 1)
			if d.Admitted {
				admitted++
			} else if d.Unavailable != (failure == ratelimit.FailDeny) {
				t.Errorf("%s: %+v", failure, d)
			}
		}
		if admitted != want {
			t.Errorf("%s: %d of 20 admitted, want %d", failure, admitted, want)
		}
	}
	if n.Health() == nil || n.Nodes() != 3 || n.Asked() != 0 || len(n.queues[0])+len(n.queues[1]) != 0 { // whoever asked would have waited
		t.Errorf("health %v, nodes %d, %d questions and %d more", n.Health(), n.Nodes(), n.Asked(), len(n.queues[0])+len(n.queues[1]))
	}
}

// What was counted while Redis was away is told when it is back.
func TestWhatWasCountedAloneIsToldLater(t *testing.T) {
	t.Parallel()
	m := still(t)
	a := nodeAt(t, m.Addr())
	l := limit(t, ratelimit.Limit{Rate: 10, Window: time.Hour})
	m.SetError("LOADING away")
	await(t, "the end of it", func() bool { take(a, l, "other", 1); return !a.up.Load() })
	for range 4 {
		if !take(a, l, "client", 1).Admitted {
			t.Fatal("refused without Redis")
		}
	}
	m.SetError("")
	b := nodeAt(t, m.Addr())
	await(t, "what was counted", func() bool { return b.Peek(l, keyOf(b, l, "client")).Used == 4 })
}
