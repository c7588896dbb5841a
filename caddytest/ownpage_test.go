package caddytest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// As docs/configuration.md has it: people get a page, programs the problem, and both
// can be found in the access log by the same identifier. A site without error routes
// answers with an empty body, and so does one whose routes do not answer the status.
func TestOwnPagesAreForPeopleAndTheProblemForPrograms(t *testing.T) {
	t.Parallel()
	cfg := fleetConfig(harness.NewUpstream(t))
	cfg.Guard = "refusals handle_errors\n" + cfg.Guard
	cfg.Files["error.html"] = `{{placeholder "http.error.status_code"}} {{placeholder "http.api_guard.rule"}} {{placeholder "http.api_guard.reason"}} {{placeholder "http.request.uuid"}}`
	const guarded = " {\nlog\napi_guard\nreverse_proxy 127.0.0.1:<upstream>\n"
	cfg.Sites = "http://api.example.com:<http>" + guarded + `
	handle_errors {
		@page header Accept *text/html*
		handle @page {
			root <dir>
			rewrite * /error.html
			templates
			file_server
		}
		handle {
			api_guard
		}
	}
}
http://beta.example.com:<http>` + guarded + `
}
http://:<http>` + guarded + `
	handle_errors 5xx {
		respond "not this one"
	}
}
`
	caddy := harness.Start(t, cfg)
	logged := func(trace string) (uuid string) {
		caddy.Logged(t, "X-Trace", trace)
		for _, entry := range caddy.AccessLog(t) {
			if text, _ := json.Marshal(entry["request"]); strings.Contains(string(text), trace) {
				uuid, _ = entry["uuid"].(string)
			}
		}
		return uuid
	}
	call, trace := as(get("api.example.com", "/v2/orders?limit=0").With("Accept", "text/html,*/*"))
	if got := caddy.Do1(t, call); got.Status != 400 || string(got.Body) != "400 request request-invalid "+logged(trace) {
		t.Errorf("a browser: %v, logged as %s", got, logged(trace))
	}
	call, trace = as(get("api.example.com", "/v2/orders?limit=0").With("Accept", "application/json"))
	got := caddy.Do1(t, call)
	var problem struct{ Type, Instance string }
	if err := json.Unmarshal(got.Body, &problem); err != nil || got.Status != 400 || got.Header.Get("Content-Type") != "application/problem+json" ||
		problem.Type != "urn:api-guard:request-invalid" || problem.Instance != "urn:uuid:"+logged(trace) {
		t.Errorf("a program: %v, logged as %s", got, logged(trace))
	}
	for host, status := range map[string]int{"beta.example.com": 400, "nobody.example.com": 421} {
		call, _ := as(get(host, "/v3/orders?limit=0"))
		if got := caddy.Do1(t, call); got.Status != status || len(got.Body) != 0 || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", host, got)
		}
	}
}
