package inventory

import (
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

func TestReloadKeepsCounts(t *testing.T) {
	s := newScene(t, Options{}, orders())
	old := s.rec
	s.hit("api.example.com", "GET", "/v2/orders", answered(200))
	first := s.list(RouteQuery{Path: []string{"/v2/orders"}, Host: []string{"api.example.com"}, Method: []string{"GET"}}).Items[0]
	s.load(orders())
	s.hit("api.example.com", "GET", "/v2/orders", answered(500))
	if old == s.rec {
		t.Fatal("the reload made no recorder")
	}
	e := s.list(RouteQuery{Path: []string{"/v2/orders"}, Host: []string{"api.example.com"}, Method: []string{"GET"}}).Items[0]
	if e.ID != first.ID || e.Count != 2 || e.Statuses["2xx"] != 1 || e.Statuses["5xx"] != 1 || !e.FirstSeen.Equal(first.FirstSeen.Time) {
		t.Errorf("after the reload: %+v, before: %+v", e, first)
	}

	t.Run("a request that is still under way in the old configuration counts", func(t *testing.T) {
		rec, cat := s.rec, s.cat
		s.load(orders())
		m := catalogue.Match{Outcome: catalogue.Found, Host: cat.Routes[0].Hosts[0], Route: cat.Routes[0]}
		rec.Hit(&m, s.at(answered(200)))
		if e := s.one("/v1/orders"); e.Count != 1 {
			t.Errorf("count %d", e.Count)
		}
	})
}

func TestRejectedReloadChangesNothing(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/extra", answered(200))
	before := s.list(RouteQuery{})
	s.Bind(declare(api("other", version("v1", "other.test", "/", "GET /x")), api("orders", version("v2", "api.example.com", "/v2", "GET /extra"))))
	after := s.list(RouteQuery{})
	if len(before.Items) != len(after.Items) {
		t.Errorf("%d entries, then %d", len(before.Items), len(after.Items))
	}
	if e := s.one("/v2/extra"); e.State != StateShadow || e.Count != 1 {
		t.Errorf("the shadow is now %+v", e)
	}
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/extra", answered(200))
	if e := s.one("/v2/extra"); e.State != StateShadow || e.Count != 2 {
		t.Errorf("and after a call %+v", e)
	}
	if hosts, _ := s.Hosts(HostQuery{}); len(hosts.Items) != 4 {
		t.Errorf("hosts %+v", hosts.Items)
	}
}

func TestOperationThatLeavesItsDocument(t *testing.T) {
	with := func() *catalogue.API {
		return api("x", version("v1", "h.test", "/v1", "GET /items/{item}", "GET /other"))
	}
	without := func() *catalogue.API { return api("x", version("v1", "h.test", "/v1", "GET /other")) }
	s := newScene(t, Options{}, with())
	s.hit("h.test", "GET", "/v1/items/{item}", answered(200))
	id := s.one("/v1/items/{item}").ID

	s.load(without())
	if list := s.list(RouteQuery{Path: []string{"/v1/items"}}); len(list.Items) != 0 {
		t.Errorf("listed although neither documented nor called since: %+v", list.Items)
	}
	s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/items/blue", answered(200))
	e := s.one("/v1/items/{item}")
	if e.ID != id || e.Count != 2 || e.State != StateShadow || e.Documented {
		t.Errorf("called after that it is %+v", e)
	}
	if len(s.events) != 1 || s.events[0].Event != EventState || s.events[0].State != "shadow" {
		t.Errorf("events %+v", s.events)
	}
	s.miss(catalogue.NoRoute, "v1", "h.test", "POST", "/v1/items/blue", answered(200))
	if e := s.one("/v1/items/blue"); e.Method != "POST" {
		t.Errorf("another method is a route of its own, not %+v", e)
	}

	s.load(with())
	if e := s.one("/v1/items/{item}"); e.ID != id || e.Count != 2 || e.State != StateActive || !e.Documented {
		t.Errorf("documented again it is %+v", e)
	}
}

func TestShadowThatGetsDocumented(t *testing.T) {
	s := newScene(t, Options{}, api("x", version("v1", "h.test", "/v1", "GET /a")))
	s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/items/17", answered(200))
	s.miss(catalogue.NoRoute, "v1", "h.test", "POST", "/v1/items/17", answered(200))
	s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/items", answered(200))
	s.miss(catalogue.Unclaimed, "", "h.test", "GET", "/v2/items/17", answered(200))

	s.load(api("x", version("v1", "h.test", "/v1", "GET /a", "GET /items/{id}", "GET /items"), version("v2", "h.test", "/v2", "GET /items/{id}")))
	if e := s.one("/v1/items"); e.Count != 1 || e.State != StateActive {
		t.Errorf("the same path goes on as documented, not as %+v", e)
	}
	if e := s.one("/v1/items/{id}"); e.State != StateActive {
		t.Errorf("%+v", e)
	}
	if e := s.one("/v1/items/{integer}"); e.Method != "POST" {
		t.Errorf("only the method that is still undocumented is a shadow, not %+v", e)
	}
	if list := s.list(RouteQuery{Path: []string{"/v2/"}, State: []State{StateShadow}}); len(list.Items) != 0 {
		t.Errorf("what nobody claimed is documented now: %+v", list.Items)
	}

	s.load(api("x", version("v1", "h.test", "/v1", "GET /a")))
	if list := s.list(RouteQuery{Path: []string{"/v1/items/{integer}"}}); len(list.Items) != 2 {
		t.Errorf("undocumented again, both are shadows: %+v", list.Items)
	}
}

func TestUnclaimedRouteIsNotCoveredByAVersionThatNeedsASelector(t *testing.T) {
	s := newScene(t, Options{}, api("x", version("v1", "h.test", "/v1", "GET /a")))
	s.miss(catalogue.Unclaimed, "", "h.test", "GET", "/v2/a", answered(200))
	v2 := version("v2", "h.test", "/v2", "GET /a")
	v2.Claims[0].Select = &catalogue.Selector{Kind: catalogue.SelectHeader, Name: "X-Api-Version", Value: "v2"}
	s.load(api("x", version("v1", "h.test", "/v1", "GET /a"), v2))
	if list := s.list(RouteQuery{Path: []string{"/v2/a"}, State: []State{StateShadow}}); len(list.Items) != 1 {
		t.Errorf("what answers without the selector is in no document still: %+v", list.Items)
	}
}

// A request that began before a reload may be recorded after it, by a
// configuration that did not have its route yet.
func TestLateObservationOfAnEarlierConfiguration(t *testing.T) {
	s := newScene(t, Options{}, api("x", version("v1", "h.test", "/v1", "GET /a")))
	late, cat := s.rec, s.cat
	s.load(api("x", version("v1", "h.test", "/v1", "GET /a", "GET /items/{id}")))
	m := catalogue.Match{Outcome: catalogue.NoRoute, Host: cat.Hosts[0], API: cat.APIs[0], Version: cat.APIs[0].Versions[0], Base: "/v1"}
	for _, path := range []string{"/v1/items/17", "/v1/extra"} {
		late.Observe(&m, "h.test", "GET", path, s.at(answered(200)))
	}
	s.settle()
	if list := s.list(RouteQuery{State: []State{StateShadow}}); len(list.Items) != 1 || list.Items[0].Path != "/v1/extra" {
		t.Errorf("shadows %+v", list.Items)
	}
	if len(s.events) != 1 || s.events[0].Path != "/v1/extra" {
		t.Errorf("events %+v", s.events)
	}
}

func TestHostThatGetsDeclared(t *testing.T) {
	s := newScene(t, Options{MaxHosts: 1}, orders())
	s.miss(catalogue.UnknownHost, "", "new.example.com", "GET", "/", answered(200))
	if h := s.host("new.example.com"); h.Declared || h.Count != 1 {
		t.Errorf("before: %+v", h)
	}
	s.load(orders(), api("x", version("v1", "new.example.com", "/", "GET /a")))
	s.hit("new.example.com", "GET", "/a", answered(200))
	if h := s.host("new.example.com"); !h.Declared || h.Count != 2 || len(h.APIs) != 1 || h.APIs[0] != "x" {
		t.Errorf("after: %+v", h)
	}
	s.miss(catalogue.UnknownHost, "", "another.example.com", "GET", "/", answered(200))
	if h := s.host("another.example.com"); h.Count != 1 {
		t.Errorf("a declared host must not take an undeclared one's place: %+v", h)
	}
}

func (s *scene) host(name string) HostEntry {
	s.t.Helper()
	list, err := s.Hosts(HostQuery{Host: []string{name}})
	if err != nil || len(list.Items) != 1 {
		s.t.Fatalf("host %s: %+v, %v", name, list.Items, err)
	}
	return list.Items[0]
}
