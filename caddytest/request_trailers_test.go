package caddytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// tail is what announces trailers in a request, and what of them came.
func tail(r harness.Recorded) string {
	_, trailers, _ := strings.Cut(string(r.Raw), "\r\n0\r\n")
	return fmt.Sprintf("%q, trailers %q", r.Values("Trailer"), trailers)
}

// What comes behind a body is no part of what is judged: it makes up for no credential,
// gets no bucket and no version, and reaches no upstream unless it was announced where
// the rule target only watches, as without the guard.
func TestTrailersOfARequestDecideNothing(t *testing.T) {
	t.Parallel()
	const document = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},
"components":{"securitySchemes":{"key":{"type":"apiKey","in":"header","name":"X-Key"}}},
"paths":{"/notes":{"post":{"security":[{"key":[]}],"requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object"}}}},"responses":{"200":{"description":"ok"}}}}}}`
	up := harness.NewUpstream(t)
	start := func(target, directive string) *harness.Caddy {
		return harness.Start(t, harness.Config{
			Guard: "policy {\ntarget " + target + "\ncredentials enforce\nrequest enforce\nlimit each {\nkey {http.request.header.X-Tenant}\nrate 2/1h\n}\n}\n" +
				"api notes {\nversion v1 {\nhosts api.example.com\nspec notes.json\n}\n}\n",
			Sites:    "http://:<http> {\nlog\n" + directive + "\nreverse_proxy 127.0.0.1:<upstream>\n}\n",
			Upstream: up, Files: map[string]string{"notes.json": document},
		})
	}
	enforced, watched, bare := start("enforce", "api_guard"), start("monitor", "api_guard"), start("enforce", "")
	do := func(c *harness.Caddy, fields, trailers string) (harness.Answer, []harness.Recorded) {
		client := harness.NewClient()
		if !strings.Contains(fields, "X-Tenant") {
			fields += "X-Tenant: " + client + "\r\n"
		}
		request := "POST /notes HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\nX-Forwarded-For: " + client + "\r\nX-Trace: " + client +
			"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n" + fields + "\r\n2\r\n{}\r\n0\r\n" + trailers + "\r\n"
		return c.Raw(t, []byte(request), "POST"), up.Requests("X-Trace", client)
	}
	const key = "X-Key: k\r\n"
	for _, row := range []struct {
		name, fields, trailers string
		status, watched        int
	}{
		{"none", key, "", 200, 200},
		{"a sum", key, "X-Sum: 9\r\n", 200, 200},
		{"a sum that was announced", key + "Trailer: X-Sum\r\n", "X-Sum: 9\r\n", 400, 200},
		{"the credential", "", key, 401, 401},
		{"the credential, announced", "Trailer: X-Key\r\n", key, 400, 401},
		{"another credential", key, "X-Key: other\r\nAuthorization: Bearer a\r\n", 200, 200},
		{"another length", key, "Content-Length: 500\r\n", 200, 200},
		{"another coding", key, "Transfer-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Type: text/plain\r\n", 200, 200},
		{"another host", key, "Host: shadow.example.com\r\nX-Original-URL: /admin\r\nX-HTTP-Method-Override: DELETE\r\n", 200, 200},
		{"fields of the hop", key, "Connection: X-Key\r\nUpgrade: websocket\r\n", 200, 200},
		{"no field at all", key, "no field at all\r\n", 400, 400},
	} {
		got, seen := do(enforced, row.fields, row.trailers)
		passed := row.status == 200
		if got.Status != row.status || (len(seen) == 1) != passed {
			t.Errorf("%s: %v, the upstream got %d requests", row.name, got, len(seen))
		}
		if len(seen) == 1 && strings.Contains(string(seen[0].Raw), "\r\n0\r\n") && !strings.HasSuffix(string(seen[0].Raw), "\r\n0\r\n\r\n") {
			t.Errorf("%s: the upstream got %q", row.name, seen[0].Raw)
		}
		got, seen = do(watched, row.fields, row.trailers)
		if got.Status != row.watched || (len(seen) == 1) != (row.watched == 200) {
			t.Errorf("%s, watched: %v, the upstream got %d requests", row.name, got, len(seen))
		}
		if _, without := do(bare, row.fields, row.trailers); len(seen) == 1 && len(without) == 1 {
			if a, b := tail(seen[0]), tail(without[0]); a != b {
				t.Errorf("%s, watched: the upstream got %s, without the guard %s", row.name, a, b)
			}
		}
	}
	// One tenant has one bucket, whatever comes behind the body.
	for i, want := range []int{200, 200, 429} {
		if got, _ := do(enforced, key+"X-Tenant: a\r\n", fmt.Sprintf("X-Tenant: b%d\r\n", i)); got.Status != want {
			t.Errorf("the request %d of a tenant: %v, want %d", i+1, got, want)
		}
	}
}
