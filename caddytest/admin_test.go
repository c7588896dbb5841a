package caddytest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// brokenAfter is the fleet with an error that shows when the rest of the
// configuration is already provisioned.
func brokenAfter(up *harness.Upstream) harness.Config {
	cfg := fleetConfig(up, "owner team-checkout", "owner team-rejected")
	cfg.Sites += "\nhttp://broken.example.com:<http> {\nreverse_proxy {\nto 127.0.0.1:1-0\n}\n}\n"
	return cfg
}

func TestTheAdminAPIAnswersForTheRunningConfigurationAfterARejectedOne(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	owner := func() string {
		var answer struct {
			Items []struct{ Owner string }
		}
		caddy.Query(t, "/api_guard/apis", &answer)
		if len(answer.Items) != 1 {
			t.Fatalf("the APIs are %+v", answer)
		}
		return answer.Items[0].Owner
	}
	for range 2 {
		if status, body := caddy.Reload(t, brokenAfter(up)); status == 200 {
			t.Fatalf("the broken configuration was taken: %s", body)
		}
		if got := owner(); got != "team-checkout" {
			t.Fatalf("after a rejected configuration the owner is %q", got)
		}
	}
	if status, body := caddy.Reload(t, fleetConfig(up, "owner team-checkout", "owner team-next")); status != 200 {
		t.Fatalf("the twin that is right was not taken: %s", body)
	}
	if got := owner(); got != "team-next" {
		t.Errorf("after a reload the owner is %q", got)
	}
}

func TestAWrongMethodAtTheAdminAPIIsAnErrorInCaddysForm(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	for _, path := range []string{"/api_guard/apis", "/api_guard/routes", "/api_guard/health"} {
		status, body := caddy.Ask(t, "PATCH", path)
		var answer struct{ Error string }
		if err := json.Unmarshal(body, &answer); status != 405 || err != nil || !strings.Contains(answer.Error, "GET") {
			t.Errorf("PATCH %s: %d %s", path, status, body)
		}
		if status, _ := caddy.Ask(t, "GET", path); status != 200 {
			t.Errorf("GET %s: %d", path, status)
		}
	}
}
