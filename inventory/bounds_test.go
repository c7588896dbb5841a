package inventory

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// word spells n in letters, so that no lexical class takes it.
func word(n int) string {
	b := []byte("p")
	for ; n > 0; n /= 26 {
		b = append(b, byte('a'+n%26))
	}
	return string(b)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func gap(gaps []Gap, kind string) uint64 {
	for _, g := range gaps {
		if g.Kind == kind {
			return g.Count
		}
	}
	return 0
}

const flood = 100_000

func TestFloodOfPathsIsBounded(t *testing.T) {
	long := strings.Repeat("/"+strings.Repeat("x", 60), 23)
	tests := []struct {
		name    string
		outcome func(i int) Outcome
		path    func(i int) string
		gap     string
	}{
		{"answered", func(i int) Outcome { return Outcome{Status: 200, Forwarded: true, BodyLength: int64(i)} }, word, GapRoutes},
		{"answered, with long paths", func(i int) Outcome { return Outcome{Status: 200, Forwarded: true, BodyLength: int64(i)} }, func(i int) string { return word(i) + long }, GapRoutes},
		{"refused", func(int) Outcome { return refused(404, "unknown_route", "unknown-route") }, word, GapTrimmed},
		{"refused, with long paths", func(int) Outcome { return refused(404, "unknown_route", "unknown-route") }, func(i int) string { return word(i) + long }, GapTrimmed},
		{"not found", func(int) Outcome { return answered(404) }, word, GapTrimmed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, Options{}, orders())
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/seen/before", answered(200))
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/seen/refused", answered(401))
			s.hit("api.example.com", "GET", "/v2/orders", answered(200))
			before := heap()
			for i := range flood {
				s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/flood/"+tt.path(i), tt.outcome(i))
			}
			grown := int64(heap()) - int64(before)
			if grown > 32<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
			t.Logf("the heap grew by %d KiB", grown>>10)
			if e := s.one("/v2/seen/before"); e.Evidence != EvidenceConfirmed || e.Count != 1 {
				t.Errorf("a route seen before is now %+v", e)
			}
			if tt.gap == GapTrimmed {
				s.one("/v2/seen/refused")
			}
			if e := s.list(RouteQuery{Path: []string{"/v2/orders"}, Method: []string{"GET"}, Host: []string{"api.example.com"}}).Items[0]; e.Count != 1 {
				t.Errorf("a documented operation is now %+v", e)
			}
			list := s.list(RouteQuery{})
			if list.Complete || gap(list.Gaps, tt.gap) == 0 {
				t.Errorf("complete %v, gaps %+v: want %s", list.Complete, list.Gaps, tt.gap)
			}
			if h := s.host("api.example.com"); h.Count != flood+3 {
				t.Errorf("the host counts %d", h.Count)
			}
			switch health := s.Health(); {
			case health.Routes > 10_000 || health.RefusedScans > 10_000:
				t.Errorf("%+v", health)
			case tt.gap == GapRoutes:
				if e := s.one("/**"); e.Count == 0 || e.Host != "(other)" || e.Count+uint64(health.Routes)+uint64(health.RefusedScans) < flood {
					t.Errorf("the overflow entry is %+v, routes held %d", e, health.Routes)
				}
			default:
				if health.RefusedScans > maxNoise {
					t.Errorf("one host keeps %d refused and scanned routes", health.RefusedScans)
				}
				if list := s.list(RouteQuery{Evidence: []Evidence{EvidenceConfirmed, EvidenceProbable}}); !list.Complete {
					t.Errorf("an answer without refused or scanned routes misses nothing: %+v", list.Gaps)
				}
				scans := s.host("api.example.com").Scans
				if len(scans) != 1 || scans[0].Refused+scans[0].Scanned != flood || scans[0].Routes != flood {
					t.Errorf("the hourly record says %+v", scans)
				}
			}
		})
	}
}

func TestFloodOfHostsIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name    string
		outcome Outcome
	}{{"refused", refused(421, "unknown_host", "unknown-host")}, {"answered", answered(200)}} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, Options{}, orders())
			s.miss(catalogue.UnknownHost, "", "seen.before", "GET", "/x", answered(200))
			before := heap()
			for i := range flood {
				s.miss(catalogue.UnknownHost, "", word(i)+".test", "GET", "/"+word(i), tt.outcome)
			}
			if grown := int64(heap()) - int64(before); grown > 32<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
			hosts, err := s.Hosts(HostQuery{Limit: 1000})
			if err != nil || len(hosts.Items) > 256+4+1 || gap(hosts.Gaps, GapHosts) == 0 || hosts.Complete {
				t.Errorf("%d hosts, %v, gaps %+v", len(hosts.Items), err, hosts.Gaps)
			}
			var sum uint64
			for _, h := range hosts.Items {
				sum += h.Count
			}
			if other := s.host(hostOther); sum != flood+1 || other.Count < flood-256 {
				t.Errorf("hosts count %d in all, %d in (other)", sum, other.Count)
			}
			if h := s.host("seen.before"); h.Count != 1 {
				t.Errorf("a host seen before is now %+v", h)
			}
			if list := s.list(RouteQuery{Host: []string{"seen.before"}}); len(list.Items) != 1 {
				t.Errorf("its route is gone")
			}
		})
	}
}

func TestBetterEvidencePushesOutWorse(t *testing.T) {
	s := newScene(t, Options{MaxRoutes: 3}, orders())
	see := func(path string, status int) {
		s.clock.advance(1e9)
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", path, Outcome{Status: status, Forwarded: true, BodyLength: int64(s.clock.now().Unix())})
	}
	has := func(path string) bool { return len(s.list(RouteQuery{Path: []string{path}}).Items) > 0 }
	see("/v2/aa", 401)
	see("/v2/bb", 200)
	see("/v2/cc", 401)
	see("/v2/dd", 403)
	if has("/v2/dd") || !has("/v2/aa") {
		t.Error("a probable route pushed out a probable one")
	}
	see("/v2/aa", 401)
	see("/v2/ee", 200)
	if has("/v2/cc") || !has("/v2/aa") || !has("/v2/ee") {
		t.Error("a confirmed route did not push out the probable one seen longest ago")
	}
	see("/v2/ff", 200)
	see("/v2/gg", 200)
	if has("/v2/aa") || has("/v2/gg") || !has("/v2/bb") || !has("/v2/ee") || !has("/v2/ff") {
		t.Error("confirmed routes push out the last probable one and then nothing")
	}
	see("/v2/nn", 404)
	see("/v2/nn", 200)
	if e := s.one("/v2/nn"); e.Evidence != EvidenceConfirmed {
		t.Errorf("a scanned route that found no room must keep its evidence, not %+v", e)
	}
}

func TestHostThatAnswersPushesOutOneThatWasRefused(t *testing.T) {
	s := newScene(t, Options{MaxHosts: 2}, orders())
	s.miss(catalogue.UnknownHost, "", "a.test", "GET", "/", refused(421, "unknown_host", "unknown-host"))
	s.clock.advance(1e9)
	s.miss(catalogue.UnknownHost, "", "b.test", "GET", "/", refused(421, "unknown_host", "unknown-host"))
	s.miss(catalogue.UnknownHost, "", "c.test", "GET", "/", refused(421, "unknown_host", "unknown-host"))
	s.host(hostOther)
	s.miss(catalogue.UnknownHost, "", "c.test", "GET", "/", answered(200))
	s.host("c.test")
	s.host("b.test")
	if list, _ := s.Hosts(HostQuery{Host: []string{"a.test"}}); len(list.Items) != 0 {
		t.Error("the refused host seen longest ago is still there")
	}
}

func TestNoiseOfOneHostSparesAnothers(t *testing.T) {
	s := newScene(t, Options{MaxRoutes: 50}, orders())
	for i := range 5 {
		s.miss(catalogue.NoRoute, "v1", "legacy.example.com", "GET", "/v1/quiet/"+word(i), answered(404))
	}
	for i := range 500 {
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/loud/"+word(i), answered(404))
	}
	if n := len(s.list(RouteQuery{Path: []string{"/v1/quiet/"}}).Items); n != 5 {
		t.Errorf("%d of 5 left", n)
	}
	loud := s.list(RouteQuery{Path: []string{"/v2/loud/"}, Limit: 1000}).Items
	if len(loud) < 40 || len(loud) > 46 {
		t.Errorf("%d of the loud host", len(loud))
	}
	s.one("/v2/loud/" + word(499))
}

func TestBaselineIsEvidenceOfNothing(t *testing.T) {
	page := Outcome{Status: 200, Forwarded: true, ContentType: "text/html; charset=utf-8", BodyLength: 1834}
	s := newScene(t, Options{}, orders())
	see := func(path string, o Outcome) { s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", path, o) }
	see("/v2/real", Outcome{Status: 200, Forwarded: true, ContentType: "application/json", BodyLength: 99})
	for i := range 7 {
		see("/v2/"+word(i), page)
		see("/v2/"+word(i), page)
	}
	if e := s.one("/v2/" + word(3)); e.Evidence != EvidenceConfirmed {
		t.Errorf("seven paths are no baseline yet: %+v", e)
	}
	see("/v2/"+word(7), page)
	for i := range 8 {
		e := s.one("/v2/" + word(i))
		if e.Evidence != EvidenceScan || e.Reasons[len(e.Reasons)-1] != ReasonBaseline {
			t.Errorf("after eight: %+v", e)
		}
	}
	see("/v2/later", page)
	if e := s.one("/v2/later"); e.Evidence != EvidenceScan {
		t.Errorf("a later one: %+v", e)
	}
	see("/v2/later", Outcome{Status: 200, Forwarded: true, ContentType: "application/json", BodyLength: 99})
	if e := s.one("/v2/later"); e.Evidence != EvidenceConfirmed {
		t.Errorf("one that answers something else as well: %+v", e)
	}
	if e := s.one("/v2/real"); e.Evidence != EvidenceConfirmed {
		t.Errorf("the real one: %+v", e)
	}
	if h := s.host("api.example.com"); len(h.Baseline) != 1 || h.Baseline[0] != "GET 200 text/html 1834" {
		t.Errorf("baseline %q", h.Baseline)
	}
	s.miss(catalogue.NoRoute, "v1", "legacy.example.com", "GET", "/v1/page", page)
	if e := s.one("/v1/page"); e.Evidence != EvidenceConfirmed {
		t.Errorf("the same page on another host: %+v", e)
	}

	t.Run("a page that repeats the path is one, among answers of any length", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		for i := range 30 {
			path := "/v2/" + strings.Repeat("x", i) + word(i)
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", path, Outcome{Status: 200, Forwarded: true, ContentType: "text/html", BodyLength: int64(900 + len(path))})
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/real/"+word(i), Outcome{Status: 200, Forwarded: true, ContentType: "application/json", BodyLength: int64(100 + 7*i)})
		}
		for i := range 30 {
			if e := s.one("/v2/" + strings.Repeat("x", i) + word(i)); e.Evidence != EvidenceScan {
				t.Errorf("the page's %s is %s", e.Path, e.Evidence)
			}
			if e := s.one("/v2/real/" + word(i)); e.Evidence != EvidenceConfirmed {
				t.Errorf("the real %s is %s", e.Path, e.Evidence)
			}
		}
		if h := s.host("api.example.com"); len(h.Baseline) != 1 || h.Baseline[0] != "GET 200 text/html 900 and the path" {
			t.Errorf("baseline %q", h.Baseline)
		}
	})
	t.Run("a login wall is one whatever the length of its page", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		for i := range 9 {
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), Outcome{Status: 401, Forwarded: true, BodyLength: int64(130 + i)})
		}
		if list := s.list(RouteQuery{Evidence: []Evidence{EvidenceProbable}}); len(list.Items) != 0 {
			t.Errorf("%+v", list.Items)
		}
	})
	t.Run("a route that gave another good answer before stays", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		other := page
		other.BodyLength = 7
		for _, o := range []Outcome{page, other} {
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(0), o)
		}
		for i := range 12 {
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), page)
		}
		if list := s.list(RouteQuery{Evidence: []Evidence{EvidenceConfirmed}}); len(list.Items) != 1 || list.Items[0].Path != "/v2/"+word(0) {
			t.Errorf("%+v", list.Items)
		}
	})
	t.Run("eight routes that answer alike are none where most paths are not found", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		for i := range 40 {
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/no/"+word(i), answered(404))
		}
		for i := range 8 {
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), page)
		}
		if list := s.list(RouteQuery{Evidence: []Evidence{EvidenceConfirmed}}); len(list.Items) != 8 {
			t.Errorf("%d confirmed", len(list.Items))
		}
	})
	t.Run("answers of different lengths are different", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		for i := range 20 {
			o := page
			o.BodyLength += int64(i)
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), o)
		}
		if list := s.list(RouteQuery{Evidence: []Evidence{EvidenceConfirmed}}); len(list.Items) != 20 {
			t.Errorf("%d confirmed", len(list.Items))
		}
	})
	t.Run("one path asked for often is no baseline", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		for range 50 {
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/export", page)
		}
		if e := s.one("/v2/export"); e.Evidence != EvidenceConfirmed || e.Count != 50 {
			t.Errorf("%+v", e)
		}
	})
}

func TestFullQueueDropsAndSaysSo(t *testing.T) {
	s := newScene(t, Options{}, orders())
	m := catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[0], API: s.cat.APIs[0], Version: s.cat.APIs[0].Versions[0]}
	for i := range queueLength + 10 {
		s.rec.Observe(&m, "", "GET", fmt.Sprintf("/v1/%d", i), s.at(answered(404)))
	}
	s.settle()
	list := s.list(RouteQuery{})
	if gap(list.Gaps, GapDropped) != 10 || list.Complete || s.Health().Dropped != 10 {
		t.Errorf("gaps %+v, health %+v", list.Gaps, s.Health())
	}
}
