package caddytest

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// postAdmin sends JSON to the admin API.
func postAdmin(t *testing.T, c *harness.Caddy, path, contentType, body string) (int, string) {
	t.Helper()
	response, err := client.Post("http://"+c.Admin+path, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestARuleIsOverriddenForAWhileAndOverReloads(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	const path = "/api_guard/override"
	invalid := func(want int, when string) {
		t.Helper()
		call, _ := as(get("api.example.com", "/v2/orders?limit=none"))
		if got := caddy.Do1(t, call); got.Status != want {
			t.Errorf("%s: %d, want %d", when, got.Status, want)
		}
	}
	invalid(400, "before")
	status, body := postAdmin(t, caddy, path, "application/json", `{"rule":"request","mode":"monitor","ttl":"15m","reason":"CHG-7: a client sends words"}`)
	var added struct{ ID, Until string }
	if err := json.Unmarshal([]byte(body), &added); status != 200 || err != nil || added.ID == "" || added.Until == "" {
		t.Fatalf("POST: %d %s", status, body)
	}
	invalid(200, "overridden")
	if status, body := caddy.Reload(t, fleetConfig(up, "owner team-checkout", "owner team-next")); status != 200 {
		t.Fatalf("reload: %s", body)
	}
	invalid(200, "after a reload")
	if _, body := caddy.Ask(t, "GET", path); strings.Count(string(body), added.ID) != 1 || !strings.Contains(string(body), "CHG-7") {
		t.Errorf("the list is %s", body)
	}
	if status, body := caddy.Ask(t, "DELETE", path+"?id=nothing"); status != 404 {
		t.Errorf("DELETE of what is not there: %d %s", status, body)
	}
	if status, body := caddy.Ask(t, "DELETE", path+"?id="+added.ID); status != 200 || strings.Contains(string(body), added.ID) {
		t.Errorf("DELETE: %d %s", status, body)
	}
	invalid(400, "ended")
	log := caddy.Log()
	for _, line := range []string{"a rule is overridden", "an override ended", "CHG-7"} {
		if !strings.Contains(log, line) {
			t.Errorf("the log does not say %q", line)
		}
	}

	for _, wrong := range []struct {
		contentType, body string
		status            int
	}{
		{"text/plain", `{"rule":"request","mode":"monitor","ttl":"15m","reason":"x"}`, 415},
		{"application/json", `{"rule":"request","mode":"monitor","ttl":"15m"}`, 400},
		{"application/json", `{"rule":"request","mode":"monitor","ttl":"forever","reason":"x"}`, 400},
		{"application/json", `{"rule":"request","mode":"monitor","ttl":"15m","reason":"x","who":"me"}`, 400},
		{"application/json", `{"rule":"request","mode":"monitor","ttl":"15m","reason":"x","api":"nothing"}`, 400},
		{"application/json", `{"rule":"request","mode":"monitor","ttl":"15m","reason":"x","api":"orders","version":"v99"}`, 400},
		{"application/json", `{"rule":"limit","mode":"monitor","ttl":"15m","reason":"x","limit":"nothing"}`, 400},
		{"application/json", `{"rule":"request","mode":"monitor","ttl":"15m","reason":"x"} {}`, 400},
		{"application/json", fmt.Sprintf(`{"rule":"request","mode":"monitor","ttl":"15m","reason":"%s"}`, strings.Repeat("x", 5000)), 413},
	} {
		if status, body := postAdmin(t, caddy, path, wrong.contentType, wrong.body); status != wrong.status || !strings.Contains(body, `"error"`) {
			t.Errorf("%.100s: %d %s", wrong.body, status, body)
		}
	}
	if status, _ := caddy.Ask(t, "PATCH", path); status != 405 {
		t.Errorf("PATCH: %d", status)
	}
	invalid(400, "after what was refused")
}
