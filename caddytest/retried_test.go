package caddytest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// A request that reverse_proxy sends to several upstreams, since the first ones are not
// there, is one request.
func TestARequestThatIsSentAgainIsChargedAndCountedOnce(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		proxy     string
		statuses  [7]int
		reached   int
		used      int
		inventory string
	}{
		"the third is there": {"127.0.0.1:1 127.0.0.1:2 127.0.0.1:<upstream> {\nlb_policy first\nfail_duration 1m\n<retries>\n}",
			[7]int{403, 403, 403, 403, 403, 429, 429}, 5, 5, "map[4xx:7]"},
		"none is there": {"127.0.0.1:1 127.0.0.1:2 {\nlb_policy round_robin\n<retries>\n}",
			[7]int{502, 502, 502, 502, 502, 429, 429}, 0, 5, "map[4xx:2 5xx:5]"},
		"the first is there, and is asked for its health": {"127.0.0.1:<upstream> 127.0.0.1:1 {\nlb_policy first\nhealth_uri /alive\nhealth_interval 10ms\nhealth_status 4xx\n<retries>\n}",
			[7]int{403, 403, 403, 403, 403, 429, 429}, 5, 5, "map[4xx:7]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := harness.NewUpstream(t)
			up.Answer(func(harness.Recorded) string { return wrongGuess })
			cfg := fleetConfig(up, "rate 5/1m", "rate 5/1h\ncount failures")
			cfg.Sites = strings.ReplaceAll(sites, "import guarded", "log\napi_guard\nreverse_proxy "+
				strings.Replace(row.proxy, "<retries>", "lb_retries 4\nlb_try_interval 1ms\nlb_retry_match method POST", 1))
			caddy := harness.Start(t, cfg)
			if strings.Contains(row.proxy, "/alive") {
				harness.Await(t, "the upstream to be asked for its health", func() (string, bool) { return "", len(up.Requests("", "")) > 3 })
			}
			call, client := as(post("api.example.com", "/v2/password-reset", guess))
			for i, want := range row.statuses {
				do := []harness.Do{caddy.Do1, caddy.Do2, caddy.Do3}[i%3]
				if got := do(t, call); got.Status != want {
					t.Errorf("guess %d: %v, want %d", i+1, got, want)
				}
			}
			seen := up.Requests("X-Trace", client)
			for _, r := range seen {
				if !bytes.Equal(r.Body, []byte(guess)) {
					t.Errorf("the upstream got %q", r.Body)
				}
			}
			if len(seen) != row.reached {
				t.Errorf("the upstream got %d, want %d", len(seen), row.reached)
			}
			if b := bucketOf(t, caddy, client); b.Used != row.used || b.Pending != 0 {
				t.Errorf("the bucket is %+v, want %d used", b, row.used)
			}
			harness.Await(t, "seven requests in the inventory", func() (string, bool) {
				r := awaitRoute(t, caddy, "/api_guard/routes?host=api.example.com", "api.example.com", "POST", "/v2/password-reset")
				return fmt.Sprintf("%+v", r), r.Count == 7 && fmt.Sprint(r.Statuses) == row.inventory
			})
			var list listing[route]
			caddy.Query(t, "/api_guard/routes", &list)
			for _, r := range list.Items {
				if strings.Contains(r.Path, "alive") {
					t.Errorf("a question for the upstream's health is in the inventory: %+v", r)
				}
			}
		})
	}
}
