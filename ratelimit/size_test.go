package ratelimit

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A cell in half a slot says what one in a whole slot does, whenever it is charged and
// asked, and moves to another window alike.
func TestASmallCellSaysWhatALargeOneDoes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var little small
		big := large{small: small{meta: isLarge}}
		ms := rapid.SampledFrom([]uint32{1000, 1001, 60_000, 3_600_000}).Draw(rt, "window")
		capacity := rapid.Uint64Range(1, maxSmall).Draw(rt, "capacity")
		moved := little.inWindow(ms, 0)
		little.become(&moved)
		big.become(&moved)
		now := rapid.Int64Range(0, 1<<50).Draw(rt, "start")
		for range rapid.IntRange(1, 60).Draw(rt, "requests") {
			sub := subWindow(ms)
			now = max(0, now+rapid.Int64Range(-2*sub, 5*sub).Draw(rt, "step"))
			if rapid.IntRange(0, 20).Draw(rt, "reload") == 0 {
				ms = rapid.SampledFrom([]uint32{1000, 1001, 60_000, 3_600_000}).Draw(rt, "window")
				sub = subWindow(ms)
				a, b := little.inWindow(ms, now), big.inWindow(ms, now)
				if a != b {
					rt.Fatalf("in another window the small one is %+v, the large one %+v", a, b)
				}
				little.become(&a)
				big.become(&b)
			}
			v := little.windowAt(now, sub)
			if w := big.windowAt(now, sub); v != w {
				rt.Fatalf("at %d the small one says %+v, the large one %+v", now, v, w)
			}
			cost, pending := rapid.Uint64Range(1, 20).Draw(rt, "cost"), rapid.Uint64Range(0, 5).Draw(rt, "pending")
			var a, b Decision
			v.check(&a, &little, sub, capacity, pending, cost, now)
			v.check(&b, &big.small, sub, capacity, pending, cost, now)
			if a != b {
				rt.Fatalf("at %d the small one decides %+v, the large one %+v", now, a, b)
			}
			if a.Admitted && little.holds(uint64(v.total)+cost) {
				little.add(v, cost)
				big.add(v, cost)
			}
			for k := range counters {
				if x, y := little.count(k), big.count(k); x != y {
					rt.Fatalf("%d sub-windows before its own the small one has %d, the large one %d", k, x, y)
				}
			}
			if back := little.grown(); back.squeezed() != little {
				rt.Fatalf("grown and squeezed %+v is %+v", little, back.squeezed())
			}
		}
	})
}

// Cells that grow, move and meet in one set say what they say in a table where each has
// a set to itself, until one is forgotten.
func TestCellsThatMeetSayWhatTheyWouldAlone(t *testing.T) {
	limits := []*Limit{
		valid(t, Limit{Name: "small", Rate: 20, Window: time.Minute}),
		valid(t, Limit{Name: "large", Rate: 1000, Window: time.Minute}),
		valid(t, Limit{Name: "huge", Rate: MaxRate, Window: time.Hour}),
		valid(t, Limit{Name: "bucket", Rate: 1000, Window: time.Minute, Algorithm: Bucket}),
		valid(t, Limit{Name: "quota", Rate: 1000, Algorithm: Quota, Period: Day}),
		valid(t, Limit{Name: "penalty", Rate: 300, Window: time.Minute, Penalty: time.Minute}),
		valid(t, Limit{Name: "protected", Rate: 1000, Window: time.Minute, Protect: true}),
		valid(t, Limit{Name: "protected penalty", Rate: 3, Window: time.Minute, Protect: true, Penalty: time.Minute}),
	}
	met, grown, forgot := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		c := &calendar{wall: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
		together := c.table(lines, "secret")
		alone := NewTable(TableConfig{Slots: 1 << 12, ProtectedSlots: 1 << 12, Now: c.now, Wall: func() time.Time { return c.wall }, Secret: []byte("secret")})
		clients := rapid.IntRange(1, 4).Draw(rt, "clients")
		for range rapid.IntRange(1, 60).Draw(rt, "calls") {
			c.sleep(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(rt, "step")))
			var charges []Charge
			for range rapid.IntRange(1, 4).Draw(rt, "charges") {
				l := rapid.SampledFrom(limits).Draw(rt, "limit")
				charges = append(charges, Charge{
					Limit: l, Key: keyOf(alone, l, fmt.Sprint(rapid.IntRange(1, clients).Draw(rt, "client"))),
					Cost:   rapid.SampledFrom([]uint32{1, 2, 3, 100, 255, 256, 700}).Draw(rt, "cost"),
					Shadow: rapid.IntRange(0, 5).Draw(rt, "shadow") == 0,
					When:   rapid.SampledFrom([]When{Now, Now, Now, Later, Look}).Draw(rt, "when"),
				})
			}
			a, b := make([]Decision, len(charges)), make([]Decision, len(charges))
			x, y := together.Take(charges, a), alone.Take(slices.Clone(charges), b)
			for i := range together.sets {
				whole(rt, &together.sets[i])
			}
			for w := range int8(ways) {
				if s := &together.sets[1]; w%2 == 0 && !s.at(w).free() && !s.at(w).large() {
					rt.Fatalf("a small cell in way %d of the protected set", w)
				}
			}
			set := &together.sets[0]
			if st := together.Stats(); st.Evicted != 0 || st.EvictedShadows != 0 || st.Shared != 0 || st.Occupied+set.large(c.ns) >= ways {
				forgot++
				return
			}
			if x != y || !slices.Equal(a, b) {
				rt.Fatalf("%+v:\ntogether %v %+v\nalone    %v %+v", charges, x, a, y, b)
			}
			for i := range charges {
				if ch := &charges[i]; x && a[i].Admitted && (ch.holds() || ch.When == Look) {
					counts := rapid.Bool().Draw(rt, "counts")
					together.Settle(ch, counts)
					alone.Settle(ch, counts)
				}
				if p, q := together.Peek(charges[i].Limit, charges[i].Key), alone.Peek(charges[i].Limit, charges[i].Key); p != q && together.Stats().Evicted == 0 {
					rt.Fatalf("%+v: together it is %+v, alone %+v", charges[i], p, q)
				}
			}
			if together.Stats().Occupied > lines {
				met++
			}
			if set.large(c.ns) > 1 {
				grown++
			}
		}
	})
	if !testing.Short() && (met < 100 || grown < 100 || forgot < 10) {
		t.Errorf("%d calls found a set with more cells than lines, %d with several large ones, %d sequences ended with a cell forgotten", met, grown, forgot)
	}
}

// large is how many large cells a set has that owe something.
func (s *set) large(now int64) (n int) {
	for w := int8(0); w < ways; w += s.span(w) {
		if c := s.at(w); c.large() && !c.free() && c.debt(now) != 0 {
			n++
		}
	}
	return n
}

// Whoever comes, grows and is forgotten, each cell of a set can be found.
func TestASetStaysWhole(t *testing.T) {
	limits := []*Limit{
		valid(t, Limit{Name: "window", Rate: 1000, Window: time.Minute}),
		valid(t, Limit{Name: "bucket", Rate: 1000, Window: time.Minute, Algorithm: Bucket}),
		valid(t, Limit{Name: "penalty", Rate: 2, Window: time.Minute, Penalty: time.Minute}),
		valid(t, Limit{Name: "protected", Rate: 1000, Window: time.Minute, Protect: true}),
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := &manual{}
		table := tiny(m)
		for range rapid.IntRange(1, 100).Draw(rt, "requests") {
			m.sleep(time.Duration(rapid.Int64Range(0, int64(4*time.Second)).Draw(rt, "step")))
			l := rapid.SampledFrom(limits).Draw(rt, "limit")
			var out [1]Decision
			key := Key(rapid.IntRange(0, 10*lines).Draw(rt, "client"))
			table.Take([]Charge{{
				Limit: l, Key: key, Cost: rapid.SampledFrom([]uint32{1, 2, 300}).Draw(rt, "cost"), Shadow: rapid.Bool().Draw(rt, "shadow"),
			}}, out[:])
			if rapid.IntRange(0, 9).Draw(rt, "forget") == 0 {
				table.Forget(l, key)
			}
			whole(rt, &table.sets[0])
			whole(rt, &table.sets[1])
		}
	})
}

// come charges a client of a line, by himself.
func come(t *testing.T, table *Table, l *Limit, line, number int, cost uint32) {
	t.Helper()
	if d := at(table, l, line, number, cost); !d.Admitted {
		t.Fatalf("client %d of line %d: %+v", number, line, d)
	}
	whole(t, &table.sets[0])
}

func TestALargeCellTakesTheLineInWhichTheLeastIsLost(t *testing.T) {
	l := valid(t, Limit{Rate: 10, Window: time.Hour})
	bucket := valid(t, Limit{Name: "bucket", Rate: 10, Window: time.Hour, Algorithm: Bucket})
	for name, tc := range map[string]struct {
		debts  [lines][2]uint32
		shadow bool // of the newcomer
		want   Stats
	}{
		"a free one":                           {[lines][2]uint32{{9, 9}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {}, {1, 1}}, false, Stats{Occupied: 15}},
		"none, when somebody can be moved out": {[lines][2]uint32{{9, 9}, {1, 1}, {3}, {1, 1}, {2}, {1, 1}, {1, 1}, {1, 1}}, false, Stats{Occupied: 15}},
		"the one whose larger debt is the least": {[lines][2]uint32{{9, 9}, {1, 9}, {9, 1}, {5, 6}, {4, 9}, {9, 4}, {6, 7}, {9, 9}}, false,
			Stats{Occupied: 15, Evicted: 2, EvictedDebt: 11}},
		"none, when the only room is beside somebody who is charged": {[lines][2]uint32{{9, 9}, {9, 9}, {5}, {9, 9}, {9, 9}, {1}, {9, 9}, {9, 9}}, false,
			Stats{Occupied: 15}},
		"one alone, who has nowhere to go": {[lines][2]uint32{{9, 9}, {9, 9}, {9, 9}, {5}, {9, 9}, {9, 9}, {9, 9}, {9, 9}}, false,
			Stats{Occupied: 15, Evicted: 1, EvictedDebt: 5}},
		"none of enforced ones for a shadow": {[lines][2]uint32{{9, 9}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}, true,
			Stats{Occupied: 16, EvictedShadows: 1}},
		"a free one for a shadow": {[lines][2]uint32{{9, 9}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {}, {1, 1}}, true, Stats{Occupied: 15}},
	} {
		t.Run(name, func(t *testing.T) {
			table := tiny(&manual{})
			for line, pair := range tc.debts {
				for n, debt := range pair {
					if debt != 0 {
						come(t, table, l, line, n, debt)
					}
				}
			}
			var out [2]Decision
			table.Take([]Charge{{Limit: l, Key: 5, Cost: 1}, {Limit: bucket, Key: 7 << 20, Shadow: tc.shadow}}, out[:])
			whole(t, &table.sets[0])
			if tc.want.Slots = 2 * lines; table.Stats() != tc.want {
				t.Errorf("%+v, want %+v", table.Stats(), tc.want)
			}
		})
	}
}

// The only free way is beside somebody else: the neighbour of the cell that grows goes there.
func TestANeighbourMovesIntoTheOnlyFreeWay(t *testing.T) {
	l := valid(t, Limit{Rate: 1000, Window: time.Hour})
	for free := int8(2); free < ways; free++ {
		table := tiny(&manual{})
		come(t, table, l, 0, 1, 200)
		for w := int8(1); w < ways; w++ {
			if w != free {
				come(t, table, l, int(w/2), 2+int(w%2), 9)
			}
		}
		come(t, table, l, 0, 1, 100)
		if st := table.Stats(); st.Evicted != 0 || st.Occupied != ways-1 {
			t.Errorf("way %d is free: %+v", free, st)
		}
		whole(t, &table.sets[0])
	}
}

// Who uses much at once has a line from the start, and nobody is forgotten for less.
func TestALargeFirstChargeForgetsOneLine(t *testing.T) {
	table := tiny(&manual{})
	l := valid(t, Limit{Rate: 1000, Window: time.Hour})
	for line := range lines {
		come(t, table, l, line, 1, 1)
		come(t, table, l, line, 2, uint32(1+line))
	}
	come(t, table, l, 3, 3, 300)
	if got, want := table.Stats(), (Stats{Slots: 2 * lines, Occupied: 15, Evicted: 2, EvictedDebt: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestACellThatGrowsKeepsItsDebtAndItsCapacity(t *testing.T) {
	l := valid(t, Limit{Rate: 1000, Window: time.Hour})
	for name, tc := range map[string]struct {
		others [lines]uint32 // beside it, and a pair in each of the other lines
		want   Stats
	}{
		"beside nobody":                   {[lines]uint32{0, 1, 1, 1, 1, 1, 1, 1}, Stats{Occupied: 15}},
		"beside one who can move":         {[lines]uint32{1, 1, 1, 0, 1, 1, 1, 1}, Stats{Occupied: 14}},
		"beside the least":                {[lines]uint32{1, 2, 2, 2, 2, 2, 2, 2}, Stats{Occupied: 15, Evicted: 1, EvictedDebt: 1}},
		"where others have less together": {[lines]uint32{9, 9, 9, 9, 3, 9, 9, 9}, Stats{Occupied: 14, Evicted: 2, EvictedDebt: 6}},
	} {
		t.Run(name, func(t *testing.T) {
			table := tiny(&manual{})
			come(t, table, l, 0, 1, 200)
			for line, debt := range tc.others {
				for n := range 2 {
					if debt != 0 && (line != 0 || n != 0) {
						come(t, table, l, line, 2+n, debt)
					}
				}
			}
			come(t, table, l, 0, 1, 100)
			if d := at(table, l, 0, 1, 1); d.Remaining != 699 {
				t.Errorf("200, 100 and 1 of 1000 were charged, and %+v", d)
			}
			if tc.want.Slots = 2 * lines; table.Stats() != tc.want {
				t.Errorf("%+v, want %+v", table.Stats(), tc.want)
			}
			_, id := table.place(l, Key(lines), false)
			w := table.sets[0].find(id)
			if c := table.sets[0].at(w); !c.large() || table.fits[0].capacity(w) != 1000 {
				t.Errorf("it is large: %v, of %d", c.large(), table.fits[0].capacity(w))
			}
		})
	}
}

// What follows in a large cell is data, whatever it looks like.
func TestTheDataOfALargeCellIsNoCell(t *testing.T) {
	table := tiny(&manual{})
	bucket := valid(t, Limit{Name: "bucket", Rate: 1, Window: time.Hour, Algorithm: Bucket})
	for ; identity(uint64(bucket.Window)>>identBit).kind() != kindWindow; bucket.Window += time.Millisecond {
	}
	id := identity(uint64(bucket.Window) >> identBit) // of word 2, how long a token takes
	come(t, table, bucket, int(id.home()), 1, 1)
	l := valid(t, Limit{Name: "window", Rate: 3, Window: time.Hour})
	if _, d := table.place(l, Key(id>>4), false); d != id {
		t.Fatalf("the key of %x has %x", id, d)
	}
	come(t, table, l, int(id.home()), int(id>>4)/lines, 1)
	if d := at(table, bucket, int(id.home()), 1, 1); d.Admitted || d.RetryAfter != bucket.Window || table.Stats().Occupied != 2 {
		t.Errorf("the bucket now says %+v, and there are %+v", d, table.Stats())
	}
}

// A set notes the capacity of a limit that was changed, at once if a byte tells it from
// the one before, else when a client starts afresh.
func TestASetNotesAChangedCapacity(t *testing.T) {
	for _, size := range []uint32{1, 300} {
		m := &manual{}
		table := tiny(m)
		noted := func(rate int) uint32 {
			l := valid(t, Limit{Rate: rate, Window: time.Hour})
			come(t, table, l, 0, 1, size)
			_, id := table.place(l, Key(lines), false)
			return table.fits[0].capacity(table.sets[0].find(id))
		}
		if got := noted(0x4100); got != 0x4100 {
			t.Errorf("%d is noted", got)
		}
		if got := noted(0x4200); got != 0x4200 {
			t.Errorf("%d is noted", got)
		}
		noted(0x420000)
		m.sleep(2 * time.Hour)
		if got := noted(0x420000); got != 0x420000 {
			t.Errorf("%d is noted", got)
		}
	}
}
