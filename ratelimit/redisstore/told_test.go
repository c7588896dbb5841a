package redisstore

import (
	"sync/atomic"
	"testing"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// telling are two nodes of a fleet at one Redis, of whom b has let in five guesses without
// it, which all were wrong.
type telling struct {
	a, b  *Store
	limit *ratelimit.Limit
	key   ratelimit.Key
	tell  func() // has b tell Redis, which is late until then
	pass  func() // the time for which a refusal is believed
}

// eachTelling runs a test for each algorithm, and each way in which a guess may come to
// be told late.
func eachTelling(t *testing.T, test func(t *testing.T, f *telling)) {
	t.Parallel()
	for way, guess := range map[string]func(t *testing.T, n *Store, l *ratelimit.Limit, k ratelimit.Key){
		"decided alone": func(t *testing.T, n *Store, l *ratelimit.Limit, _ ratelimit.Key) {
			if !take(n, l, "client", 1).Admitted {
				t.Fatal("refused within the limit")
			}
		},
		"held alone": func(t *testing.T, n *Store, l *ratelimit.Limit, k ratelimit.Key) {
			c := hold(t, n, l, k)
			n.Settle(&c, true)
		},
		"settled in vain": func(_ *testing.T, n *Store, l *ratelimit.Limit, k ratelimit.Key) {
			n.Settle(&ratelimit.Charge{Limit: l, Key: k, When: ratelimit.Look}, true)
		},
	} {
		for name, l := range algorithms {
			t.Run(way+", "+name, func(t *testing.T) {
				t.Parallel()
				m, l := still(t), limit(t, l)
				var now atomic.Int64
				now.Store(stands())
				node := func() *Store {
					n := makeNode(t, m.Addr(), ratelimit.TableConfig{Slots: 4096, Secret: []byte("the fleet's"), Now: now.Load, Wall: atNoon})
					n.clock, n.wall = now.Load, atNoon
					run(t, n)
					n.patient(t)
					return n
				}
				f := &telling{b: node(), limit: l}
				f.key = keyOf(f.b, l, "client")
				back := away(t, m, f.b)
				for range 5 { // of five: it is the only node yet
					guess(t, f.b, l, f.key)
				}
				f.b.late(t)
				back()
				f.a = node()
				f.pass = func() { now.Add(int64(LeaseTime)) }
				f.tell = func() {
					f.b.isTelling.Store(false)
					await(t, "Redis to be told", func() bool {
						b := f.b.locked(l, f.key)
						defer b.mu.Unlock()
						return b.untold == 0
					})
					if used := f.a.Peek(l, f.key).Used; used != 5 {
						t.Fatalf("Redis was told of %d of five", used)
					}
				}
				test(t, f)
			})
		}
	}
}

// hold takes a charge that is settled later.
func hold(t *testing.T, n *Store, l *ratelimit.Limit, k ratelimit.Key) ratelimit.Charge {
	t.Helper()
	c := []ratelimit.Charge{{Limit: l, Key: k, When: ratelimit.Later}}
	if !n.Take(c, make([]ratelimit.Decision, 1)) {
		t.Fatal("refused within the limit")
	}
	return c[0]
}

// Who is forgiven at one node is let in at the one that has told Redis of him, once that
// has asked again.
func TestWhoIsForgivenAtOneNodeIsAtAnother(t *testing.T) {
	eachTelling(t, func(t *testing.T, f *telling) {
		f.tell()
		if f.pass(); take(f.b, f.limit, "client", 1).Admitted {
			t.Fatal("the sixth is admitted")
		}
		if !f.a.Forget(f.limit, f.key) {
			t.Fatal("there was nothing to forget")
		}
		if f.pass(); !take(f.b, f.limit, "client", 1).Admitted {
			t.Error("refused, although Redis was told and then forgave")
		}
	})
}

// What Redis was not told yet nobody can forgive there.
func TestWhoIsForgivenTooEarlyIsNot(t *testing.T) {
	eachTelling(t, func(t *testing.T, f *telling) {
		f.a.Forget(f.limit, f.key)
		for range 3 {
			f.b.Peek(f.limit, f.key) // another answer says nothing of it
			if f.pass(); take(f.b, f.limit, "client", 1).Admitted {
				t.Fatal("the sixth is admitted")
			}
		}
	})
}
