package caddytest

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

func TestWhatAnErrorRouteRewritesAndIsRefusedGetsThatRefusal(t *testing.T) {
	t.Parallel()
	for _, refusals := range []string{"direct", "handle_errors"} {
		t.Run(refusals, func(t *testing.T) {
			t.Parallel()
			up := harness.NewUpstream(t)
			cfg := fleetConfig(up, "unknown_route enforce", "unknown_route enforce\nlimit doubly {\nrate 3/1h\n}")
			cfg.Guard = "refusals " + refusals + "\n" + cfg.Guard
			cfg.Sites = strings.ReplaceAll(doublySites, "/v2/files/moved", "/v2/nowhere")
			caddy := harness.Start(t, cfg)
			for name, do := range protocols(caddy) {
				call, trace := as(get("api.example.com", "/v2/orders/8"))
				got := do(t, call)
				if got.Status != http.StatusNotFound || !strings.Contains(string(got.Body), `"type":"urn:api-guard:unknown-route"`) || got.Header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s: %v, want 404 with the problem", name, got)
				}
				if seen := up.Requests("X-Trace", trace); len(seen) > 0 {
					t.Errorf("%s: the error route sent %q", name, seen[0].Line)
				}
			}
		})
	}
}

func TestPlaceholdersTellWhatTheLastGuardDecided(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up, "unknown_route enforce", "unknown_route monitor")
	cfg.Sites = `
http://api.example.com:<http> {
	log
	route {
		api_guard
		error /v2/orders/8 418
		rewrite /v2/nowhere /v2/orders
		rewrite /v2/orders/7 /v2/nowhere
		api_guard
		respond "{http.api_guard.operation} {http.api_guard.verdict} {http.api_guard.rule} {http.api_guard.reason}"
	}
	handle_errors {
		route {
			rewrite * /v2/nothing
			api_guard
			respond "{http.api_guard.operation} {http.api_guard.verdict} {http.api_guard.rule} {http.api_guard.reason}" 200
		}
	}
}
`
	caddy := harness.Start(t, cfg)
	for target, want := range map[string]string{
		"/v2/orders":   "listOrders allow  ",
		"/v2/nowhere":  "listOrders allow  ",
		"/v2/orders/7": " would_refuse unknown_route unknown-route",
		"/v2/orders/8": " would_refuse unknown_route unknown-route",
	} {
		if got := caddy.Do1(t, get("api.example.com", target)); string(got.Body) != want {
			t.Errorf("%s: %v, want %q", target, got, want)
		}
	}
}

// traced puts Caddy's tracing before the guard. It hands on a copy of the request, which
// is not the one that Caddy's error routes and placeholders have.
func traced(cfg harness.Config) harness.Config {
	cfg.Sites = strings.ReplaceAll(cfg.Sites, "\tlog\n", "\tlog\n\ttracing\n")
	cfg.Env = append(cfg.Env, "OTEL_TRACES_EXPORTER=none")
	return cfg
}

func TestFailuresThatAnErrorRouteAnswersCountWhereTracingCopiesTheRequest(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up, "unknown_route enforce", "unknown_route monitor\nrequest enforce", "rate 5/1m", "rate 5/10m\ncount failures\npenalty 15m")
	cfg.Sites = fallbackSites
	caddy := harness.Start(t, traced(cfg))
	up.Answer(answer(401, "{}"))
	for name, do := range protocols(caddy) {
		call, trace := as(post("API.example.com", "/v2/p%61ssword-reset", guess))
		wantFiveWrongGuesses(t, name, do, up, call, trace)
	}
}

func TestAGuardInErrorRoutesJudgesOnceWhereTracingCopiesTheRequest(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up, "unknown_route enforce", "unknown_route enforce\nlimit doubly {\nrate 3/1h\n}")
	cfg.Guard = "refusals handle_errors\n" + cfg.Guard
	cfg.Sites = doublySites
	caddy := harness.Start(t, traced(cfg))
	for name, do := range protocols(caddy) {
		call, _ := as(get("API.example.com", "/v2/%6Frders/7"))
		for n := 1; n <= 3; n++ {
			if got := do(t, call); string(got.Body) != "page for 502 allow" || len(got.Header["Ratelimit-Policy"]) != 1 {
				t.Errorf("%s: call %d of 3: %v", name, n, got)
			}
		}
		if got := do(t, call); got.Status != http.StatusTooManyRequests || !strings.Contains(string(got.Body), "Quota exceeded") {
			t.Errorf("%s: the fourth call of three: %v", name, got)
		}
		call, trace := as(get("API.example.com", "/v2/d%65bug"))
		if got := do(t, call); got.Status != http.StatusNotFound || !strings.Contains(string(got.Body), "unknown-route") || len(got.Header["Ratelimit-Policy"]) != 1 {
			t.Errorf("%s, a route of no document: %v", name, got)
		}
		if seen := up.Requests("X-Trace", trace); len(seen) > 0 {
			t.Errorf("%s: the error route sent %q", name, seen[0].Line)
		}
	}
}

func TestABodyThatTheGuardHasReadIsThereForTheErrorRoutes(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(harness.Config) harness.Config{
		"traced": traced, "as it is": func(cfg harness.Config) harness.Config { return cfg },
	} {
		up := harness.NewUpstream(t)
		cfg := fleetConfig(up, "unknown_route enforce", "request enforce")
		cfg.Sites = strings.ReplaceAll(fallbackSites, "header +Ratelimit", "rewrite * {uri}?again=yes\nheader +Ratelimit")
		caddy := harness.Start(t, change(cfg))
		for version, do := range protocols(caddy) {
			call, trace := as(post("api.example.com", "/v2/password-reset", guess))
			got := do(t, call)
			seen := up.Requests("X-Trace", trace)
			if got.Status != 200 || len(seen) != 1 || string(seen[0].Body) != guess || seen[0].Target() != "/v2/password-reset?again=yes" {
				t.Errorf("%s, %s: %v, and the upstream got %v", name, version, got, seen)
			}
		}
	}
}

func TestAnotherSpellingIsNoOtherBucketWhereTracingCopiesTheRequest(t *testing.T) {
	t.Parallel()
	for key, targets := range map[string][]string{
		"{http.request.hostport}":      {"api.example.com/v2/orders", "API.example.com/v2/orders", "aPi.example.com/v2/orders", "api.example.com./v2/orders"},
		"{http.request.orig_uri}":      {"api.example.com/v2/orders", "api.example.com/v2/%6Frders", "api.example.com/v2/%6F%72ders", "api.example.com/v2/o%72ders"},
		"{http.request.host.labels.2}": {"api.example.com/v2/orders", "API.example.com/v2/orders", "api.example.com./v2/orders", "api.EXAMPLE.com./v2/orders"},
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			for name, change := range map[string]func(harness.Config) harness.Config{
				"traced": traced, "as it is": func(cfg harness.Config) harness.Config { return cfg },
			} {
				cfg := fleetConfig(harness.NewUpstream(t), "unknown_route enforce", "unknown_route enforce\nlimit spelled {\nkey "+key+"\nrate 3/1h\n}")
				cfg.Sites = "http:// {\n\tlog\n\tapi_guard\n\treverse_proxy 127.0.0.1:<upstream>\n}"
				caddy := harness.Start(t, change(cfg))
				for n, target := range targets {
					host, path, _ := strings.Cut(target, "/")
					want := http.StatusOK
					if n == 3 {
						want = http.StatusTooManyRequests
					}
					if got := caddy.Do1(t, get(host, "/"+path)); got.Status != want {
						t.Errorf("%s, call %d of 3, %s: %v", name, n+1, target, got)
					}
				}
			}
		})
	}
}

// A limit in monitor that counts by what is in the body is asked when that has passed,
// which it may do in an error route alone.
func TestMonitoredLimitsCountByTheBodyThatAnErrorRoutePasses(t *testing.T) {
	t.Parallel()
	for _, counts := range []string{"failures", "requests"} {
		t.Run(counts, func(t *testing.T) {
			t.Parallel()
			caddy, up := startFallback(t, "key {client_ip}", "key {http.api_guard.body./code}\ncount "+counts+"\nmode monitor", "unknown_route enforce", "request monitor")
			up.Answer(answer(401, "{}"))
			list := func(code string) int {
				var found struct{ Items []bucket }
				caddy.Query(t, "/api_guard/limits?limit=password_reset&key="+code, &found)
				used := 0
				for _, b := range found.Items {
					used += b.Used
				}
				return used
			}
			for n, code := range []string{"111111", "222222", "111111"} {
				if got := caddy.Do1(t, post("api.example.com", "/v2/password-reset", strings.Replace(guess, "123456", code, 1))); got.Status != 401 {
					t.Errorf("guess %d: %v", n, got)
				}
			}
			want := map[string]int{"111111": 2, "222222": 1, "": 0}
			harness.Await(t, "the buckets", func() (string, bool) { // which may come after the answer
				got := map[string]int{}
				for code := range want {
					got[code] = list(code)
				}
				return fmt.Sprintf("they have %v, want %v", got, want), maps.Equal(got, want)
			})
		})
	}
}

func TestViolationsThatPassByAnErrorRouteAloneCount(t *testing.T) {
	t.Parallel()
	caddy, up := startFallback(t, "unknown_route enforce", "request monitor\nlimit bad {\ncount violations\nrate 2/1h\n}")
	wrong, client := as(post("api.example.com", "/v2/orders", `{"sku":7}`))
	right, twin := as(post("api.example.com", "/v2/orders", `{"sku":"ABC-1234","quantity":1}`))
	for n, want := range []int{200, 200, 429} {
		if got := caddy.Do1(t, wrong); got.Status != want {
			t.Errorf("wrong body %d: %v, want %d", n+1, got, want)
		}
		if got := caddy.Do1(t, right); got.Status != 200 {
			t.Errorf("right body %d: %v", n+1, got)
		}
	}
	if seen := len(up.Requests("X-Trace", client)); seen != 2 {
		t.Errorf("%d wrong bodies reached the upstream", seen)
	}
	if seen := len(up.Requests("X-Trace", twin)); seen != 3 {
		t.Errorf("%d right bodies reached the upstream", seen)
	}
}
