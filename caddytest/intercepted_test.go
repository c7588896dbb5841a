package caddytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

const interceptedSites = `
http://api.example.com:<http>, https://api.example.com:<https>, http://legacy.example.com:<http>, https://legacy.example.com:<https> {
	tls internal
	log
	route {
		intercept {
			@failed status 4xx 5xx
			handle_response @failed {
				route {
					header -Content-Length
					request_header X-Second yes
					rewrite /v2/orders/8 /v2/orders/9
					api_guard
					reverse_proxy 127.0.0.1:<upstream>
				}
			}
		}
		api_guard
		reverse_proxy 127.0.0.1:<upstream>
	}
}
`

// A guard in the routes on an answer that an intercept has taken goes on with the request
// that the first one has judged: it is charged once, what counts by the answer counts the
// last one too, and what was refused stays refused.
func TestAGuardInTheRoutesOfAnInterceptChargesOnce(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	up.Answer(func(r harness.Recorded) string {
		first, second, _ := strings.Cut(strings.Join(r.Values("X-Say"), ""), " ")
		if len(r.Values("X-Second")) > 0 {
			first = second
		}
		return "HTTP/1.1 " + first + " As Told\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	})
	for _, mode := range []string{"enforce", "monitor"} {
		cfg := fleetConfig(up, "unknown_route enforce", `unknown_route enforce
response `+mode+`
limit each {
	rate 3/1h
}
limit guesses {
	rate 9/1h
	count failures
	concurrency 2
}
limit scans {
	rate 9/1h
	count unknown
}
limit wrong {
	rate 9/1h
	count violations
}`)
		cfg.Sites = interceptedSites
		caddy := harness.Start(t, cfg)
		for name, do := range protocols(caddy) {
			for _, row := range []struct {
				host, target, says          string
				status, reached             int
				each, guesses, scans, wrong int
				reason                      string
			}{
				{"api", "/v2/orders/7", "200 500", 200, 1, 1, 0, 0, 0, ""},
				{"api", "/v2/orders/7", "404 200", 200, 2, 1, 0, 0, 0, ""},
				{"api", "/v2/orders/7", "404 401", 401, 2, 1, 1, 0, 0, ""},
				{"api", "/v2/orders/7", "401 200", 200, 2, 1, 1, 0, 0, ""},
				{"api", "/v2/orders/7", "401 401", 401, 2, 1, 1, 0, 0, ""},
				{"api", "/v2/orders/8", "404 200", 200, 2, 2, 0, 0, 0, ""}, // rewritten
				{"api", "/v2/nothing", "200 200", 404, 0, 1, 0, 1, 0, "unknown-route"},
				{"api", "/v2/orders?limit=0", "200 200", 400, 0, 1, 0, 0, 1, "request-invalid"},
				{"api", "/v2/../v2/orders", "200 200", 400, 0, 0, 0, 0, 1, "malformed-target"},
				{"legacy", "/v1/orders/7", "404 200", 200, 2, 1, 0, 0, 0, ""},
				{"legacy", "/v0/orders/7", "404 200", 410, 0, 1, 0, 0, 0, "version-retired"},
			} {
				call, client := as(get(row.host+".example.com", row.target))
				got := do(t, call.With("X-Say", row.says))
				what := fmt.Sprintf("%s, %s, %s of %s", mode, name, row.says, row.target)
				if row.reason != "" {
					refused(t, got, row.status, row.reason)
				}
				if seen := len(up.Requests("X-Trace", client)); got.Status != row.status || seen != row.reached {
					t.Errorf("%s: %v, and %d at the upstream", what, got, seen)
				}
				for limit, used := range map[string]int{"each": row.each, "guesses": row.guesses, "scans": row.scans, "wrong": row.wrong} {
					if b := counted(t, caddy, limit, client); b.Used != used {
						t.Errorf("%s: %s is %+v, want %d used", what, limit, b, used)
					}
				}
				harness.Await(t, "nothing to be on its way", func() (string, bool) {
					b := counted(t, caddy, "guesses", client)
					return fmt.Sprintf("%+v", b), b.Pending == 0 && *b.Concurrent == 0
				})
				if names := fmt.Sprint(told(got, "Ratelimit"), told(got, "Ratelimit-Policy")); row.each > 0 && names != "[each guesses scans wrong] [each guesses scans wrong]" {
					t.Errorf("%s: it tells of %s", what, names)
				}
				if links := len(got.Header["Deprecation"]); row.host == "legacy" && links != 1 || row.host != "legacy" && links != 0 {
					t.Errorf("%s: Deprecation %q", what, got.Header["Deprecation"])
				}
				if links := strings.Count(strings.Join(got.Header["Link"], ","), "successor-version"); links > 1 {
					t.Errorf("%s: Link %q", what, got.Header["Link"])
				}
			}
			call, client := as(get("api.example.com", "/v2/orders/7").With("X-Say", "404 404"))
			for n := 1; n <= 3; n++ {
				if got := do(t, call); got.Status != 404 {
					t.Errorf("%s, %s, call %d of 3: %v", mode, name, n, got)
				}
			}
			refused(t, do(t, call), 429, "quota-exceeded")
			if seen := len(up.Requests("X-Trace", client)); seen != 6 {
				t.Errorf("%s, %s: the upstream got %d, want 6", mode, name, seen)
			}
		}
	}
}

// The catalogue that the guard itself answers is charged once as well, and told of once.
func TestTheCatalogueThatAnInterceptTakesIsChargedOnce(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up, "unknown_route enforce", "unknown_route enforce\nlimit each {\nrate 3/1h\n}\nlimit guesses {\nrate 9/1h\ncount failures\nconcurrency 2\n}")
	cfg.Sites = strings.Replace(interceptedSites, "status 4xx 5xx", "status 2xx 4xx 5xx", 1)
	caddy := harness.Start(t, cfg)
	for name, do := range protocols(caddy) {
		for target, row := range map[string]struct {
			status int
			holds  string
		}{
			catalogPath:                            {200, `"linkset"`},
			catalogPath + "?api=orders&version=v2": {200, "openapi: 3"},
			catalogPath + "?api=none":              {404, "api-catalog"},
		} {
			call, client := as(get("api.example.com", target))
			for n := 1; n <= 3; n++ {
				got := do(t, call)
				if got.Status != row.status || !strings.Contains(string(got.Body)+got.Header.Get("Link"), row.holds) || len(got.Header["Link"]) != 1 {
					t.Errorf("%s, %s, call %d of 3: %v", name, target, n, got)
				}
				if names := fmt.Sprint(told(got, "Ratelimit"), told(got, "Ratelimit-Policy")); names != "[each guesses] [each guesses]" {
					t.Errorf("%s, %s: it tells of %s", name, target, names)
				}
				if b := counted(t, caddy, "each", client); b.Used != n {
					t.Errorf("%s, %s, call %d of 3: %+v", name, target, n, b)
				}
				if b := counted(t, caddy, "guesses", client); b.Used != 0 || *b.Concurrent != 0 {
					t.Errorf("%s, %s, call %d of 3: %+v", name, target, n, b)
				}
			}
			refused(t, do(t, call), 429, "quota-exceeded")
			if seen := len(up.Requests("X-Trace", client)); seen != 0 {
				t.Errorf("%s, %s: the upstream got %d", name, target, seen)
			}
		}
	}
}
