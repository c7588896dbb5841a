package ratelimit

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Calls read the clock before they have their locks, so one that was held up in between
// comes to cells that others have judged by later times. Each admission has a moment
// between its reading and its decision by which no bound is broken: the later one of
// its own reading and those that were charged to the cell before it.
func TestACallThatWasHeldUpAdmitsNoMoreThanAnother(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := valid(t, Limit{Rate: rapid.IntRange(1, 12).Draw(rt, "rate"), Window: genWindow(rt), Algorithm: Algorithm(rapid.IntRange(0, 1).Draw(rt, "algorithm"))})
		table := tiny(&manual{})
		key := keyOf(table, l, "client")
		sub := subWindow(l.milliseconds())
		model := newExactBucket(l, 1)
		var moments, decided []event
		real, moment, longest := rapid.Int64Range(1, int64(48*time.Hour)).Draw(rt, "start"), int64(0), int64(0)
		for range rapid.IntRange(1, 100).Draw(rt, "calls") {
			real += int64(genStep(rt, l.Window)) / rapid.Int64Range(1, 4).Draw(rt, "of it")
			held := rapid.SampledFrom([]int64{0, 0, 1, sub - 1, sub, 3 * sub, 16 * sub, 50 * sub}).Draw(rt, "held up")
			read := max(real-held, 1)
			cost := rapid.IntRange(1, 2).Draw(rt, "cost")
			var out [1]Decision
			admitted := table.takeAt(read, []Charge{{Limit: l, Key: key, Cost: uint32(cost)}}, out[:])
			at := max(moment, read)
			if !admitted {
				if l.Algorithm == Window && within(moments, at, int64(counters)*sub)+cost <= l.Rate {
					rt.Fatalf("held up for %s and refused, although there was room", time.Duration(held))
				}
				if read == real && l.Algorithm == Bucket && model.clone().take(at, int64(cost)) {
					rt.Fatal("not held up and refused, although there was room")
				}
				continue
			}
			moment, longest = at, max(longest, real-read)
			moments, decided = append(moments, event{at, cost}), append(decided, event{real, cost})
			if l.Algorithm == Bucket {
				if !model.take(at, int64(cost)) {
					rt.Fatal("admitted more than the bucket held at any moment of the call")
				}
				continue
			}
			if n := within(moments, at, int64(l.Window)); n > l.Rate {
				rt.Fatalf("%d within %s, limit %d", n, l.Window, l.Rate)
			}
			if n := within(decided, real, int64(l.Window)-longest); n > l.Rate {
				rt.Fatalf("%d decided within %s less the longest delay, %s; limit %d", n, l.Window, time.Duration(longest), l.Rate)
			}
		}
	})
}

// A cell that was found free at a time, and given to somebody else, owes nothing to
// whoever comes late with an earlier one.
func TestWhoComesLateToACellThatWasForgottenFindsNothing(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		table := tiny(&manual{})
		l := valid(t, Limit{Rate: 2, Window: time.Second, Algorithm: alg})
		take := func(now time.Duration, client string) Decision {
			var out [1]Decision
			table.takeAt(int64(now), []Charge{{Limit: l, Key: keyOf(table, l, client)}}, out[:])
			return out[0]
		}
		take(1, "client")
		take(1, "client")
		if d := take(500*time.Millisecond-1, "client"); d.Admitted {
			t.Fatalf("%s: %+v", alg, d)
		}
		for i := range room(l) {
			if d := take(3*time.Second, string(rune('a'+i))); !d.Admitted {
				t.Fatalf("%s: newcomer %d: %+v", alg, i, d)
			}
		}
		if st := table.Stats(); st.Evicted != 0 {
			t.Fatalf("%s: what was free was counted as a loss: %+v", alg, st)
		}
		if d := take(500*time.Millisecond-1, "client"); !d.Admitted {
			t.Errorf("%s: his debt was over when its cell was given away: %+v", alg, d)
		}
	}
}

func TestTakeAtGoesByTheReadingItIsGiven(t *testing.T) {
	soon := time.Now().Add(time.Hour) // with the monotonic clock's reading
	for _, tc := range []struct {
		name  string
		now   func() int64
		at    time.Time
		given bool
	}{
		{"a reading", nil, soon, true},
		{"one without the monotonic clock", nil, soon.Round(0), false},
		{"none", nil, time.Time{}, false},
		{"one that is not of the table's clock", func() int64 { return 0 }, soon, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := NewTable(TableConfig{Slots: lines, Now: tc.now})
			l := valid(t, Limit{Rate: 2, Window: time.Minute, Algorithm: Bucket})
			charges := []Charge{{Limit: l, Key: keyOf(table, l, "client")}}
			var out [1]Decision
			if !table.TakeAt(tc.at, charges, out[:]) {
				t.Fatal("the first is refused")
			}
			if table.Take(charges, out[:]) == tc.given {
				t.Errorf("an hour before it, the bucket says %+v", out[0])
			}
		})
	}
}
