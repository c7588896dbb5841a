package ratelimit

import (
	"fmt"
	"testing"
	"time"
)

// What somebody tries who knows how the table is kept.

// Keys that are at their limit with one request are the dearest to forget, so that a
// flood of them clears debts of other limits. For an ordinary limit that is possible,
// and told to the last token; for one that says Protect it is not.
func TestAFloodOfKeysAtTheirLimitClearsNoProtectedDebt(t *testing.T) {
	for _, protect := range []bool{false, true} {
		m := &manual{}
		table := NewTable(TableConfig{Slots: 512, ProtectedSlots: 512, Now: m.now})
		guesses := valid(t, Limit{Name: "guesses", Rate: 5, Window: time.Hour, Protect: protect})
		single := valid(t, Limit{Name: "single", Rate: 1, Window: MaxWindow}) // by a field that the client chooses
		admitted := 0
		for round := range 40 {
			for range 6 {
				if ask(table, guesses, "attacker", 1).Admitted {
					admitted++
				}
			}
			for i := range 5000 {
				ask(table, single, fmt.Sprint(round, " ", i), 1)
			}
		}
		st := table.Stats()
		if protect && admitted != guesses.Rate {
			t.Errorf("protected: %d admitted, limit %d", admitted, guesses.Rate)
		}
		if uint64(admitted) > uint64(guesses.Rate)+st.EvictedDebt || st.EvictedDebt == 0 {
			t.Errorf("protect %v: %d admitted, %d of evicted debt exported", protect, admitted, st.EvictedDebt)
		}
	}
}

// A client who is refused all the time, or whose penalty runs, costs nobody else
// room: his refusals claim no cell beside his own.
func TestWhoIsRefusedAllTheTimeTakesNobodysPlace(t *testing.T) {
	for _, penalty := range []time.Duration{0, time.Hour} {
		m := &manual{}
		table := tiny(m)
		l := valid(t, Limit{Rate: 2, Window: time.Hour, Penalty: penalty})
		for i := range ways - 2 {
			ask(table, l, fmt.Sprint(i), 1)
		}
		for range 10_000 {
			ask(table, l, "attacker", 1)
			m.sleep(time.Millisecond)
		}
		if st := table.Stats(); st.Evicted != 0 {
			t.Errorf("penalty %s: %+v", penalty, st)
		}
		for i := range ways - 2 {
			if d := ask(table, l, fmt.Sprint(i), 1); !d.Admitted || d.Remaining != 0 {
				t.Errorf("penalty %s: client %d pays for the attacker: %+v", penalty, i, d)
			}
		}
	}
}

// A monitored limit under any load is asked of shadows: what its twin in force says
// to anybody stays the same, penalties, quotas and what is held included.
func TestNoLoadOnAMonitoredLimitReachesTheOneInForce(t *testing.T) {
	for name, l := range map[string]Limit{
		"window":      {Rate: 3, Window: time.Hour, Penalty: time.Hour},
		"bucket":      {Rate: 3, Window: time.Hour, Algorithm: Bucket},
		"quota":       {Rate: 3, Algorithm: Quota, Period: Month},
		"concurrency": {Rate: 3, Algorithm: Concurrency},
		"protected":   {Rate: 3, Window: time.Hour, Protect: true},
	} {
		t.Run(name, func(t *testing.T) {
			table := tiny(&manual{ns: 1})
			l := valid(t, l)
			key := keyOf(table, l, "client")
			before := ask(table, l, "client", 1)
			var open []Charge
			for i := range 500 {
				c := Charge{Limit: l, Key: key + Key(i%20), Shadow: true, When: When(i % 3)}
				var out [1]Decision
				if !table.Take([]Charge{c}, out[:]) {
					t.Fatal("a shadow refused a request")
				}
				if out[0].Admitted && c.holds() {
					open = append(open, c)
				}
			}
			if st := table.Peek(l, key); st.Remaining != before.Remaining || st.Blocked != 0 {
				t.Errorf("with shadows open: %+v, want %d left", st, before.Remaining)
			}
			for i := range open {
				table.Settle(&open[i], true)
			}
			after := ask(table, l, "client", 1)
			if !after.Admitted || after.Remaining != before.Remaining-1 || table.Stats().Evicted != 0 {
				t.Errorf("%+v after %+v", after, before)
			}
		})
	}
}
