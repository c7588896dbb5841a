package ratelimit

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var flood = flag.Int("flood", 200_000, "how many fresh clients flood the table while one tries again and again; 2000000 is the full measure")

// A client exhausts his limit, floods the table with clients of one request each
// and tries again twenty times in between: what a cache that forgets the least
// recent would admit.
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
			for i := range *flood / 20 {
				var out [1]Decision
				table.Take([]Charge{{Limit: l, Key: Key(round**flood+i+1) * 0x9e3779b97f4a7c15}}, out[:])
			}
		}
		st := table.Stats()
		if admitted != 5 {
			t.Errorf("%s: %d admitted, limit 5", alg, admitted)
		}
		if st.Evicted < uint64(*flood)*3/4 || st.EvictedDebt < st.Evicted {
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
		"not the one at the limit":              {full(client{"at the limit", 10, 0}, client{"nearly", 9, 0}, client{"b", 9, 1}, client{"c", 9, 1}, client{"d", 9, 1}, client{"e", 9, 1}, client{"f", 9, 1}), "other 7", 8},
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
