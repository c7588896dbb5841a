package caddytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"golang.org/x/sys/unix"
)

// A disk that is full: Caddy serves and records, health and the metric say so, and
// with room again all that was seen meanwhile is kept.
func TestAFullDiskStopsNothingAndHeals(t *testing.T) {
	t.Parallel()
	caddy, _ := startStored(t)
	limit := func(size uint64) {
		t.Helper()
		l := unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}
		if err := unix.Prlimit(caddy.PID(), unix.RLIMIT_FSIZE, &l, nil); err != nil {
			t.Fatal(err)
		}
	}
	caddy.Do1(t, get("api.example.com", "/v2/before"))
	awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "GET", "/v2/before")
	limit(1)
	for i := range 30 {
		if a := caddy.Do1(t, get("api.example.com", "/v2/during/"+strings.Repeat("x", i+1))); a.Status != 200 {
			t.Fatalf("a request is %v", a)
		}
	}
	harness.Await(t, "health to say that the disk is full", func() (string, bool) {
		s := storeOf(t, caddy)
		return fmt.Sprint(s), s.Status == "degraded" && strings.Contains(s.Why, "file too large")
	})
	awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "GET", "/v2/during/xxx")
	if _, body := caddy.Ask(t, "GET", "/metrics"); !strings.Contains(string(body), "caddy_api_guard_store_failures_total") || strings.Contains(string(body), "caddy_api_guard_store_failures_total 0\n") {
		t.Error("the metric does not tell of the failure")
	}
	limit(unix.RLIM_INFINITY)
	harness.Await(t, "the store to work again", func() (string, bool) {
		s := storeOf(t, caddy)
		return fmt.Sprint(s), s.Status == "ok"
	})
	awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "GET", "/v2/during/xxx")
	caddy.Kill()
	startAgain(t, caddy)
	awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "GET", "/v2/during/xxx")
}
