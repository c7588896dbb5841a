package caddytest

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

const audiencePolicy = `
audience office 198.51.100.0/24
policy {
	unknown_route <mode>
}
api orders {
	version v2 {
		hosts api.example.com
		path /v2
		spec orders.yaml
		audience office
	}
}
`

// What each rule would do by itself is known before it is enforced: whom it would
// refuse, where and how often, of requests that several rules would refuse too.
func TestBeforeARuleIsEnforcedItIsKnownWhomItWouldRefuseAndWhere(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]struct{ consumers, rule, route []string }{
		"monitor": {
			consumers: []string{"2 map[] map[request:1 unknown_route:1]", "4 map[] map[audience:4 request:3]"},
			rule:      []string{"2 map[] map[request:1 unknown_route:1]", "4 map[] map[audience:4 request:3]"},
			route:     []string{"would_refuse audience 4", "would_refuse request 3", "would_refuse request 1"},
		},
		"enforce": { // the first one wins
			consumers: []string{"2 map[request:1 unknown_route:1] map[]", "4 map[audience:4] map[]"},
			rule:      []string{"2 map[request:1 unknown_route:1] map[]"},
			route:     []string{"refuse audience 4", "refuse request 1"},
		},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			up := harness.NewUpstream(t)
			caddy := harness.Start(t, harness.Config{
				Guard: "mode " + mode + strings.ReplaceAll(audiencePolicy, "<mode>", mode),
				Sites: sites, Upstream: up, Files: map[string]string{"orders.yaml": ordersDocument},
			})
			const inside, outside = "198.51.100.1", "203.0.113.9"
			wrong, right := post("api.example.com", "/v2/orders", `{"sku":7}`), post("api.example.com", "/v2/orders", `{"sku":"ABC-1234","quantity":1}`)
			for _, call := range []harness.Call{
				wrong.With("X-Forwarded-For", inside), get("api.example.com", "/v2/hidden").With("X-Forwarded-For", inside),
				wrong.With("X-Forwarded-For", outside), wrong.With("X-Forwarded-For", outside), wrong.With("X-Forwarded-For", outside),
				right.With("X-Forwarded-For", outside),
			} {
				caddy.Do1(t, call)
			}
			consumers := func(query string) []string {
				var list listing[struct {
					Count       int
					Refused     map[string]int `json:"refused"`
					WouldRefuse map[string]int `json:"would_refuse"`
				}]
				caddy.Query(t, "/api_guard/consumers"+query, &list)
				var all []string
				for _, c := range list.Items {
					all = append(all, fmt.Sprint(c.Count, c.Refused, c.WouldRefuse))
				}
				slices.Sort(all)
				return all
			}
			harness.Await(t, "the consumers with what was refused them", func() (string, bool) {
				got := consumers("")
				return fmt.Sprintf("%q", got), slices.Equal(got, want.consumers)
			})
			if got := consumers("?rule=request"); !slices.Equal(got, want.rule) {
				t.Errorf("by the rule request: %q, want %q", got, want.rule)
			}
			if got := consumers("?rule=lifecycle"); len(got) != 0 {
				t.Errorf("by the rule lifecycle: %q", got)
			}

			var routes listing[struct{ ID string }]
			caddy.Query(t, "/api_guard/routes?path=/v2/orders&method=post", &routes)
			var route struct {
				Refusals []struct {
					Consumer, Rule, Verdict string
					Count                   int
				}
			}
			caddy.Query(t, "/api_guard/routes/"+routes.Items[0].ID, &route)
			var refusals []string
			for _, r := range route.Refusals {
				refusals = append(refusals, fmt.Sprint(r.Verdict, " ", r.Rule, " ", r.Count))
				if !strings.HasPrefix(r.Consumer, "network:") {
					t.Errorf("the consumer is %q", r.Consumer)
				}
			}
			if !slices.Equal(refusals, want.route) {
				t.Errorf("at the route: %q, want %q", refusals, want.route)
			}

			_, text := ask(t, caddy, "/api_guard/consumers?rule=audience", "text/csv")
			rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			if err != nil || len(rows) != 2 || !slices.Contains(rows[0], "would_refuse") || !slices.ContainsFunc(rows[1], func(cell string) bool { return strings.Contains(cell, "audience=4") }) {
				t.Errorf("as a table: %v %q", err, rows)
			}
		})
	}
}
