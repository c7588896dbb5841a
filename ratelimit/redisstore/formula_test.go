package redisstore

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/admissions"
	"github.com/apiguard/caddy-api-guard/internal/needs"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// lease is the L of the bound.
func lease(l *ratelimit.Limit, nodes, cost int) int {
	return max(cost, min(MaxLease, l.Capacity()/(8*nodes)))
}

// Three nodes that are asked as fast as they answer admit no more than the bound of
// the package's documentation, and a client that meets only one of them gets what the
// limit says all the same.
func TestTheBoundHoldsAtFullSpeed(t *testing.T) {
	for _, l := range []ratelimit.Limit{
		{Rate: 5, Window: time.Hour},
		{Rate: 100, Window: time.Minute},
		{Rate: 1000, Window: time.Second},
		{Rate: 10_000, Window: time.Second},
		{Rate: 10_000, Window: time.Second, Algorithm: ratelimit.Bucket},
		{Rate: 2000, Window: time.Second, Burst: 200, Algorithm: ratelimit.Bucket},
	} {
		for _, skewed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %d per %s, skewed %t", l.Algorithm, l.Rate, l.Window, skewed), func(t *testing.T) {
				t.Parallel()
				lasts := 2200 * time.Millisecond // two windows of a second, of 16/15 each
				if l.Window > time.Second {
					lasts = 500 * time.Millisecond
				}
				addr := needs.Redis(t).Addr
				nodes := []*Store{ticking(t, addr), ticking(t, addr), ticking(t, addr)}
				for _, n := range nodes {
					await(t, "the other nodes", func() bool { return n.Nodes() == 3 })
				}
				l := limit(t, l)
				l.OnStoreFailure = ratelimit.FailDeny
				asked := nodes
				if skewed {
					asked = nodes[:1]
				}
				bound, ahead := l.Rate, 3*lease(l, 3, 1)
				if l.Algorithm == ratelimit.Bucket {
					bound = l.Capacity() + l.Rate
				}
				if l.Rate < 16*3 {
					ahead = 0
				}
				// A lease that a node holds while a busy machine does not run it is not used.
				for try := 1; ; try++ {
					log, asks := askAll(asked, l, fmt.Sprint("client ", try), lasts)
					worst, due := log.Worst(l.Window), alone(l, asks)
					t.Logf("%d in the worst %s, the bound is %d + %d; %d in all of %d questions, and one table admits %d of them", worst, l.Window, bound, ahead, log.Total(), len(asks), due)
					if worst > bound+ahead {
						t.Fatalf("%d within %s, the bound is %d", worst, l.Window, bound+ahead)
					}
					if log.Total() >= due*9/10 {
						return
					}
					if try == 5 {
						t.Fatalf("%d admitted, less than 90%% of the %d that one table admits", log.Total(), due)
					}
				}
			})
		}
	}
}

// askAll asks all nodes for one client as fast as they answer, and tells when.
func askAll(nodes []*Store, l *ratelimit.Limit, client string, lasts time.Duration) (*admissions.Log, []time.Duration) {
	log, began := new(admissions.Log), time.Now()
	var mu sync.Mutex
	var asks []time.Duration
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() {
			var own []time.Duration
			for {
				at := time.Since(began)
				if at > lasts {
					break
				}
				own = append(own, at)
				if take(n, l, client, 1).Admitted {
					log.Add(at, time.Since(began), 1)
				} else {
					time.Sleep(200 * time.Microsecond)
				}
			}
			mu.Lock()
			asks = append(asks, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.Sort(asks)
	return log, asks
}

// alone is how many of the same questions a table of one process admits: what is due
// whenever a busy machine came to ask.
func alone(l *ratelimit.Limit, asks []time.Duration) (admitted int) {
	var now int64
	table := ratelimit.NewTable(ratelimit.TableConfig{Slots: 8, Now: func() int64 { return now }})
	for _, at := range asks {
		now = int64(time.Hour + at)
		if take(table, l, "client", 1).Admitted {
			admitted++
		}
	}
	return admitted
}
