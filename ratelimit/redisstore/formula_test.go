package redisstore

import (
	"fmt"
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
				s := server{addr: needs.Redis(t).Addr}
				nodes := []*Store{s.node(t), s.node(t), s.node(t)}
				for _, n := range nodes {
					await(t, "the other nodes", func() bool { return n.Nodes() == 3 })
				}
				l := limit(t, l)
				l.OnStoreFailure = ratelimit.FailDeny
				asked := nodes
				if skewed {
					asked = nodes[:1]
				}
				seconds := min(lasts.Seconds()*15/16, lasts.Seconds()/l.Window.Seconds()*15/16)
				due := l.Rate * max(1, int(seconds+0.001))
				bound, ahead := l.Rate, 3*lease(l, 3, 1)
				if l.Algorithm == ratelimit.Bucket {
					due = l.Capacity() + int(float64(l.Rate)*lasts.Seconds())
					bound = l.Capacity() + l.Rate
				}
				if l.Rate < 16*3 {
					ahead = 0
				}
				// A machine that is busy elsewhere may not come to ask for nine tenths.
				for try := 1; ; try++ {
					log := askAll(asked, l, fmt.Sprint("client ", try), lasts)
					worst := log.Worst(l.Window)
					t.Logf("%d in the worst %s, the bound is %d + %d; %d of %d in all", worst, l.Window, bound, ahead, log.Total(), due)
					if worst > bound+ahead {
						t.Fatalf("%d within %s, the bound is %d", worst, l.Window, bound+ahead)
					}
					if log.Total() >= due*9/10 {
						return
					}
					if try == 3 {
						t.Fatalf("%d admitted, less than 90%% of %d", log.Total(), due)
					}
				}
			})
		}
	}
}

// askAll asks all nodes for one client as fast as they answer.
func askAll(nodes []*Store, l *ratelimit.Limit, client string, lasts time.Duration) *admissions.Log {
	log, began := new(admissions.Log), time.Now()
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() {
			for {
				at := time.Since(began)
				if at > lasts {
					return
				}
				if take(n, l, client, 1).Admitted {
					log.Add(at, time.Since(began), 1)
				} else {
					time.Sleep(200 * time.Microsecond)
				}
			}
		})
	}
	wg.Wait()
	return log
}
