package ratelimit

import (
	"fmt"
	"testing"
	"time"
)

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
	ask(table, l, "the last", 1)
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
	for i := range ways {
		table.Take([]Charge{{Limit: l, Key: keyOf(table, l, fmt.Sprint(i)), Shadow: true}}, out)
	}
	for i := range lines {
		ask(table, l, fmt.Sprint(i), 1)
	}
	if st := table.Stats(); st.Shared != 0 || st.Occupied != ways+lines {
		t.Fatalf("%+v", st)
	}
}
