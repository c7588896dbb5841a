package ratelimit

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// at asks for a client whose cell has its home in a line of a table of one set.
func at(t *Table, l *Limit, line, number int, cost uint32) Decision {
	var out [1]Decision
	t.Take([]Charge{{Limit: l, Key: Key(number*lines + line), Cost: cost}}, out[:])
	return out[0]
}

func TestACellThatMakesRoomForWhoseHomeItIsKeepsItsDebt(t *testing.T) {
	type client struct{ line, number, remaining int }
	type cells map[int8]client // by their ways
	for name, tc := range map[string]struct {
		limit Limit
		come  []client
		cells cells
	}{
		"small": {
			Limit{}, []client{{3, 1, 0}, {3, 2, 1}, {3, 3, 7}, {3, 4, 4}, {2, 5, 9}},
			// the third and the fourth are next door, and the fourth goes where the fifth was to be
			cells{6: {3, 1, 0}, 7: {3, 2, 1}, 4: {2, 5, 9}, 5: {3, 4, 4}, 0: {3, 3, 7}},
		},
		"protected": {
			Limit{Protect: true}, []client{{3, 1, 0}, {3, 2, 3}, {2, 3, 9}},
			cells{6: {3, 1, 0}, 4: {2, 3, 9}, 0: {3, 2, 3}},
		},
		"protected bucket": {
			Limit{Protect: true, Algorithm: Bucket}, []client{{3, 1, 0}, {3, 2, 3}, {2, 3, 9}},
			cells{6: {3, 1, 0}, 4: {2, 3, 9}, 0: {3, 2, 3}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &manual{}
			table := tiny(m)
			tc.limit.Rate, tc.limit.Window = 10, time.Hour
			l := valid(t, tc.limit)
			for _, c := range tc.come {
				at(table, l, c.line, c.number, uint32(10-c.remaining))
			}
			index, _ := table.place(l, 0, false)
			s, f := &table.sets[index], &table.fits[index]
			whole(t, s)
			for w := int8(0); w < ways; w += s.span(w) {
				c, want := s.at(w), tc.cells[w]
				if key := identity(want.number*lines + want.line); c.identity()>>4 != key || !c.free() && f.capacity(w) != 10 {
					t.Errorf("way %d has key %d of %d, want %d of 10", w, c.identity()>>4, f.capacity(w), key)
				}
			}
			for _, c := range tc.come {
				if d := at(table, l, c.line, c.number, 1); d.Admitted != (c.remaining > 0) || d.Remaining != max(0, c.remaining-1) {
					t.Errorf("client %d: %+v, want %d left", c.number, d, c.remaining-1)
				}
			}
			if st := table.Stats(); st.Evicted != 0 || st.Occupied != len(tc.come) {
				t.Errorf("%+v", st)
			}
		})
	}
}

// Whoever comes to a set: no client is in it twice, and of those who share a home
// one is there, until a full set has to forget.
func TestOfThoseWhoShareAHomeOneIsThere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &manual{}
		table := tiny(m)
		l := valid(t, Limit{Rate: 4, Window: time.Hour})
		for range rapid.IntRange(1, 60).Draw(rt, "requests") {
			at(table, l, rapid.IntRange(0, lines-1).Draw(rt, "home"), rapid.IntRange(1, 5).Draw(rt, "client"), 1)
			whole(rt, &table.sets[0])
			s, away, there := &table.sets[0], map[int8]bool{}, map[int8]bool{}
			for w := range int8(ways) {
				if c := s.at(w); c.free() {
					continue
				} else if home := c.identity().home(); home == w/2 {
					there[home] = true
				} else {
					away[home] = true
				}
			}
			for h := range away {
				if !there[h] && table.Stats().Evicted == 0 {
					rt.Fatalf("nobody whose home is %d is there: %v", h, s)
				}
			}
		}
	})
}

// whole fails unless each cell of a set is there once, and can be found.
func whole(tb interface{ Fatalf(string, ...any) }, s *set) {
	var away [lines]uint8
	for w := int8(0); w < ways; w += s.span(w) {
		c := s.at(w)
		if c.large() && w%2 == 1 {
			tb.Fatalf("a large cell begins in way %d", w)
		}
		if c.free() {
			continue
		}
		d := c.identity()
		if at := s.find(d); at != w {
			tb.Fatalf("the cell %x in way %d is found in %d: %x", d, w, at, s)
		}
		if d.home() != w/2 {
			away[d.home()] |= 1 << (w / 2)
		}
	}
	for line := range int8(lines) {
		if got := s.away(line); got != away[line] {
			tb.Fatalf("line %d says that its cells are also in %08b, they are in %08b", line, got, away[line])
		}
	}
}
