package caddytest

import (
	"fmt"
	"strings"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// identityCorpus are the exchanges that must be the same with and without the
// guard: over HTTP/1.1, and those of them that HTTP/2 can say.
func identityCorpus() (plain, coded map[string]harness.Call) {
	plain, coded = make(map[string]harness.Call), make(map[string]harness.Call)
	both := func(name string, call harness.Call) {
		plain[name], coded[name] = call, call
	}
	for _, row := range verdicts {
		both(row.name, row.call)
	}
	for _, spelling := range spellings {
		both("a guess "+spelling.String(), spelling)
	}
	for name := range scriptedAnswers {
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			call := harness.Call{Method: method, Host: "api.example.com", Target: "/v2/orders/7"}.With("X-Answer", name)
			if name == "switch" {
				continue // an upstream does that to those who ask for it
			}
			both(method+" answered with "+name, call)
			both(method+" answered with "+name+" and compressed", call.With("Accept-Encoding", "gzip"))
		}
		if name != "switch" {
			both("a judged operation answered with "+name, get("api.example.com", "/v2/orders").With("X-Answer", name))
			both("a judged operation answered with "+name+" and compressed", get("api.example.com", "/v2/orders").With("X-Answer", name).With("Accept-Encoding", "gzip"))
			both("a shadow answered with "+name, get("api.example.com", "/v2/hidden").With("X-Answer", name))
			both("a retired version answered with "+name, get("legacy.example.com", "/v0/orders").With("X-Answer", name))
			both("by a selector, answered with "+name, get("next.example.com", "/orders").With("X-Api-Version", "2").With("X-Answer", name))
		}
	}
	for name, body := range bodies {
		for _, mime := range []string{"application/json", "application/octet-stream", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/grpc", ""} {
			call := send("POST", "api.example.com", "/v2/orders", mime, string(body))
			both(fmt.Sprintf("a body: %s as %q", name, mime), call)
			call.Chunked = true
			both(fmt.Sprintf("chunks: %s as %q", name, mime), call)
		}
		both("a body on GET: "+name, send("GET", "api.example.com", "/v2/orders", "application/json", string(body)))
		both("a body to an unknown host: "+name, send("PUT", "nobody.example.com", "/x", "application/json", string(body)))
		plain["expecting 100: "+name] = send("POST", "api.example.com", "/v2/orders", "application/json", string(body)).With("Expect", "100-continue")
	}
	for _, name := range overrides {
		both("the field "+name, get("api.example.com", "/v2/orders").With(name, "/v2/debug"))
	}
	for _, method := range []string{"PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "QUERY"} {
		both("the method "+method, harness.Call{Method: method, Host: "api.example.com", Target: "/v2/orders"})
	}
	order := get("api.example.com", "/v2/orders")
	for name, call := range map[string]harness.Call{
		"a preflight":             harness.Call{Method: "OPTIONS", Host: "api.example.com", Target: "/v2/orders"}.With("Origin", "https://a.example").With("Access-Control-Request-Method", "PUT"),
		"a range":                 order.With("Range", "bytes=0-1"),
		"a condition":             order.With("If-None-Match", `"a"`),
		"cookies":                 order.With("Cookie", "a=1; b=2"),
		"one field twice":         order.With("X-Twice", "1").With("X-Twice", "2"),
		"an empty field":          order.With("X-Empty", ""),
		"credentials":             order.With("Authorization", "Bearer abc"),
		"events asked for":        order.With("Accept", "text/event-stream").With("X-Answer", "events"),
		"underscores in a name":   order.With("X_Real_IP", "10.0.0.1"),
		"a page of Caddy's own":   get("api.example.com", "/v2/local"),
		"a redirect of Caddy's":   get("api.example.com", "/v2/old"),
		"an upstream that is off": order.With("X-Answer", "dead"),
		"a probe by address":      get("127.0.0.1", "/healthz"),
		"an IPv6 host":            get("[::1]", "/healthz"),
		"only a query":            get("api.example.com", "/?a=b&&c"),
		"a query of odd bytes":    get("api.example.com", "/v2/orders?a=%00&b=%zz;c"),
		"the root":                get("api.example.com", "/"),
		"a host with a port":      get("api.example.com:8443", "/v2/orders"),
		"a deep path":             get("api.example.com", "/v2"+strings.Repeat("/a", 500)),
	} {
		both(name, call)
	}
	for name, call := range map[string]harness.Call{
		"absolute form":              get("api.example.com", "http://beta.example.com/v3/orders"),
		"asterisk":                   {Method: "OPTIONS", Host: "api.example.com", Target: "*"},
		"an announced trailer":       order.With("Trailer", "X-Sum"),
		"a field that is hop by hop": order.With("Connection", "X-Secret").With("X-Secret", "1"),
		"Connection names Host":      order.With("Connection", "Host, X-Trace"),
		"TE":                         order.With("TE", "trailers"),
		"another Expect":             order.With("Expect", "nothing"),
		"an h2c upgrade":             order.With("Connection", "Upgrade, HTTP2-Settings").With("Upgrade", "h2c").With("HTTP2-Settings", "AAMAAABkAAQAAP__"),
		"an upgrade that is refused": order.With("Connection", "Upgrade").With("Upgrade", "websocket"),
		"a field name with a space":  order.With("X Bad", "1"),
		"a bare line feed":           order.With("X-Odd", "a\nX-Smuggled: b"),
		"two lengths":                order.With("Content-Length", "1").With("Content-Length", "2"),
		"length and chunks":          {Method: "POST", Host: "api.example.com", Target: "/v2/orders", Body: []byte("{}"), Chunked: true, Fields: []harness.Field{{Name: "Content-Length", Value: "5"}}},
		"an unknown coding":          order.With("Transfer-Encoding", "gzip"),
		"two hosts":                  order.With("Host", "other.example.com"),
	} {
		plain[name] = call
	}
	return plain, coded
}
