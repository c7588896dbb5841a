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
		{"an answer, stripped before", "handle_path /api/* {\napi_guard\nrespond ok\n}", coverage.Rewritten, false, "in place of handle_path"},
		{"an answer, stripped between two guards", "api_guard\nhandle_path /api/* {\napi_guard\nrespond ok\n}", coverage.NoBackend, false, "answers what the configuration says"},
		{"an answer, stripped after", "handle /api/* {\napi_guard\nuri strip_prefix /api\nrespond ok\n}", coverage.NoBackend, false, "answers what the configuration says"},
		{"an answer without the guard", "handle_path /api/* {\nrespond ok\n}", coverage.NoBackend, false, "answers what the configuration says"},
		{"a proxy, another host before", "route {\nrequest_header Host api.example.com\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "changes the host"},
		{"a proxy, one more host before", "route {\nrequest_header +Host api.example.com\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "changes the host"},
		{"a proxy, the host replaced before", "route {\nrequest_header Host beta api\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "changes the host"},
		{"a proxy, no host before", "route {\nrequest_header -Host\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "changes the host"},
		{"a proxy, no field like the host before", "route {\nrequest_header -Ho*\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "changes the host"},
		{"a proxy, no field with its end before", "route {\nrequest_header -*OST\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "changes the host"},
		{"a proxy, no field with its middle before", "route {\nrequest_header -*os*\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "changes the host"},
		{"a proxy, no field before", "route {\nrequest_header -*\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "changes the host"},
		{"a proxy, another host in a handle before", "handle {\nroute {\nrequest_header Host api.example.com\napi_guard\n}\n}\nreverse_proxy 127.0.0.1:9", coverage.Rewritten, true, "changes the host"},
		{"a proxy, another host and target before", "route {\nrequest_header Host api.example.com\nuri strip_prefix /api\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Rewritten, true, "in place of handle_path"},
		{"a proxy, another field before", "route {\nrequest_header -X-Forwarded-Ho*\nrequest_header -*ost-*\nrequest_header Hosts a\napi_guard\nreverse_proxy 127.0.0.1:9\n}", coverage.Guarded, false, "api_guard stands before it"},
		{"a proxy, another host for it alone", "api_guard\nreverse_proxy 127.0.0.1:9 {\nheader_up Host internal\n}", coverage.Guarded, false, "api_guard stands before it"},
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
