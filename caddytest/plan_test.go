package caddytest

import (
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/inventory"
)

func planOf(t *testing.T, c *harness.Caddy, at, version string) inventory.PlanEntry {
	t.Helper()
	var plan inventory.Plan
	c.Query(t, "/api_guard/plan"+at, &plan)
	for _, e := range plan.Items {
		if e.Version == version {
			return e
		}
	}
	t.Fatalf("no %s in %+v", version, plan)
	return inventory.PlanEntry{}
}

func TestThePlanSaysWhomASunsetStops(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	for range 3 {
		call, _ := as(get("legacy.example.com", "/v1/orders")) // each from an address of its own
		if got := caddy.Do1(t, call); got.Status != 200 {
			t.Fatal(got)
		}
	}
	harness.Await(t, "the callers", func() (string, bool) {
		e := planOf(t, caddy, "", "v1")
		return e.State, e.Requests == 3 && e.Readiness.Callers == 3
	})
	if e := planOf(t, caddy, "", "v1"); e.State != "deprecated" || e.Mode != "enforce" || e.WouldRefuse.Requests != 0 || e.Then != "retired" {
		t.Errorf("now: %+v", e)
	}
	e := planOf(t, caddy, "?at=2099-01-01", "v1")
	if e.State != "retired" || e.WouldRefuse != (inventory.PlanLoss{Requests: 3, Consumers: 3}) || len(e.Callers) != 3 || !e.Callers[0].Refused {
		t.Errorf("at the sunset: %+v", e)
	}
	if e := planOf(t, caddy, "?at=2098-12-31T23:59:59Z", "v1"); e.State != "deprecated" || e.WouldRefuse.Consumers != 0 {
		t.Errorf("a second before: %+v", e)
	}
	for _, wrong := range []string{"?at=soon", "?when=2099-01-01", "?at=2099-01-01&at=2098-01-01"} {
		if status, body := caddy.Ask(t, "GET", "/api_guard/plan"+wrong); status != 400 {
			t.Errorf("%s: %d %s", wrong, status, body)
		}
	}

	none := harness.Config{Caddyfile: "{\n}\n"}
	text, ok := harness.Command(t, none, "api-guard", "plan", "--at", "2099-01-01", "--address", caddy.Admin)
	for _, says := range []string{"v1", "retired", "3 requests of 3 callers", "network:", "refused"} {
		if !ok || !strings.Contains(text, says) {
			t.Errorf("the command succeeded: %v; it does not say %q:\n%s", ok, says, text)
		}
	}
	if text, ok := harness.Command(t, none, "api-guard", "plan", "--at", "2099-01-01", "--strict", "--address", caddy.Admin); ok {
		t.Errorf("--strict, and somebody would be refused:\n%s", text)
	}
	if text, ok := harness.Command(t, none, "api-guard", "plan", "--strict", "--address", caddy.Admin); !ok {
		t.Errorf("--strict, and nobody is:\n%s", text)
	}
	if text, ok := harness.Command(t, none, "api-guard", "plan", "--at", "soon", "--address", caddy.Admin); ok || !strings.Contains(text, "soon") {
		t.Errorf("a time that is none: %v\n%s", ok, text)
	}
}
