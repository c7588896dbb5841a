package caddytest

import (
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// A second upstream, which a proxy's or an intercept's routes on the first one's answer ask,
// gets a request without a body over every protocol, HTTP/3 too, which does not say that
// there is none.
func TestASecondUpstreamGetsTheRequestWithoutABody(t *testing.T) {
	t.Parallel()
	const (
		routes = "@failed status 404\nhandle_response @failed {\nroute {\nheader -Content-Length\nrequest_header X-Second yes\nreverse_proxy 127.0.0.1:<upstream>\n}\n}\n"
		proxy  = "<guard>reverse_proxy 127.0.0.1:<upstream> {\n" + routes + "}\n"
		taken  = "intercept {\n" + routes + "}\n<guard>reverse_proxy 127.0.0.1:<upstream>\n"
	)
	up := harness.NewUpstream(t)
	up.Answer(func(r harness.Recorded) string {
		if len(r.Values("X-Second")) > 0 {
			return strings.Replace(plain200, "{}", "[]", 1)
		}
		return strings.Replace(plain200, "200 OK", "404 Not Found", 1)
	})
	for name, site := range map[string]string{"a proxy": proxy, "an intercept": taken} {
		for _, mode := range []string{"enforce", "monitor", "none"} {
			guard := "api_guard\n"
			if mode == "none" {
				guard = ""
			}
			cfg := fleetConfig(up, "policy {", "policy {\nrequest "+strings.Replace(mode, "none", "enforce", 1)+"\n")
			cfg.Sites = "http://api.example.com:<http>, https://api.example.com:<https> {\ntls internal\nlog\nroute {\n" + strings.ReplaceAll(site, "<guard>", guard) + "}\n}\n"
			caddy := harness.Start(t, cfg)
			for protocol, do := range protocols(caddy) {
				call, client := as(get("api.example.com", "/v2/orders/7"))
				got := do(t, call)
				if seen := len(up.Requests("X-Trace", client)); got.Status != 200 || string(got.Body) != "[]" || seen != 2 {
					t.Errorf("%s, %s, %s: %v, and %d at the upstream", name, mode, protocol, got, seen)
				}
			}
		}
	}
}

const plain200 = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
