package inventory

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// asked has a consumer ask for a path that no document has, and upstream answer with a
// good page like no other.
func (s *scene) asked(consumer int, path string) {
	s.t.Helper()
	o := answered(200)
	o.BodyLength = int64(len(s.routes)*31 + 7)
	o.Caller = &Caller{Addr: netip.AddrFrom4([4]byte{192, 0, byte(consumer >> 8), byte(consumer)}), Header: http.Header{}, Answer: http.Header{}}
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", path, o)
}

func (s *scene) look() {
	s.clock.advance(findEvery)
	s.lookAround(s.clock.now())
}

// quiet lets the feed tell what waits, and forgets it.
func (s *scene) quiet() {
	for range 200 {
		s.clock.advance(time.Second)
		s.tick()
	}
	s.events = nil
}

func (s *scene) with(evidence Evidence) int {
	s.t.Helper()
	return len(s.list(RouteQuery{State: []State{StateShadow}, Evidence: []Evidence{evidence}, Limit: 1000}).Items)
}

func TestWhatOnlyAScanCalledIsMarkedAndNotLost(t *testing.T) {
	t.Run("a consumer confirms 400 routes of its own, and whatever others call too", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		s.asked(1, "/v2/real")
		for i := range maxLone {
			s.asked(2, "/v2/"+word(i))
		}
		s.look()
		if n := s.with(EvidenceConfirmed); n != 1+maxLone {
			t.Fatalf("%d confirmed before there were too many", n)
		}
		s.asked(2, "/v2/one/more")
		s.look()
		if confirmed, unproven := s.with(EvidenceConfirmed), s.with(EvidenceUnproven); confirmed != 1 || unproven != maxLone+1 {
			t.Fatalf("%d confirmed and %d unproven", confirmed, unproven)
		}
		s.quiet()
		s.asked(2, "/v2/at/once")
		if e := s.one("/v2/at/once"); e.Evidence != EvidenceUnproven || e.State != StateShadow || e.Reasons[1] != ReasonAnswered {
			t.Errorf("a further one: %+v", e)
		}
		if len(s.events) != 1 || s.events[0].Event != EventRoute || s.events[0].Evidence != EvidenceUnproven {
			t.Errorf("the feed said %+v", s.events)
		}
		s.quiet()
		s.asked(3, "/v2/at/once")
		if e := s.one("/v2/at/once"); e.Evidence != EvidenceConfirmed {
			t.Errorf("one that another consumer called too: %+v", e)
		}
		if len(s.events) != 1 || s.events[0].Event != EventState || s.events[0].Evidence != EvidenceConfirmed {
			t.Errorf("the feed said %+v", s.events)
		}
		if _, err := s.Review(s.one("/v2/one/more").ID, Review{Review: ReviewAccepted}); err != nil {
			t.Fatal(err)
		}
		s.look()
		if e := s.one("/v2/one/more"); e.Evidence != EvidenceConfirmed {
			t.Errorf("one that was reviewed: %+v", e)
		}
	})
	t.Run("a route that its only consumer calls again after an hour is none of a scan", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		for range 2 {
			for i := range 2 * maxLone {
				s.asked(2, "/v2/"+word(i))
			}
			s.look()
			s.clock.advance(time.Hour)
		}
		if confirmed, unproven := s.with(EvidenceConfirmed), s.with(EvidenceUnproven); confirmed != 2*maxLone || unproven != 0 {
			t.Errorf("%d confirmed and %d unproven", confirmed, unproven)
		}
	})
	t.Run("each finding stays, as one of a scan", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		for i := range 2 * maxLone {
			s.asked(2, "/v2/"+word(i))
		}
		open := func(kind string) int {
			list, err := s.Findings(FindingQuery{Kind: []string{kind}, Open: []bool{true}, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			return len(list.Items)
		}
		if answers, scans := open("shadow-answers"), open("shadow-answers-scan"); answers != 0 || scans != 2*maxLone {
			t.Errorf("%d and %d", answers, scans)
		}
		s.asked(3, "/v2/"+word(5))
		if answers, scans := open("shadow-answers"), open("shadow-answers-scan"); answers != 1 || scans != 2*maxLone-1 {
			t.Errorf("after another consumer %d and %d", answers, scans)
		}
	})
	t.Run("a host confirms 2,000 that one consumer alone called, whoever they are", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		for i := range maxLoneHost + 1 {
			s.asked(i, "/v2/"+fmt.Sprintf("%s/x%s", word(i%200), word(i/200)))
		}
		s.look()
		if confirmed := s.with(EvidenceConfirmed); confirmed > maxLoneHost || confirmed != 0 && s.hosts["api.example.com"].lone > maxLoneHost {
			t.Errorf("%d confirmed", confirmed)
		}
	})
	t.Run("routes that a scan made give way to one that is called", func(t *testing.T) {
		s := newScene(t, Options{MaxRoutes: 2 * maxLone}, orders())
		s.asked(1, "/v2/real/before")
		for i := range 3 * maxLone {
			s.asked(2, "/v2/"+word(i))
			if i%50 == 49 {
				s.look()
			}
		}
		for i := range 20 {
			s.asked(3, "/v2/real/"+word(i))
			s.one("/v2/real/" + word(i))
		}
		s.one("/v2/real/before")
		s.one(rest)
		if s.known.entries > 2*maxLone {
			t.Errorf("%d entries", s.known.entries)
		}
		n := 0
		for _, e := range s.routes {
			if e.unproven {
				n++
			}
		}
		if n != s.unproven || n == 0 {
			t.Errorf("%d are unproven, counted as %d", n, s.unproven)
		}
	})
	t.Run("callers that are not known are nobody", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		for i := range 2 * maxLone {
			o := answered(200)
			o.BodyLength = int64(i)
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), o)
		}
		s.look()
		if n := s.with(EvidenceUnproven); n != 0 {
			t.Errorf("%d unproven", n)
		}
	})
}
