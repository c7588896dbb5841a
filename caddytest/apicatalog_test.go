package caddytest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// linksetSchema is RFC 9264, section 4.2: an object whose only member is an array
// of contexts, each with an anchor and else with arrays of targets by relation.
const linksetSchema = `{
	"type": "object", "required": ["linkset"], "additionalProperties": false,
	"properties": {"linkset": {"type": "array", "items": {
		"type": "object", "required": ["anchor"],
		"properties": {"anchor": {"type": "string", "format": "uri"}},
		"additionalProperties": {"type": "array", "items": {
			"type": "object", "required": ["href"],
			"properties": {"href": {"type": "string", "format": "uri-reference", "minLength": 1}, "type": {"type": "string"}, "title": {"type": "string"}},
			"additionalProperties": false
		}},
		"propertyNames": {"pattern": "^[a-z][a-z0-9.-]*$"}
	}}}
}`

type target struct{ Href, Type, Title string }

// linkset reads an answer and holds it against the schema.
func linkset(t *testing.T, body []byte) []map[string]json.RawMessage {
	t.Helper()
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(linksetSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("linkset.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("linkset.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if err := compiled.Validate(value); err != nil {
		t.Errorf("no linkset: %v\n%s", err, body)
	}
	var answer struct{ Linkset []map[string]json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Linkset
}

func targets(t *testing.T, context map[string]json.RawMessage, relation string) []target {
	t.Helper()
	var list []target
	if raw := context[relation]; raw != nil {
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

const catalogPath = "/.well-known/api-catalog"

// items are the addresses that the catalogue of a host lists for a client.
func items(t *testing.T, do harness.Do, host, client string) (addresses []string, contexts []map[string]json.RawMessage) {
	t.Helper()
	got := do(t, get(host, catalogPath).With("X-Forwarded-For", client))
	if got.Status != 200 || got.Header.Get("Content-Type") != `application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"` {
		t.Fatalf("%s: %v", host, got)
	}
	contexts = linkset(t, got.Body)
	for _, item := range targets(t, contexts[0], "item") {
		u, err := url.Parse(item.Href)
		if err != nil || u.Hostname() != host {
			t.Errorf("%s lists %s", host, item.Href)
		}
		addresses = append(addresses, u.Path)
	}
	return addresses, contexts
}

const (
	insider  = "10.1.2.3"
	outsider = "203.0.113.7"
)

func startCatalog(t testing.TB) (*harness.Caddy, *harness.Upstream) {
	return startFleet(t, "api orders {", "audience internal 10.0.0.0/8\napi orders {", "path /internal", "path /internal\naudience internal\nspec orders.yaml")
}

func TestEachHostListsWhatItsCallersMaySee(t *testing.T) {
	t.Parallel()
	caddy, up := startCatalog(t)
	for protocol, do := range protocols(caddy) {
		for _, c := range []struct {
			host, client string
			want         []string
		}{
			{"api.example.com", outsider, []string{"/v2"}},
			{"beta.example.com", outsider, []string{"/v3"}},
			{"legacy.example.com", outsider, []string{"/v1"}}, // v0 is retired
			{"legacy.example.com", insider, []string{"/internal", "/v1"}},
		} {
			got, _ := items(t, do, c.host, c.client)
			if slices.Sort(got); !slices.Equal(got, c.want) {
				t.Errorf("%s, %s for %s: %v, want %v", protocol, c.host, c.client, got, c.want)
			}
		}
	}
	_, contexts := items(t, caddy.Do1, "legacy.example.com", outsider)
	v1 := contexts[len(contexts)-1]
	for _, relation := range []string{"service-desc", "service-doc", "deprecation", "sunset", "successor-version"} {
		if len(targets(t, v1, relation)) != 1 {
			t.Errorf("v1 has no link %s: %v", relation, v1)
		}
	}
	if got := caddy.Do1(t, get("other.example.com", catalogPath)); got.Status != 421 {
		t.Errorf("an undeclared host: %v", got)
	}
	head := caddy.Do1(t, harness.Call{Method: "HEAD", Host: "api.example.com", Target: catalogPath})
	if head.Status != 200 || len(head.Body) > 0 || head.Header.Get("Link") != "<"+catalogPath+`>; rel="api-catalog"` {
		t.Errorf("HEAD: %v", head)
	}
	if got := caddy.Do1(t, send("POST", "api.example.com", catalogPath, "", "")); got.Status != 404 {
		t.Errorf("POST: %v", got)
	}
	if n := len(up.Requests("Host", "api.example.com")); n > 0 {
		t.Errorf("upstream got %d requests", n)
	}
	var routes struct {
		Items []struct{ Host, Method, Path string }
	}
	harness.Await(t, "the POST in the inventory", func() (string, bool) {
		caddy.Query(t, "/api_guard/routes?path=/.well-known", &routes)
		return "not there", slices.ContainsFunc(routes.Items, func(r struct{ Host, Method, Path string }) bool { return r.Method == "POST" })
	})
	for _, r := range routes.Items {
		if r.Method != "POST" && r.Host != "other.example.com" {
			t.Errorf("the guard's own answers are in the inventory: %+v", routes)
		}
	}
}

func TestASuccessorForAnotherAudienceIsNotListed(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, harness.Config{
		Guard: "audience inner 10.0.0.0/8\napi orders {\nversion v1 {\nhosts api.example.com\npath /v1\nsunset 2099-01-01\nsuccessor v2\n}\n" +
			"version v2 {\nhosts secret.example.com\npath /v2\naudience inner\n}\n}\n",
		Sites: everyHost, Upstream: up,
	})
	for client, want := range map[string]int{outsider: 0, insider: 1} {
		_, contexts := items(t, caddy.Do1, "api.example.com", client)
		if got := len(targets(t, contexts[len(contexts)-1], "successor-version")); got != want {
			t.Errorf("for %s: %d successors, want %d", client, got, want)
		}
	}
}

func TestALimitHoldsForTheCataloguesPathWhereItNamesIt(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, harness.Config{
		Guard: "api orders {\nlimit once {\noperations \"GET " + catalogPath + "\"\nrate 1/1h\n}\nversion v1 {\nhosts api.example.com\n}\n}\n",
		Sites: everyHost, Upstream: up,
	})
	call, _ := as(get("api.example.com", catalogPath))
	for _, status := range []int{200, 429} {
		if got := caddy.Do1(t, call); got.Status != status {
			t.Errorf("%v, want %d", got, status)
		}
	}
}

func TestTheLinkedDocumentsAreServedToTheirAudience(t *testing.T) {
	t.Parallel()
	caddy, _ := startCatalog(t)
	follow := func(client, version string) (string, harness.Answer) {
		_, contexts := items(t, caddy.Do1, "legacy.example.com", insider)
		for _, context := range contexts {
			for _, d := range targets(t, context, "service-desc") {
				u, err := url.Parse(d.Href)
				if err != nil {
					t.Fatal(err)
				}
				if u.Query().Get("version") == version {
					return d.Type, caddy.Do1(t, get("legacy.example.com", u.RequestURI()).With("X-Forwarded-For", client))
				}
			}
		}
		t.Fatalf("no document of %s is linked", version)
		return "", harness.Answer{}
	}
	for _, c := range []struct {
		client, version string
		status          int
	}{
		{outsider, "v1", 200}, {insider, "v1", 200}, {insider, "internal", 200}, {outsider, "internal", 404},
	} {
		mediaType, got := follow(c.client, c.version)
		if got.Status != c.status {
			t.Errorf("%s for %s: %v", c.version, c.client, got)
			continue
		}
		if got.Status != 200 {
			if got.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s for %s: %v", c.version, c.client, got)
			}
			continue
		}
		if got.Header.Get("Content-Type") != mediaType || got.Header.Get("Etag") == "" || string(got.Body) != ordersDocument {
			t.Errorf("%s for %s: %s, %d bytes", c.version, c.client, got.Header.Get("Content-Type"), len(got.Body))
		}
		if d, err := spec.Load("orders.yaml", got.Body, spec.Options{}); err != nil || len(d.Operations) == 0 {
			t.Errorf("what is served is no document: %v", err)
		}
		again := caddy.Do1(t, get("legacy.example.com", catalogPath+"?api=orders&version="+c.version).With("X-Forwarded-For", c.client).With("If-None-Match", got.Header.Get("Etag")))
		if again.Status != 304 {
			t.Errorf("asked again: %v", again)
		}
	}
	for _, query := range []string{"api=orders", "api=orders&version=v2", "api=orders&version=v0", "api=orders&version=v1&document=2", "api=orders&version=v1&document=x", "api=orders&version=v1&file=/etc/passwd", "api=..&version=v1", "api=orders&version=v1&version=internal"} {
		if got := caddy.Do1(t, get("legacy.example.com", catalogPath+"?"+query).With("X-Forwarded-For", outsider)); got.Status != 404 {
			t.Errorf("%s: %v", query, got)
		}
	}
}

func TestTheCatalogStandsBackForOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes []string
		status  int // of upstream, or of the guard
		passed  bool
	}{
		"off":                          {[]string{"policy {\n", "api_catalog off\npolicy {\n"}, 404, false},
		"off, and unknown routes pass": {[]string{"unknown_route enforce", "unknown_route monitor", "policy {\n", "api_catalog off\npolicy {\n"}, 200, true},
		"in monitor":                   {[]string{"unknown_route enforce", "", "policy {\n", "mode monitor\npolicy {\n"}, 200, true},
		"lifecycle in monitor":         {[]string{"unknown_route enforce", "unknown_route monitor\nlifecycle monitor"}, 200, true},
		"a passthrough has the path":   {[]string{"api orders {", "passthrough own {\nhosts api.example.com\npath " + catalogPath + "\nreason \"upstream's own\"\n}\napi orders {"}, 200, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caddy, up := startFleet(t, c.changes...)
			call, trace := as(get("api.example.com", catalogPath))
			got := caddy.Do1(t, call)
			if got.Status != c.status || (len(up.Requests("X-Trace", trace)) == 1) != c.passed {
				t.Errorf("%v, upstream got it: %v", got, len(up.Requests("X-Trace", trace)))
			}
		})
	}
	t.Run("a document has the path", func(t *testing.T) {
		t.Parallel()
		up := harness.NewUpstream(t)
		cfg := fleetConfig(up, "path /v2\n", "path /\n")
		cfg.Files["orders.yaml"] = strings.Replace(ordersDocument, "paths:\n", "paths:\n  "+catalogPath+":\n    get: {responses: {\"200\": {description: ours}}}\n", 1)
		caddy := harness.Start(t, cfg)
		call, trace := as(get("api.example.com", catalogPath))
		if got := caddy.Do1(t, call); got.Status != 200 || len(up.Requests("X-Trace", trace)) != 1 {
			t.Errorf("%v", got)
		}
	})
	t.Run("limits hold", func(t *testing.T) {
		t.Parallel()
		caddy, _ := startFleet(t, "limit password_reset {", "limit all {\nkey {client_ip}\nrate 2/1h\n}\nlimit password_reset {")
		call, _ := as(get("api.example.com", catalogPath))
		for i, want := range []int{200, 200, 429} {
			if got := caddy.Do1(t, call); got.Status != want {
				t.Errorf("request %d: %v", i, got)
			}
		}
	})
}

// The guard answers the catalogue itself: that is no failure of upstream.
func TestToReadTheCatalogueIsNoFailure(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, fleetConfig(up, "unknown_route enforce", "unknown_route enforce\nlimit guesses {\nrate 2/1h\ncount failures\n}"))
	for name, do := range protocols(caddy) {
		call, client := as(get("api.example.com", catalogPath))
		for n := 1; n <= 3; n++ {
			if got := do(t, call); got.Status != 200 || counted(t, caddy, "guesses", client).Used != 0 {
				t.Errorf("%s, call %d of 3: %v", name, n, got)
			}
		}
	}
}
