package caddytest

import (
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// tellingSites put what the guard knows into the answer and leave refusals to
// Caddy's error routes where the guard is told to.
const tellingSites = `
http://:<http> {
	log
	api_guard
	header >X-Verdict "{http.api_guard.api}|{http.api_guard.version}|{http.api_guard.state}|{http.api_guard.operation}|{http.api_guard.verdict}|{http.api_guard.rule}|{http.api_guard.reason}"
	reverse_proxy 127.0.0.1:<upstream>
	handle_errors {
		respond "page for {err.status_code} {http.api_guard.reason} {http.request.orig_uri}" {err.status_code}
	}
}
`

func TestPlaceholdersAndTheAccessLogTellTheVerdict(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up, "unknown_route enforce", "unknown_route monitor")
	cfg.Sites = tellingSites
	caddy := harness.Start(t, cfg)
	for _, row := range []struct {
		call    harness.Call
		verdict string // api, version, state, operation, verdict, rule, reason
	}{
		{get("api.example.com", "/v2/orders/7"), "orders|v2|active|getOrder|allow||"},
		{get("beta.example.com", "/v3/orders"), "orders|beta|beta|listOrders|allow||"},
		{get("legacy.example.com", "/v1/orders"), "orders|v1|deprecated|listOrders|allow||"},
		{get("api.example.com", "/v2/debug"), "orders|v2|active||would_refuse|unknown_route|unknown-route"},
		{get("legacy.example.com", "/v0/orders"), "orders|v0|retired||refuse|lifecycle|version-retired"},
		{get("api.example.com", "/v2/orders?limit=0"), "orders|v2|active|listOrders|refuse|request|request-invalid"},
		{get("api.example.com", "/v2/../orders"), "||||refuse|target|malformed-target"},
		{get("shadow.example.com", "/"), "||||refuse|unknown_host|unknown-host"},
	} {
		t.Run(row.call.String(), func(t *testing.T) {
			call, trace := as(row.call)
			got := caddy.Do1(t, call)
			fields := caddy.Logged(t, "X-Trace", trace)
			var logged []string
			for _, name := range []string{"api", "version", "state", "operation", "verdict", "rule", "reason"} {
				value, _ := fields[name].(string)
				logged = append(logged, value)
			}
			if got := strings.Join(logged, "|"); got != row.verdict {
				t.Errorf("the access log says %q, want %q", got, row.verdict)
			}
			if got.Status == 200 && got.Header.Get("X-Verdict") != row.verdict {
				t.Errorf("the placeholders say %q, want %q", got.Header.Get("X-Verdict"), row.verdict)
			}
		})
	}
}

func TestRefusalsGoToCaddysErrorRoutesWhenTheyAreToldTo(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up)
	cfg.Guard = "refusals handle_errors\n" + cfg.Guard
	cfg.Sites = tellingSites
	caddy := harness.Start(t, cfg)
	for target, page := range map[string]string{
		"/v2/debug":          "page for 404 unknown-route /v2/debug",
		"/v2/orders?limit=0": "page for 400 request-invalid /v2/orders?limit=0",
	} {
		call, _ := as(get("api.example.com", target))
		if got := caddy.Do1(t, call); string(got.Body) != page || got.Header.Get("Content-Type") == "application/problem+json" {
			t.Errorf("%s: %v", target, got)
		}
	}
	call, trace := as(get("api.example.com", "/v2/orders"))
	if got := caddy.Do1(t, call); got.Status != 200 || len(up.Requests("X-Trace", trace)) != 1 {
		t.Errorf("a documented call: %v", got)
	}
}

func TestAnUpgradeThatNobodyDeclaredIsTakenOut(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	call, trace := as(get("api.example.com", "/v2/orders").With("Connection", "Upgrade").With("Upgrade", "websocket"))
	if got := caddy.Do1(t, call); got.Status != 200 {
		t.Fatalf("got %v", got)
	}
	seen := up.Requests("X-Trace", trace)
	if len(seen) != 1 || len(seen[0].Values("Upgrade")) != 0 {
		t.Errorf("the upstream got %q", seen)
	}
}

// overrides are fields by which some upstreams take another method, URL or client
// address than the request has.
var overrides = []string{
	"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
	"X-Original-URL", "X-Rewrite-URL", "X-Real-IP", "True-Client-IP",
}

func TestFieldsThatOverrideTheRequestPassFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	for _, trusted := range []bool{true, false} {
		up := harness.NewUpstream(t)
		cfg := fleetConfig(up)
		cfg.Untrusted = !trusted
		caddy := harness.Start(t, cfg)
		for _, name := range overrides {
			call, trace := as(get("api.example.com", "/v2/orders").With(name, "/v2/debug").With("X-Harmless", "1"))
			if got := caddy.Do1(t, call); got.Status != 200 {
				t.Fatalf("%s: %v", name, got)
			}
			seen := up.Requests("X-Trace", trace)
			if len(seen) != 1 || (len(seen[0].Values(name)) == 1) != trusted || len(seen[0].Values("X-Harmless")) != 1 {
				t.Errorf("%s from a client that is trusted: %v: the upstream got %q", name, trusted, seen)
			}
		}
	}
}
