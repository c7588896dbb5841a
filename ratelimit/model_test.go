package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// attempt is what one goroutine asked and was told at one moment.
type attempt struct {
	at       int64
	limits   []int
	client   int
	cost     int
	admitted bool
}

// Sixteen goroutines ask at random moments of a virtual time, often at the same
// ones, for one client or another and for one, two or three limits together. An
// exact log judges what they were told: never over the bound in any interval, and
// never refused where a limit had room, a window's grain apart.
func TestSixteenGoroutinesInVirtualTimeAreToldWhatAnExactLogSays(t *testing.T) {
	schedules := 40
	if testing.Short() {
		schedules = 8
	}
	for seed := range schedules {
		t.Run(fmt.Sprint("schedule ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomSchedule(t, uint64(seed)) })
		})
	}
}

func randomSchedule(t *testing.T, seed uint64) {
	table := NewTable(TableConfig{Slots: 64, ProtectedSlots: 64})
	limits := []*Limit{
		valid(t, Limit{Name: "window", Rate: 7, Window: 15 * time.Second, Protect: seed%2 == 0}),
		valid(t, Limit{Name: "bucket", Rate: 9, Window: 20 * time.Second, Burst: 4, Algorithm: Bucket}),
		valid(t, Limit{Name: "long", Rate: 40, Window: 3 * time.Minute}),
	}
	const clients = 2
	var keys [clients][]Key
	for c := range clients {
		for _, l := range limits {
			keys[c] = append(keys[c], keyOf(table, l, fmt.Sprint("client ", c)))
		}
	}
	begin := time.Now()
	var mu sync.Mutex
	var log []attempt
	together(16, func(worker int) {
		r := rand.New(rand.NewPCG(seed, uint64(worker)))
		var charges [3]Charge
		var out [3]Decision
		for range 60 {
			// A grid of moments, so that several come at once, and their neighbours.
			time.Sleep(time.Duration(r.IntN(12))*500*time.Millisecond + time.Duration(r.IntN(3)))
			a := attempt{client: r.IntN(clients), cost: 1 + r.IntN(3)}
			for i := range limits {
				if r.IntN(2) == 0 {
					a.limits = append(a.limits, i)
				}
			}
			for j, i := range a.limits {
				charges[j] = Charge{Limit: limits[i], Key: keys[a.client][i], Cost: uint32(a.cost)}
			}
			n := len(a.limits)
			// Time stands still as long as anybody runs.
			a.at = int64(time.Since(begin))
			a.admitted = table.Take(charges[:n], out[:n])
			mu.Lock()
			log = append(log, a)
			mu.Unlock()
		}
	})
	for c := range clients {
		judge(t, limits, log, c)
	}
	if st := table.Stats(); st.Evicted != 0 || st.Shared != 0 {
		t.Fatalf("the table was too small to judge the limits by: %+v", st)
	}
}

// judge holds what one client was told against an exact log, the calls of one
// moment together: in which of their orders they came is not known.
func judge(t *testing.T, limits []*Limit, log []attempt, client int) {
	t.Helper()
	events := make([][]event, len(limits))
	buckets := make([]*exactBucket, len(limits))
	for i, l := range limits {
		buckets[i] = newExactBucket(l, 0)
	}
	admitted, refusals := 0, 0
	var moments []int64 // of the log, which is in their order
	byMoment := map[int64][]attempt{}
	for _, a := range log {
		if a.client != client || len(a.limits) == 0 {
			continue
		}
		if len(byMoment[a.at]) == 0 {
			moments = append(moments, a.at)
		}
		byMoment[a.at] = append(byMoment[a.at], a)
	}
	for n, at := range moments {
		if n > 0 && moments[n-1] > at {
			t.Fatal("the log is not in the order of time")
		}
		for _, a := range byMoment[at] {
			if !a.admitted {
				continue
			}
			admitted++
			for _, i := range a.limits {
				events[i] = append(events[i], event{at, a.cost})
				if limits[i].Algorithm == Bucket && !buckets[i].take(at, int64(a.cost)) {
					t.Fatalf("at %s: the bucket admitted more than it held", time.Duration(at))
				}
				if used := within(events[i], at, int64(limits[i].Window)); limits[i].Algorithm == Window && used > limits[i].Rate {
					t.Fatalf("at %s: %d in the window of %s, limit %d", time.Duration(at), used, limits[i].Name, limits[i].Rate)
				}
			}
		}
		for _, a := range byMoment[at] {
			if a.admitted {
				continue
			}
			refusals++
			if !deserved(limits, events, buckets, a) {
				t.Fatalf("at %s: refused %d of %v although all had room", time.Duration(at), a.cost, a.limits)
			}
		}
	}
	if admitted < 50 || refusals < 50 {
		t.Fatalf("%d admitted, %d refused: that judges little", admitted, refusals)
	}
}

// deserved tells whether, by the end of its moment, some limit of an attempt had no
// room for it: a window that is a fifteenth longer, or a bucket to the token.
func deserved(limits []*Limit, events [][]event, buckets []*exactBucket, a attempt) bool {
	for _, i := range a.limits {
		l := limits[i]
		if l.Algorithm == Bucket {
			if !buckets[i].clone().take(a.at, int64(a.cost)) {
				return true
			}
			continue
		}
		if within(events[i], a.at, int64(counters)*subWindow(l.milliseconds()))+a.cost > l.Rate {
			return true
		}
	}
	return false
}
