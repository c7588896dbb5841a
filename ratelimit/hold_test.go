package ratelimit

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"
)

func later(t *Table, l *Limit, client string) Charge {
	return Charge{Limit: l, Key: keyOf(t, l, client), Cost: 1, When: Later}
}

// The attack: two hundred guesses are on their way before the first answer. What
// is pending counts as if it failed already.
func TestOfTwoHundredGuessesAtOnceNoMorePassThanMayFail(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		for _, protect := range []bool{false, true} {
			table := tiny(new(manual))
			l := valid(t, Limit{Rate: 5, Window: time.Hour, Algorithm: alg, Protect: protect})
			c := later(table, l, "client")
			var passed atomic.Int64
			together(200, func(int) {
				var out [1]Decision
				if table.Take([]Charge{c}, out[:]) {
					passed.Add(1)
				}
			})
			if n := passed.Load(); n != 5 {
				t.Errorf("%s: %d passed, 5 may fail", alg, n)
			}
			for range passed.Load() {
				table.Settle(&c, true)
			}
			var out [1]Decision
			if table.Take([]Charge{c}, out[:]) {
				t.Errorf("%s: a sixth failure is possible", alg)
			}
			if st := table.Peek(l, c.Key); st.Used != 5 || st.Held != 0 || table.Stats().Held != 0 {
				t.Errorf("%s: %+v, %d held in all", alg, st, table.Stats().Held)
			}
		}
	}
}

// The twin: guesses that are right cost nothing, however many there are.
func TestWhatDoesNotFailIsNeverCharged(t *testing.T) {
	m := new(manual)
	table := tiny(m)
	l := valid(t, Limit{Rate: 5, Window: time.Hour})
	c := later(table, l, "client")
	before := image(t, table)
	for range 100 {
		var out [1]Decision
		if !table.Take([]Charge{c}, out[:]) || out[0].Remaining != 4 {
			t.Fatalf("refused or charged: %+v", out[0])
		}
		table.Settle(&c, false)
	}
	if !bytes.Equal(before, image(t, table)) || table.Stats().Held != 0 {
		t.Error("something is left of requests that did not fail")
	}
}

// Failures and successes interleaved at random never let more fail than the limit.
func TestFailuresOfManyGoroutinesStayWithinTheLimit(t *testing.T) {
	table := tiny(new(manual))
	l := valid(t, Limit{Rate: 20, Window: time.Hour})
	c := later(table, l, "client")
	var failed, passed atomic.Int64
	together(16, func(worker int) {
		var out [1]Decision
		for i := range 300 {
			if !table.Take([]Charge{c}, out[:]) {
				continue
			}
			passed.Add(1)
			fails := (i+worker)%7 == 0
			if fails {
				failed.Add(1)
			}
			table.Settle(&c, fails)
		}
	})
	if failed.Load() > 20 || table.Peek(l, c.Key).Used != int(failed.Load()) || table.Stats().Held != 0 {
		t.Errorf("%d failed of %d, the table says %+v", failed.Load(), passed.Load(), table.Peek(l, c.Key))
	}
}

func TestARefusedCallHoldsNothing(t *testing.T) {
	table := tiny(new(manual))
	l := valid(t, Limit{Rate: 5, Window: time.Hour})
	closed := valid(t, Limit{Name: "closed", Rate: 1, Window: time.Hour})
	ask(table, closed, "client", 1)
	var out [2]Decision
	if table.Take([]Charge{later(table, l, "client"), {Limit: closed, Key: keyOf(table, closed, "client")}}, out[:]) {
		t.Fatal("admitted")
	}
	if table.Stats().Held != 0 || out[0].Remaining != 5 {
		t.Errorf("%d held, %d of 5 left", table.Stats().Held, out[0].Remaining)
	}
}

func TestALookChargesNothingUntilItIsSettled(t *testing.T) {
	table := tiny(new(manual))
	l := valid(t, Limit{Rate: 2, Window: time.Hour})
	look := Charge{Limit: l, Key: keyOf(table, l, "client"), Cost: 1, When: Look}
	var out [1]Decision
	for range 10 {
		if !table.Take([]Charge{look}, out[:]) || out[0].Remaining != 2 {
			t.Fatalf("a look is charged: %+v", out[0])
		}
	}
	table.Settle(&look, true)
	table.Settle(&look, true)
	if table.Take([]Charge{look}, out[:]) || out[0].RetryAfter <= 0 || out[0].RetryAfter == Never {
		t.Errorf("after two that count: %+v", out[0])
	}
	if table.Stats().Held != 0 {
		t.Error("a look holds something")
	}
}

func TestConcurrencyAdmitsSoManyAtATime(t *testing.T) {
	table := tiny(new(manual))
	l := valid(t, Limit{Rate: 3, Algorithm: Concurrency})
	c := Charge{Limit: l, Key: keyOf(table, l, "client"), Cost: 1}
	var out [1]Decision
	for n := range 3 {
		if !table.Take([]Charge{c}, out[:]) || out[0].Remaining != 2-n {
			t.Fatalf("request %d: %+v", n+1, out[0])
		}
	}
	if table.Take([]Charge{c}, out[:]) || out[0].RetryAfter != tryAgain {
		t.Errorf("a fourth at one time: %+v", out[0])
	}
	if other := ask(table, l, "other", 1); !other.Admitted {
		t.Error("another client is refused")
	}
	table.Settle(&c, true)
	if !table.Take([]Charge{c}, out[:]) {
		t.Error("what was let go is not free")
	}
	if st := table.Peek(l, c.Key); st.Used != 3 || st.Remaining != 0 {
		t.Errorf("%+v", st)
	}
}

// Two charges of one call on one client's concurrency count together.
func TestConcurrencyCountsTheWholeCall(t *testing.T) {
	table := tiny(new(manual))
	l := valid(t, Limit{Rate: 1, Algorithm: Concurrency})
	c := Charge{Limit: l, Key: keyOf(table, l, "client"), Cost: 1}
	var out [2]Decision
	if table.Take([]Charge{c, c}, out[:]) || table.Stats().Held != 0 {
		t.Errorf("%+v, %d held", out, table.Stats().Held)
	}
}

func TestHoldsNeedNoMoreRoomThanRequestsOnTheirWay(t *testing.T) {
	table := tiny(new(manual))
	l := valid(t, Limit{Rate: 3, Algorithm: Concurrency})
	var charges []Charge
	for i := range 100_000 {
		c := Charge{Limit: l, Key: Key(uint64(i+1) * 0x9e3779b97f4a7c15), Cost: 1}
		var out [1]Decision
		table.Take([]Charge{c}, out[:])
		charges = append(charges, c)
	}
	if n := table.Stats().Held; n != 100_000 {
		t.Fatalf("%d held: one was forgotten", n)
	}
	for i := range charges {
		table.Settle(&charges[i], false)
	}
	for i := range table.held.shards {
		if n := len(table.held.shards[i].n); n != 0 {
			t.Errorf("shard %d still has %d", i, n)
		}
	}
}

func TestHoldingAndSettlingAllocateNothing(t *testing.T) {
	table := tiny(new(manual))
	l := valid(t, Limit{Rate: 5, Window: time.Hour, Penalty: time.Minute})
	charges := []Charge{later(table, l, "client")}
	out := make([]Decision, 1)
	if n := testing.AllocsPerRun(100, func() {
		if table.Take(charges, out) {
			table.Settle(&charges[0], false)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
