package caddytest

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func day(year, month, d int) time.Time {
	return time.Date(year, time.Month(month), d, 0, 0, 0, 0, time.UTC)
}

// wantLinks checks that the Link fields have each relation once.
func wantLinks(t *testing.T, h http.Header, relations ...string) {
	t.Helper()
	links := strings.Join(h.Values("Link"), ", ")
	for _, relation := range relations {
		if strings.Count(links, `rel="`+relation+`"`) != 1 {
			t.Errorf("Link is %q, want one rel=%q", links, relation)
		}
	}
}

func TestAnAllowedAnswerTellsOfTheVersionsEnd(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	for protocol, do := range protocols(caddy) {
		t.Run(protocol, func(t *testing.T) {
			call, trace := as(get("legacy.example.com", "/v1/orders"))
			got := do(t, call)
			if got.Status != 200 || len(up.Requests("X-Trace", trace)) != 1 {
				t.Fatalf("a deprecated version: %v", got)
			}
			wantLifecycle(t, got.Header, day(2025, 1, 1), day(2099, 1, 1))
			wantLinks(t, got.Header, "deprecation", "sunset", "successor-version")

			call, _ = as(get("api.example.com", "/v2/orders"))
			got = do(t, call)
			wantLifecycle(t, got.Header, time.Time{}, time.Time{})
			wantNoHeader(t, got.Header, "Link")
		})
	}
}

func TestInMonitorARetiredVersionAnswersAsIfNothingWere(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t, "unknown_route enforce", "lifecycle monitor")
	call, trace := as(get("legacy.example.com", "/v0/orders"))
	got := caddy.Do1(t, call)
	if got.Status != 200 || len(up.Requests("X-Trace", trace)) != 1 {
		t.Fatalf("got %v", got)
	}
	wantNoHeader(t, got.Header, "Deprecation", "Sunset", "Link")
	fields := caddy.Logged(t, "X-Trace", trace)
	if fields["verdict"] != "would_refuse" || fields["rule"] != "lifecycle" || fields["reason"] != "version-retired" {
		t.Errorf("the access log says %v", fields)
	}
}

func TestWhereAHeaderPicksTheVersionEveryAnswerVariesByIt(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t, "api orders {", "api other {\nversion v1 {\nhosts other.example.com\n}\n}\napi orders {")
	for _, call := range []struct{ host, target, version string }{
		{"next.example.com", "/orders", ""},
		{"next.example.com", "/orders", "2"},
		{"next.example.com", "/orders", "9"},
		{"next.example.com", "/unknown", "2"},
		{"next.example.com", "/orders?limit=0", "2"},
	} {
		c := get(call.host, call.target)
		if call.version != "" {
			c = c.With("X-Api-Version", call.version)
		}
		c, _ = as(c)
		got := caddy.Do1(t, c)
		if vary := strings.Join(got.Header.Values("Vary"), ","); !strings.EqualFold(vary, "X-Api-Version") {
			t.Errorf("%v with version %q: status %d, Vary is %q", c, call.version, got.Status, vary)
		}
	}
	c, _ := as(get("other.example.com", "/orders"))
	wantNoHeader(t, caddy.Do1(t, c).Header, "Vary")
}
