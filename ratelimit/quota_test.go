package ratelimit

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// calendar is a wall clock and a monotonic one that a test moves together.
type calendar struct {
	manual
	wall time.Time
}

func (c *calendar) sleep(d time.Duration) { c.manual.sleep(d); c.wall = c.wall.Add(d) }

func (c *calendar) table(slots int, secret string) *Table {
	return NewTable(TableConfig{Slots: slots, ProtectedSlots: lines, Now: c.now, Wall: func() time.Time { return c.wall }, Secret: []byte(secret)})
}

func on(t *testing.T, date string) *calendar {
	t.Helper()
	wall, err := time.Parse(time.RFC3339, date)
	if err != nil {
		t.Fatal(err)
	}
	return &calendar{wall: wall}
}

// A table of the largest size in both parts has a bit for each group of sets.
func TestEverySetHasAGroup(t *testing.T) {
	if sets := 2 * setsFor(MaxSlots); maxGroups*groupSets < sets {
		t.Errorf("%d groups of %d for %d sets", maxGroups, groupSets, sets)
	}
}

func TestAQuotaEndsWithItsPeriodInUTC(t *testing.T) {
	for _, c := range []struct {
		at     string
		period Period
		left   time.Duration
	}{
		{"2026-11-25T23:59:59Z", Day, time.Second},
		{"2026-11-25T00:00:00Z", Day, 24 * time.Hour},
		{"2026-11-26T00:59:59+01:00", Day, time.Second},
		{"2026-03-29T00:00:00Z", Day, 24 * time.Hour}, // clocks go forward in Europe
		{"2028-02-28T12:00:00Z", Month, 36 * time.Hour},
		{"2026-02-28T12:00:00Z", Month, 12 * time.Hour},
		{"2026-12-31T23:59:00Z", Month, time.Minute},
		{"2026-12-01T00:00:00Z", Month, 31 * 24 * time.Hour},
	} {
		t.Run(c.at+" "+c.period.String(), func(t *testing.T) {
			clock := on(t, c.at)
			table := clock.table(lines, "")
			l := valid(t, Limit{Rate: 3, Algorithm: Quota, Period: c.period})
			for i := range 3 {
				if d := ask(table, l, "a", 1); !d.Admitted || d.Remaining != 2-i || d.Reset != c.left {
					t.Fatalf("charge %d: %+v", i, d)
				}
			}
			if d := ask(table, l, "a", 1); d.Admitted || d.RetryAfter != c.left {
				t.Fatalf("over the quota: %+v, want a wait of %s", d, c.left)
			}
			if d := ask(table, l, "b", 1); !d.Admitted {
				t.Fatalf("another client: %+v", d)
			}
			clock.sleep(c.left - 1)
			if d := ask(table, l, "a", 1); d.Admitted {
				t.Fatal("admitted a nanosecond before the period ends")
			}
			clock.sleep(1)
			if d := ask(table, l, "a", 3); !d.Admitted || d.Remaining != 0 {
				t.Fatalf("in the new period: %+v", d)
			}
		})
	}
}

func TestAWallClockThatStepsBackGivesNothingBack(t *testing.T) {
	clock := on(t, "2026-11-25T00:10:00Z")
	table := clock.table(lines, "")
	l := valid(t, Limit{Rate: 2, Algorithm: Quota, Period: Day})
	ask(table, l, "a", 2)
	clock.wall = clock.wall.Add(-time.Hour)
	if d := ask(table, l, "a", 1); d.Admitted {
		t.Error("yesterday, set by a clock, is a fresh quota")
	}
}

// A clock that was wrong for a minute must not shut a client out for the year that it
// showed: what was used then counts as long as that period lasted by the steady clock.
func TestAWallClockThatWasAheadForAMinuteShutsNobodyOut(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"a day": 24 * time.Hour, "a year": 365 * 24 * time.Hour} {
		for _, period := range []Period{Day, Month} {
			t.Run(name+" of a "+period.String(), func(t *testing.T) {
				clock := on(t, "2026-11-25T12:00:00Z")
				table := clock.table(lines, "")
				l := valid(t, Limit{Rate: 2, Algorithm: Quota, Period: period})
				clock.wall = clock.wall.Add(ahead)
				ask(table, l, "a", 2)
				clock.sleep(time.Minute)
				clock.wall = clock.wall.Add(-ahead)
				if d := ask(table, l, "a", 1); d.Admitted {
					t.Error("setting the clock right is a fresh quota")
				}
				clock.sleep(2 * period.longest())
				for i := range 3 {
					if d := ask(table, l, "a", 1); d.Admitted != (i < 2) {
						t.Errorf("charge %d two periods later: %+v", i+1, d)
					}
				}
			})
		}
	}
}

func TestAChangedQuotaKeepsWhatIsUsed(t *testing.T) {
	clock := on(t, "2026-11-25T12:00:00Z")
	table := clock.table(lines, "")
	day := valid(t, Limit{Rate: 10, Algorithm: Quota, Period: Day})
	month, more := *day, *day
	month.Period, more.Rate = Month, 12
	ask(table, day, "a", 10)
	if d := ask(table, &more, "a", 1); !d.Admitted || d.Remaining != 1 {
		t.Errorf("two more a day: %+v", d)
	}
	if d := ask(table, &month, "a", 1); d.Admitted || d.RetryAfter != 132*time.Hour {
		t.Errorf("the same per month: %+v", d)
	}
}

// What a table saved, another one of the same secret knows, whatever its size: to
// the token, in all of its cells.
func TestQuotasOutliveTheirTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := &calendar{wall: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
		limits := []*Limit{
			{Name: "day", Space: 1, Rate: 50, Algorithm: Quota, Period: Day},
			{Name: "month", Space: 2, Rate: 70, Algorithm: Quota, Period: Month, Protect: true},
		}
		kept := map[uint32][]byte{}
		save := func(table *Table, all bool) {
			table.SaveQuotas(all, func(group uint32, cells []byte) {
				if kept[group] = cells; cells == nil {
					delete(kept, group)
				}
			})
		}
		first := clock.table(rapid.SampledFrom([]int{4096, 20_000}).Draw(t, "slots"), "secret")
		used := map[string]int{}
		for range rapid.IntRange(1, 60).Draw(t, "charges") {
			i, client, shadow := rapid.IntRange(0, 1).Draw(t, "limit"), rapid.IntRange(0, 3).Draw(t, "client"), rapid.Bool().Draw(t, "shadow")
			var out [1]Decision
			l := limits[i]
			c := Charge{Limit: l, Key: keyOf(first, l, fmt.Sprint(client)), Cost: uint32(rapid.IntRange(1, 9).Draw(t, "cost")), Shadow: shadow}
			if first.Take([]Charge{c}, out[:]); out[0].Admitted {
				used[fmt.Sprint(i, client, shadow)] += int(c.Cost)
			}
			if rapid.Bool().Draw(t, "save") {
				save(first, rapid.Bool().Draw(t, "all"))
			}
		}
		save(first, false)
		later := clock.table(rapid.SampledFrom([]int{4096, 20_000}).Draw(t, "slots after"), "secret")
		for group, cells := range kept {
			if err := later.RestoreQuotas(group, cells); err != nil {
				t.Fatal(err)
			}
		}
		for i, l := range limits {
			for client := range 4 {
				for _, shadow := range []bool{false, true} {
					st := later.peek(l, keyOf(later, l, fmt.Sprint(client)), shadow)
					if want := used[fmt.Sprint(i, client, shadow)]; st.Used != want {
						t.Fatalf("limit %d, client %d, shadow %v: used %d, want %d", i, client, shadow, st.Used, want)
					}
				}
			}
		}
	})
}

func TestSavedQuotasOfAnotherPeriodOrSecretAreDroppedAndCleared(t *testing.T) {
	clock := on(t, "2026-11-25T12:00:00Z")
	table := clock.table(lines, "one")
	l := valid(t, Limit{Rate: 10, Algorithm: Quota, Period: Day})
	ask(table, l, "a", 7)
	var cells []byte
	table.SaveQuotas(false, func(_ uint32, c []byte) { cells = c })
	for name, c := range map[string]struct {
		secret string
		sleep  time.Duration
		used   int
	}{"the same day": {"one", 0, 7}, "the next day": {"one", 12 * time.Hour, 0}, "another secret": {"two", 0, 0}} {
		t.Run(name, func(t *testing.T) {
			clock := &calendar{wall: clock.wall.Add(c.sleep)}
			next := clock.table(lines, c.secret)
			if err := next.RestoreQuotas(0, cells); err != nil {
				t.Fatal(err)
			}
			if st := next.Peek(l, keyOf(table, l, "a")); st.Used != c.used {
				t.Errorf("used %d, want %d", st.Used, c.used)
			}
			put := 0
			next.SaveQuotas(false, func(_ uint32, cells []byte) {
				if put++; (cells == nil) != (c.used == 0) {
					t.Errorf("%d bytes are put in place of what was kept", len(cells))
				}
			})
			if put != 1 {
				t.Errorf("put %d times", put)
			}
		})
	}
}

func TestForgettingAQuotaIsSavedToo(t *testing.T) {
	clock := on(t, "2026-11-25T12:00:00Z")
	table := clock.table(lines, "one")
	l := valid(t, Limit{Rate: 10, Algorithm: Quota, Period: Day})
	ask(table, l, "a", 7)
	table.SaveQuotas(false, func(uint32, []byte) {})
	table.SaveQuotas(false, func(uint32, []byte) { t.Error("nothing changed, and it was saved again") })
	if !table.Forget(l, keyOf(table, l, "a")) {
		t.Fatal("nothing to forget")
	}
	removed := false
	table.SaveQuotas(false, func(_ uint32, cells []byte) { removed = cells == nil })
	if !removed {
		t.Error("what was forgotten is still kept")
	}
}

func FuzzRestoreQuotas(f *testing.F) {
	clock := &calendar{wall: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	table := clock.table(lines, "one")
	l := &Limit{Name: "l", Rate: 10, Algorithm: Quota, Period: Day}
	ask(table, l, "a", 7)
	table.SaveQuotas(false, func(group uint32, cells []byte) { f.Add(group, cells) })
	f.Fuzz(func(t *testing.T, group uint32, cells []byte) {
		table := clock.table(lines, "one")
		if table.RestoreQuotas(group, cells) != nil {
			return
		}
		table.SaveQuotas(true, func(_ uint32, saved []byte) {
			if len(saved) > len(cells) {
				t.Errorf("%d bytes became %d", len(cells), len(saved))
			}
		})
	})
}
