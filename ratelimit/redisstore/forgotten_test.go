package redisstore

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// known are the buckets that a node remembers something of.
func (s *Store) known() (n int) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		n += len(sh.m)
		sh.mu.Unlock()
	}
	return n
}

// eachAlgorithm runs a test with a Redis and a node of its own for each.
func eachAlgorithm(t *testing.T, test func(t *testing.T, m *miniredis.Miniredis, n *Store, l *ratelimit.Limit)) {
	for name, l := range algorithms {
		t.Run(name, func(t *testing.T) {
			m := still(t)
			test(t, m, nodeAt(t, m.Addr()), limit(t, l))
		})
	}
}

// A node that has forgotten a bucket, and a Redis that has too, still admit no more than
// the limit says: what this node let in its table knows.
func TestWhatANodeAndRedisForgotIsNotAdmittedAgain(t *testing.T) {
	t.Parallel()
	eachAlgorithm(t, func(t *testing.T, m *miniredis.Miniredis, n *Store, l *ratelimit.Limit) {
		l.OnStoreFailure = ratelimit.FailDeny
		admitted := func(client string, calls int) (count int) {
			for range calls {
				n.patient(t)
				if take(n, l, client, 1).Admitted {
					count++
				}
			}
			return count
		}
		if got := admitted("client", 3); got != 3 {
			t.Fatalf("%d of 3 admitted", got)
		}
		for i := range n.shards {
			n.shards[i].m = nil
		}
		m.FlushAll()
		if got := admitted("client", 20); got != 2 {
			t.Errorf("%d admitted of the two that were left", got)
		}
		if got := admitted("another", 20); got != 5 {
			t.Errorf("%d admitted of another's five", got)
		}
		// A refusal by the table returns what Redis had granted.
		other := nodeAt(t, m.Addr())
		await(t, "what was not used", func() bool {
			return other.Peek(l, keyOf(other, l, "client")).Used <= 2
		})
	})
}

// A flood of clients who were here once does not push out one who has used all.
func TestAFloodPushesOutItsOwnBuckets(t *testing.T) {
	t.Parallel()
	m := still(t)
	n := nodeAt(t, m.Addr())
	strict := limit(t, ratelimit.Limit{Rate: 5, Window: time.Hour})
	wide := *strict
	wide.Space, wide.Rate = strict.Space+1, 1_000_000
	for range 6 {
		n.patient(t)
		take(n, strict, "guesser", 1)
	}
	key := keyOf(n, strict, "guesser")
	guesser := n.bucket(strict, key)
	for i := range 3 * maxBuckets {
		b := n.bucket(&wide, ratelimit.Key(uint64(i)*0x9e3779b97f4a7c15))
		b.mu.Lock()
		b.floored, b.full = n.now()+int64(time.Hour), 1 // once of very many
		b.mu.Unlock()
	}
	if got := n.known(); got > maxBuckets {
		t.Errorf("%d buckets are known, want %d at most", got, maxBuckets)
	}
	if n.bucket(strict, key) != guesser {
		t.Error("the bucket that is used up was forgotten")
	}
}

// Between Redis's return and its being told what was decided without it, nothing is
// granted twice.
func TestWhatRedisWasNotToldYetIsNotGrantedAgain(t *testing.T) {
	t.Parallel()
	eachAlgorithm(t, func(t *testing.T, m *miniredis.Miniredis, n *Store, l *ratelimit.Limit) {
		if n.patient(t); !take(n, l, "client", 1).Admitted {
			t.Fatal("the first is refused")
		}
		back := away(t, m, n)
		for i := range 4 {
			if !take(n, l, "client", 1).Admitted {
				t.Fatalf("%d is refused within the limit", i)
			}
		}
		n.isTelling.Store(true) // it is late
		back()
		for range 10 {
			n.patient(t)
			if take(n, l, "client", 1).Admitted {
				t.Fatal("the sixth is admitted")
			}
		}
		if n.patient(t); !take(n, l, "another", 1).Admitted {
			t.Error("another client is refused")
		}
	})
}
