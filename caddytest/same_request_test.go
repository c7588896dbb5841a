package caddytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// Caddy's placeholders read the very request that came, and {http.request.body} puts into
// it what it has read. So handlers behind the guard must have that one and no copy, whatever
// may become of the answer, and its context must last for the error routes.
func TestHandlersBehindTheGuardHaveTheVeryRequest(t *testing.T) {
	t.Parallel()
	const echo = `{"requestBody":{"content":{"text/plain":{}}},"responses":{"200":{"description":"ok","content":{"application/json":{}}}}}`
	for _, mode := range []string{"off", "monitor", "enforce"} {
		up := harness.NewUpstream(t)
		proxy := "request_header X-Method {method}\nrequest_header X-Uri {uri}\nreverse_proxy 127.0.0.1:" + up.Port() + "\n"
		caddy := harness.Start(t, harness.Config{
			Guard: "refusals handle_errors\npolicy {\nresponse " + mode + "\n}\napi echo {\nversion v1 {\nhosts api.example.com\nspec echo.json\n}\n}\n",
			Sites: strings.ReplaceAll(sites, "import guarded", `
route {
	api_guard
	method PUT
	rewrite /changed
	handle {
		@error header X-Error *
		error @error 503
		request_header X-Body {http.request.body}
		`+proxy+`
	}
}
handle_errors {
	route {
		`+proxy+`
	}
}`),
			Files: map[string]string{"echo.json": `{"openapi":"3.1.0","info":{"title":"echo","version":"1"},"paths":{"/echo":{"post":` + echo + `}}}`},
		})
		up.Answer(func(r harness.Recorded) string {
			if len(r.Values("X-Refused")) > 0 && r.Method() == "PUT" {
				return "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"
			}
			return plainOK
		})
		changed, original := "PUT /changed [PUT] [/changed] ", "POST /echo [POST] [/echo] "
		for name, do := range protocols(caddy) {
			for way, row := range map[string]struct {
				body string
				want []string
			}{
				"X-Passed":  {"a body", []string{changed + "[a body] a body"}},
				"X-Error":   {"", []string{original + "[] "}},
				"X-Refused": {"", []string{changed + "[] ", original + "[] "}},
			} {
				if way == "X-Refused" && mode != "enforce" {
					continue
				}
				call, trace := as(send("POST", "api.example.com", "/echo", "text/plain", row.body).With(way, "yes"))
				got := do(t, call)
				var seen []string
				for _, r := range up.Requests("X-Trace", trace) {
					seen = append(seen, fmt.Sprint(r.Method(), " ", r.Target(), " ", r.Values("X-Method"), " ", r.Values("X-Uri"), " ", r.Values("X-Body"), " ", string(r.Body)))
				}
				if fmt.Sprintf("%q", seen) != fmt.Sprintf("%q", row.want) || got.Status != 200 {
					t.Errorf("%s, %s %s: %d, upstream got %q, want %q", mode, name, way, got.Status, seen, row.want)
				}
			}
		}
	}
}
