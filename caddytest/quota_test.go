package caddytest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// A day's quota is a day's, however often Caddy is stopped, killed or reloaded in
// it; what the file had not yet when it was killed is a second's worth at most.
func TestADaysQuotaOutlivesStopsKillsAndReloads(t *testing.T) {
	t.Parallel()
	notAtMidnight(t)
	up := harness.NewUpstream(t)
	cfg := harness.Config{
		Guard: strings.Replace(fleet, "policy {", "policy {\nlimit daily {\nkey {http.request.header.X-Tenant}\nquota 6/day\n}\n", 1),
		Sites: "http://:<http> {\n\timport guarded\n}\n", Upstream: up,
		Files: map[string]string{"orders.yaml": ordersDocument},
	}
	caddy := harness.Start(t, cfg)
	ask := func(tenant string) harness.Answer {
		t.Helper()
		return caddy.Do1(t, get("api.example.com", "/v2/orders").With("X-Tenant", tenant))
	}
	want := func(when string, remaining int) {
		t.Helper()
		a := ask("acme")
		if a.Status == 429 || !strings.Contains(a.Header.Get("RateLimit"), fmt.Sprintf(`"daily";r=%d;`, remaining)) {
			t.Fatalf("%s: %v, RateLimit %q, want %d left", when, a, a.Header.Get("RateLimit"), remaining)
		}
	}
	want("at first", 5)
	caddy.Stop()
	startAgain(t, caddy)
	want("after a stop", 4)
	if status, body := caddy.Reload(t, cfg); status != 200 {
		t.Fatalf("reload: %d %s", status, body)
	}
	want("after a reload", 3)
	// A query waits until what it tells holds over a crash.
	var list listing[any]
	caddy.Query(t, "/api_guard/routes", &list)
	caddy.Kill()
	startAgain(t, caddy)
	want("after a kill", 2)
	want("as before", 1)
	want("as before", 0)
	midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	most := time.Until(midnight) + 2*time.Second // it is rounded up, by a clock that may be behind
	a := ask("acme")
	if a.Status != 429 {
		t.Fatalf("the seventh of six is %v", a)
	}
	var seconds int
	if _, err := fmt.Sscan(a.Header.Get("Retry-After"), &seconds); err != nil || time.Duration(seconds)*time.Second < time.Until(midnight) || time.Duration(seconds)*time.Second > most {
		t.Errorf("Retry-After %q, and midnight was in %s", a.Header.Get("Retry-After"), most)
	}
	if a := ask("another"); a.Status == 429 {
		t.Errorf("another tenant is %v", a)
	}
	var buckets listing[struct {
		Quota struct{ Used, Remaining int }
	}]
	bucket := "/api_guard/limits?limit=daily&key=" + url.QueryEscape("acme")
	caddy.Query(t, bucket, &buckets)
	if len(buckets.Items) != 1 || buckets.Items[0].Quota.Used != 6 || buckets.Items[0].Quota.Remaining != 0 {
		t.Errorf("the bucket is %+v", buckets.Items)
	}
	if status, body := caddy.Ask(t, "DELETE", bucket); status != 200 || !strings.Contains(string(body), `"forgotten":1`) {
		t.Errorf("forgetting: %d %s", status, body)
	}
	caddy.Stop()
	startAgain(t, caddy)
	want("when it was forgotten", 5)
}

// notAtMidnight waits for the next day, in UTC, when it is so near that it might begin
// before the test ends: the clocks of processes cannot be stopped. The guard's may be a
// little behind.
func notAtMidnight(t *testing.T) {
	t.Helper()
	now := time.Now().UTC()
	if midnight := now.Truncate(24 * time.Hour).Add(24 * time.Hour); midnight.Sub(now) < 3*time.Minute {
		time.Sleep(midnight.Sub(now) + 2*time.Second)
	}
}
