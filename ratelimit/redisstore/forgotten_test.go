package redisstore

import (
	"fmt"
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
		n.late(t)
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

// Who has looked up a bucket that is forgotten before he judges by it judges by the one
// that took its place, with or without Redis: by two of them two are let in.
func TestNobodyIsJudgedByAForgottenBucket(t *testing.T) {
	t.Parallel()
	for name, l := range algorithms {
		t.Run(name, func(t *testing.T) {
			m := still(t)
			n, reading := interrupted(t, m.Addr())
			l := limit(t, l)
			l.OnStoreFailure = ratelimit.FailLocal
			all := func(client string) ratelimit.Charge {
				return ratelimit.Charge{Limit: l, Key: keyOf(n, l, client), Cost: 5}
			}
			// The clock is read when another client, who is not known yet, is looked for.
			askedFor := func(client string, meanwhile func()) []ratelimit.Charge {
				c, i := all(client), 0
				other := ratelimit.Charge{Limit: l, Key: c.Key}
				for ; other.Key>>58 == c.Key>>58; i++ {
					other.Key = keyOf(n, l, fmt.Sprint(client, i))
				}
				hook := func() {
					reading.Store(nil)
					n.forget(t, n.bucket(l, c.Key))
					meanwhile()
				}
				reading.Store(&hook)
				return []ratelimit.Charge{c, other}
			}
			out := make([]ratelimit.Decision, 2)

			b := n.bucket(l, all("lent").Key)
			b.mu.Lock()
			b.tokens, b.until = 5, n.now()+int64(LeaseTime)
			b.mu.Unlock()
			first := false
			second := n.Take(askedFor("lent", func() {
				first = n.alone([]ratelimit.Charge{all("lent")}, make([]ratelimit.Decision, 1))
			}), out)
			if !first || second {
				t.Errorf("of the five that there are, the table admitted them: %t, and the forgotten lease: %t", first, second)
			}

			n.bucket(l, all("alone").Key)
			back := away(t, m, n)
			if !n.Take(askedFor("alone", func() { n.bucket(l, all("alone").Key) }), out) {
				t.Error("refused within the limit")
			}
			n.late(t)
			back()
			if take(n, l, "alone", 1).Admitted {
				t.Error("the sixth is admitted, by the bucket that took the place of the forgotten one")
			}
		})
	}
}

// forget has a node forget a bucket as a full shard does.
func (s *Store) forget(t *testing.T, b *bucket) {
	t.Helper()
	sh := &s.shards[uint64(b.key)>>58]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.m = map[string]*bucket{b.limit: b}
	if !sh.forget(s.now()) {
		t.Error("somebody holds the bucket")
	}
}

// A bucket that somebody judges by is not forgotten, though its shard is full.
func TestWhoIsJudgedIsNotForgotten(t *testing.T) {
	t.Parallel()
	sh := &shard{m: make(map[string]*bucket)}
	for i := range 2 * candidates {
		b := &bucket{limit: fmt.Sprint(i)}
		b.mu.Lock()
		sh.m[b.limit] = b
	}
	if sh.forget(1) {
		t.Fatal("all are being judged, and one was forgotten")
	}
	one := sh.m["7"]
	one.mu.Unlock()
	if !sh.forget(1) || sh.m["7"] != nil || !one.gone || len(sh.m) != 2*candidates-1 {
		t.Errorf("the only one that nobody judges is there: %t, gone: %t", sh.m["7"] != nil, one.gone)
	}
	if !one.mu.TryLock() {
		t.Error("it stays locked")
	}
}
