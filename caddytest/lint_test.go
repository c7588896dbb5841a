package caddytest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

func TestLintIsAWarningToValidateAndAnExitCodeToAPipeline(t *testing.T) {
	t.Parallel()
	cfg := harness.Config{Guard: oneVersion, Files: map[string]string{"orders.yaml": ordersDocument}}
	clean := cfg
	clean.Guard = strings.Replace(oneVersion, "api orders {", "api orders {\nowner team-checkout", 1)
	run := func(cfg harness.Config, args ...string) (string, bool) {
		return harness.Command(t, cfg, append(args, "--config", "CADDYFILE", "--adapter", "caddyfile")...)
	}
	if text, ok := run(cfg, "validate"); !ok || !strings.Contains(text, `"kind":"no-owner"`) || !strings.Contains(text, "Valid configuration") {
		t.Errorf("validate: %v\n%s", ok, text)
	}
	if text, ok := run(clean, "validate"); !ok || strings.Contains(text, "lint: ") {
		t.Errorf("validate of the twin: %v\n%s", ok, text)
	}
	if text, ok := run(cfg, "api-guard", "lint"); !ok || !strings.Contains(text, "no-owner") {
		t.Errorf("lint: %v\n%s", ok, text)
	}
	if text, ok := run(cfg, "api-guard", "lint", "--strict"); ok || !strings.Contains(text, "no-owner") {
		t.Errorf("lint --strict: %v\n%s", ok, text)
	}
	if text, ok := run(clean, "api-guard", "lint", "--strict"); !ok || strings.Contains(text, "KIND") {
		t.Errorf("lint --strict of the twin: %v\n%s", ok, text)
	}
	text, ok := run(cfg, "api-guard", "lint", "--json")
	var answer struct {
		Items []struct{ Kind, API, Where string }
	}
	if i := strings.Index(text, "{\n"); !ok || i < 0 || json.Unmarshal([]byte(text[i:]), &answer) != nil || len(answer.Items) != 1 || answer.Items[0].Kind != "no-owner" {
		t.Errorf("lint --json: %v\n%s", ok, text)
	}
	cfg.Files = nil
	if text, ok := run(cfg, "api-guard", "lint"); ok || !strings.Contains(text, "orders.yaml") {
		t.Errorf("what does not work is an error: %v\n%s", ok, text)
	}
}
