package inventory

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// scan asks for n paths that nobody has.
func (s *scene) scan(word string, n int) {
	for i := range n {
		s.miss(catalogue.NoRoute, "v1", "h.test", "GET", fmt.Sprintf("/v1/%s-%d-x", word, i), answered(404))
	}
}

// scansTold are the counts of the feed's lines about scans.
func (s *scene) scansTold() (counts []uint64) {
	for _, e := range s.events {
		if e.Event == EventScan {
			counts = append(counts, e.Count)
		}
	}
	return counts
}

func TestAScanThatBeginsBeforeAFullHourIsOne(t *testing.T) {
	const scanned = "[scanned  h.test]"
	for _, c := range []struct {
		name   string
		at     time.Duration // after a full hour
		pause  time.Duration
		first  int
		second int
		want   string
		told   []uint64
	}{
		{"within the hour", 10 * time.Minute, 20 * time.Minute, 60, 60, scanned, []uint64{100}},
		{"over the hour", 55 * time.Minute, 10 * time.Minute, 60, 60, scanned, []uint64{100}},
		{"over the hour, an hour long", 30 * time.Minute, 59 * time.Minute, 99, 1, scanned, []uint64{100}},
		{"over the hour, too few", 55 * time.Minute, 10 * time.Minute, 60, 39, "[]", nil},
		{"over more than an hour", 50 * time.Minute, 66 * time.Minute, 60, 60, "[]", nil},
		{"hours apart", 50 * time.Minute, 5 * time.Hour, 99, 99, "[]", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, Options{}, api("a", tidy()))
			s.clock.set(noon.Add(c.at))
			s.scan("a", c.first)
			if got := s.wrong(); len(got) != 0 {
				t.Fatalf("after the first: %v", got)
			}
			s.clock.advance(c.pause)
			s.scan("b", c.second)
			if got := fmt.Sprint(s.wrong()); got != c.want {
				t.Errorf("after the second: %s, want %s", got, c.want)
			}
			if got := s.scansTold(); !slices.Equal(got, c.told) {
				t.Errorf("the feed tells of %d, want %d", got, c.told)
			}
			s.clock.advance(scanFades + time.Duration(partLength))
			if got := s.wrong(); len(got) != 0 {
				t.Errorf("an hour later: %v", got)
			}
		})
	}
}

func TestAScanThatGoesOnIsToldOnceAnHourAndWhenItGrows(t *testing.T) {
	s := newScene(t, Options{}, api("a", tidy()))
	for i := range 4 * 12 { // 105 an hour, so that the sum of an hour is about a hundred all the time
		s.scan(word(i), 8+i%3)
		s.clock.advance(5 * time.Minute)
	}
	if got := s.scansTold(); len(got) < 3 || len(got) > 4 {
		t.Errorf("in four hours the feed tells of %d", got)
	}
	before := len(s.scansTold())
	s.scan("more", 1200)
	if got := s.scansTold()[before:]; !slices.Equal(got, []uint64{1000}) {
		t.Errorf("of growth it tells %d", got)
	}
}

func TestAScanOverAFullHourIsOneAlsoOverARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	s := newScene(t, Options{}, api("a", tidy()))
	s.clock.set(noon.Add(55 * time.Minute))
	s.open(file)
	s.scan("a", 60)
	s.settle()
	again := newScene(t, Options{}, api("a", tidy()))
	again.clock.set(noon.Add(65 * time.Minute))
	file = s.crash(file)
	again.open(file)
	again.scan("b", 60)
	if got := fmt.Sprint(again.wrong(), again.scansTold()); got != "[scanned  h.test] [100]" {
		t.Errorf("after the restart: %s", got)
	}
	again.settle()
	third := newScene(t, Options{}, api("a", tidy()))
	third.clock.set(noon.Add(70 * time.Minute))
	third.open(again.crash(file))
	third.scan("c", 60)
	if got := fmt.Sprint(third.wrong(), third.scansTold()); got != "[scanned  h.test] []" {
		t.Errorf("what was told before another restart: %s", got)
	}
	third.clock.advance(time.Hour)
	third.scan("d", 120)
	if got := fmt.Sprint(third.scansTold()); got != "[100]" {
		t.Errorf("an hour after that: %s", got)
	}
}

// Nodes of an earlier release tell of hours alone, and have them in what they kept.
func TestAnHourWithoutPartsCountsToItsEnd(t *testing.T) {
	full := noon.UnixNano()
	var old, recent hour
	old.start, recent.start = full, full+int64(time.Hour)
	old.add(&savedHour{Refused: 40, Scanned: 20, Routes: 30})
	recent.add(&savedHour{Scanned: 60, Routes: 60, Parts: [][2]uint32{{60, 60}}})
	for _, c := range []struct {
		hours []hour
		want  uint64
	}{
		{[]hour{old}, 0},
		{[]hour{recent}, 0},
		{[]hour{old, recent}, 120},
		{[]hour{{start: full, refused: 100}}, 100},
	} {
		scan, end, found := scanIn(c.hours, noon.Add(70*time.Minute))
		if scan.requests != c.want || found != (c.want > 0) || found && end <= scan.from {
			t.Errorf("%+v: %+v, %v until %v", c.hours, scan, found, time.Unix(0, end))
		}
	}
	if scan, _, found := scanIn([]hour{{start: full, refused: 100}}, noon.Add(2*time.Hour)); found {
		t.Errorf("an hour after its end it is still %+v", scan)
	}
}

func TestAScanOfTwoNodesOverAFullHourIsOne(t *testing.T) {
	h := newHostRecord("h.test")
	h.hours = []hour{{start: noon.UnixNano(), scanned: 60}}
	h.hours[0].parts[11] = part{60, 60}
	there := hour{start: noon.Add(time.Hour).UnixNano(), scanned: 60}
	there.parts[0] = part{60, 60}
	h.peerHours = map[*peer][]savedHour{{}: {there.save(there.start)}}
	if scan, _, found := scanIn(h.scans(), noon.Add(62*time.Minute)); !found || scan.requests != 120 || scan.routes != 120 {
		t.Errorf("%+v, %v", scan, found)
	}
}
