package ratelimit

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// event is what an exact log remembers.
type event struct {
	at   int64
	cost int
}

// within adds up what happened in (now-d, now].
func within(log []event, now, d int64) (n int) {
	for _, e := range log {
		if e.at > now-d && e.at <= now {
			n += e.cost
		}
	}
	return n
}

func genWindow(rt *rapid.T) time.Duration {
	return time.Duration(rapid.SampledFrom([]int64{1000, 1001, 1007, 60_000, 3_600_000, 86_400_000, int64(MaxWindow / time.Millisecond)}).Draw(rt, "window ms")) * time.Millisecond
}

// genStep draws the time between two requests: mostly around the lengths at
// which sub-windows begin and events are forgotten.
func genStep(rt *rapid.T, w time.Duration) time.Duration {
	sub := w / 15
	near := rapid.SampledFrom([]time.Duration{0, 1, sub - 1, sub, sub + 1, w - 1, w, w + 1, w + sub, 2 * w, 40 * w, w / 40, w / 7}).Draw(rt, "step")
	return near + time.Duration(rapid.Int64Range(0, int64(w/20)).Draw(rt, "more"))*time.Duration(rapid.IntRange(0, 1).Draw(rt, "or not"))
}

func TestWindowAdmitsNeverMoreThanTheLimitInAnyInterval(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := valid(t, Limit{Rate: rapid.SampledFrom([]int{1, 2, 5, 60, MaxRate}).Draw(rt, "rate"), Window: genWindow(rt)})
		m := &manual{ns: rapid.Int64Range(0, int64(48*time.Hour)).Draw(rt, "start")}
		table := tiny(m)
		w, latest := int64(l.Window), int64(16)*subWindow(l.milliseconds())
		var log []event
		for range rapid.IntRange(1, 120).Draw(rt, "requests") {
			m.sleep(genStep(rt, l.Window))
			cost := rapid.IntRange(1, max(1, min(l.Rate+1, l.Rate/3+1))).Draw(rt, "cost")
			d := ask(table, l, "client", uint32(cost))
			used := within(log, m.ns, w)
			if d.Admitted {
				log = append(log, event{m.ns, cost})
				if n := within(log, m.ns, w); n > l.Rate {
					rt.Fatalf("%d admitted within %s, limit %d", n, l.Window, l.Rate)
				}
				if d.Remaining > l.Rate-used-cost {
					rt.Fatalf("%d said to remain, at most %d do", d.Remaining, l.Rate-used-cost)
				}
				continue
			}
			if n := within(log, m.ns, latest); n+cost <= l.Rate {
				rt.Fatalf("refused %d with %d of %d used in the last 16/15 of the window", cost, n, l.Rate)
			}
			if d.Remaining >= cost || d.Reset > d.RetryAfter {
				rt.Fatalf("refused %d, but %+v", cost, d)
			}
			if cost > l.Rate {
				if d.RetryAfter != Never {
					rt.Fatalf("cost %d never fits %d, but retry after %s", cost, l.Rate, d.RetryAfter)
				}
				continue
			}
			m.sleep(d.RetryAfter - 1)
			if again := ask(table, l, "client", uint32(cost)); again.Admitted || again.RetryAfter != 1 {
				rt.Fatalf("1 ns before Retry-After is over: %+v", again)
			}
			m.sleep(1)
			if again := ask(table, l, "client", uint32(cost)); !again.Admitted {
				rt.Fatalf("Retry-After waited out, but %+v", again)
			}
			log = append(log, event{m.ns, cost})
		}
	})
}

func TestWindowBoundary(t *testing.T) {
	const w = time.Minute
	sub := time.Duration(subWindow(60_000))
	for name, tc := range map[string]struct {
		first, second time.Duration
		admitted      bool
	}{
		"a full window later, when the event came first thing in its sub-window, is still refused": {0, w, false},
		"one sub-window more and it is forgotten":                                                  {0, w + sub, true},
		"one nanosecond before that it is not":                                                     {0, w + sub - 1, false},
		"the end of a sub-window is forgotten right after the window":                              {sub - 1, w + 1, true},
		"and not within it": {sub - 1, w, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := &manual{}
			table := tiny(m)
			l := valid(t, Limit{Rate: 1, Window: w})
			m.sleep(tc.first)
			if d := ask(table, l, "client", 1); !d.Admitted {
				t.Fatal("the first is refused")
			}
			m.ns = int64(tc.first + tc.second)
			if d := ask(table, l, "client", 1); d.Admitted != tc.admitted {
				t.Fatalf("%+v", d)
			}
		})
	}
}

func TestResetIsWhenRemainingNextGrows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := valid(t, Limit{Rate: 9, Window: genWindow(rt), Algorithm: Algorithm(rapid.IntRange(0, 1).Draw(rt, "algorithm"))})
		m := &manual{}
		table := tiny(m)
		k := keyOf(table, l, "client")
		for range rapid.IntRange(1, 30).Draw(rt, "requests") {
			m.sleep(genStep(rt, l.Window) / 4)
			d := ask(table, l, "client", uint32(rapid.IntRange(1, 4).Draw(rt, "cost")))
			st := table.Peek(l, k)
			if st.Remaining != d.Remaining || st.Reset != d.Reset {
				rt.Fatalf("%+v after %+v", st, d)
			}
			if d.Reset == 0 {
				rt.Fatalf("something is owed, but %+v", d)
			}
			m.sleep(d.Reset - 1)
			if st := table.Peek(l, k); st.Remaining != d.Remaining {
				rt.Fatalf("%d remain before reset, %d before that", st.Remaining, d.Remaining)
			}
			m.sleep(1)
			if st := table.Peek(l, k); st.Remaining <= d.Remaining {
				rt.Fatalf("%d remain at reset, %d before", st.Remaining, d.Remaining)
			}
		}
	})
}

func TestCountersSaturateTowardsRefusing(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: MaxRate, Window: time.Hour})
	if d := ask(table, l, "client", MaxRate); !d.Admitted || d.Remaining != 0 {
		t.Fatalf("the largest limit does not hold its largest cost: %+v", d)
	}
	if d := ask(table, l, "client", 1); d.Admitted {
		t.Fatal("one more fits")
	}
	if d := ask(table, l, "client", 1<<32-1); d.Admitted || d.RetryAfter != Never {
		t.Fatalf("the largest cost fits, or will: %+v", d)
	}

	// What does not fit any more is what would be forgotten first.
	c := large{small: small{meta: isLarge}}
	sub := subWindow(1000)
	c.chargeWindow(1000, 5, 0)
	c.chargeWindow(1000, maxCount-3, sub)
	if v := c.windowAt(sub, sub); v.total != maxCount || c.count(0) != maxCount-3 || c.count(1) != 3 {
		t.Fatalf("a total that is full went to %d, of which %d and %d", v.total, c.count(0), c.count(1))
	}
	c.chargeWindow(1000, 1<<32-1, 2*sub)
	if v := c.windowAt(17*sub, sub); v.total != maxCount {
		t.Fatalf("a full counter is %d", v.total)
	}
	if v := c.windowAt(18*sub, sub); v.total != 0 {
		t.Fatalf("%d are never forgotten", v.total)
	}
}

// However a cell is charged, Reset is when the oldest of what counts is forgotten.
func TestResetIsWhenTheOldestChargeIsForgotten(t *testing.T) {
	sub := time.Duration(subWindow(60_000))
	for _, cost := range []uint32{1, 300} {
		m := &manual{}
		table := tiny(m)
		l := valid(t, Limit{Rate: 10_000, Window: time.Minute})
		for i, want := range []time.Duration{16 * sub, 15 * sub, 14 * sub, sub, sub} {
			m.ns = int64([]time.Duration{0, 1, 2, 15, 16}[i] * sub)
			for range 2 {
				if d := ask(table, l, "client", cost); !d.Admitted || d.Reset != want {
					t.Errorf("costs of %d, at %s: %+v, want a reset in %s", cost, time.Duration(m.ns), d, want)
				}
			}
		}
	}
}

func TestCountersDoNotTouchEachOther(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := large{small: small{meta: isLarge}}
		var want [counters]uint32 // the first is the total
		for range 60 {
			i, n := rapid.IntRange(0, counters-1).Draw(rt, "counter"), rapid.Uint32Range(0, maxCount).Draw(rt, "count")
			want[i] = n
			if i == 0 {
				c.setTotal(n)
			} else {
				c.setNumber(i, n)
			}
			if got := c.total(); got != want[0] {
				rt.Fatalf("the total is %d, want %d", got, want[0])
			}
			for j := 1; j < counters; j++ {
				if got := c.count(j); got != want[j] {
					rt.Fatalf("counter %d is %d, want %d", j, got, want[j])
				}
			}
			for age := range uint32(counters) {
				k := counters - 1 - int(age)
				for k > 0 && want[k] == 0 {
					k--
				}
				if got := c.oldest(age); got != k {
					rt.Fatalf("%d later the oldest of %v is %d, want %d", age, want, got, k)
				}
			}
		}
	})
}

func TestEpochNumbersWrapWithoutForgettingOrLocking(t *testing.T) {
	sub := subWindow(1000)
	for _, at := range []int64{1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 3<<32 - 1} {
		m := &manual{ns: at * sub}
		table := tiny(m)
		l := valid(t, Limit{Rate: 1, Window: time.Second})
		if d := ask(table, l, "client", 1); !d.Admitted {
			t.Fatalf("sub-window %d: first refused", at)
		}
		m.sleep(time.Duration(15 * sub))
		if d := ask(table, l, "client", 1); d.Admitted {
			t.Fatalf("sub-window %d: forgotten early", at)
		}
		m.sleep(time.Duration(sub))
		if d := ask(table, l, "client", 1); !d.Admitted {
			t.Fatalf("sub-window %d: never forgotten", at)
		}
	}
}

// A reload that changes the window finds cells kept for the old one.
func TestAChangedWindowForgetsNothingThatBothRemember(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &manual{}
		table := tiny(m)
		var log []event
		seen := MaxWindow // the shortest window that the cell was kept in
		for range rapid.IntRange(1, 6).Draw(rt, "reloads") {
			l := valid(t, Limit{Rate: rapid.IntRange(1, 40).Draw(rt, "rate"), Window: genWindow(rt)})
			seen = min(seen, l.Window)
			for range rapid.IntRange(0, 15).Draw(rt, "requests") {
				m.sleep(genStep(rt, l.Window) / 3)
				if d := ask(table, l, "client", 1); d.Admitted {
					log = append(log, event{m.ns, 1})
					if n := within(log, m.ns, int64(seen)); n > l.Rate {
						rt.Fatalf("%d admitted within %s, limit %d", n, seen, l.Rate)
					}
				}
			}
		}
	})
}

// Of an event the old window knows only in which of its fifteenths it was: it may be as
// young as the end of that one, and counts as such.
func TestAShorterWindowForgetsNothingThatMayBeYoungEnough(t *testing.T) {
	const late = 4*time.Minute - 100*time.Millisecond // in the first fifteenth of an hour
	for at, admitted := range map[time.Duration]bool{
		late:                           false,
		late + 59*time.Second:          false, // in the last of the fifteenths that count
		late + 60*time.Second:          false,
		late + 60_099*time.Millisecond: false, // it may have been that much later
		late + 60_100*time.Millisecond: true,
	} {
		m := &manual{ns: int64(late)}
		table := tiny(m)
		for range 5 {
			ask(table, valid(t, Limit{Rate: 5, Window: time.Hour}), "client", 1)
		}
		m.ns = int64(at)
		if d := ask(table, valid(t, Limit{Rate: 5, Window: time.Minute}), "client", 1); d.Admitted != admitted {
			t.Errorf("%s after the charges: %+v, want admitted %v", at-late, d, admitted)
		}
	}
}
