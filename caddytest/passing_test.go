package caddytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/google/go-cmp/cmp"
)

// passingPolicy enforces every rule and has the answers' in monitor.
const passingPolicy = `
mode enforce
policy {
	response monitor
}
api things {
	owner things
	version v1 {
		hosts api.example.com
		path /v1
		spec things.json more.json
		multi_segment getFile path
	}
}
`

// passingDocument and passingMore are two documents of one version, on one claim.
const (
	passingDocument = `{"openapi":"3.1.0","info":{"title":"things","version":"1"},"paths":{
"/things":{
 "get":{"responses":{"200":{"description":"ok","content":{"application/json":{"schema":{"type":"array"}},"multipart/mixed":{"schema":{"type":"object","required":["no"]}}}}}},
 "post":{"requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","required":["sku"],"properties":{"sku":{"type":"string"}}}}}},"responses":{"201":{"description":"ok"}}}},
"/files/{path}":{"get":{"operationId":"getFile","parameters":[{"name":"path","in":"path","required":true,"schema":{"type":"string"}}],"responses":{"200":{"description":"ok"}}}},
"/socket":{"get":{"x-api-guard-upgrade":"websocket","responses":{"101":{"description":"ok"}}}}}}`
	passingMore = `{"openapi":"3.0.3","info":{"title":"more","version":"1"},"paths":{
"/uploads":{
 "put":{"requestBody":{"content":{"application/octet-stream":{"schema":{"type":"string","format":"binary"}}}},"responses":{"200":{"description":"ok"}}},
 "post":{"requestBody":{"content":{"multipart/form-data":{"schema":{"type":"object","properties":{"file":{"type":"string","format":"binary"}}}}}},"responses":{"200":{"description":"ok"}}}},
"/things.Service/Call":{"post":{"requestBody":{"content":{"application/grpc":{}}},"responses":{"200":{"description":"ok"}}}}}}`
)

// guardedAndBare are two Caddys with one upstream: one with a policy that lets
// pass what the tests send, and one without the guard.
func guardedAndBare(t *testing.T) (with, without *harness.Caddy, up *harness.Upstream) {
	t.Helper()
	up = harness.NewUpstream(t)
	up.Answer(answerByName)
	start := func(directive string) *harness.Caddy {
		return harness.Start(t, harness.Config{
			Guard: passingPolicy, Upstream: up,
			Sites: strings.Replace(identitySites, "<guard>", directive, 1),
			Files: map[string]string{"things.json": passingDocument, "more.json": passingMore},
		})
	}
	return start("api_guard"), start(""), up
}

// passingCorpus are exchanges that passingPolicy lets pass, whatever the answer.
func passingCorpus() map[string]harness.Call {
	const host = "api.example.com"
	calls := make(map[string]harness.Call)
	for name := range scriptedAnswers {
		if name == "switch" {
			continue // only to those who ask for it
		}
		for method, call := range map[string]harness.Call{
			"GET": get(host, "/v1/things"), "HEAD": {Method: "HEAD", Host: host, Target: "/v1/things"},
			"POST": post(host, "/v1/things", `{"sku":"A"}`), "a file": get(host, "/v1/files/a/b"),
		} {
			call = call.With("X-Answer", name)
			calls[method+" answered with "+name] = call
			calls[method+" answered with "+name+" and compressed"] = call.With("Accept-Encoding", "gzip")
		}
	}
	part := "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + strings.Repeat("\x00\xff\r\n--X", 50_000) + "\r\n--XX--\r\n"
	for name, call := range map[string]harness.Call{
		"a large upload":                          send("PUT", host, "/v1/uploads", "application/octet-stream", strings.Repeat("\x00\x01\r\n", 700_000)),
		"an empty upload":                         send("PUT", host, "/v1/uploads", "application/octet-stream", ""),
		"an upload in parts":                      send("POST", host, "/v1/uploads", "multipart/form-data; boundary=XX", part),
		"a call of gRPC":                          send("POST", host, "/v1/things.Service/Call", "application/grpc", "\x00\x00\x00\x00\x02{}").With("TE", "trailers").With("X-Answer", "grpc"),
		"a body that says less than JSON's limit": post(host, "/v1/things", ` {"sku" : "A" } `),
	} {
		calls[name] = call
		call.Chunked = true
		calls[name+", in chunks"] = call
	}
	for name, call := range map[string]harness.Call{
		"several segments":    get(host, "/v1/files/a/b/c"),
		"encoded slashes":     get(host, "/v1/files/a%2Fb%2Fc"),
		"both":                get(host, "/v1/files/a/b%2Fc"),
		"a range and cookies": get(host, "/v1/things").With("Range", "bytes=0-1").With("Cookie", "a=1; b=2"),
		"a preflight": harness.Call{Method: "OPTIONS", Host: host, Target: "/v1/things"}.
			With("Origin", "https://a.example").With("Access-Control-Request-Method", "POST"),
	} {
		calls[name] = call
	}
	return calls
}

func TestWhatThePolicyLetsPassIsAsWithoutTheGuard(t *testing.T) {
	t.Parallel()
	with, without, up := guardedAndBare(t)
	a, b := with.Dial2(t, "api.example.com"), without.Dial2(t, "api.example.com")
	for name, call := range passingCorpus() {
		// A dead upstream apart, everything must have got there: a refusal by both
		// would be no identity.
		reached := func(exchange func() (string, []string)) func() (string, []string) {
			return func() (string, []string) {
				answer, sent := exchange()
				if len(sent) != 1 {
					t.Errorf("%s: the upstream got %d requests, the client %.300q", name, len(sent), answer)
				}
				return answer, sent
			}
		}
		wantSame(t, "HTTP/1.1 "+name,
			reached(func() (string, []string) { return rawExchange(t, with, up, call) }),
			reached(func() (string, []string) { return rawExchange(t, without, up, call) }))
		wantSame(t, "HTTP/2 "+name,
			reached(func() (string, []string) { return streamExchange(t, a, up, call) }),
			reached(func() (string, []string) { return streamExchange(t, b, up, call) }))
	}
	// The twin: the same policy refuses what it does not let pass.
	for name, call := range map[string]harness.Call{
		"a path in no document":                 get("api.example.com", "/v1/hidden"),
		"a slash where no parameter spans":      get("api.example.com", "/v1/things%2Fa"),
		"a body that is not the document's":     post("api.example.com", "/v1/things", `{"sku":7}`),
		"gRPC where the document has only JSON": send("POST", "api.example.com", "/v1/hidden.Service/Call", "application/grpc", "\x00\x00\x00\x00\x00"),
	} {
		if answer, sent := rawExchange(t, with, up, call); len(sent) != 0 || !strings.Contains(answer, "urn:api-guard:") {
			t.Errorf("%s: the upstream got %q, the client %.300q", name, sent, answer)
		}
	}
}

func TestAWebSocketThatThePolicyLetsPassIsTheUpstreamsAndTheClients(t *testing.T) {
	t.Parallel()
	with, without, up := guardedAndBare(t)
	tunnel := func(c *harness.Caddy) string {
		call, trace := as(get("api.example.com", "/v1/socket").With("Connection", "Upgrade").With("Upgrade", "websocket").
			With("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==").With("Sec-WebSocket-Version", "13").With("X-Answer", "switch"))
		got := untilFirstFrame(t, c, call.Wire())
		text := altPort.ReplaceAllString(date.ReplaceAllString(got, "Date: <date>"), "$1<port>")
		return fmt.Sprintf("%s\n%q", strings.ReplaceAll(text, trace, identityTrace), upstreamGot(up, trace))
	}
	if diff := cmp.Diff(tunnel(without), tunnel(with)); diff != "" {
		t.Errorf("(-without the guard +with it):\n%s", diff)
	}
}
