package ratelimit

import (
	"fmt"
	"testing"
	"time"
)

// A client exhausts his limit, floods the table with clients of one request each
// and tries again: what a cache that forgets the least recent would admit.
func TestAFloodOfFreshClientsDoesNotClearAnExhaustedOne(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		m := &manual{}
		table := NewTable(TableConfig{Slots: 4096, Now: m.now})
		l := valid(t, Limit{Rate: 5, Window: time.Hour, Algorithm: alg})
		admitted := 0
		for round := range 20 {
			for range 10 {
				if ask(table, l, "attacker", 1).Admitted {
					admitted++
				}
			}
			for i := range 20_000 {
				ask(table, l, fmt.Sprint(round, " ", i), 1)
			}
		}
		st := table.Stats()
		if admitted != 5 {
			t.Errorf("%s: %d admitted, limit 5", alg, admitted)
		}
		if st.Evicted < 300_000 || st.EvictedDebt < st.Evicted {
			t.Errorf("%s: the flood did not flood: %+v", alg, st)
		}
	}
}

func TestAFullSetForgetsWhoeverOwesLeast(t *testing.T) {
	type client struct {
		name string
		cost uint32
		at   time.Duration
	}
	full := func(first ...client) []client {
		for i := len(first); i < ways; i++ {
			first = append(first, client{fmt.Sprint("other ", i), 8, 0})
		}
		return first
	}
	for name, tc := range map[string]struct {
		clients []client
		victim  string
		debt    uint64
	}{
		"the smallest debt":                     {full(client{"small", 2, 0}, client{"smaller", 1, 0}), "smaller", 1},
		"of equals whoever is free soonest":     {full(client{"late", 3, time.Minute * 50}, client{"early", 3, 0}), "early", 3},
		"not the one at the limit":              {full(client{"at the limit", 10, 0}, client{"nearly", 9, 0}, client{"b", 9, 1}, client{"c", 9, 1}), "other 4", 8},
		"one below the limit among seven at it": {[]client{{"a", 10, 0}, {"b", 10, 0}, {"c", 10, 0}, {"d", 10, 0}, {"below", 9, 30 * time.Minute}, {"f", 10, 0}, {"g", 10, 0}, {"h", 10, 0}}, "below", 9},
		"when all are at it the one who is free soonest": {[]client{{"a", 10, 40 * time.Minute}, {"b", 10, 40 * time.Minute}, {"c", 10, 40 * time.Minute}, {"d", 10, 40 * time.Minute},
			{"soonest", 10, 0}, {"f", 10, 40 * time.Minute}, {"g", 10, 40 * time.Minute}, {"h", 10, 40 * time.Minute}}, "soonest", 10},
	} {
		for _, alg := range []Algorithm{Window, Bucket} {
			t.Run(alg.String()+"/"+name, func(t *testing.T) {
				m := &manual{}
				table := tiny(m)
				l := valid(t, Limit{Rate: 10, Window: time.Hour, Algorithm: alg})
				if alg == Bucket {
					// A bucket leaks while the others come: keep the order of debts.
					l = valid(t, Limit{Rate: 10, Window: 400 * time.Hour, Algorithm: alg})
				}
				for _, early := range []bool{true, false} {
					for _, c := range tc.clients {
						if (c.at == 0) != early {
							continue
						}
						m.ns = max(m.ns, int64(c.at))
						if d := ask(table, l, c.name, c.cost); !d.Admitted {
							t.Fatalf("%s: %+v", c.name, d)
						}
					}
				}
				m.ns = int64(50 * time.Minute)
				if d := ask(table, l, "newcomer", 1); !d.Admitted || d.Remaining != 9 {
					t.Fatalf("the newcomer: %+v", d)
				}
				for _, c := range tc.clients {
					if found := table.Peek(l, keyOf(table, l, c.name)).Found; found == (c.name == tc.victim) {
						t.Errorf("%s is there: %v", c.name, found)
					}
				}
				if st := table.Stats(); st.Evicted != 1 || st.EvictedDebt != tc.debt || st.Occupied != ways {
					t.Errorf("%+v, want a debt of %d", st, tc.debt)
				}
			})
		}
	}
}

func TestAFreshCellIsFreeAndNoLoss(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: 10, Window: time.Minute})
	for i := range ways {
		ask(table, l, fmt.Sprint(i), 10)
	}
	m.sleep(2 * time.Minute)
	if st := table.Stats(); st.Occupied != 0 {
		t.Fatalf("%d owe something after two windows", st.Occupied)
	}
	for i := range ways {
		ask(table, l, fmt.Sprint("new ", i), 1)
	}
	if st := table.Stats(); st.Evicted != 0 || st.EvictedDebt != 0 || st.Occupied != ways {
		t.Fatalf("reusing what had expired was counted as a loss: %+v", st)
	}
}

func TestOfEqualDebtsTheOneThatIsFreeSoonestGoes(t *testing.T) {
	for _, cost := range []uint32{3, 10} { // below the limit, and at it
		m := &manual{}
		table := tiny(m)
		l := valid(t, Limit{Rate: 10, Window: time.Hour})
		ask(table, l, "late", 1) // first in the set, and last to be free
		for i := range ways - 1 {
			ask(table, l, fmt.Sprint(i), cost)
			m.sleep(time.Minute * 5)
		}
		ask(table, l, "late", cost-1)
		ask(table, l, "newcomer", 1)
		for client, want := range map[string]bool{"late": true, "0": false, "1": true, "6": true, "newcomer": true} {
			if got := table.Peek(l, keyOf(table, l, client)).Found; got != want {
				t.Errorf("debts of %d: %s is there: %v, want %v", cost, client, got, want)
			}
		}
	}
}

// Debts of different limits compare by the part that is used: 50 of 1000 are
// less to forget than 2 of 3.
func TestDebtsOfDifferentLimitsCompareByThePartThatIsUsed(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		m := &manual{}
		table := tiny(m)
		small := valid(t, Limit{Name: "small", Rate: 3, Window: time.Hour, Algorithm: alg})
		large := valid(t, Limit{Name: "large", Rate: 1000, Window: time.Hour, Algorithm: alg})
		for i := range ways - 1 {
			ask(table, small, fmt.Sprint(i), 2)
		}
		ask(table, large, "client", 50)
		ask(table, small, "newcomer", 1)
		if table.Peek(large, keyOf(table, large, "client")).Found {
			t.Errorf("%s: 50 of 1000 stayed", alg)
		}
		if st := table.Stats(); st.Evicted != 1 || st.EvictedDebt != 50 {
			t.Errorf("%s: %+v", alg, st)
		}
	}
}

// The tag 0 marks an empty way. A key may have no other bits there.
func TestAKeyWithoutTagBitsIsKeptLikeAnyOther(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: 2, Window: time.Hour})
	out := make([]Decision, 1)
	for range 4 {
		table.Take([]Charge{{Limit: l, Key: 0xabc << 32}}, out)
	}
	for i := range 50 {
		ask(table, l, fmt.Sprint(i), 1)
	}
	if table.Take([]Charge{{Limit: l, Key: 0xabc << 32}}, out) {
		t.Fatal("it was taken for an empty way, and forgotten")
	}
}

// However a set is filled, more is admitted only as far as the table says.
func TestWhatIsAdmittedBeyondTheLimitsIsExported(t *testing.T) {
	for _, protect := range []bool{false, true} {
		m := &manual{}
		table := tiny(m)
		l := valid(t, Limit{Rate: 5, Window: time.Hour, Protect: protect})
		const clients = 20
		admitted := make([]int, clients)
		for round := range 60 {
			for c := range clients {
				if ask(table, l, fmt.Sprint(c), uint32(1+(round+c)%2)).Admitted {
					admitted[c] += 1 + (round+c)%2
				}
			}
		}
		over := 0
		for _, n := range admitted {
			over += max(0, n-l.Rate)
		}
		st := table.Stats()
		if uint64(over) > st.EvictedDebt {
			t.Errorf("protect %v: %d over the limits, %d exported", protect, over, st.EvictedDebt)
		}
		if protect && (st.Evicted != 0 || over != 0) {
			t.Errorf("a protected limit forgot: %d over, %+v", over, st)
		}
		if !protect && over == 0 {
			t.Errorf("20 clients at their limit fit in 8 ways")
		}
	}
}

func TestNewcomersToAFullProtectedSetShareOneCell(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: 5, Window: time.Hour, Protect: true})
	for i := range ways {
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

func TestWhoLeavesASharedCellTakesItsDebtAlong(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		m := &manual{}
		table := tiny(m)
		l := valid(t, Limit{Rate: 5, Window: time.Hour, Algorithm: alg, Protect: true})
		for i := range ways {
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
	for i := range ways {
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
	for i := range ways {
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
	for i := range ways - 1 {
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

func TestShadowsDisplaceOnlyShadows(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: 10, Window: time.Hour})
	shadow := func(client string) {
		var out [1]Decision
		if !table.Take([]Charge{{Limit: l, Key: keyOf(table, l, client), Shadow: true}}, out[:]) {
			t.Fatal("a shadow refused")
		}
	}
	for i := range ways - 1 {
		ask(table, l, fmt.Sprint(i), 1)
	}
	shadow("a")
	for i := range 50 {
		shadow(fmt.Sprint("more ", i))
	}
	st := table.Stats()
	if st.Evicted != 0 || st.EvictedShadows != 50 {
		t.Fatalf("%+v", st)
	}
	ask(table, l, "the eighth", 1)
	shadow("late")
	for i := range ways - 1 {
		if !table.Peek(l, keyOf(table, l, fmt.Sprint(i))).Found {
			t.Errorf("client %d gave way to a shadow", i)
		}
	}
	if st := table.Stats(); st.Evicted != 0 || st.EvictedShadows != 52 || st.Occupied != ways {
		t.Fatalf("an enforced cell did not take the shadow's place, or a shadow an enforced one's: %+v", st)
	}
}

func TestShadowsOfProtectedLimitsFillNoProtectedSet(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: 10, Window: time.Hour, Protect: true})
	out := make([]Decision, 1)
	for i := range 2 * ways {
		table.Take([]Charge{{Limit: l, Key: keyOf(table, l, fmt.Sprint(i)), Shadow: true}}, out)
	}
	for i := range ways {
		ask(table, l, fmt.Sprint(i), 1)
	}
	if st := table.Stats(); st.Shared != 0 || st.Occupied != 2*ways {
		t.Fatalf("%+v", st)
	}
}

// All of one call's cells meet in one set that has too few ways for them.
func TestACallDoesNotEvictItself(t *testing.T) {
	for _, protect := range []bool{false, true} {
		m := &manual{}
		table := tiny(m)
		var limits []*Limit
		var charges []Charge
		for i := range MaxCharges {
			l := valid(t, Limit{Name: fmt.Sprint(i), Rate: 100, Window: time.Hour, Protect: protect})
			limits = append(limits, l)
			charges = append(charges, Charge{Limit: l, Key: keyOf(table, l, "client"), Cost: 3})
		}
		out := make([]Decision, MaxCharges)
		if !table.Take(charges[:ways], out[:ways]) {
			t.Fatal("eight cells do not fit in eight ways")
		}
		if !table.Take(charges, out) {
			t.Fatal("refused")
		}
		for i, l := range limits[:ways] {
			if st := table.Peek(l, charges[i].Key); st.Used != 6 {
				t.Errorf("protect %v: limit %d was charged twice and holds %+v", protect, i, st)
			}
		}
		st := table.Stats()
		if !protect && (st.Evicted != 8 || st.EvictedDebt != 24) || protect && (st.Evicted != 0 || st.Shared != 8) {
			t.Errorf("protect %v: %+v", protect, st)
		}
	}
}

func TestMemoryStaysWhatItWas(t *testing.T) {
	clients := 1_000_000
	if testing.Short() {
		clients = 100_000
	}
	m := &manual{}
	table := NewTable(TableConfig{Slots: 1 << 14, Now: m.now})
	l := valid(t, Limit{Rate: 5, Window: time.Hour})
	before := table.Bytes()
	x := uint64(1)
	var out [1]Decision
	charge := []Charge{{Limit: l, Cost: 1}}
	if n := testing.AllocsPerRun(clients, func() {
		x += 0x9e3779b97f4a7c15
		charge[0].Key = Key(x)
		table.Take(charge, out[:])
	}); n != 0 {
		t.Errorf("%v allocations a client", n)
	}
	if st := table.Stats(); table.Bytes() != before || st.Occupied != 1<<14 || st.Evicted < uint64(clients)/2 {
		t.Errorf("%d bytes, then %d; %+v", before, table.Bytes(), st)
	}
}
