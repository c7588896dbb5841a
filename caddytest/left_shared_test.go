package caddytest

import (
	"net/http"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
)

// What a request holds of a shared limit is let go with the error and held again by the
// error route, where it counts as a failure once.
func TestAnErrorRouteCountsAFailureOnceOfASharedLimit(t *testing.T) {
	t.Parallel()
	redis := needs.Redis(t)
	up := harness.NewUpstream(t)
	cfg := clusterConfig(up, redis.Addr, "rate 5/1m", "rate 2/1h\ncount failures\non_store_failure deny", "unknown_route enforce", "unknown_route monitor\nrequest enforce")
	cfg.Sites = fallbackSites
	nodes := []*harness.Caddy{harness.Start(t, cfg), harness.Start(t, cfg)}
	// A busy machine misses the 20 ms now and then: a client who does not meet it has what
	// the limit says, and nobody has more.
	for status, want := range map[int]int{http.StatusOK: 6, http.StatusUnauthorized: 2} {
		up.Answer(answer(status, "{}"))
		best := 0
		for clients := 0; clients < 50 && best < want; clients++ {
			awaitLimits(t, "ok", nodes...)
			call, trace := as(post("api.example.com", "/v2/password-reset", guess))
			passed := 0
			for n := range 6 {
				if got := nodes[n%2].Do1(t, call); got.Status == status {
					passed++
				}
			}
			if reached := len(up.Requests("X-Trace", trace)); reached > want || passed != reached {
				t.Fatalf("%d of 6 guesses reached the upstream, %d passed; want %d", reached, passed, want)
			}
			best = max(best, passed)
		}
		if best != want {
			t.Errorf("of 6 guesses that are answered with %d, at most %d passed, want %d", status, best, want)
		}
	}
}
