package caddytest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// accounts is a document with credentials and answers worth checking.
const accounts = `
openapi: 3.0.3
info: {title: accounts, version: "1"}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    token: {type: oauth2, flows: {clientCredentials: {tokenUrl: https://id.example/, scopes: {read: r}}}}
paths:
  /account:
    get:
      operationId: readAccount
      responses:
        "200":
          description: the account
          headers: {X-Total: {schema: {type: integer}}}
          content:
            application/json:
              schema:
                type: object
                required: [id]
                additionalProperties: false
                properties: {id: {type: integer}, note: {type: string}}
            text/event-stream: {}
            application/octet-stream: {}
        "204": {description: none}
  /note:
    get:
      operationId: readNote
      responses:
        "200":
          description: the note
          content:
            application/xml: {}
            text/plain: {schema: {type: string, maxLength: 5}}
            application/x-www-form-urlencoded: {schema: {type: object, properties: {id: {type: integer}}}}
  /secret:
    get:
      operationId: readSecret
      security: [{key: []}, {token: [read]}]
      responses: {"200": {description: ok, content: {"*/*": {}}}}
`

func startAccounts(t *testing.T, policy string) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	up := harness.NewUpstream(t)
	return harness.Start(t, harness.Config{
		Guard:    "policy {\n" + policy + "\n}\napi accounts {\nversion v1 {\nhosts api.example.com\nspec accounts.yaml\n}\n}\n",
		Sites:    "http://:<http> {\nimport guarded\n}\nhttps://api.example.com:<https> {\ntls internal\nimport guarded\n}\n",
		Upstream: up,
		Files:    map[string]string{"accounts.yaml": accounts},
	}), up
}

func jsonAnswer(body string, fields ...string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-From: upstream\r\n%sContent-Length: %d\r\n\r\n%s",
		strings.Join(append(fields, ""), "\r\n"), len(body), body)
}

func typed(mediaType, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", mediaType, len(body), body)
}

func chunked(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-From: upstream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}

func zipped(body string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(body)) // to memory
	_ = w.Close()
	return b.String()
}

const needle = "needle-8412"

// answered are answers of upstream, the wrong ones beside their twins. Wrong ones
// carry the needle in body and header, which no refusal may show.
var answered = []struct {
	name, answer string
	method       string
	target       string // empty: /account
	status       int    // that upstream said
	refused      bool
	unchecked    string
}{
	{name: "as documented", answer: jsonAnswer(`{"id":1}`, "X-Total: 3"), status: 200},
	{name: "a member too many", answer: jsonAnswer(`{"id":1,"password":"`+needle+`"}`, "Set-Cookie: s="+needle), status: 200, refused: true},
	{name: "a member of another type", answer: jsonAnswer(`{"id":"` + needle + `"}`), status: 200, refused: true},
	{name: "in chunks", answer: chunked(`{"id":1}`), status: 200},
	{name: "wrong in chunks", answer: chunked(`{"id":"` + needle + `"}`), status: 200, refused: true},
	{name: "large in chunks", answer: chunked(`{"id":1,"note":"` + strings.Repeat("x", 50<<10) + `"}`), status: 200},
	{name: "large and wrong in chunks", answer: chunked(`{"id":"1","note":"` + strings.Repeat(needle, 5<<10) + `"}`), status: 200, refused: true},
	{name: "coded", answer: jsonAnswer(zipped(`{"id":1}`), "Content-Encoding: gzip"), status: 200},
	{name: "wrong and coded", answer: jsonAnswer(zipped(`{"id":"`+needle+`"}`), "Content-Encoding: gzip"), status: 200, refused: true},
	{name: "a header of another type", answer: jsonAnswer(`{"id":1}`, "X-Total: "+needle), status: 200, refused: true},
	{name: "a media type of none", answer: "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\n" + needle, status: 200, refused: true},
	{name: "a good status of none", answer: "HTTP/1.1 202 Accepted\r\nContent-Length: 11\r\n\r\n" + needle, status: 202, refused: true},
	{name: "no content", answer: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
	{name: "a failure of none", answer: "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", status: 404, unchecked: "undocumented-status"},
	{name: "over the cap", answer: jsonAnswer(`{"id":"1","note":"` + strings.Repeat("x", 70<<10) + `"}`), status: 200, unchecked: "response-too-large"},
	{name: "over the cap in chunks", answer: chunked(`{"id":"1","note":"` + strings.Repeat("x", 70<<10) + `"}`), status: 200, unchecked: "response-too-large"},
	{name: "events", answer: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: a\n\n", status: 200, unchecked: "stream"},
	{name: "a file", answer: "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 3\r\n\r\nabc", status: 200},
	{name: "XML", target: "/note", answer: typed("application/xml", "<a/>"), status: 200, unchecked: "xml-body"},
	{name: "text", target: "/note", answer: typed("text/plain", "short"), status: 200},
	{name: "text that is too long", target: "/note", answer: typed("text/plain", needle), status: 200, refused: true},
	{name: "a form", target: "/note", answer: typed("application/x-www-form-urlencoded", "id=1"), status: 200},
	{name: "a form with a field of another type", target: "/note", answer: typed("application/x-www-form-urlencoded", "id="+needle), status: 200, refused: true},
	{name: "HEAD", method: "HEAD", answer: jsonAnswer(`{"id":"1"}`), status: 200, unchecked: "head-response"},
}

func TestAnAnswerIsHeldUntilItIsJudged(t *testing.T) {
	t.Parallel()
	caddy, up := startAccounts(t, "response enforce {\nmax_body 64KiB\n}")
	testAnswers(t, caddy, up, true)
}

func TestInMonitorAnAnswerPassesAndTheLogSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	caddy, up := startAccounts(t, "response monitor {\nmax_body 64KiB\n}")
	testAnswers(t, caddy, up, false)
}

func testAnswers(t *testing.T, caddy *harness.Caddy, up *harness.Upstream, enforced bool) {
	byName := map[string]string{}
	for _, row := range answered {
		byName[row.name] = row.answer
	}
	up.Answer(func(r harness.Recorded) string { return byName[r.Values("X-Answer")[0]] })
	for protocol, do := range protocols(caddy) {
		for _, row := range answered {
			t.Run(protocol+" "+row.name, func(t *testing.T) {
				call, trace := as(harness.Call{Method: row.method, Host: "api.example.com", Target: cmp.Or(row.target, "/account")}.With("X-Answer", row.name).With("Accept-Encoding", "gzip"))
				got := do(t, call)
				entry := caddy.Logged(t, "X-Trace", trace)
				verdict := "allow"
				switch {
				case row.refused && enforced:
					verdict = "refuse"
					refused(t, got, 502, "response-invalid")
					if all := fmt.Sprint(got); strings.Contains(all, needle) || got.Header.Get("X-From") != "" || got.Header.Get("Set-Cookie") != "" {
						t.Errorf("the refusal shows what was refused: %s", all)
					}
				default:
					if row.refused {
						verdict = "would_refuse"
					}
					_, body, _ := strings.Cut(row.answer, "\r\n\r\n")
					if strings.Contains(row.answer, "chunked") {
						_, body, _ = strings.Cut(body, "\r\n")
						body = strings.TrimSuffix(body, "\r\n0\r\n\r\n")
					}
					if row.method == "HEAD" {
						body = ""
					}
					if got.Status != row.status || string(got.Body) != body {
						t.Errorf("got %v, want %d and %.100q", got, row.status, body)
					}
				}
				unchecked, _ := entry["unchecked_response"].(string)
				if entry["verdict"] != verdict || unchecked != row.unchecked {
					t.Errorf("the access log says %v", entry)
				}
				if row.refused && (entry["rule"] != "response" || entry["errors"] == nil || strings.Contains(fmt.Sprint(entry), needle)) {
					t.Errorf("the access log says %v", entry)
				}
			})
		}
	}
	metrics := caddy.Metrics(t)
	for _, want := range []string{
		`caddy_api_guard_unchecked_total{reason="response-too-large"}`, `caddy_api_guard_unchecked_total{reason="stream"}`,
		`rule="response"`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
}

func TestCredentialsThatTheDocumentAsksForMustBeThere(t *testing.T) {
	t.Parallel()
	caddy, up := startAccounts(t, "credentials enforce")
	const scoped, other = "eyJhbGciOiJIUzI1NiJ9.eyJzY29wZSI6InJlYWQifQ.c2ln", "eyJhbGciOiJIUzI1NiJ9.eyJzY29wZSI6IndyaXRlIn0.c2ln"
	preflight := harness.Call{Method: "OPTIONS", Host: "api.example.com", Target: "/secret"}.
		With("Origin", "https://shop.example").With("Access-Control-Request-Method", "GET")
	for protocol, do := range protocols(caddy) {
		for _, row := range []struct {
			name      string
			call      harness.Call
			status    int
			challenge string
		}{
			{"none", get("api.example.com", "/secret"), 401, `ApiKey realm="accounts", in="header", name="X-Key"`},
			{"an empty key", get("api.example.com", "/secret").With("X-Key", ""), 401, ""},
			{"a key", get("api.example.com", "/secret").With("X-Key", "k"), 200, ""},
			{"a token with the scope", get("api.example.com", "/secret").With("Authorization", "Bearer "+scoped), 200, ""},
			{"a token with another scope", get("api.example.com", "/secret").With("Authorization", "Bearer "+other), 401, `Bearer realm="accounts", scope="read", error="insufficient_scope"`},
			{"an opaque token", get("api.example.com", "/secret").With("Authorization", "Bearer abc"), 200, ""},
			{"a preflight", preflight, 200, ""},
			{"where none are asked for", get("api.example.com", "/account"), 200, ""},
			{"of a request that is wrong too", get("api.example.com", "/secret").With("Content-Type", "text/plain"), 401, ""},
		} {
			t.Run(protocol+" "+row.name, func(t *testing.T) {
				call, trace := as(row.call)
				got := do(t, call)
				if row.status == 200 {
					if got.Status != 200 || len(up.Requests("X-Trace", trace)) != 1 {
						t.Errorf("got %v", got)
					}
					return
				}
				refused(t, got, 401, "credentials-missing")
				if len(up.Requests("X-Trace", trace)) != 0 {
					t.Error("it reached the upstream")
				}
				challenges := strings.Join(got.Header.Values("WWW-Authenticate"), "\n")
				if challenges == "" || !strings.Contains(challenges, row.challenge) {
					t.Errorf("challenges %q", challenges)
				}
			})
		}
	}
	if metrics := caddy.Metrics(t); !strings.Contains(metrics, `unchecked_total{reason="token-scopes"} `) {
		t.Error("the metrics do not count the opaque token")
	}
}

func TestInMonitorMissingCredentialsPassAndAreRecorded(t *testing.T) {
	t.Parallel()
	caddy, _ := startAccounts(t, "credentials monitor")
	call, trace := as(get("api.example.com", "/secret"))
	if got := caddy.Do1(t, call); got.Status != 200 || got.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("got %v", got)
	}
	entry := caddy.Logged(t, "X-Trace", trace)
	if entry["verdict"] != "would_refuse" || entry["rule"] != "credentials" || entry["reason"] != "credentials-missing" {
		t.Errorf("the access log says %v", entry)
	}
}
