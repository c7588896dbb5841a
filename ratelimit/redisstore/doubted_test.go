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
