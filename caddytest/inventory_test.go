package caddytest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// route is an entry of the inventory as the admin API tells it.
type route struct {
	ID         string         `json:"id"`
	API        string         `json:"api"`
	Version    string         `json:"version"`
	Host       string         `json:"host"`
	Method     string         `json:"method"`
	Path       string         `json:"path"`
	Documented bool           `json:"documented"`
	Lifecycle  string         `json:"lifecycle"`
	State      string         `json:"state"`
	Reasons    []string       `json:"reasons"`
	Evidence   string         `json:"evidence"`
	FirstSeen  time.Time      `json:"first_seen"`
	LastSeen   time.Time      `json:"last_seen"`
	Count      int            `json:"count"`
	Statuses   map[string]int `json:"statuses"`
}

// listing is the frame of every list of the admin API.
type listing[T any] struct {
	Items    []T       `json:"items"`
	Next     string    `json:"next"`
	AsOf     time.Time `json:"as_of"`
	Complete *bool     `json:"complete"`
	Gaps     []any     `json:"gaps"`
}

// awaitRoute waits until the answer to a query holds that route and returns it.
func awaitRoute(t *testing.T, caddy *harness.Caddy, query, host, method, path string) route {
	t.Helper()
	var found route
	harness.Await(t, fmt.Sprintf("%s %s%s in %s", method, host, path, query), func() (string, bool) {
		var list listing[route]
		caddy.Query(t, query, &list)
		if list.AsOf.IsZero() || list.Complete == nil || list.Gaps == nil {
			return "the list says no as_of, complete or gaps", false
		}
		for _, r := range list.Items {
			if r.Host == host && r.Method == method && r.Path == path {
				found = r
				return "", true
			}
		}
		return fmt.Sprintf("it has %+v", list.Items), false
	})
	return found
}

func TestWhatAnswersStandsInTheInventory(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t, "unknown_route enforce", "unknown_route monitor")
	up.Answer(func(r harness.Recorded) string {
		if strings.Contains(r.Target(), "absent") {
			return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
		}
		return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	})
	for _, row := range []struct {
		name, method, host, target, path    string
		state, lifecycle, evidence, version string
		documented                          bool
	}{
		{"a documented route", "GET", "api.example.com", "/v2/orders/7", "/v2/orders/{id}", "active", "active", "confirmed", "v2", true},
		{"a deprecated route", "GET", "legacy.example.com", "/v1/orders/7", "/v1/orders/{id}", "deprecated", "deprecated", "confirmed", "v1", true},
		{"a beta route", "GET", "beta.example.com", "/v3/orders", "/v3/orders", "active", "beta", "confirmed", "beta", true},
		{"an undocumented route that answers", "GET", "api.example.com", "/v2/debug", "/v2/debug", "shadow", "active", "confirmed", "v2", false},
		{"an undocumented route that is not there", "GET", "api.example.com", "/v2/absent", "/v2/absent", "shadow", "active", "scan", "v2", false},
		{"a route of a version without a document", "POST", "legacy.example.com", "/internal/jobs", "/internal/jobs", "shadow", "active", "confirmed", "internal", false},
		{"a refused route of a retired version", "GET", "legacy.example.com", "/v0/orders", "/v0/orders", "shadow", "retired", "refused", "v0", false},
		{"a CORS preflight", "OPTIONS", "api.example.com", "/v2/orders", "/v2/orders", "shadow", "active", "scan", "v2", false},
		{"a path under no version", "GET", "api.example.com", "/admin", "/admin", "shadow", "", "confirmed", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			call, _ := as(harness.Call{Method: row.method, Host: row.host, Target: row.target + "?token=s3cret"})
			if row.method == "OPTIONS" {
				call = call.With("Origin", "https://shop.example").With("Access-Control-Request-Method", "POST")
			}
			caddy.Do1(t, call)
			got := awaitRoute(t, caddy, "/api_guard/routes?host="+row.host+"&path="+row.path[:4]+"&evidence="+row.evidence, row.host, row.method, row.path)
			if got.State != row.state || got.Documented != row.documented || got.Evidence != row.evidence || got.Version != row.version || got.Lifecycle != row.lifecycle {
				t.Errorf("the entry is %+v", got)
			}
			if got.Count < 1 || got.FirstSeen.IsZero() || got.LastSeen.Before(got.FirstSeen) {
				t.Errorf("the entry has count %d, seen from %v to %v", got.Count, got.FirstSeen, got.LastSeen)
			}
			var one route
			caddy.Query(t, "/api_guard/routes/"+got.ID, &one)
			if one.ID != got.ID || one.Path != got.Path {
				t.Errorf("the entry by its id is %+v", one)
			}
		})
	}
	_, body := caddy.Ask(t, "GET", "/api_guard/routes?limit=1000")
	if strings.Contains(string(body), "s3cret") {
		t.Error("the inventory holds a query's value")
	}
}

func TestAnUndeclaredHostIsListedWithWhatItWasAskedFor(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	call, _ := as(get("shadow.example.com", "/v2/orders"))
	refused(t, caddy.Do1(t, call), 421, "unknown-host")
	type host struct {
		Host     string `json:"host"`
		Declared bool   `json:"declared"`
		Count    int    `json:"count"`
	}
	harness.Await(t, "both hosts in /api_guard/hosts", func() (string, bool) {
		var list listing[host]
		caddy.Query(t, "/api_guard/hosts", &list)
		seen := map[string]host{}
		for _, h := range list.Items {
			seen[h.Host] = h
		}
		shadow, api := seen["shadow.example.com"], seen["api.example.com"]
		return fmt.Sprintf("%+v", list.Items), shadow.Count == 1 && !shadow.Declared && api.Declared
	})
}

func TestTheAdminAPIRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	for path, status := range map[string]int{
		"/api_guard/routes":                           200,
		"/api_guard/routes?state=shadow&state=active": 200,
		"/api_guard/routes?colour=red":                400,
		"/api_guard/routes?state=purple":              400,
		"/api_guard/routes?limit=0":                   400,
		"/api_guard/routes?limit=1001":                400,
		"/api_guard/routes?cursor=nonsense":           400,
		"/api_guard/routes?since=yesterday":           400,
		"/api_guard/routes/no-such-id":                404,
		"/api_guard/apis":                             200,
		"/api_guard/hosts":                            200,
		"/api_guard/health":                           200,
	} {
		if got, body := caddy.Ask(t, "GET", path); got != status {
			t.Errorf("GET %s: status %d, want %d: %s", path, got, status, body)
		} else if status != 200 && !strings.Contains(string(body), `"error"`) {
			t.Errorf("GET %s: %s is not Caddy's form of an error", path, body)
		}
	}
	if status, body := caddy.Ask(t, "POST", "/api_guard/routes"); status != 405 {
		t.Errorf("POST /api_guard/routes: status %d: %s", status, body)
	}
}
