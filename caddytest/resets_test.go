package caddytest

import (
	"fmt"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// Streams that are opened and reset at once, as in CVE-2023-44487, half of them within
// their body: they pay, none reaches the upstream, and none stays counted as running.
func TestAThousandStreamsThatAreResetLeaveNothingPending(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t, "rate 5/1m", "rate 5/1h\nconcurrency 3")
	guess := func(client string) harness.Call {
		return post("api.example.com", "/v2/password-reset", `{"code":"000001"}`).With("X-Forwarded-For", client)
	}
	client := harness.NewClient()
	head := []hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "api.example.com"},
		{Name: ":path", Value: "/v2/password-reset"}, {Name: "content-type", Value: "application/json"},
		{Name: "x-forwarded-for", Value: client}, {Name: "x-trace", Value: client},
	}
	for range 40 {
		h := caddy.Dial2(t, caddy.ServerName)
		for n := range 25 {
			h.Cut(t, h.SendHead(t, head, false), []byte(`{"code":"000`)[:n%2*12])
		}
		h.Close()
	}
	harness.Await(t, "every stream to end", func() (string, bool) {
		b := bucketOf(t, caddy, client)
		return fmt.Sprintf("%+v, %d concurrent", b, *b.Concurrent), b.Pending == 0 && *b.Concurrent == 0 && b.Used > 0
	})
	if seen := up.Requests("X-Trace", client); len(seen) > 0 {
		t.Errorf("the upstream got %d, the first is %q", len(seen), seen[0].Raw)
	}
	for range 5 {
		if got := caddy.Do2(t, guess("192.0.2.200")); got.Status != 200 {
			t.Errorf("another client: %v", got)
		}
	}
	if got := caddy.Do2(t, guess("192.0.2.200")); got.Status != 429 {
		t.Errorf("its sixth request: %v", got)
	}
}
