package caddytest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// doublySites have a guard before the error routes too, as coverage asks for. The
// upstream of /v2/orders/7 is down.
const doublySites = `
http://api.example.com:<http>, https://api.example.com:<https> {
	tls internal
	log
	api_guard
	@gone path /v2/orders/7
	reverse_proxy @gone 127.0.0.1:1
	error /v2/orders/8 418
	@posted method POST
	error @posted 503
	reverse_proxy 127.0.0.1:<upstream>
	handle_errors {
		route {
			@moved expression {err.status_code} == 418
			rewrite @moved /v2/files/moved
			api_guard
			@refused expression {err.status_code} < 500
			reverse_proxy @refused 127.0.0.1:<upstream>
			respond "page for {err.status_code} {http.api_guard.verdict}" {err.status_code}
		}
	}
}
http://:<http> {
	import guarded
}
`

func startDoubly(t *testing.T, options string) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up, "unknown_route enforce", "unknown_route enforce\nlimit doubly {\nrate 3/1h\n}")
	cfg.Guard = options + cfg.Guard
	cfg.Sites = doublySites
	return harness.Start(t, cfg), up
}

func TestAGuardInErrorRoutesDoesNotJudgeAndChargeASecondTime(t *testing.T) {
	t.Parallel()
	caddy, up := startDoubly(t, "")
	for name, do := range protocols(caddy) {
		for _, row := range []struct {
			name string
			call harness.Call
			page string
		}{
			{"an upstream that is down", get("api.example.com", "/v2/orders/7"), "page for 502 allow"},
			{"in another spelling", get("API.example.com", "/v2/%6Frders/7"), "page for 502 allow"},
			{"with a body, which is read by then", post("api.example.com", "/v2/orders", `{"sku":"ABC-1234","quantity":1}`), "page for 503 allow"},
		} {
			call, _ := as(row.call)
			for n := 1; n <= 3; n++ {
				got := do(t, call)
				if string(got.Body) != row.page || len(got.Header["Ratelimit-Policy"]) != 1 {
					t.Errorf("%s, %s, call %d of 3: %v, want %q and one policy field", name, row.name, n, got, row.page)
				}
			}
			if got := do(t, call); got.Status != http.StatusTooManyRequests {
				t.Errorf("%s, %s: the fourth call of three: %v", name, row.name, got)
			}
		}
	}
	// What the error route has made another request of it is judged as that.
	call, trace := as(get("api.example.com", "/v2/orders/8"))
	got := caddy.Do1(t, call)
	if seen := up.Requests("X-Trace", trace); got.Status != 200 || len(seen) != 1 || len(got.Header["Ratelimit"]) != 1 || !strings.HasPrefix(got.Header.Get("Ratelimit"), `"doubly";r=1;`) {
		t.Errorf("a request that the error route rewrites: %v, the upstream got %v", got, seen)
	}
}

func TestAGuardInErrorRoutesRefusesWhatWasRefused(t *testing.T) {
	t.Parallel()
	caddy, up := startDoubly(t, "refusals handle_errors\n")
	for name, do := range protocols(caddy) {
		for _, row := range []struct {
			name   string
			call   harness.Call
			status int
			reason string
		}{
			{"a route of no document", get("api.example.com", "/v2/debug"), 404, "unknown-route"},
			{"a target in two meanings", get("api.example.com", "/v2/orders/../debug"), 400, "malformed-target"},
			{"a body", post("api.example.com", "/v2/orders", `{"sku":7}`), 400, "request-invalid"},
		} {
			call, trace := as(row.call)
			got := do(t, call)
			if got.Status != row.status || !strings.Contains(string(got.Body), `"type":"urn:api-guard:`+row.reason+`"`) || got.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s, %s: %v, want %d with the problem %s", name, row.name, got, row.status, row.reason)
			}
			if seen := up.Requests("X-Trace", trace); len(seen) > 0 {
				t.Errorf("%s, %s: the error route sent %q", name, row.name, seen[0].Line)
			}
		}
		// The twin: what passes gets its page.
		call, _ := as(get("api.example.com", "/v2/orders/7"))
		if got := do(t, call); got.Status != 502 || string(got.Body) != "page for 502 allow" {
			t.Errorf("%s: an upstream that is down: %v", name, got)
		}
	}
}
