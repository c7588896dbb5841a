package caddytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

const twoGuardsSites = `
http://api.example.com:<http>, https://api.example.com:<https> {
	tls internal
	log
	route {
		api_guard
		rewrite /v2/orders/8 /v2/orders
		rewrite /v2/orders/9 /v2/nowhere
		api_guard
		reverse_proxy 127.0.0.1:<upstream>
	}
	handle_errors {
		route {
			rewrite * /v2/orders
			api_guard
			respond "page" 200
		}
	}
}
`

// told are the names that the RateLimit fields of an answer have, over all of its lines.
func told(answer harness.Answer, field string) (names []string) {
	for _, line := range answer.Header[field] {
		for item := range strings.SplitSeq(line, ", ") {
			name, _, _ := strings.Cut(item, ";")
			names = append(names, strings.Trim(name, `"`))
		}
	}
	slices.Sort(names)
	return names
}

// A request that is rewritten between two guards is another one for conformance, and one
// for the limits: each bucket is charged once, and told once.
func TestTwoGuardsWithARewriteBetweenThemChargeABucketOnce(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up, "unknown_route enforce", `unknown_route enforce
limit each {
	rate 3/1h
}
limit guesses {
	rate 9/1h
	count failures
	concurrency 2
}
limit listing {
	operations listOrders
	rate 9/1h
}`)
	cfg.Sites = twoGuardsSites
	caddy := harness.Start(t, cfg)
	up.Answer(answer(401, "{}"))
	for name, do := range protocols(caddy) {
		for _, row := range []struct {
			target, seen string
			status       int
			names        string
			listing      int
		}{
			{"/v2/orders/7", "/v2/orders/7", 401, "[each guesses]", 0},
			{"/v2/orders/8", "/v2/orders", 401, "[each guesses listing]", 1},
		} {
			call, client := as(get("api.example.com", row.target))
			for n := 1; n <= 3; n++ {
				got := do(t, call)
				if got.Status != row.status || fmt.Sprint(told(got, "Ratelimit")) != row.names || fmt.Sprint(told(got, "Ratelimit-Policy")) != row.names {
					t.Errorf("%s, %s, call %d of 3: %v; want %s told once", name, row.target, n, got, row.names)
				}
				if b := counted(t, caddy, "each", client); b.Used != n {
					t.Errorf("%s, %s: after %d calls the bucket is %+v", name, row.target, n, b)
				}
			}
			if got := do(t, call); got.Status != 429 || fmt.Sprint(told(got, "Ratelimit")) != strings.ReplaceAll(row.names, " listing", "") {
				t.Errorf("%s, %s: the fourth call of three: %v", name, row.target, got)
			}
			if b := counted(t, caddy, "listing", client); b.Used != 3*row.listing {
				t.Errorf("%s, %s: the operation's bucket is %+v", name, row.target, b)
			}
			harness.Await(t, "nothing to be on its way", func() (string, bool) {
				b := counted(t, caddy, "guesses", client)
				return fmt.Sprintf("%+v", b), b.Used == 3 && b.Pending == 0 && *b.Concurrent == 0
			})
			for _, r := range up.Requests("X-Trace", client) {
				if r.Target() != row.seen {
					t.Errorf("%s: the upstream got %s", name, r.Target())
				}
			}
		}
		// It is judged as it is behind the rewrite.
		call, client := as(get("api.example.com", "/v2/orders/9"))
		if got := do(t, call); got.Status != 404 || fmt.Sprint(told(got, "Ratelimit")) != "[each guesses]" {
			t.Errorf("%s: what became unknown: %v", name, got)
		}
		if b := counted(t, caddy, "each", client); b.Used != 1 {
			t.Errorf("%s: what became unknown is charged as %+v", name, b)
		}
	}
}

// An error route that rewrites is charged for what it makes of the request, and its answer
// tells once what is left.
func TestAGuardInAnErrorRouteThatRewritesTellsOfALimitOnce(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up, "unknown_route enforce", "unknown_route enforce\nlimit each {\nrate 9/1h\n}")
	cfg.Sites = strings.Replace(twoGuardsSites, "reverse_proxy 127.0.0.1:<upstream>", "error 418", 1)
	for _, refusals := range []string{"direct", "handle_errors"} {
		c := cfg
		c.Guard = "refusals " + refusals + "\n" + cfg.Guard
		caddy := harness.Start(t, c)
		for name, do := range protocols(caddy) {
			for target, used := range map[string]int{"/v2/orders/7": 2, "/v2/nothing": 2} {
				if refusals == "direct" && target == "/v2/nothing" {
					continue // it never gets to the error route
				}
				call, client := as(get("api.example.com", target))
				got := do(t, call)
				if string(got.Body) != "page" || fmt.Sprint(told(got, "Ratelimit"), told(got, "Ratelimit-Policy")) != "[each] [each]" || !strings.HasPrefix(got.Header.Get("Ratelimit"), `"each";r=7`) {
					t.Errorf("%s, %s %s: %v", refusals, name, target, got)
				}
				if b := counted(t, caddy, "each", client); b.Used != used {
					t.Errorf("%s, %s %s: the bucket is %+v", refusals, name, target, b)
				}
			}
		}
	}
}
