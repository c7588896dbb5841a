package caddytest

import (
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// Whoever asks Caddy for the request's UUID gets that of the refusal, before it and
// after, in whatever way the refusal is answered.
func TestTheUUIDOfARefusalIsTheOneThatCaddyTells(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	guarded := "api_guard\nreverse_proxy 127.0.0.1:<upstream>\n"
	for name, c := range map[string]struct {
		site  string
		tells bool
	}{
		"before the guard":   {"header X-Id {uuid}\n" + guarded, true},
		"when it is written": {"header >X-Id {uuid}\n" + guarded, true},
		"by another name":    {"map {host} {id} {\ndefault {uuid}\n}\nheader >X-Id {id}\n" + guarded, true},
		"around a subroute":  {"header >X-Id {uuid}\nhandle /v2/* {\n" + guarded + "}\n", true},
		"in a named route":   {"header >X-Id {uuid}\ninvoke guarded\n", true},
		"with a log":         {"log\nheader >X-Id {uuid}\n" + guarded, true},
		"behind the guard":   {"route {\napi_guard\nheader >X-Id {uuid}\nreverse_proxy 127.0.0.1:<upstream>\n}\n", false},
		"nobody asks":        {guarded, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := fleetConfig(up)
			cfg.Sites = "&(guarded) {\n" + guarded + "}\nhttp://:<http> {\n" + c.site + "}\n"
			caddy := harness.Start(t, cfg)
			seen := map[string]bool{}
			for range 3 {
				got := caddy.Do1(t, harness.Call{Host: "api.example.com", Target: "/v2//orders"})
				p := refused(t, got, 400, "malformed-target")
				if id := got.Header.Get("X-Id"); c.tells && "urn:uuid:"+id != p.Instance || !c.tells && id != "" {
					t.Errorf("the instance is %q, the field %q", p.Instance, id)
				}
				if seen[p.Instance] {
					t.Errorf("%s names two requests", p.Instance)
				}
				seen[p.Instance] = true
			}
		})
	}
}
