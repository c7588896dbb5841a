package caddytest

import (
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// search is a document with what OpenAPI has from 3.2 on, and with what of it has no
// reader: each of those must be called unchecked by its name.
const search = `
openapi: 3.2.0
$self: https://docs.example.com/search.yaml
info: {title: search, version: "1", summary: finds}
jsonSchemaDialect: https://spec.openapis.org/oas/3.2/dialect/2025-09-17
servers: [{url: https://api.example.com/v1, name: production}]
tags: [{name: all, kind: nav}, {name: some, parent: all}]
components:
  mediaTypes:
    Hits: {schema: {type: array, items: {$ref: '#/components/schemas/Hit'}}}
  schemas:
    Hit:
      type: object
      required: [id]
      properties: {id: {type: integer}, next: {$ref: '#/components/schemas/Hit'}}
      unevaluatedProperties: false
paths:
  /items:
    query:
      operationId: queryItems
      tags: [some]
      requestBody: {required: true, content: {application/json: {schema: {type: object, required: [q], properties: {q: {type: string, maxLength: 5}}, additionalProperties: false}}}}
      responses: {"200": {description: ok}}
    additionalOperations:
      COPY:
        operationId: copyItems
        parameters: [{name: to, in: query, required: true, schema: {type: integer}}]
        responses: {"200": {description: ok}}
  /hits:
    post:
      operationId: addHit
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Hit'}}}}
      responses: {"200": {description: ok, content: {application/jsonl: {itemSchema: {$ref: '#/components/schemas/Hit'}}}}}
  /whole:
    get:
      operationId: wholeQuery
      parameters: [{name: all, in: querystring, content: {application/x-www-form-urlencoded: {schema: {type: object}}}}]
      responses: {"200": {description: ok}}
  /stream:
    post:
      operationId: streamItems
      requestBody: {content: {application/jsonl: {itemSchema: {$ref: '#/components/schemas/Hit'}}}}
      responses: {"200": {description: ok}}
  /xml:
    post:
      operationId: sendXML
      requestBody: {content: {application/xml: {schema: {type: object}}}}
      responses: {"200": {description: ok}}
  /behind:
    post:
      operationId: lookBehind
      requestBody: {content: {application/json: {schema: {type: string, pattern: '(?<=a)b'}}}}
      responses: {"200": {description: ok}}
`

func searchConfig(t *testing.T) (harness.Config, *harness.Upstream) {
	up := harness.NewUpstream(t)
	return harness.Config{
		Guard:    "policy {\nrequest enforce {\nunknown_parameters enforce\n}\nunknown_route enforce\n}\napi search {\nowner a\nversion v1 {\nspec search.yaml\n}\n}\n",
		Sites:    "http://:<http> {\nimport guarded\n}\n",
		Upstream: up,
		Files:    map[string]string{"search.yaml": search},
	}, up
}

func TestADocumentOf32IsInForceAndWhatHasNoReaderIsUncheckedByName(t *testing.T) {
	t.Parallel()
	cfg, up := searchConfig(t)
	caddy := harness.Start(t, cfg)
	for _, row := range []struct {
		name, method, target, mediaType, body string
		status                                int
		operation, unchecked, answer          string
	}{
		{"a query with a body", "QUERY", "/v1/items", "application/json", `{"q":"abc"}`, 200, "queryItems", "", ""},
		{"one that is too long", "QUERY", "/v1/items", "application/json", `{"q":"abcdef"}`, 400, "queryItems", "", ""},
		{"one without a body", "QUERY", "/v1/items", "", "", 400, "queryItems", "", ""},
		{"a method of the document's own", "COPY", "/v1/items?to=5", "", "", 200, "copyItems", "", ""},
		{"and its twin", "COPY", "/v1/items?to=x", "", "", 400, "copyItems", "", ""},
		{"a method that the path does not have", "PUT", "/v1/items", "", "", 405, "", "", ""},
		{"one that nobody has", "MOVE", "/v1/items", "", "", 400, "", "", ""},
		{"unevaluated properties", "POST", "/v1/hits", "application/json", `{"id":1,"next":{"id":2}}`, 200, "addHit", "", "item-schema"},
		{"and what is left over", "POST", "/v1/hits", "application/json", `{"id":1,"next":{"id":2,"x":3}}`, 400, "addHit", "", ""},
		{"a query as a whole", "GET", "/v1/whole?a=1&b=2", "", "", 200, "wholeQuery", "querystring", ""},
		{"a stream of items", "POST", "/v1/stream", "application/jsonl", "{\"id\":1}\n{}\n", 200, "streamItems", "item-schema", ""},
		{"a stream of another type", "POST", "/v1/stream", "application/json", "{}", 415, "streamItems", "", ""},
		{"XML", "POST", "/v1/xml", "application/xml", "<a/>", 200, "sendXML", "xml-body", ""},
		{"a pattern that looks behind", "POST", "/v1/behind", "application/json", `"ab"`, 200, "lookBehind", "pattern-unsupported", ""},
		{"and what else is asked", "POST", "/v1/behind", "application/json", `1`, 400, "lookBehind", "pattern-unsupported", ""},
	} {
		up.Answer(func(harness.Recorded) string {
			return "HTTP/1.1 200 OK\r\nContent-Type: application/jsonl\r\nContent-Length: 9\r\n\r\n{\"id\":1}\n"
		})
		call, trace := as(send(row.method, "api.example.com", row.target, row.mediaType, row.body))
		got := caddy.Do1(t, call)
		entry := caddy.Logged(t, "X-Trace", trace)
		unchecked, _ := entry["unchecked"].(string)
		if answer, _ := entry["unchecked_response"].(string); row.answer != "" && answer != row.answer {
			t.Errorf("%s: the log says of the answer %v", row.name, entry)
		}
		operation, _ := entry["operation"].(string)
		if got.Status != row.status || unchecked != row.unchecked || operation != row.operation {
			t.Errorf("%s: %v, the log says %v", row.name, got, entry)
		}
	}
	want := map[string]string{
		"/v1/whole":  `parameter "all": a query string as a whole is not checked`,
		"/v1/stream": "body application/jsonl: itemSchema is not checked",
		"/v1/xml":    "body application/xml: bodies of the media type are not checked",
		"/v1/behind": `body application/json: reading pattern "(?<=a)b"`,
	}
	unchecked := func() map[string]string {
		found := map[string]string{}
		for _, f := range openFindings(t, caddy, "") {
			if f.Kind == "operation-unchecked" {
				found[f.Subject["path"]] = f.Evidence
			}
		}
		return found
	}
	compare := func(when string, found map[string]string) {
		for path, what := range want {
			if !strings.Contains(found[path], what) {
				t.Errorf("%s: the finding of %s says %q, want %q", when, path, found[path], what)
			}
		}
		if len(found) != len(want) {
			t.Errorf("%s: %v, want %d findings", when, found, len(want))
		}
	}
	compare("after the requests", unchecked())
	var health struct {
		Gaps []struct {
			Kind  string
			Count int
		}
	}
	if caddy.Query(t, "/api_guard/health", &health); len(health.Gaps) != 1 || health.Gaps[0].Kind != "requests-unchecked" || health.Gaps[0].Count != len(want) {
		t.Errorf("health says %+v, want one gap of %d operations", health, len(want))
	}
	if status, text := caddy.Reload(t, cfg); status != 200 {
		t.Fatalf("reload: %d %s", status, text)
	}
	compare("after a reload, before anybody asks", unchecked())
}

func TestLintNamesWhatOfRequestsCannotBeChecked(t *testing.T) {
	t.Parallel()
	cfg, _ := searchConfig(t)
	text, ok := harness.Command(t, cfg, "api-guard", "lint", "--json", "--config", "CADDYFILE", "--adapter", "caddyfile")
	for _, want := range []string{
		"GET /whole", "a query string as a whole is not checked", "POST /stream", "itemSchema is not checked", "POST /xml", "bodies of the media type are not checked",
	} {
		if !ok || !strings.Contains(text, want) {
			t.Errorf("%v: lint does not say %q:\n%s", ok, want, text)
		}
	}
	if n := strings.Count(text, "(?\\u003c=a)b") + strings.Count(text, "(?<=a)b"); n != 1 {
		t.Errorf("the pattern is named %d times:\n%s", n, text)
	}
	if strings.Contains(text, "/hits") {
		t.Errorf("what is checked is named:\n%s", text)
	}
}
