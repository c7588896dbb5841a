package redisstore

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/internal/faultproxy"
	"github.com/apiguard/caddy-api-guard/internal/needs/mini"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

var failovers = flag.Int("failovers", 6, "how often Redis fails over in each test of that")

// replicate has the replica know all that the master knows by now.
var replicate = redis.NewScript(`
for _, key in ipairs(redis.call('KEYS', 'replica:*')) do redis.call('DEL', key) end
for _, key in ipairs(redis.call('KEYS', 'test:{*')) do
	if key ~= 'test:{nodes}' then
		for n, had in ipairs({redis.call('HGETALL', key)}) do redis.call('HSET', 'replica:' .. key, unpack(had)) end
	end
end
return 1`)

// promote makes the replica the master, and gives what each bucket was charged since it
// was replicated: a name and a number in turns.
var promote = redis.NewScript(`
local lost = {}
for _, key in ipairs(redis.call('KEYS', 'test:{*')) do
	if key ~= 'test:{nodes}' then
		lost[#lost + 1] = key
		lost[#lost + 1] = tonumber(redis.call('HGET', key, 'c') or 0) - tonumber(redis.call('HGET', 'replica:' .. key, 'c') or 0)
		redis.call('DEL', key)
	end
end
for _, key in ipairs(redis.call('KEYS', 'replica:*')) do
	redis.call('HSET', string.sub(key, 9), unpack(redis.call('HGETALL', key)))
end
return lost`)

// failing is a fleet before a Redis that fails over to a replica that has not got the
// last writes.
type failing struct {
	t      *testing.T
	nodes  []*Store
	proxy  *faultproxy.Proxy
	client *redis.Client // which sees no faults
	now    atomic.Int64  // of the nodes; Redis's stands
	lost   map[string]int64
}

func newFailing(t *testing.T, nodes int) *failing {
	m := mini.Redis(t)
	m.SetTime(noon)
	f := &failing{t: t, proxy: faultproxy.New(t, m.Addr()), lost: make(map[string]int64)}
	f.client = redis.NewClient(&redis.Options{Addr: m.Addr()})
	t.Cleanup(func() { _ = f.client.Close() })
	f.now.Store(stands())
	for range nodes {
		n := makeNode(t, f.proxy.Addr, ratelimit.TableConfig{Slots: 4096, Secret: []byte("the fleet's"), Now: f.now.Load, Wall: atNoon})
		n.clock, n.wall = f.now.Load, atNoon
		n.cfg.Patience = 25 * time.Millisecond
		run(t, n)
		f.nodes = append(f.nodes, n)
	}
	f.settled()
	for _, n := range f.nodes {
		n.nodes.Store(int64(nodes))
	}
	return f
}

// settled waits until all nodes ask Redis and have told it what they counted alone.
func (f *failing) settled() {
	f.t.Helper()
	for _, n := range f.nodes {
		await(f.t, "Redis", func() bool {
			n.owed.mu.Lock()
			defer n.owed.mu.Unlock()
			return n.up.Load() && n.owed.table == nil && !n.isTelling.Load()
		})
	}
}

func (f *failing) replicate() {
	f.t.Helper()
	if err := replicate.Run(f.t.Context(), f.client, nil).Err(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *failing) promote() {
	f.t.Helper()
	lost, err := promote.Run(f.t.Context(), f.client, nil).Slice()
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i < len(lost); i += 2 {
		f.lost[lost[i].(string)] += max(0, lost[i+1].(int64))
	}
}

// fail is a failover in one of the ways in which a node may come to know of it.
func (f *failing) fail(way string) {
	pause := func() { time.Sleep(time.Duration(5+rand.IntN(25)) * time.Millisecond) }
	f.replicate()
	pause()
	switch way {
	case "between two questions":
		f.promote()
	case "with all connections": // in the middle of a grant
		f.proxy.Refuse()
		f.promote()
		f.proxy.Pass()
	case "after an outage":
		f.proxy.Refuse()
		pause()
		f.promote()
		f.proxy.Pass()
	case "while it is slow": // what it answers comes after the patience, and after this
		f.proxy.Delay(time.Duration(15+rand.IntN(25)) * time.Millisecond)
		pause()
		f.promote()
		pause()
		f.proxy.Delay(0)
	}
	pause()
}

// Whatever a Redis that fails over has lost, and whenever its nodes come to know of it, a
// fleet lets in no more than the limit, what was charged that the new master does not
// know, and where nodes decide alone, what each may by itself. One node by itself lets in
// no more than the limit: it knows all that it let in.
func TestAFailoverLetsInNoMoreThanItLost(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]ratelimit.Limit{
		"window of 5":       {Rate: 5, Window: time.Hour},
		"window of 300":     {Rate: 300, Window: time.Hour},
		"bucket of 300":     {Rate: 300, Window: 24 * time.Hour, Algorithm: ratelimit.Bucket},
		"quota of 40 a day": {Rate: 40, Algorithm: ratelimit.Quota, Period: ratelimit.Day},
	} {
		for _, nodes := range []int{1, 3} {
			for failure, word := range map[ratelimit.StoreFailure]string{ratelimit.FailDeny: "deny", ratelimit.FailLocal: "local"} {
				t.Run(fmt.Sprintf("%s, %d nodes, %s", name, nodes, word), func(t *testing.T) {
					t.Parallel()
					f := newFailing(t, nodes)
					l := limit(t, l)
					l.OnStoreFailure = failure
					f.hold(l)
				})
			}
		}
	}
}

// hold sends requests of several hosts to all nodes at once, and fails over meanwhile.
func (f *failing) hold(l *ratelimit.Limit) {
	clients := []string{"a", "b", "c", "d"}
	admitted := make([]atomic.Int64, len(clients))
	done := make(chan struct{})
	var asking sync.WaitGroup
	for _, n := range f.nodes {
		for range 2 { // hosts
			asking.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-done:
						return
					case <-time.After(time.Duration(rand.IntN(2000)) * time.Microsecond):
					}
					if c := i % len(clients); take(n, l, clients[c], 1).Admitted {
						admitted[c].Add(1)
					}
				}
			})
		}
	}
	ways := []string{"between two questions", "with all connections", "after an outage", "while it is slow"}
	for i := range *failovers {
		f.fail(ways[(i+rand.IntN(2))%len(ways)])
		f.settled()
		f.now.Add(int64(LeaseTime)) // what is refused is asked for again, and leases end
	}
	f.settled()
	close(done)
	asking.Wait()
	most, all := int64(l.Rate), int64(0)
	for c, client := range clients {
		bound, lost := most, int64(0)
		if len(f.nodes) > 1 {
			lost = f.lost[f.nodes[0].redisKey(f.nodes[0].bucket(l, keyOf(f.nodes[0], l, client)))]
			bound += lost
			if l.OnStoreFailure == ratelimit.FailLocal {
				bound += max(most, int64(len(f.nodes)))
			}
		}
		got := admitted[c].Load()
		f.t.Logf("%s: %d admitted of %d, %d were lost, the bound is %d", client, got, most, lost, bound)
		if got > bound {
			f.t.Errorf("%s: %d admitted, the bound is %d: the limit is %d, and %d were lost", client, got, bound, most, lost)
		}
		all += got
	}
	if all == 0 { // how many a busy machine comes to is its own
		f.t.Error("nothing was admitted")
	}
	if len(f.lost) == 0 {
		f.t.Error("no failover met a bucket")
	}
}
