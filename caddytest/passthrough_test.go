package caddytest

import (
	"slices"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// passthroughs are health probes at addresses, static files, and a path in the
// claim of an internal version.
const passthroughs = `
audience lab 198.18.0.0/15
audience office 203.0.113.0/24
passthrough probes {
	path /healthz
	methods GET
	reason "the load balancer asks each address"
}
passthrough cache {
	path    /cache/*
	methods PURGE
	reason  "the cache is emptied by address"
}
passthrough site {
	hosts www.example.com [::1]
	path / /assets/*
	reason "static files"
}
policy {
	unknown_route enforce
	limit per_client {
		rate 2/1h
	}
}
api orders {
	version v2 {
		hosts api.example.com
		path /v2
		spec orders.yaml
	}
	version v3 {
		hosts next.example.com
		audience lab
	}
	version v4 {
		hosts inner.example.com
		audience office
	}
}
`

// routeWithPass is an entry of the inventory that may be no API.
type routeWithPass struct {
	route
	Passthrough *struct{ Name, Reason string } `json:"passthrough"`
}

func TestWhatIsNoAPIPassesWithoutLimitsAndIsListed(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, harness.Config{Guard: passthroughs, Sites: everyHost, Upstream: up, Files: map[string]string{"orders.yaml": ordersDocument}})
	post := harness.Call{Method: "POST", Host: "127.0.0.1", Target: "/healthz"}
	for _, c := range []struct {
		name   string
		call   harness.Call
		status int
		reason string
	}{
		{"a probe by address", get("127.0.0.1", "/healthz"), 200, passed},
		{"a probe by address and port", get("127.0.0.1:8080", "/healthz"), 200, passed},
		{"a probe by IPv6 address", get("[2001:db8::1]:8080", "/healthz"), 200, passed},
		{"a probe of a host that nobody declared", get("pod-7.internal", "/healthz"), 200, passed},
		{"a probe of an API's host", get("api.example.com", "/healthz"), 200, passed},
		{"HEAD for GET", harness.Call{Method: "HEAD", Host: "127.0.0.1", Target: "/healthz"}, 200, passed},
		{"a file", get("www.example.com", "/assets/app.js?v=2"), 200, passed},
		{"the front page by address", get("[::1]", "/"), 200, passed},
		{"an upgrade in its way", get("www.example.com", "/assets/x").With("X-Forwarded-Host", "a").With("X-Original-URL", "/b"), 200, passed},
		{"within an audience", get("next.example.com", "/healthz"), 200, passed},

		{"a method that only the passthrough has", harness.Call{Method: "PURGE", Host: "127.0.0.1", Target: "/cache/a"}, 200, passed},
		{"that method elsewhere", harness.Call{Method: "PURGE", Host: "127.0.0.1", Target: "/healthz"}, 400, "malformed-target"},
		{"another method", post, 421, "unknown-host"},
		{"another path of an address", get("127.0.0.1", "/metrics"), 421, "unknown-host"},
		{"another path of a host of files", get("www.example.com", "/admin"), 421, "unknown-host"},
		{"out of the folder", get("www.example.com", "/assets/../admin"), 400, "malformed-target"},
		{"out of the folder, encoded", get("www.example.com", "/assets/%2e%2e%2fadmin"), 400, "malformed-target"},
		{"another path of an API's host", get("api.example.com", "/debug"), 404, "unknown-route"},
		{"outside of the audience", get("inner.example.com", "/healthz"), 403, "audience-denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The limit admits two an hour: what is no API is not charged for.
			for range 3 {
				call, trace := as(c.call)
				got := caddy.Do1(t, call)
				if c.reason != passed {
					refused(t, got, c.status, c.reason)
					return
				}
				seen := up.Requests("X-Trace", trace)
				if got.Status != c.status || len(seen) != 1 || seen[0].Target() != call.Target {
					t.Fatalf("%v: %v, %d requests upstream", call, got, len(seen))
				}
				if got.Header.Get("RateLimit") != "" {
					t.Errorf("the answer tells of a limit: %v", got)
				}
			}
		})
	}
	t.Run("in the inventory", func(t *testing.T) {
		harness.Await(t, "the entries", func() (string, bool) {
			var list listing[routeWithPass]
			caddy.Query(t, "/api_guard/routes?reason=passthrough&sort=path", &list)
			var all []string
			for _, r := range list.Items {
				if r.Passthrough == nil || r.Passthrough.Reason == "" || r.Documented || r.State != "active" || !slices.Equal(r.Reasons, []string{"passthrough"}) {
					t.Fatalf("%+v", r)
				}
				all = append(all, r.Passthrough.Name+" "+r.Method+" "+r.Host+r.Path)
				if r.Path == "/healthz" && r.Count != 22 { // 7 that pass three times, and one refused
					return "it counts other requests", false
				}
			}
			want := []string{"site * ::1/", "site * www.example.com/", "site * ::1/assets/*", "site * www.example.com/assets/*", "cache PURGE */cache/*", "probes GET */healthz"}
			return strings.Join(all, "\n"), slices.Equal(all, want)
		})
		var list listing[map[string]any]
		caddy.Query(t, "/api_guard/findings?open=true", &list)
		for _, f := range list.Items {
			if subject, _ := f["subject"].(map[string]any); subject["path"] == "/healthz" || subject["host"] == "*" {
				t.Errorf("a finding about what is no API: %v", f)
			}
		}
		var hosts listing[struct {
			Host     string
			Declared bool
		}]
		caddy.Query(t, "/api_guard/hosts", &hosts)
		for _, h := range hosts.Items {
			if h.Host == "*" || h.Host == "www.example.com" && !h.Declared {
				t.Errorf("%+v", h)
			}
		}
	})
}

func TestAPassthroughThatAVersionHasIsAnErrorThatNamesTheLine(t *testing.T) {
	for _, c := range []struct{ lines, says string }{
		{"path /healthz", "has no reason"},
		{"reason x", "would pass everything: add one of them, at "},
		{"reason x\npath /a*", `the path "/a*" is no path`},
		{"reason x\npath /a\nmethods get", `method "get": write names in upper case`},
		{"reason x\npath /a\npath /b", "path is written twice"},
	} {
		_, err := adapt(t, "Caddyfile", "{\napi_guard {\npassthrough p {\n"+c.lines+"\n}\napi a {\nversion v1 {\nhosts a.example.com\n}\n}\n}\n}\n")
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: %v, want %q", c.lines, err, c.says)
		}
	}
}
