package caddytest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

func TestWithoutItsRedisCaddyLogsInItsOwnFormAndOnce(t *testing.T) {
	t.Parallel()
	caddy := harness.Start(t, harness.Config{
		Guard: "cluster redis://127.0.0.1:1/0\napi orders {\nversion v1 {\nhosts api.example.com\n}\n}\n",
		Sites: everyHost, Upstream: harness.NewUpstream(t),
	})
	harness.Await(t, "the log to say it", func() (string, bool) {
		return caddy.Log(), strings.Contains(caddy.Log(), "not exchanged with the cluster")
	})
	said := 0
	for line := range strings.SplitSeq(strings.TrimSpace(caddy.Log()), "\n") {
		var entry struct{ Logger, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("a line that is no entry of the log: %s", line)
		}
		if strings.Contains(entry.Msg, "not exchanged with the cluster") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("the log says %d times that there is no cluster, want once", said)
	}
}
