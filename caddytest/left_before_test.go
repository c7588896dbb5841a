package caddytest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// leftBeforeSites rewrite before a guard, so that the error routes get another target
// than the one that it judged.
const leftBeforeSites = `
http://api.example.com:<http>, https://api.example.com:<https> {
	tls internal
	handle_path /shop/* {
		api_guard
		reverse_proxy 127.0.0.1:<upstream>
	}
	handle /twice/* {
		route {
			api_guard
			uri strip_prefix /twice
			api_guard
			reverse_proxy 127.0.0.1:<upstream>
		}
	}
	handle_errors {
		route {
			api_guard
			reverse_proxy 127.0.0.1:<upstream>
		}
	}
}
http://:<http> {
	import guarded
}
`

func TestAGuardInErrorRoutesRefusesWhatWasRewrittenBeforeItWasRefused(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up, "unknown_route enforce", "unknown_route monitor\nlimit few {\noperations listOrders getOrder\nrate 3/1h\n}")
	cfg.Guard = "refusals handle_errors\n" + cfg.Guard
	cfg.Sites = leftBeforeSites
	caddy := harness.Start(t, cfg)
	for name, do := range protocols(caddy) {
		for _, target := range []string{"/shop/v2/orders", "/sh%6Fp/v2/%6Frders", "/twice/v2/orders", "/twice/v2/orders/7"} {
			call, trace := as(get("api.example.com", target))
			for n := 1; n <= 3; n++ {
				if got := do(t, call); got.Status != 200 {
					t.Errorf("%s, %s, call %d of 3: %v", name, target, n, got)
				}
			}
			got := do(t, call)
			if got.Status != http.StatusTooManyRequests || !strings.Contains(string(got.Body), `"title":"Quota exceeded"`) {
				t.Errorf("%s, %s: the fourth call of three: %v", name, target, got)
			}
			if seen := up.Requests("X-Trace", trace); len(seen) != 3 {
				t.Errorf("%s, %s: %d calls of three reached the upstream, the last was %q", name, target, len(seen), seen[len(seen)-1].Line)
			}
		}
		for target, want := range map[string]int{"/shop/v2/orders/%c3": 400, "/shop/v2/orders?limit=5&x=%c3": 400} {
			call, trace := as(get("api.example.com", target))
			if got, seen := do(t, call), up.Requests("X-Trace", trace); got.Status != want || len(seen) != 0 {
				t.Errorf("%s, %s: %v, want %d; %d reached the upstream", name, target, got, want, len(seen))
			}
		}
	}
}
