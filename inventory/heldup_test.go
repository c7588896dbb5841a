package inventory

import (
	"path/filepath"
	"testing"
)

// A request adds to what queries show before it says that it touched the entry. One
// that is held up in between must not have the store pass the entry over, however many
// saves have begun since the entry was touched: what a query shows outlives a crash.
func TestWhatAHeldUpRequestAddedIsWritten(t *testing.T) {
	for name, add := range map[string]func(*counters){
		"a count":           func(c *counters) { c.classes[classOf(200)].Add(1) },
		"a refusal":         func(c *counters) { c.object(ruleIndex("limit")) },
		"a would-refusal":   func(c *counters) { c.object(numRules + ruleIndex("limit")) },
		"a credential":      func(c *counters) { c.note(traitPublic, true, 1) },
		"a public network":  func(c *counters) { c.reach(1 << 60) },
		"one more consumer": func(c *counters) { c.consumers().add(0x1234567890abcdef) },
		"better evidence":   func(c *counters) { c.best.Store(uint32(rankConfirmed)) },
		"a later time":      func(c *counters) { c.last.Add(lastGrain) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "inventory.db")
			s := newScene(t, Options{}, orders())
			s.open(file)
			s.hit("api.example.com", "GET", "/v2/orders", Outcome{Status: 401})
			for range 3 {
				s.crash(file)
			}
			hits := s.rec.slots[orderRoute].hits
			before := saved(s.rec.slots[orderRoute].entry.save())
			add(hits)
			want := saved(s.rec.slots[orderRoute].entry.save())
			if string(want) == string(before) {
				t.Fatal("nothing that is saved has changed")
			}
			again := newScene(t, Options{}, orders())
			again.clock.set(s.clock.now())
			again.open(s.crash(file))
			if got := saved(again.rec.slots[orderRoute].entry.save()); string(got) != string(want) {
				t.Errorf("the next process has\n%s, want\n%s", got, want)
			}
		})
	}
}

// What was loaded and not called since is as the file has it: it is not written again,
// but for what a configuration made of it.
func TestWhatWasLoadedIsNotWrittenAgain(t *testing.T) {
	s := busy(t, filepath.Join(t.TempDir(), "inventory.db"))
	again := newScene(t, Options{}, orders())
	s.mu.RLock()
	for _, e := range s.routes {
		if err := again.loadRoute(e.id[:], saved(e.save())); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.RUnlock()
	for _, e := range again.routes {
		e.unsaved = false
	}
	again.saveEpoch = again.epoch.Add(1) // all that was loaded is older
	n := 0
	again.saveRoutes(false, func(_, value []byte) {
		if n++; n == 1 {
			t.Errorf("written again: %s", value)
		}
	})
	if n > 0 {
		t.Errorf("%d entries are written again", n)
	}
}

// What a configuration has that was bound and then rejected is not written: it is when
// one is activated.
func TestWhatWasBoundAndNotActivatedIsNotWritten(t *testing.T) {
	s := newScene(t, Options{}, api("orders", version("v3", "next.example.com", "/", "GET /orders")))
	s.hit("next.example.com", "GET", "/orders", Outcome{Status: 200})
	save := func() (n int) {
		s.saveEpoch = s.epoch.Add(1)
		s.saveRoutes(false, func(_, _ []byte) { n++ })
		return n
	}
	if n := save(); n != 1 {
		t.Fatalf("%d entries are written of one", n)
	}
	r := s.Bind(declare(orders()))
	if n := save(); n != 0 || len(s.routes) == 1 {
		t.Errorf("%d entries are written, of a configuration with %d more", n, len(s.routes)-1)
	}
	s.Activate(r)
	if n := save(); n != len(s.routes)-1 {
		t.Errorf("%d entries are written, of a configuration with %d more that was activated", n, len(s.routes)-1)
	}
}
