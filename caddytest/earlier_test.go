package caddytest

import (
	"net"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// earlierSites take a prefix away before the guard.
const earlierSites = `
http://legacy.example.com:<http> {
	handle_path /shop/* {
		route {
			api_guard
			root * <dir>/php
			php_fastcgi 127.0.0.1:<php>
		}
	}
	handle_path /a/b/* {
		route {
			api_guard
			root * <dir>/php
			php_fastcgi 127.0.0.1:<php>
		}
	}
	handle {
		api_guard
		root * <dir>/php
		php_fastcgi 127.0.0.1:<php>
	}
}
http://:<http> {
	import guarded
}
`

func TestTheOriginalTargetKeepsThePrefixThatWasTakenBeforeTheGuard(t *testing.T) {
	t.Parallel()
	p := newPHP(t)
	cfg := fleetConfig(harness.NewUpstream(t))
	_, port, _ := net.SplitHostPort(p.listener.Addr().String())
	cfg.Sites = strings.ReplaceAll(earlierSites, "<php>", port)
	cfg.Files["php/index.php"] = ""
	caddy := harness.Start(t, cfg)
	for spelling, want := range map[string]string{
		"/shop/v1/orders?limit=5":         "/shop/v1/orders?limit=5",
		"/shop/v1/%6frders/%37":           "/shop/v1/orders/7",
		"/sh%6Fp/v1/orders/%37":           "/shop/v1/orders/7",
		"/sh%6Fp/v1/orders":               "/shop/v1/orders", // the rest is canonical
		"/sh%6Fp/v1/orders?limit=5":       "/shop/v1/orders?limit=5",
		"/a/b/v1/%6Frders":                "/a/b/v1/orders",
		"/a%2Fb/v1/%6Frders":              "/v1/orders", // two prefixes, to those who decode and who do not
		"/a%2fb/v1/orders":                "/v1/orders",
		"/shop/v1/files/..%2forders":      "/v1/orders",           // as Caddy resolves it before the guard
		"/shop/v1/files/a%2Fb":            "/shop/v1/files/a%2Fb", // as its operation allows
		"/sh%6Fp/v1/files/a%2f%62":        "/shop/v1/files/a%2Fb",
		"/shop/v1/%6Frders?limit=5&x=%c3": "", // refused
		"/shop/v1/orders/..%2f7":          "",
		"/v1/%6frders/%37":                "/v1/orders/7", // nothing taken
	} {
		got := caddy.Do1(t, get("legacy.example.com", spelling))
		targets := p.take()
		if want == "" {
			if got.Status < 400 || got.Status > 499 || len(targets) > 0 {
				t.Errorf("%s: %v, and REQUEST_URI was %q; want a refusal", spelling, got, targets)
			}
			continue
		}
		if got.Status != 200 || len(targets) != 1 || targets[0] != want {
			t.Errorf("%s: %v, and REQUEST_URI was %q, want %q", spelling, got, targets, want)
		}
	}
}
