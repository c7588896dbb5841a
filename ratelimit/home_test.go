package ratelimit

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// at asks for a client whose cell has its home in a way of a table of one set.
func at(t *Table, l *Limit, way, number int, cost uint32) Decision {
	var out [1]Decision
	t.Take([]Charge{{Limit: l, Key: Key(number*ways + way), Cost: cost}}, out[:])
	return out[0]
}

func TestACellThatMakesRoomForWhoseHomeItIsKeepsItsDebt(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		for _, protect := range []bool{false, true} {
			m := &manual{}
			table := tiny(m)
			l := valid(t, Limit{Rate: 10, Window: time.Hour, Algorithm: alg, Protect: protect})
			at(table, l, 3, 1, 10) // at home
			at(table, l, 3, 2, 7)  // next door, in 4
			at(table, l, 4, 3, 1)  // at home: the one before moves to 5
			index, _, _ := table.place(l, Key(ways+3), false)
			s := &table.sets[index]
			for way, want := range map[int8]struct {
				tag, capacity uint32
			}{3: {ways + 3, 10}, 4: {3*ways + 4, 10}, 5: {2*ways + 3, 10}, 6: {0, 0}} {
				if s.tag[way] != want.tag || s.capacity(way) != want.capacity {
					t.Errorf("%s: way %d has tag %d of %d, want %+v", alg, way, s.tag[way], s.capacity(way), want)
				}
			}
			for _, c := range []struct{ way, number, remaining int }{{3, 1, 0}, {3, 2, 2}, {4, 3, 8}} {
				if d := at(table, l, c.way, c.number, 1); d.Admitted != (c.remaining > 0) || d.Remaining != c.remaining {
					t.Errorf("%s: client %d: %+v, want %d left", alg, c.number, d, c.remaining)
				}
			}
			if st := table.Stats(); st.Evicted != 0 || st.Occupied != 3 {
				t.Errorf("%s: %+v", alg, st)
			}
		}
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
			at(table, l, rapid.IntRange(0, ways-1).Draw(rt, "home"), rapid.IntRange(1, 3).Draw(rt, "client"), 1)
			s, seen, away, there := &table.sets[0], map[uint32]bool{}, map[int8]bool{}, map[int8]bool{}
			for w, tag := range s.tag {
				if tag == 0 {
					continue
				}
				if seen[tag] {
					rt.Fatalf("%d is there twice: %v", tag, s.tag)
				}
				seen[tag] = true
				if home(tag) == int8(w) {
					there[home(tag)] = true
				} else {
					away[home(tag)] = true
				}
			}
			for h := range away {
				if !there[h] && table.Stats().Evicted == 0 {
					rt.Fatalf("nobody whose home is %d is there: %v", h, s.tag)
				}
			}
		}
	})
}
