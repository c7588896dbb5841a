package coverage_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/coverage"
)

// What stands before the guard may change the request, whatever stands behind it: a
// proxy, files, or a handler that is not known here (<plugin>).
func TestWhatTheGuardJudgesIsWhatTheClientAskedForWhateverStandsBehindIt(t *testing.T) {
	for _, c := range []struct {
		name, site string
		status     coverage.Status
		open       bool
		says       string
	}{
		{"a proxy, stripped before", "handle_path /api/* {\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "in place of handle_path"},
		{"a proxy, stripped before in a route", "route {\nuri strip_prefix /api\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "in place of handle_path"},
		{"a proxy, rewritten before in a route", "route {\nrewrite /api/* /v1{uri}\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "in place of handle_path"},
		{"a proxy, stripped after", "handle /api/* {\napi_guard\nuri strip_prefix /api\nreverse_proxy 127.0.0.1:9\n}", coverage.Guarded, false, "api_guard stands before it"},
		{"a proxy, stripped before in the text and after in the order", "handle /api/* {\nuri strip_prefix /api\nreverse_proxy 127.0.0.1:9\napi_guard\n}", coverage.Guarded, false, "api_guard stands before it"},
		{"a proxy, stripped between two guards", "api_guard\nhandle_path /api/* {\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Guarded, false, "api_guard stands before it"},
		{"files, stripped before", "handle_path /api/* {\napi_guard\nfile_server\n}", coverage.Rewritten, true, "in place of handle_path"},
		{"files, stripped after", "handle /api/* {\napi_guard\nuri strip_prefix /api\nfile_server\n}", coverage.Guarded, false, "api_guard stands before it"},
		{"an answer, stripped before", "handle_path /api/* {\napi_guard\nrespond ok\n}", coverage.NoBackend, false, "answers what the configuration says"},
		{"a plugin, stripped before", "handle_path /api/* {\napi_guard\n<plugin>\n}", coverage.Opaque, true, "in place of handle_path"},
		{"a plugin, stripped after", "handle /api/* {\napi_guard\nuri strip_prefix /api\n<plugin>\n}", coverage.Opaque, false, "api_guard stands before it"},
		{"a plugin, rewritten after", "api_guard\nrewrite /v1/orders /internal/export\n<plugin>", coverage.Opaque, true, "rewritten after api_guard"},
		{"a plugin behind the guard", "api_guard\n<plugin>", coverage.Opaque, false, "api_guard stands before it"},
		{"a plugin without the guard", "<plugin>", coverage.Opaque, true, "no api_guard stands before it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			site := strings.ReplaceAll(c.site, "<plugin>", "respond plugin")
			config := adapted(t, global+guardedAPI+"http://beta.example.com:8080 {\n"+site+"\n}")
			if plugin := []byte(`{"body":"plugin","handler":"static_response"}`); strings.Contains(c.site, "<plugin>") {
				if !bytes.Contains(config, plugin) {
					t.Fatalf("there is no place for the plugin in %s", config)
				}
				config = bytes.ReplaceAll(config, plugin, []byte(`{"handler":"plugin"}`))
			}
			var of []coverage.Entry
			for _, e := range prove(t, decodedServers(t, config)) {
				if e.Host == "beta.example.com" {
					of = append(of, e)
				}
			}
			if len(of) != 1 || of[0].Status != c.status || of[0].Open != c.open || !strings.Contains(of[0].Why, c.says) {
				t.Errorf("got %s\nwant %s, open %v, because %q", text(of), c.status, c.open, c.says)
			}
		})
	}
}
