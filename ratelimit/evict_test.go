package ratelimit

import (
	"flag"
	"fmt"
	"strings"
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
	full := func(first ...client) func(int) []client {
		return func(room int) []client {
			all := first
			for i := len(all); i < room; i++ {
				all = append(all[:i:i], client{fmt.Sprint("other ", i), 8, 0})
			}
			return all
		}
	}
	// all but one
	same := func(cost uint32, at time.Duration, other client) func(int) []client {
		return func(room int) []client {
			all := make([]client, room)
			for i := range all {
				all[i] = client{fmt.Sprint(i), cost, at}
			}
			all[4] = other
			return all
		}
	}
	for name, tc := range map[string]struct {
		clients func(room int) []client
		victim  string
		debt    uint64
	}{
		"the smallest debt":                 {full(client{"small", 2, 0}, client{"smaller", 1, 0}), "smaller", 1},
		"of equals whoever is free soonest": {full(client{"late", 3, time.Minute * 50}, client{"early", 3, 0}), "early", 3},
		"not the one at the limit": {func(room int) []client {
			all := full(client{"at the limit", 10, 0})(room)
			for i := 1; i < room-1; i++ {
				all[i] = client{fmt.Sprint(i), 9, 1}
			}
			return all[:room]
		}, "other ", 8},
		"one below the limit among others at it":         {same(10, 0, client{"below", 9, 30 * time.Minute}), "below", 9},
		"when all are at it the one who is free soonest": {same(10, 40*time.Minute, client{"soonest", 10, 0}), "soonest", 10},
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
				clients := tc.clients(room(l))
				for _, early := range []bool{true, false} {
					for _, c := range clients {
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
				for _, c := range clients {
					if found := table.Peek(l, keyOf(table, l, c.name)).Found; found == strings.HasPrefix(c.name, tc.victim) {
						t.Errorf("%s is there: %v", c.name, found)
					}
				}
				if st := table.Stats(); st.Evicted != 1 || st.EvictedDebt != tc.debt || st.Occupied != room(l) {
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
			m.sleep(time.Minute * 4)
		}
		ask(table, l, "late", cost-1)
		ask(table, l, "newcomer", 1)
		for client, want := range map[string]bool{"late": true, "0": false, "1": true, "14": true, "newcomer": true} {
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
		for i := range room(small) - 1 {
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

// A key of which a cell keeps no bit that is set is not taken for a free way.
func TestAKeyWithoutBitsIsKeptLikeAnyOther(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: 2, Window: time.Hour})
	out := make([]Decision, 1)
	for range 4 {
		table.Take([]Charge{{Limit: l, Key: 0xabc << keyBits}}, out)
	}
	for i := range 50 {
		ask(table, l, fmt.Sprint(i), 1)
	}
	if table.Take([]Charge{{Limit: l, Key: 0xabc << keyBits}}, out) {
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
			t.Errorf("20 clients at their limit fit in %d ways", ways)
		}
	}
}

// All of one call's cells meet in one set that has too few ways for them.
func TestACallDoesNotEvictItself(t *testing.T) {
	for name, l := range map[string]Limit{
		"small": {Rate: 100}, "large": {Rate: 1000}, "bucket": {Rate: 100, Algorithm: Bucket}, "protected": {Rate: 100, Protect: true},
	} {
		m := &manual{}
		table := tiny(m)
		var charges []Charge
		l.Window = time.Hour
		cost, fit := uint32(3), room(&l)
		if name == "large" {
			cost, fit = 300, lines
		}
		for i := range MaxCharges {
			l.Name = fmt.Sprint(i)
			limit := valid(t, l)
			charges = append(charges, Charge{Limit: limit, Key: keyOf(table, limit, "client"), Cost: cost})
		}
		out := make([]Decision, MaxCharges)
		if !table.Take(charges[:fit], out[:fit]) {
			t.Fatalf("%s: %d cells do not fit", name, fit)
		}
		if !table.Take(charges, out) {
			t.Fatalf("%s: refused", name)
		}
		whole(t, &table.sets[0])
		whole(t, &table.sets[1])
		for i, c := range charges[:fit] {
			if st := table.Peek(c.Limit, c.Key); st.Used != 2*int(cost) {
				t.Errorf("%s: limit %d was charged twice and holds %+v", name, i, st)
			}
		}
		rest := uint64(MaxCharges - fit)
		st, want := table.Stats(), Stats{Slots: 2 * lines, Occupied: fit}
		if l.Protect {
			want.Shared = rest
		} else {
			want.Evicted, want.EvictedDebt = rest, rest*uint64(cost)
		}
		if st != want {
			t.Errorf("%s: %+v, want %+v", name, st, want)
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
	if st := table.Stats(); table.Bytes() != before || st.Occupied != 1<<15 || st.Evicted < uint64(clients)/2 {
		t.Errorf("%d bytes, then %d; %+v", before, table.Bytes(), st)
	}
}
