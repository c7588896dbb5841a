package policy_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/target"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

const orders = `
openapi: 3.1.0
info: {title: Orders, version: "2"}
paths:
  /orders:
    get:
      operationId: listOrders
      parameters: [{name: limit, in: query, schema: {type: integer, maximum: 100}}]
      responses: {"200": {description: orders}}
`

// One policy over two versions, without Caddy: what a server of one's own does with
// each request before it passes it on.
func Example() {
	document, err := spec.Load("orders.yaml", []byte(orders), spec.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	rules := policy.DefaultRules()
	rules.SetMode(policy.RuleUnknownRoute, policy.Enforce)
	under := func(path string) []catalogue.Claim { return []catalogue.Claim{{Path: path}} }
	p, err := policy.New(policy.Config{
		Rules: rules,
		Table: ratelimit.NewTable(ratelimit.TableConfig{Slots: 1024}),
		APIs: []policy.API{{
			Declared: &catalogue.API{Name: "orders", Versions: []*catalogue.Version{
				{
					Name: "v1", Hosts: []string{"old.example.com"}, Claims: under("/v1"), Documents: []*spec.Document{document},
					Deprecated: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Sunset: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
				},
				{Name: "v2", Hosts: []string{"api.example.com"}, Claims: under("/v2"), Documents: []*spec.Document{document}},
			}},
			Rules: rules,
			// The limit is the API's: both hosts are doors to the same buckets.
			Limits:   []policy.Limit{{Name: "per_client", Rate: 4, Window: time.Minute, Mode: policy.Enforce}},
			Versions: []policy.Version{{Rules: rules}, {Rules: rules}},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	ask := func(host, raw string) {
		r := policy.Request{
			Now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), Method: "GET", Header: http.Header{},
			Client: netip.MustParseAddr("192.0.2.1"), HasBody: func() bool { return false },
		}
		in := target.Input{Method: r.Method, Raw: raw, Host: host, TLS: true}
		if r.Target, r.Problem = target.Canonical(in); r.Problem != "" {
			r.Target = target.Lenient(in)
		}
		p.Catalogue().Match(&catalogue.Query{
			Host: r.Target.Host, Method: r.Method, Path: r.Target.Path, RawQuery: r.Target.RawQuery, Header: r.Header,
		}, &r.Match)
		var v policy.Verdict
		p.Decide(&r, &v)
		if v.Outcome == policy.Refuse {
			v.Refused()
			fmt.Println(host+raw, v.Status, v.Reason)
			return
		}
		v.Answered(http.StatusOK) // what upstream answered
		fmt.Println(host+raw, v.Outcome)
	}
	ask("api.example.com", "/v2/orders?limit=10")
	ask("api.example.com", "/v2/orders?limit=1000")
	ask("api.example.com", "/v2/..%2fv1/orders")
	ask("api.example.com", "/v2/debug")
	ask("old.example.com", "/v1/orders")
	ask("old.example.com", "/v1/orders")
	ask("staging.example.com", "/v2/orders")
	// Output:
	// api.example.com/v2/orders?limit=10 allow
	// api.example.com/v2/orders?limit=1000 400 request-invalid
	// api.example.com/v2/..%2fv1/orders 400 malformed-target
	// api.example.com/v2/debug 404 unknown-route
	// old.example.com/v1/orders 410 version-retired
	// old.example.com/v1/orders 429 quota-exceeded
	// staging.example.com/v2/orders 421 unknown-host
}

// A refusal as clients get it (RFC 9457).
func ExampleVerdict_AppendProblem() {
	var v policy.Verdict
	v.Object(policy.RuleUnknownHost, policy.Enforce, policy.ReasonUnknownHost, http.StatusMisdirectedRequest)
	fmt.Printf("%s\n", v.AppendProblem(nil, policy.TypeBase, "7c1f0a54-93a1-4a0d-9a36-0d5f7e3a2b10"))
	// Output:
	// {"type":"urn:api-guard:unknown-host","title":"Unknown host","status":421,"detail":"No API is served under this host name.","instance":"urn:uuid:7c1f0a54-93a1-4a0d-9a36-0d5f7e3a2b10"}
}
