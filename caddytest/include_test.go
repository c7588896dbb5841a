package caddytest

import (
	"fmt"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// A template asks its own site by a request that Caddy makes, of which net/http has read
// no line: it is judged by its URL as any other.
func TestWhatATemplateIncludesIsJudgedAsAnyRequest(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"enforce", "monitor"} {
		up := harness.NewUpstream(t)
		cfg := fleetConfig(up, "unknown_route enforce", "unknown_route "+mode+"\nlimit included {\noperations getOrder\nrate 3/1h\n}")
		cfg.Guard = "mode " + mode + "\n" + cfg.Guard
		cfg.Sites = `
http://api.example.com:<http> {
	handle /*.html {
		root * <dir>
		templates
		file_server
	}
	handle {
		api_guard
		reverse_proxy 127.0.0.1:<upstream>
	}
}
`
		for name, target := range map[string]string{
			"order": "/v2/orders/7", "spelled": "/v2/%6Frders/8?", "nowhere": "/v2/nowhere", "wrong": "/v2/orders?limit=x", "dots": "/v2/x/../orders", "bare": "v2/orders",
		} {
			cfg.Files[name+".html"] = `<i>{{httpInclude "` + target + `"}}</i>`
		}
		caddy := harness.Start(t, cfg)
		included := func(name string) bool {
			got := caddy.Do1(t, get("api.example.com", "/"+name+".html"))
			if got.Status == 200 && string(got.Body) != "<i>{}</i>" {
				t.Errorf("%s, %s: %s", mode, name, got.Body)
			}
			return got.Status == 200
		}
		seen := func() (targets []string) {
			for _, r := range up.Requests("Caddy-Templates-Include", "1") {
				targets = append(targets, r.Target())
			}
			up.Forget()
			return targets
		}
		for _, row := range []struct {
			name, sent string
			good       bool
		}{
			{"order", "/v2/orders/7", true},
			{"spelled", "/v2/orders/8?", true},
			{"nowhere", "/v2/nowhere", false},
			{"wrong", "/v2/orders?limit=x", false},
			{"dots", "/v2/x/../orders", false},
		} {
			want := "[" + row.sent + "]"
			if mode == "monitor" && row.name == "spelled" {
				want = "[/v2/%6Frders/8?]"
			}
			passes := row.good || mode == "monitor"
			if !passes {
				want = "[]"
			}
			if got := included(row.name); got != passes {
				t.Errorf("%s, %s: included: %v", mode, row.name, got)
			}
			if got := fmt.Sprint(seen()); got != want {
				t.Errorf("%s, %s: the upstream got %s, want %s", mode, row.name, got, want)
			}
		}
		if b := counted(t, caddy, "included", "127.0.0.1"); b.Used != 2 {
			t.Errorf("%s: two orders are %+v", mode, b)
		}
		if mode == "enforce" && (included("bare") || !included("order") || included("order")) {
			t.Error("what is no target passes, the third order does not, or the fourth one does")
		}
	}
}
