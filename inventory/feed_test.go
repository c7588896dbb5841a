package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"go.uber.org/goleak"
)

func kinds(events []Event) []string {
	var k []string
	for _, e := range events {
		k = append(k, fmt.Sprintf("%s %s %s %s %d", e.Event, e.Path, e.State, e.Evidence, e.Count))
	}
	return k
}

func TestFeedTellsChanges(t *testing.T) {
	s := newScene(t, Options{}, orders())
	see := func(status int) {
		s.clock.advance(time.Second)
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/extra", answered(status))
	}
	for _, status := range []int{404, 404, 401, 401, 200, 401, 200, 200, 200, 200, 200} {
		see(status)
	}
	want := []string{
		"route_discovered /v2/extra shadow probable 3",
		"state_changed /v2/extra shadow confirmed 5",
		"route_discovered /v2/extra shadow confirmed 10",
	}
	if got := kinds(s.events); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

func TestFeedIsSilentOnTheOverflowEntry(t *testing.T) {
	s := newScene(t, Options{MaxRoutes: 1}, orders())
	for i := range 20 {
		s.clock.advance(time.Second)
		o := answered(200)
		o.BodyLength = int64(i)
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), o)
	}
	if e := s.one("/**"); e.Count != 19 {
		t.Fatalf("%+v", e)
	}
	if len(s.events) != 1 {
		t.Errorf("events %q", kinds(s.events))
	}
}

func TestFeedTellsHostsByPowersOfTen(t *testing.T) {
	s := newScene(t, Options{}, orders())
	for range 1000 {
		s.clock.advance(10 * time.Second)
		s.miss(catalogue.UnknownHost, "", "rogue.test", "GET", "/x", refused(421, "unknown_host", "unknown-host"))
	}
	var counts []uint64
	scans := 0
	for _, e := range s.events {
		switch {
		case e.Event == EventHost && e.Host == "rogue.test":
			counts = append(counts, e.Count)
		case e.Event == EventScan:
			scans++
		default:
			t.Errorf("unexpected %+v", e)
		}
	}
	if !slices.Equal(counts, []uint64{1, 10, 100, 1000}) || scans == 0 {
		t.Errorf("counts %d, %d scans", counts, scans)
	}
}

func TestFeedTellsWhenADateHasCome(t *testing.T) {
	a := orders()
	a.Versions[1].Deprecated, a.Versions[1].Sunset = noon.Add(time.Hour), noon.Add(2*time.Hour)
	s := newScene(t, Options{}, a)
	s.tick()
	if len(s.events) != 0 {
		t.Fatalf("at first: %+v", s.events)
	}
	for range 3 {
		s.clock.advance(time.Hour)
		s.tick()
	}
	want := []string{"state_changed  deprecated none 0", "state_changed  retired none 0"}
	if got := kinds(s.events); !slices.Equal(got, want) || s.events[0].Version != "v2" {
		t.Errorf("events %q, want %q", got, want)
	}
}

// A flood of discoveries never makes more than 10 lines in any second, and a
// route that answers 2xx is out within two seconds all the same.
func TestFeedIsRateLimited(t *testing.T) {
	s := newScene(t, Options{MaxHosts: 100_000}, orders())
	var at []time.Time
	var shadow time.Time
	s.feed.emit = func(e Event) {
		at = append(at, s.clock.now())
		if e.Path == "/v2/export" {
			shadow = s.clock.now()
		}
	}
	var asked time.Time
	for i := range 5000 {
		s.miss(catalogue.UnknownHost, "", word(i)+".test", "GET", "/", refused(421, "unknown_host", "unknown-host"))
		if i == 2500 {
			asked = s.clock.now()
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/export", answered(200))
		}
		if i%10 == 0 {
			s.clock.advance(7 * time.Millisecond)
			s.tick()
		}
	}
	for range feedWaiting { // until what waits is out
		s.clock.advance(time.Second)
		s.tick()
	}
	for i := range at {
		if i >= feedRate && at[i].Sub(at[i-feedRate]) < time.Second {
			t.Fatalf("11 events within %v", at[i].Sub(at[i-feedRate]))
		}
	}
	if shadow.IsZero() || shadow.Sub(asked) > 2*time.Second {
		t.Errorf("the shadow came %v after the request", shadow.Sub(asked))
	}
	if dropped := s.Health().FeedDropped; dropped+uint64(len(at)) < 5001 || dropped > 5001+5000 {
		t.Errorf("%d dropped, %d out", dropped, len(at))
	}

	t.Run("a clock that is put back does not close the feed", func(t *testing.T) {
		s.clock.advance(-time.Hour)
		s.tick()
		n := len(at)
		s.clock.advance(2 * time.Second)
		s.miss(catalogue.UnknownHost, "", "after.test", "GET", "/", answered(200))
		if len(at) == n {
			t.Error("nothing came out")
		}
	})
}

func TestUrgentEventsHaveRoomOfTheirOwn(t *testing.T) {
	var out []string
	f := feed{emit: func(e Event) { out = append(out, e.Path) }}
	many := func(path string, n int, urgent bool) []pending {
		var list []pending
		for range n {
			list = append(list, pending{event: Event{Path: path}, urgent: urgent})
		}
		return list
	}
	f.publish(many("other", feedWaiting+20, false), noon)
	if len(out) != feedRate-feedReserve || f.dropped.Load() != 15 {
		t.Fatalf("%d other events out, %d dropped", len(out), f.dropped.Load())
	}
	f.publish(many("urgent", 30, true), noon)
	if len(out) != feedRate || f.dropped.Load() != 15+5 {
		t.Fatalf("%d events out, %d dropped", len(out), f.dropped.Load())
	}
	for i := range 3 {
		f.publish(nil, noon.Add(time.Duration(i+1)*time.Second))
	}
	if want := feedRate + feedHeld + feedRate - feedReserve; len(out) != want || out[feedRate+feedHeld] != "other" || out[feedRate+feedHeld-1] != "urgent" {
		t.Errorf("%q", out[feedRate:])
	}
	for i := range 30 {
		f.publish(nil, noon.Add(time.Duration(i+4)*time.Second))
	}
	if want := feedRate - feedReserve + feedWaiting + 5 + feedHeld; len(out) != want || f.dropped.Load() != 20 {
		t.Errorf("%d events out in the end, want %d; %d dropped", len(out), want, f.dropped.Load())
	}
}

// Of two kinds that are more than a second lets out, neither keeps the other back:
// a host that was seen for the first time while findings opened is told.
func TestFindingsLeaveRoomForWhatWaits(t *testing.T) {
	var out []string
	f := feed{emit: func(e Event) { out = append(out, e.Event) }}
	findings := 100
	for i := range 40 {
		now := noon.Add(time.Duration(i) * time.Second)
		var events []pending
		if i < 20 {
			events = append(events, pending{event: Event{Event: EventHost}})
		}
		for range min(max(f.free(now)-len(events), 0), findings) {
			findings--
			events = append(events, pending{event: Event{Event: EventFindingOpened}, placed: true})
		}
		f.publish(events, now)
	}
	hosts := 0
	for i, e := range out {
		if e == EventHost {
			hosts++
		}
		if i == 5*21-1 && hosts < 20 {
			t.Errorf("after 21 seconds %d hosts were told: %q", hosts, out)
		}
	}
	if hosts != 20 || len(out) != 120 || f.dropped.Load() != 0 {
		t.Errorf("%d hosts and %d findings told, %d dropped", hosts, len(out)-hosts, f.dropped.Load())
	}
	t.Run("a second full of findings", func(t *testing.T) {
		var out []string
		f := feed{emit: func(e Event) { out = append(out, e.Event) }}
		full := make([]pending, f.free(noon))
		for i := range full {
			full[i] = pending{event: Event{Event: EventFindingOpened}, placed: true}
		}
		f.publish(full, noon)
		f.publish([]pending{{event: Event{Event: EventHost}}}, noon.Add(time.Millisecond))
		if len(out) != 5 {
			t.Fatalf("%q", out)
		}
		f.publish(nil, noon.Add(time.Second))
		if len(out) != 6 || out[5] != EventHost {
			t.Errorf("%q", out)
		}
	})
}

func TestRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		var events []Event
		start := time.Now()
		inv := New(Options{Feed: func(e Event) {
			if len(events) == 0 && time.Since(start) > 2*time.Second {
				t.Errorf("the first event came after %v", time.Since(start))
			}
			events = append(events, e)
		}})
		cat := declare(orders())
		rec := inv.Bind(cat)
		inv.Activate(rec)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { inv.Run(ctx); close(done) }()
		synctest.Wait()
		inv.Run(ctx) // a second one returns at once

		m := catalogue.Match{Outcome: catalogue.NoRoute, Host: cat.Hosts[0], API: cat.APIs[0], Version: cat.APIs[0].Versions[0], Base: "/v1"}
		o := answered(200)
		for i := range 30 {
			o.Time, o.BodyLength = time.Now().UnixNano(), int64(i)
			rec.Observe(&m, "", "GET", "/v1/"+word(i), o)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(events) != 30 {
			t.Errorf("%d events after two seconds", len(events))
		}
		if !inv.Health().Running {
			t.Error("health says it is not running")
		}
		rec.Observe(&m, "", "GET", "/v1/last", o)
		cancel()
		<-done
		if list, _ := inv.Routes(RouteQuery{Path: []string{"/v1/last"}}); len(list.Items) != 1 {
			t.Error("what was queued when it ended is lost")
		}
	})
}

func TestPanicInTheFeedDoesNotEndTheProcess(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.feed.emit = func(Event) { panic("listener") }
	m := catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[0]}
	s.rec.Observe(&m, "", "GET", "/v1/x", s.at(answered(200)))
	s.drain()
	list := s.list(RouteQuery{})
	if gap(list.Gaps, GapInternal) != 1 || list.Complete {
		t.Errorf("gaps %+v", list.Gaps)
	}
	s.one("/v1/x")
}

// Changes that a board which is away would have had told to other nodes wait, as many as
// there is room for; the earliest of the others are dropped and counted.
func TestChangesForAFleetThatIsAwayAreDroppedAndCounted(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.JoinFleet(FleetOptions{})
	for i := range maxTold + 7 {
		s.feed.send(Event{Path: fmt.Sprint(i)}, s.clock.now().UnixNano())
	}
	if n := s.Health().FeedDropped; n != 7 || len(s.fleet.changes) != maxTold || !strings.Contains(string(s.fleet.changes[0]), `"path":"7"`) {
		t.Errorf("%d dropped, %d wait, the first %s", n, len(s.fleet.changes), s.fleet.changes[0])
	}
}

// Requests that the inventory is too slow for are dropped and counted, also where they
// come at once and find the last place taken: nobody waits. In the bubble a wait for a
// reader that never comes is a failure.
func TestManyRequestsAtOnceNeverWaitForTheInventory(t *testing.T) {
	s := newScene(t, Options{}, orders())
	m := catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[0], API: s.cat.APIs[0], Version: s.cat.APIs[0].Versions[0]}
	const rounds, together = 300, 8
	synctest.Test(t, func(t *testing.T) {
		for range rounds {
			s.queue = make(chan observation, 1)
			var all sync.WaitGroup
			for range together {
				all.Go(func() { s.rec.Observe(&m, "", "GET", "/v1/x", s.at(answered(404))) })
			}
			all.Wait()
		}
	})
	if n := s.Health().Dropped; n != rounds*(together-1) {
		t.Errorf("%d dropped, want %d", n, rounds*(together-1))
	}
}
