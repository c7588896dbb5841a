package policy

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
	"github.com/apiguard/caddy-api-guard/policy/target"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

const ordersV2 = `
openapi: 3.0.3
info: {title: orders, version: "2"}
paths:
  /orders:
    get:
      operationId: listOrders
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
      responses: {"200": {description: ok}}
    post:
      operationId: createOrder
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [sku]
              properties: {sku: {type: string}, quantity: {type: integer, minimum: 1}}
      responses: {"201": {description: made}}
  /orders/{id}:
    get:
      operationId: readOrder
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: ok}}
  /files/{path}:
    get:
      operationId: readFile
      parameters: [{name: path, in: path, required: true, x-multi-segment: true, schema: {type: string}}]
      responses: {"200": {description: ok}}
  /points{coordinates}:
    get:
      operationId: readPoint
      parameters: [{name: coordinates, in: path, required: true, style: matrix, schema: {type: integer}}]
      responses: {"200": {description: ok}}
  /reset:
    post:
      operationId: resetPassword
      responses: {"200": {description: ok}}
  /stream:
    get:
      operationId: openStream
      x-api-guard-upgrade: websocket
      responses: {"101": {description: switched}}
`

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// fixture is a policy over four versions: v2 with a document on two hosts, v1
// without one, v0 retired, and v3 selected by a header.
type fixture struct {
	*Policy
	now int64 // the limiter's clock, in nanoseconds
}

func document(t testing.TB, text string) *spec.Document {
	t.Helper()
	d, err := spec.Load("orders.yaml", []byte(text), spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Problems {
		t.Fatalf("document: %s: %s", p.Where, p.Reason)
	}
	return d
}

func newFixture(t testing.TB, change func(*Config)) *fixture {
	t.Helper()
	f := new(fixture)
	d := document(t, ordersV2)
	day := func(s string) time.Time {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	path := func(p string) []catalogue.Claim { return []catalogue.Claim{{Path: p}} }
	declared := &catalogue.API{Name: "orders", Versions: []*catalogue.Version{
		{Name: "v0", Hosts: []string{"legacy.example"}, Claims: path("/v0"), Sunset: day("2026-01-01"), Deprecated: day("2025-01-01"), Successor: "v2"},
		{Name: "v1", Hosts: []string{"old.example"}, Claims: path("/v1"), Deprecated: day("2026-05-01"), Sunset: day("2027-01-01"), Docs: "https://docs.example/"},
		{Name: "v2", Hosts: []string{"api.example", "beta.example"}, Claims: path("/v2"), Documents: []*spec.Document{d}},
		{Name: "v3", Hosts: []string{"next.example"}, Documents: []*spec.Document{d}, Claims: []catalogue.Claim{
			{Select: &catalogue.Selector{Kind: catalogue.SelectHeader, Name: "X-Version", Value: "3"}}}},
		{Name: "v4", Hosts: []string{"next.example"}, Documents: []*spec.Document{d}, Claims: []catalogue.Claim{
			{Select: &catalogue.Selector{Kind: catalogue.SelectHeader, Name: "X-Version", Value: "4"}}}},
	}}
	cfg := Config{
		Rules: DefaultRules(),
		Table: ratelimit.NewTable(ratelimit.TableConfig{Slots: 1024, Now: func() int64 { return f.now }}),
		APIs:  []API{{Declared: declared, Rules: DefaultRules()}},
	}
	cfg.Rules.SetMode(RuleUnknownRoute, Enforce)
	cfg.APIs[0].Rules = cfg.Rules
	for _, v := range declared.Versions {
		version := Version{Rules: cfg.Rules}
		if len(v.Documents) == 0 {
			version.Rules.SetMode(RuleUnknownRoute, Monitor)
		}
		cfg.APIs[0].Versions = append(cfg.APIs[0].Versions, version)
	}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.Policy = p
	return f
}

// call is a request as a test writes it.
type call struct {
	line   string // "GET host /path" with an optional query
	header http.Header
	client string // default 192.0.2.1
	body   string
	now    time.Time // default noon
}

func request(t testing.TB, f *fixture, c call) *Request {
	t.Helper()
	part := strings.Fields(c.line)
	if len(part) != 3 {
		t.Fatalf("call %q: write METHOD host target", c.line)
	}
	if c.client == "" {
		c.client = "192.0.2.1"
	}
	if c.now.IsZero() {
		c.now = noon
	}
	if c.header == nil {
		c.header = http.Header{}
	}
	r := &Request{
		Now: c.now, Method: part[0], Header: c.header, Client: netip.MustParseAddr(c.client),
		HasBody: func() bool { return c.body != "" },
	}
	in := target.Input{Method: part[0], Raw: part[2], Host: part[1]}
	if r.Target, r.Problem = target.Canonical(in); r.Problem != "" {
		r.Target = target.Lenient(in)
	}
	f.Catalogue().Match(&catalogue.Query{
		Host: r.Target.Host, Method: r.Method, Path: r.Target.Path, RawQuery: r.Target.RawQuery, Header: r.Header,
	}, &r.Match)
	return r
}

func (f *fixture) ask(t testing.TB, c call) *Verdict {
	t.Helper()
	v := new(Verdict)
	f.Decide(request(t, f, c), v)
	if v.Outcome != Refuse && v.Body.Action == conformance.Judge {
		v.JudgeBody([]byte(c.body))
	}
	return v
}

func jsonCall(body string) call {
	return call{header: http.Header{"Content-Type": {"application/json"}}, body: body}
}

func (c call) to(line string) call { c.line = line; return c }
