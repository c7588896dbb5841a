package inventory

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

var (
	fromOutside = netip.MustParseAddr("203.0.113.7")
	fromInside  = netip.MustParseAddr("10.1.2.3")
)

// by has somebody call a documented operation, with credentials or without.
func (s *scene) by(addr netip.Addr, credentials bool, host, method, path string, o Outcome) {
	s.t.Helper()
	o.Caller = &Caller{Addr: addr, Header: http.Header{}}
	if credentials {
		o.Caller.Header.Set("Authorization", "Bearer x")
	}
	s.hit(host, method, path, o)
}

func TestARouteThatIsOpenBesideGuardedOnesIsFound(t *testing.T) {
	v := version("v2", "api.example.com", "/v2", "GET /orders", "POST /orders", "GET /orders/{id}", "GET /orders/{id}/lines", "GET /health")
	v.Docs = "x"
	s := newScene(t, Options{}, api("orders", v))
	for _, path := range []string{"/v2/orders", "/v2/orders/{id}", "/v2/orders/{id}/lines"} {
		s.by(fromInside, true, "api.example.com", "GET", path, answered(200))
	}
	s.by(fromInside, true, "api.example.com", "POST", "/v2/orders", answered(201))
	s.by(fromInside, false, "api.example.com", "GET", "/v2/health", answered(200)) // begins otherwise
	if found := s.openFindings("unauthenticated-sibling"); len(found) > 0 {
		t.Fatalf("%+v", found)
	}
	o := answered(200)
	o.Caller = &Caller{Addr: fromInside, Header: http.Header{}}
	o.BodyLength = 4711
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/orders/export/all", o)
	found := s.openFindings("unauthenticated-sibling")
	if len(found) != 1 || found[0].Subject.Path != "/v2/orders/export/all" || found[0].Severity != SeverityHigh {
		t.Fatalf("%+v", found)
	}
	s.clock.advance(stillCalled + time.Second)
	if found := s.openFindings("unauthenticated-sibling"); len(found) > 0 {
		t.Errorf("after a month: %+v", found)
	}
}

func TestEnvironmentsThatThePublicReachesAreFound(t *testing.T) {
	for _, tt := range []struct {
		name, host, environment string
		from                    netip.Addr
		outcome                 Outcome
		found                   bool
	}{
		{"declared staging", "next.example.com", "staging", fromOutside, answered(200), true},
		{"by its name", "api-staging2.example.com", "", fromOutside, answered(200), true},
		{"declared beta", "next.example.com", "beta", fromOutside, answered(200), true},
		{"beta by its name is often public", "beta.example.com", "", fromOutside, answered(200), false},
		{"production", "staging.example.com", "production", fromOutside, answered(200), false},
		{"from within", "next.example.com", "staging", fromInside, answered(200), false},
		{"refused", "next.example.com", "staging", fromOutside, refused(403, "audience", "audience-denied"), false},
		{"nothing there", "next.example.com", "staging", fromOutside, answered(404), false},
		{"a name of the organisation", "staging.com", "", fromOutside, answered(200), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := version("v2", tt.host, "/v2", "GET /orders")
			v.Environment, v.Docs = tt.environment, "x"
			s := newScene(t, Options{}, api("orders", v))
			s.by(tt.from, true, tt.host, "GET", "/v2/orders", tt.outcome)
			found := s.openFindings("non-production-reachable")
			if (len(found) == 1) != tt.found {
				t.Fatalf("%+v", found)
			}
			if !tt.found {
				return
			}
			if found[0].Subject.Host != tt.host {
				t.Errorf("%+v", found[0].Subject)
			}
			// Its advice was followed: the version is reserved now.
			s.clock.advance(time.Second)
			s.by(tt.from, true, tt.host, "GET", "/v2/orders", refused(403, "audience", "audience-denied"))
			if found := s.openFindings("non-production-reachable"); len(found) > 0 {
				t.Errorf("still open: %+v", found)
			}
		})
	}
}

func TestAnEntrySaysWhereItsEnvironmentIsFrom(t *testing.T) {
	s := newScene(t, Options{}, orders())
	for _, e := range s.list(RouteQuery{Limit: 1000}).Items {
		want := map[string][2]string{
			"legacy.example.com": {"legacy", "host"}, "beta.example.com": {"beta", "host"}, "api.example.com": {"", ""}, "next.example.com": {"staging", "declared"},
		}[e.Host]
		if got := [2]string{e.Environment, e.EnvironmentSource}; got != want {
			t.Errorf("%s: %q, want %q", e.Host, got, want)
		}
	}
}
