package ratelimit

import (
	"fmt"
	"testing"
	"time"
)

func TestNewcomersToAFullProtectedSetShareOneCell(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: 5, Window: time.Hour, Protect: true})
	for i := range lines {
		ask(table, l, fmt.Sprint(i), 1)
	}
	for i := range 5 {
		if d := ask(table, l, fmt.Sprint("newcomer ", i), 1); !d.Admitted || d.Remaining != 4-i {
			t.Fatalf("newcomer %d: %+v", i, d)
		}
	}
	if d := ask(table, l, "newcomer 6", 1); d.Admitted {
		t.Fatalf("a sixth newcomer fits: %+v", d)
	}
	if d := ask(table, l, "3", 1); !d.Admitted || d.Remaining != 3 {
		t.Fatalf("a client with a cell of his own pays for others: %+v", d)
	}
	if st := table.Stats(); st.Shared != 5 || st.Evicted != 0 {
		t.Fatalf("%+v", st)
	}
	// A cell comes free. Who takes it may have used some of what is shared.
	if !table.Forget(l, keyOf(table, l, "5")) {
		t.Fatal("nothing to forget")
	}
	if d := ask(table, l, "newcomer 0", 1); d.Admitted {
		t.Fatalf("a newcomer got rid of what he owed: %+v", d)
	}
	m.sleep(66 * time.Minute)
	if d := ask(table, l, "newcomer 0", 1); !d.Admitted || d.Remaining != 4 {
		t.Fatalf("after the window: %+v", d)
	}
}

// What newcomers share is counted in 24 bits, as in a cell of their own.
func TestASharedCellCountsAsFarAsALimitMayGo(t *testing.T) {
	for name, cost := range map[string]uint32{"one by one": 1, "some at once": 250, "many at once": 300} {
		for _, l := range []Limit{
			{Rate: 3000, Window: time.Hour},
			{Rate: 3000, Window: MaxWindow, Algorithm: Bucket},
			{Rate: 3000, Period: Month, Algorithm: Quota},
		} {
			table := tiny(&manual{})
			filler := valid(t, Limit{Name: "filler", Rate: 1, Window: MaxWindow, Protect: true})
			for i := range lines {
				ask(table, filler, fmt.Sprint(i), 1)
			}
			l.Protect = true
			shared, admitted := valid(t, l), uint32(0)
			for i := range 2 * uint32(l.Rate) / cost {
				if ask(table, shared, fmt.Sprint("newcomer ", i), cost).Admitted {
					admitted += cost
				}
			}
			if admitted != uint32(l.Rate) {
				t.Errorf("%s, %s: %d admitted of %d", l.Algorithm, name, admitted, l.Rate)
			}
		}
	}
}

func TestWhoLeavesASharedCellTakesItsDebtAlong(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		m := &manual{}
		table := tiny(m)
		l := valid(t, Limit{Rate: 5, Window: time.Hour, Algorithm: alg, Protect: true})
		for i := range lines {
			ask(table, l, fmt.Sprint(i), 1)
		}
		ask(table, l, "newcomer", 3)
		table.Forget(l, keyOf(table, l, "5"))
		for i, want := range []Decision{{Admitted: true, Remaining: 1}, {Admitted: true}, {}} {
			d := ask(table, l, "newcomer", 1)
			if d.Admitted != want.Admitted || d.Remaining != want.Remaining {
				t.Fatalf("%s: request %d: %+v, want %+v", alg, i, d, want)
			}
		}
		if st := table.Peek(l, keyOf(table, l, "newcomer")); st.Used != 5 {
			t.Fatalf("%s: he owes %+v", alg, st)
		}
	}
}

func TestNewcomersOfOneCallAreCountedTogetherInASharedCell(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: 5, Window: time.Hour, Protect: true})
	for i := range lines {
		ask(table, l, fmt.Sprint(i), 1)
	}
	out := make([]Decision, 2)
	pair := func(cost uint32) bool {
		return table.Take([]Charge{{Limit: l, Key: keyOf(table, l, "a"), Cost: cost}, {Limit: l, Key: keyOf(table, l, "b"), Cost: cost}}, out)
	}
	if pair(3) {
		t.Fatalf("three and three fit in five: %+v", out)
	}
	if !pair(2) {
		t.Fatalf("two and two do not fit in five: %+v", out)
	}
}

func TestABucketInASharedCellIsNoFasterThanItsOwn(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	filler := valid(t, Limit{Name: "filler", Rate: 1, Window: MaxWindow, Protect: true})
	for i := range lines {
		ask(table, filler, fmt.Sprint(i), 1)
	}
	l := valid(t, Limit{Rate: 60, Window: time.Minute, Burst: 10, Algorithm: Bucket, Protect: true})
	model, admitted := newExactBucket(l, 0), 0
	for ; m.ns < int64(10*time.Minute); m.sleep(130 * time.Millisecond) {
		if !ask(table, l, "client", 1).Admitted {
			continue
		}
		admitted++
		if !model.take(m.ns, 1) {
			t.Fatalf("the shared cell admitted one at %s that the bucket would not", time.Duration(m.ns))
		}
	}
	if admitted < 540 {
		t.Fatalf("%d admitted in ten minutes, a bucket admits 610", admitted)
	}
}

// Limits of all kinds meet in one shared cell. None may be exceeded by anybody.
func TestASharedCellHoldsForEveryLimitThatUsesIt(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	filler := valid(t, Limit{Name: "filler", Rate: 1, Window: MaxWindow, Protect: true})
	for i := range lines - 1 {
		ask(table, filler, fmt.Sprint(i), 1)
	}
	limits := []*Limit{
		valid(t, Limit{Name: "second", Rate: 3, Window: time.Second, Protect: true}),
		valid(t, Limit{Name: "hour", Rate: 40, Window: time.Hour, Protect: true}),
		valid(t, Limit{Name: "bucket", Rate: 60, Window: time.Minute, Burst: 10, Algorithm: Bucket, Protect: true}),
	}
	logs := map[string][]event{}
	models := map[string]*exactBucket{}
	admitted := 0
	for i := range 6000 {
		m.sleep(time.Duration(i%13) * 77 * time.Millisecond)
		l, client := limits[i%3], fmt.Sprint(i%5)
		d := ask(table, l, client, uint32(1+i%2))
		if !d.Admitted {
			continue
		}
		admitted++
		id := l.Name + client
		if l.Algorithm == Bucket {
			if models[id] == nil {
				models[id] = newExactBucket(l, m.ns)
			}
			if !models[id].take(m.ns, int64(1+i%2)) {
				t.Fatalf("%s admitted what a bucket of its own would not", id)
			}
			continue
		}
		logs[id] = append(logs[id], event{m.ns, 1 + i%2})
		if n := within(logs[id], m.ns, int64(l.Window)); n > l.Rate {
			t.Fatalf("%s: %d in its window, limit %d", id, n, l.Rate)
		}
	}
	if st := table.Stats(); st.Shared < 50 || admitted < 60 || st.Evicted != 0 {
		t.Fatalf("%d admitted, %+v", admitted, st)
	}
}
