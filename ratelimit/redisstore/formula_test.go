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

var boundLimits = []ratelimit.Limit{
	{Rate: 5, Window: time.Hour},
	{Rate: 100, Window: time.Minute},
	{Rate: 1000, Window: time.Second},
	{Rate: 10_000, Window: time.Second},
	{Rate: 10_000, Window: time.Second, Algorithm: ratelimit.Bucket},
	{Rate: 2000, Window: time.Second, Burst: 200, Algorithm: ratelimit.Bucket},
}

// eachBound runs a test for limits of which all nodes are asked, or one of three.
func eachBound(t *testing.T, test func(t *testing.T, l *ratelimit.Limit, lasts time.Duration, asked int)) {
	for _, l := range boundLimits {
		for _, asked := range []int{3, 1} {
			t.Run(fmt.Sprintf("%s %d per %s, %d of 3 asked", l.Algorithm, l.Rate, l.Window, asked), func(t *testing.T) {
				t.Parallel()
				lasts := 2200 * time.Millisecond // two windows of a second, of 16/15 each
				if l.Window > time.Second {
					lasts = 500 * time.Millisecond
				}
				l := limit(t, l)
				l.OnStoreFailure = ratelimit.FailDeny
				test(t, l, lasts, asked)
			})
		}
	}
}

// Three nodes that are asked as fast as they answer admit no more than the bound of
// the package's documentation.
func TestTheBoundHoldsAtFullSpeed(t *testing.T) {
	eachBound(t, func(t *testing.T, l *ratelimit.Limit, lasts time.Duration, asked int) {
		addr := needs.Redis(t).Addr
		nodes := []*Store{ticking(t, addr), ticking(t, addr), ticking(t, addr)}
		for _, n := range nodes {
			await(t, "the other nodes", func() bool { return n.Nodes() == 3 })
		}
		bound, ahead := l.Rate, 3*lease(l, 3, 1)
		if l.Algorithm == ratelimit.Bucket {
			bound = l.Capacity() + l.Rate
		}
		if l.Rate < 16*3 {
			ahead = 0
		}
		log, began := new(admissions.Log), time.Now()
		var wg sync.WaitGroup
		for _, n := range nodes[:asked] {
			wg.Go(func() {
				for at := time.Duration(0); at <= lasts; at = time.Since(began) {
					if take(n, l, "client", 1).Admitted {
						log.Add(at, time.Since(began), 1)
					} else {
						time.Sleep(200 * time.Microsecond)
					}
				}
			})
		}
		wg.Wait()
		worst := log.Worst(l.Window)
		t.Logf("%d in the worst %s, the bound is %d + %d; %d in all", worst, l.Window, bound, ahead, log.Total())
		if worst > bound+ahead {
			t.Errorf("%d within %s, the bound is %d", worst, l.Window, bound+ahead)
		}
		if log.Total() == 0 {
			t.Error("nothing was admitted")
		}
	})
}

// A client that is met by three nodes, or by only one of them, gets what the limit says:
// nine tenths at least of what one table would admit, by clocks that go on when all that
// was asked is answered.
func TestWhatTheLimitSaysIsGiven(t *testing.T) {
	eachBound(t, func(t *testing.T, l *ratelimit.Limit, lasts time.Duration, asked int) {
		fleet := fleetOf(t, needs.Redis(t).Addr, clockedScript(t), setClock)
		for _, n := range fleet.Nodes {
			await(t, "the other nodes", func() bool { return n.(*Store).Nodes() == 3 })
		}
		var now int64
		table := ratelimit.NewTable(ratelimit.TableConfig{Slots: 8, Now: func() int64 { return now }})
		const step = 5 * time.Millisecond
		each := max(3, 3*int(time.Duration(l.Rate)*step/l.Window)/2)
		admitted, due := 0, 0
		for at := time.Duration(0); at < lasts; at += step {
			for i := range each {
				if take(fleet.Nodes[i%asked], l, "client", 1).Admitted {
					admitted++
				}
				if take(table, l, "client", 1).Admitted {
					due++
				}
			}
			now += int64(step)
			fleet.Advance(step)
		}
		t.Logf("%d of the %d that one table admits", admitted, due)
		if admitted < due*9/10 {
			t.Errorf("%d admitted, less than 90%% of the %d that one table admits", admitted, due)
		}
	})
}
