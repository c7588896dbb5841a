package caddytest

import (
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// To the frameworks of PHP "/index.php/orders" is "/orders": it is no way to a version that
// has ended, nor round a limit, where unknown routes are only recorded.
func TestAScriptInAPathIsNoWayRound(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t, "unknown_route enforce", "unknown_route monitor", "rate 5/1m", "rate 5/1h")
	for name, do := range protocols(caddy) {
		for _, call := range []harness.Call{
			post("api.example.com", "/index.php/v2/password-reset", guess),
			post("api.example.com", "/v2/index.php/password-reset", guess),
			post("api.example.com", "/Index.PHP/v2/password-reset.json", guess),
			post("next.example.com", "/cgi-bin/app.fcgi/password-reset", guess),
			get("api.example.com", "/index.php/v2/orders/7"),
			get("legacy.example.com", "/index.php/v0/orders"),
		} {
			call, client := as(call)
			refused(t, do(t, call), 400, "ambiguous-target")
			if seen := up.Requests("X-Trace", client); len(seen) > 0 {
				t.Errorf("%s, %v: the upstream got %q", name, call, seen)
			}
		}
		for _, target := range []string{"/index.php", "/index.php/blog/7", "/v2/orders.php/x"} {
			call, client := as(get("api.example.com", target))
			if got := do(t, call); got.Status != 200 || len(up.Requests("X-Trace", client)) != 1 {
				t.Errorf("%s, %s: %v", name, target, got)
			}
		}
	}

	// What is only recorded counts nevertheless.
	caddy, up = startFleet(t, "unknown_route enforce", "unknown_route monitor\ntarget monitor", "rate 5/1m", "rate 5/1h")
	for name, do := range protocols(caddy) {
		client := harness.NewClient()
		for n, target := range []string{"/index.php/v2", "/v2", "/v2/index.php", "/INDEX.PHP/v2", "/app.php/v2", "/v2", "/index.php/v2"} {
			want := 200
			if n >= 5 {
				want = 429
			}
			call := post("api.example.com", target+"/password-reset", guess).With("X-Forwarded-For", client).With("X-Trace", client)
			if got := do(t, call); got.Status != want {
				t.Errorf("%s, guess %d at %s: %v, want %d", name, n+1, target, got, want)
			}
		}
		if seen := len(up.Requests("X-Trace", client)); seen != 5 {
			t.Errorf("%s: the upstream got %d guesses", name, seen)
		}
	}
}
