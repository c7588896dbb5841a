package caddytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
)

// A Redis that throws keys away when it is full works, and is told of all the same.
func TestARedisThatEvictsIsToldOf(t *testing.T) {
	t.Parallel()
	server := needs.NewRedis(t, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
	server.Start()
	caddy := harness.Start(t, harness.Config{
		Guard: "cluster redis://" + server.Addr + "/0\n" + fleet, Sites: sites, Upstream: harness.NewUpstream(t),
		Files: map[string]string{"orders.yaml": ordersDocument},
	})
	harness.Await(t, "health to tell of it", func() (string, bool) {
		c := clusterOf(t, caddy)
		return fmt.Sprintf("%+v", c), c.Status == "ok" && strings.Contains(c.Why, "allkeys-lru") && strings.Contains(c.Why, "noeviction")
	})
	if !strings.Contains(caddy.Log(), "the cluster's Redis may forget limits") {
		t.Error("the log does not warn")
	}
}
