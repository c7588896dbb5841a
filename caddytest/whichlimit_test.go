package caddytest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// Of several limits the access log, a placeholder and a replay of the log name the one
// that refused, enforced or in monitor.
func TestTheLimitThatRefusesHasAName(t *testing.T) {
	t.Parallel()
	cfg := harness.Config{
		Guard: `policy {
			limit roomy {
				rate 100/1h
			}
			limit tried {
				rate 1/1h
				mode monitor
			}
			limit tight {
				rate 2/1h
			}
		}` + oneVersion,
		Sites:    "http://:<http> {\n\theader >X-Limit {http.api_guard.limit}\n\timport guarded\n}\n",
		Upstream: harness.NewUpstream(t), Files: map[string]string{"orders.yaml": ordersDocument},
	}
	caddy := harness.Start(t, cfg)
	client := harness.NewClient()
	for _, want := range []struct {
		status int
		limit  string
	}{{200, ""}, {200, "tried"}, {429, "tight"}} {
		trace := harness.NewClient()
		got := caddy.Do1(t, get("api.example.com", "/orders").With("X-Forwarded-For", client).With("X-Trace", trace))
		if told := got.Header.Get("X-Limit"); got.Status != want.status || told != want.limit {
			t.Errorf("%v tells of the limit %q, want %d and %q", got, told, want.status, want.limit)
		}
		if logged, _ := caddy.Logged(t, "X-Trace", trace)["limit"].(string); logged != want.limit {
			t.Errorf("the access log has the limit %q, want %q", logged, want.limit)
		}
	}
	text, ok := harness.Command(t, cfg, "api-guard", "replay", "--config", "CADDYFILE", "--adapter", "caddyfile", filepath.Join(caddy.Dir, "access.log"))
	for _, says := range []string{"2 would be refused", "limit tried  ", "limit tried, tight  "} {
		if !ok || !strings.Contains(text, says) {
			t.Errorf("replay succeeded: %v; it does not say %q:\n%s", ok, says, text)
		}
	}
}

// A process that ends as it should leaves nothing in its log to look into.
func TestAnOrderlyEndIsNoFailureOfTheStore(t *testing.T) {
	t.Parallel()
	caddy, _ := startStored(t)
	caddy.Do1(t, get("api.example.com", "/v2/orders"))
	awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "GET", "/v2/orders")
	caddy.Stop()
	if log := caddy.Log(); strings.Contains(log, "not kept as it should be") || !strings.Contains(log, "the inventory is kept in a file") {
		t.Errorf("the log of an orderly end:\n%s", log)
	}
}
