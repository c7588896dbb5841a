package caddytest

import (
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// passed marks a row whose request must reach the upstream: the twin of those
// that must not.
const passed = ""

// verdicts are the rows of the contract's table of refusals, each beside its
// twin. They hold in every protocol.
var verdicts = []struct {
	name   string
	call   harness.Call
	status int
	reason string
	target string // what the upstream must get when passed, if not the call's own target
}{
	{"a documented call", get("api.example.com", "/v2/orders?limit=10"), 200, passed, ""},
	{"HEAD where GET is documented", harness.Call{Method: "HEAD", Host: "api.example.com", Target: "/v2/orders"}, 200, passed, ""},

	{"a dot segment", get("api.example.com", "/v2/files/../orders"), 400, "malformed-target", ""},
	{"a percent-encoded dot segment", get("api.example.com", "/v2/files/%2e%2E/orders"), 400, "malformed-target", ""},
	{"an empty segment", get("api.example.com", "/v2//orders"), 400, "malformed-target", ""},
	{"an encoded slash", get("api.example.com", "/v2/orders/1%2f2"), 400, "malformed-target", ""},
	{"an encoded slash in a multi-segment parameter", get("api.example.com", "/v2/files/a%2Fb"), 200, passed, ""},
	{"several segments in a multi-segment parameter", get("api.example.com", "/v2/files/a/b/c"), 200, passed, ""},
	{"an encoded backslash", get("api.example.com", "/v2/orders/a%5Cb"), 400, "malformed-target", ""},
	{"a raw backslash", get("api.example.com", `/v2/orders/a\b`), 400, "malformed-target", ""},
	{"an encoded NUL", get("api.example.com", "/v2/orders/1%00"), 400, "malformed-target", ""},
	{"a doubly encoded percent sign", get("api.example.com", "/v2/orders/%252e"), 400, "malformed-target", ""},
	{"a path parameter after a semicolon", get("api.example.com", "/v2/orders/1;x=1"), 400, "malformed-target", ""},
	{"raw non-ASCII", get("api.example.com", "/v2/orders/é"), 400, "malformed-target", ""},
	{"encoded bytes that are not UTF-8", get("api.example.com", "/v2/files/%ff"), 400, "malformed-target", ""},
	{"encoded bytes that are UTF-8", get("api.example.com", "/v2/files/%c3%a9"), 200, passed, "/v2/files/%C3%A9"},
	{"a fragment", get("api.example.com", "/v2/orders#top"), 400, "malformed-target", ""},
	{"a query that does not decode", get("api.example.com", "/v2/orders?status=%zz"), 400, "malformed-target", ""},
	{"raw brackets in a query", get("api.example.com", "/v2/orders?x[y]=1"), 200, passed, ""},
	{"a target over 8 KiB", get("api.example.com", "/v2/orders?x="+strings.Repeat("a", 8192)), 400, "malformed-target", ""},
	{"a long target under 8 KiB", get("api.example.com", "/v2/orders?x="+strings.Repeat("a", 8000)), 200, passed, ""},
	{"a method in no standard and no document", harness.Call{Method: "FROB", Host: "api.example.com", Target: "/v2/orders"}, 400, "malformed-target", ""},
	{"a method in lower case", harness.Call{Method: "get", Host: "api.example.com", Target: "/v2/orders"}, 400, "malformed-target", ""},
	{"an encoded unreserved character", get("api.example.com", "/v2/%6frders"), 200, passed, "/v2/orders"},
	{"another letter case", get("api.example.com", "/v2/Orders"), 400, "ambiguous-target", ""},
	{"another letter case of the base path", get("api.example.com", "/V2/orders"), 400, "ambiguous-target", ""},
	{"a trailing slash too many", get("api.example.com", "/v2/orders/"), 400, "ambiguous-target", ""},

	{"a host that nobody declared", get("shadow.example.com", "/v2/orders"), 421, "unknown-host", ""},
	{"an address for a host", get("127.0.0.1", "/v2/orders"), 421, "unknown-host", ""},
	{"a host in capitals with a final dot", get("API.example.com.", "/v2/orders"), 200, passed, ""},

	{"a path in no document", get("api.example.com", "/v2/debug"), 404, "unknown-route", ""},
	{"a path that no version claims", get("api.example.com", "/v20/orders"), 404, "unknown-route", ""},
	{"a path of a version without a document", get("legacy.example.com", "/internal/debug"), 200, passed, ""},
	{"a method that the path does not have", send("PUT", "api.example.com", "/v2/orders/7", "application/json", "{}"), 405, "method-not-allowed", ""},
	{"a CORS preflight", harness.Call{Method: "OPTIONS", Host: "api.example.com", Target: "/v2/orders/7"}.With("Origin", "https://shop.example").With("Access-Control-Request-Method", "DELETE"), 200, passed, ""},
	{"an OPTIONS that is no preflight", harness.Call{Method: "OPTIONS", Host: "api.example.com", Target: "/v2/orders/7"}, 405, "method-not-allowed", ""},

	{"a retired version", get("legacy.example.com", "/v0/orders"), 410, "version-retired", ""},
	{"a deprecated version", get("legacy.example.com", "/v1/orders"), 200, passed, ""},
	{"a beta version", get("beta.example.com", "/v3/orders"), 200, passed, ""},

	{"a version named by a header", get("next.example.com", "/orders").With("X-Api-Version", "2"), 200, passed, ""},
	{"a version named by nothing, with a default", get("next.example.com", "/orders"), 200, passed, ""},
	{"two versions named at once", get("next.example.com", "/orders").With("X-Api-Version", "1").With("X-Api-Version", "2"), 400, "version-ambiguous", ""},
	{"a version that nobody has", get("next.example.com", "/orders").With("X-Api-Version", "3"), 404, "unknown-route", ""},

	{"a query parameter out of range", get("api.example.com", "/v2/orders?limit=101"), 400, "request-invalid", ""},
	{"a query parameter given twice", get("api.example.com", "/v2/orders?limit=1&limit=2"), 400, "request-invalid", ""},
	{"an undocumented query parameter", get("api.example.com", "/v2/orders?debug=1"), 200, passed, ""},
	{"a path parameter of another type", get("api.example.com", "/v2/orders/seven"), 400, "request-invalid", ""},
	{"a valid body", post("api.example.com", "/v2/orders", `{"sku":"ABC-1234","quantity":2}`), 200, passed, ""},
	{"a body without a required member", post("api.example.com", "/v2/orders", `{"sku":"ABC-1234"}`), 400, "request-invalid", ""},
	{"a body with a member twice", post("api.example.com", "/v2/orders", `{"sku":"ABC-1234","quantity":2,"quantity":3}`), 400, "request-invalid", ""},
	{"a body with something behind it", post("api.example.com", "/v2/orders", `{"sku":"ABC-1234","quantity":2}{}`), 400, "request-invalid", ""},
	{"a body that is no JSON", post("api.example.com", "/v2/orders", `sku=ABC-1234`), 400, "request-invalid", ""},
	{"a missing body", harness.Call{Method: "POST", Host: "api.example.com", Target: "/v2/orders"}, 400, "request-invalid", ""},
	{"a body where none is documented", send("DELETE", "api.example.com", "/v2/orders/7", "application/json", "{}"), 400, "request-invalid", ""},
	{"a body over the cap", post("api.example.com", "/v2/orders", bigOrder(1<<20)), 413, "body-too-large", ""},
	{"a body just under the cap", post("api.example.com", "/v2/orders", bigOrder(1<<20-100)), 200, passed, ""},
	{"a body that is not judged, over the cap", send("PUT", "api.example.com", "/v2/uploads", "application/octet-stream", strings.Repeat("x", 2<<20)), 200, passed, ""},
	{"a media type that is not documented", send("POST", "api.example.com", "/v2/orders", "text/xml", "<order/>"), 415, "media-type-unsupported", ""},
	{"a body without a media type", send("POST", "api.example.com", "/v2/orders", "", "{}"), 415, "media-type-unsupported", ""},
	{"a coding that cannot be judged", post("api.example.com", "/v2/orders", "{}").With("Content-Encoding", "br"), 415, "media-type-unsupported", ""},
}

// bigOrder is a valid order of about n bytes.
func bigOrder(n int) string {
	return `{"sku":"ABC-1234","quantity":2,"note":"` + strings.Repeat("n", n) + `"}`
}

func TestEveryRefusalHasItsStatusReasonAndFields(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	for protocol, do := range protocols(caddy) {
		for _, row := range verdicts {
			for _, framing := range []string{"", " in chunks"} {
				if framing != "" && row.call.Body == nil || protocol == "HTTP/3" && !harness.Sends3(row.call) {
					continue
				}
				t.Run(protocol+" "+row.name+framing, func(t *testing.T) {
					call, trace := as(row.call)
					call.Chunked = framing != ""
					got := do(t, call)
					seen := up.Requests("X-Trace", trace)
					if row.reason != passed {
						if len(seen) > 0 {
							t.Errorf("the upstream got %q", seen[0].Line)
						}
						wantRefusalFields(t, got, refused(t, got, row.status, row.reason))
						return
					}
					if got.Status != row.status || len(seen) != 1 {
						t.Fatalf("got %v and the upstream %d requests, want status %d and one", got, len(seen), row.status)
					}
					wantForwarded(t, call, row.target, seen[0])
				})
			}
		}
	}
}

// wantForwarded checks that what was judged is what was sent.
func wantForwarded(t *testing.T, call harness.Call, target string, seen harness.Recorded) {
	t.Helper()
	if target == "" {
		target = call.Target
	}
	if seen.Target() != target || string(seen.Body) != string(call.Body) {
		t.Errorf("the upstream got %q and %d bytes of body, want target %q and %d bytes", seen.Line, len(seen.Body), target, len(call.Body))
	}
	if host := seen.Values("Host"); len(host) != 1 || host[0] != strings.ToLower(strings.TrimSuffix(call.Host, ".")) {
		t.Errorf("the upstream got Host %q", host)
	}
}

// wantRefusalFields checks the fields that a refusal has besides those of all.
func wantRefusalFields(t *testing.T, got harness.Answer, p problem) {
	t.Helper()
	switch got.Status {
	case 405:
		wantHeader(t, got.Header, "Allow", "DELETE, GET, HEAD")
	case 410:
		wantLifecycle(t, got.Header, day(2024, 6, 1), day(2025, 6, 1))
		wantLinks(t, got.Header, "deprecation", "sunset", "successor-version")
	case 415:
		if got.Header.Get("Accept") != "application/json" && got.Header.Get("Accept-Encoding") == "" {
			t.Errorf("Accept is %q, want application/json", got.Header.Values("Accept"))
		}
	}
	if got.Status != 410 {
		wantNoHeader(t, got.Header, "Deprecation", "Sunset")
	}
	for _, secret := range []string{"frob", "FROB", "seven", "101", "zz"} {
		if strings.Contains(p.Title+p.Detail, secret) {
			t.Errorf("the problem says %q, which the client sent: %+v", secret, p)
		}
	}
}

func TestAProblemPointsAtWhatIsWrongAndEchoesNothing(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	for _, row := range []struct {
		name                       string
		call                       harness.Call
		in, pointer, param, reason string
		secret                     string
	}{
		{"a parameter out of range", get("api.example.com", "/v2/orders?limit=31337"), "query", "", "limit", "maximum", "31337"},
		{"a parameter outside its list", get("api.example.com", "/v2/orders?status=s3cret"), "query", "", "status", "enum", "s3cret"},
		{"a path parameter of another type", get("api.example.com", "/v2/orders/s3cret"), "path", "", "id", "type", "s3cret"},
		{"a member out of range", post("api.example.com", "/v2/orders", `{"sku":"ABC-1234","quantity":31337}`), "body", "/quantity", "", "maximum", "31337"},
		{"a member of another form", post("api.example.com", "/v2/orders", `{"sku":"s3cret","quantity":1}`), "body", "/sku", "", "pattern", "s3cret"},
		{"a missing member", post("api.example.com", "/v2/orders", `{"sku":"ABC-1234"}`), "body", "", "", "required", "ABC-1234"},
		{"a member that is not documented", post("api.example.com", "/v2/orders", `{"sku":"ABC-1234","quantity":1,"s3cret":1}`), "body", "", "", "additionalProperties", "s3cret"},
	} {
		t.Run(row.name, func(t *testing.T) {
			call, _ := as(row.call)
			got := caddy.Do1(t, call)
			p := refused(t, got, 400, "request-invalid")
			e := p.Errors[0]
			if e.In != row.in || *e.Pointer != row.pointer || *e.Name != row.param || e.Keyword != row.reason {
				t.Errorf("the error is %s, want in %q, pointer %q, name %q, keyword %q", got.Body, row.in, row.pointer, row.param, row.reason)
			}
			if strings.Contains(string(got.Body), row.secret) {
				t.Errorf("the problem echoes %q: %s", row.secret, got.Body)
			}
		})
	}
}
