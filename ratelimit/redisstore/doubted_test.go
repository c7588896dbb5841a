package redisstore

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// Between the look at what a client owes and the charge of what Redis has granted him
// no other request of his is let in without Redis.
func TestWhoWaitedInVainDoesNotComeBetweenAnothersLookAndCharge(t *testing.T) {
	t.Parallel()
	for name, l := range algorithms {
		t.Run(name, func(t *testing.T) {
			n, reading := interrupted(t, still(t).Addr())
			l := limit(t, l)
			other := limit(t, ratelimit.Limit{Rate: 1, Window: time.Hour})
			other.Space++
			charge := ratelimit.Charge{Limit: l, Key: keyOf(n, l, "client")}
			alone := func() bool {
				var out [1]ratelimit.Decision
				return n.alone([]ratelimit.Charge{charge}, out[:])
			}
			for i := range 4 {
				if !alone() {
					t.Fatalf("%d is refused within the limit", i)
				}
			}
			b := n.bucket(l, charge.Key)
			b.mu.Lock()
			b.tokens, b.until = 1, n.now()+int64(time.Hour) // granted by a Redis that knows nothing yet
			b.mu.Unlock()

			// The clock is read by who decides alone, then for the look of who has a lease,
			// then for his limit that is not shared. The first stands there until the last,
			// or for as long as it takes the other to wait for him.
			var readings atomic.Int64
			stands, between, done := make(chan bool), make(chan bool), make(chan bool)
			hook := func() {
				switch readings.Add(1) {
				case 1:
					close(stands)
					wait(between)
				case 3:
					close(between)
					wait(done)
				}
			}
			reading.Store(&hook)
			var second bool
			go func() {
				defer close(done)
				second = alone()
			}()
			<-stands
			var out [2]ratelimit.Decision
			first := n.Take([]ratelimit.Charge{charge, {Limit: other, Key: charge.Key, Shadow: true}}, out[:])
			<-done
			if first == second {
				t.Errorf("of the one that was left: the lease admitted %v, the table %v", first, second)
			}
		})
	}
}

// interrupted is a node at the reading of whose table's clock something else may happen.
func interrupted(t *testing.T, addr string) (n *Store, reading *atomic.Pointer[func()]) {
	t.Helper()
	reading = new(atomic.Pointer[func()])
	n = makeNode(t, addr, ratelimit.TableConfig{Slots: 4096, Wall: atNoon, Now: func() int64 {
		if during := reading.Load(); during != nil {
			(*during)()
		}
		return stands()
	}})
	n.clock, n.wall = stands, atNoon
	run(t, n)
	n.patient(t)
	return n, reading
}

// wait waits for what may never come while the waiting one is there.
func wait(c <-chan bool) {
	select {
	case <-c:
	case <-time.After(50 * time.Millisecond):
	}
}

// What a request settles when Redis has just gone is not granted again before Redis was
// told of it.
func TestWhatIsSettledInVainIsNotGrantedAgain(t *testing.T) {
	t.Parallel()
	eachAlgorithm(t, func(t *testing.T, m *miniredis.Miniredis, n *Store, l *ratelimit.Limit) {
		if n.patient(t); !take(n, l, "client", 1).Admitted {
			t.Fatal("the first is refused")
		}
		back := away(t, m, n)
		for range 4 {
			n.Settle(&ratelimit.Charge{Limit: l, Key: keyOf(n, l, "client"), When: ratelimit.Look}, true)
		}
		n.late(t)
		back()
		for range 3 {
			if n.patient(t); take(n, l, "client", 1).Admitted {
				t.Fatal("the sixth is admitted")
			}
		}
	})
}

// Who was let in without Redis and is not answered yet takes room from whoever Redis
// would let in, until he is settled; and then, if he counts, until Redis knows.
func TestWhatIsHeldWithoutRedisIsNotGrantedAgain(t *testing.T) {
	t.Parallel()
	for _, counts := range []bool{false, true} {
		eachAlgorithm(t, func(t *testing.T, m *miniredis.Miniredis, n *Store, l *ratelimit.Limit) {
			key := keyOf(n, l, "client")
			back := away(t, m, n)
			var held []ratelimit.Charge
			for range 5 {
				held = append(held, hold(t, n, l, key))
			}
			back()
			admitted := func() bool {
				n.patient(t)
				b := n.bucket(l, key)
				b.mu.Lock()
				b.refused = 0 // which is believed for a second of a clock that stands
				b.mu.Unlock()
				return take(n, l, "client", 1).Admitted
			}
			if admitted() {
				t.Fatal("the sixth is admitted")
			}
			back = away(t, m, n)
			for i := range held {
				n.Settle(&held[i], counts)
			}
			n.late(t)
			back()
			if admitted() == counts {
				t.Errorf("they counted: %t, and the next is admitted: %t", counts, !counts)
			}
		})
	}
}

// Who waits for Redis in vain is let in by the table, and what it grants him comes when he
// has gone. Nobody else is let in by that once Redis was told and has nothing left.
func TestAGrantThatCameTooLateLetsInNobodyMore(t *testing.T) {
	t.Parallel()
	for _, left := range []int{0, 1} {
		eachAlgorithm(t, func(t *testing.T, _ *miniredis.Miniredis, n *Store, l *ratelimit.Limit) {
			n.patient(t)
			charge := ratelimit.Charge{Limit: l, Key: keyOf(n, l, "client")}
			for range 4 - 2*left {
				if !take(n, l, "client", 1).Admitted {
					t.Fatal("refused within the limit")
				}
			}
			late := &call{op: opTake, limit: l, bucket: n.bucket(l, charge.Key), min: 1, want: 1, done: make(chan struct{})}
			n.ask(late)
			<-late.done
			if late.err != nil || late.answer.granted != 1 {
				t.Fatalf("%d granted, %v", late.answer.granted, late.err)
			}
			var out [1]ratelimit.Decision
			if !n.alone([]ratelimit.Charge{charge}, out[:]) {
				t.Fatal("the table refuses within the limit")
			}
			await(t, "Redis to be told", func() bool {
				b := n.locked(l, charge.Key)
				defer b.mu.Unlock()
				return b.untold == 0
			})
			if got := take(n, l, "client", 1).Admitted; got != (left > 0) {
				t.Errorf("with %d left the next is admitted: %t", left, got)
			}
		})
	}
}

func TestAGrantFromBeforeWhatRedisWasToldIsNoMore(t *testing.T) {
	l := limit(t, ratelimit.Limit{Rate: 5, Window: time.Hour})
	for name, c := range map[string]struct {
		left   int64
		number uint64 // the charge is the sixth call, and the seventh was sent before its answer
		inc    string
		cum    int64
		tokens int64
	}{
		"from before":                              {0, 5, "a", 5, 0},
		"from before, of a Redis with more":        {0, 5, "a", 9, 0},
		"from before, of a Redis that had another": {0, 5, "b", 5, 0},
		"from the time of the answer":              {0, 7, "a", 7, 0},
		"from after":                               {0, 8, "a", 7, 1},
		"while there was room":                     {1, 5, "a", 5, 1},
	} {
		b := new(bucket)
		b.learn(&call{op: opCharge, limit: l, min: 1, untold: 1, number: 6}, &answer{remaining: c.left, inc: "a", cum: 6}, 0, 7)
		b.learn(&call{op: opTake, limit: l, min: 1, number: c.number}, &answer{granted: 1, inc: c.inc, cum: c.cum}, 0, 8)
		if b.tokens != c.tokens {
			t.Errorf("a grant %s gives %d, want %d", name, b.tokens, c.tokens)
		}
	}
}
