package caddytest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// withoutLog is what a command wrote without Caddy's own log, which goes to the same
// place here.
func withoutLog(text string) string {
	var shown []string
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, `{"level"`) && !strings.Contains(line, "\tINFO\t") && !strings.Contains(line, "\tWARN\t") {
			shown = append(shown, line)
		}
	}
	return strings.Join(shown, "\n")
}

// Commands that look at a file need no Caddy that runs.
func TestCommandsThatReadFilesFitTheTerminal(t *testing.T) {
	t.Parallel()
	cfg := fleetConfig(harness.NewUpstream(t))
	cfg.Sites = "http://api.example.com:<http>, http://legacy.example.com:<http> {\nimport guarded\n}\n" +
		"http://beta.example.com:<http> {\nreverse_proxy 127.0.0.1:<upstream>\n}\n"
	cfg.Files["access.log"] = accessLine(1, "198.51.100.7", "api.example.com", "/v2/orders", 200) +
		accessLine(2, "198.51.100.7", "legacy.example.com", "/v0/orders", 200)
	config := []string{"--config", "CADDYFILE", "--adapter", "caddyfile"}
	run := func(columns string, args ...string) (string, bool) {
		cfg := cfg
		cfg.Env = []string{"COLUMNS=" + columns}
		text, ok := harness.Command(t, cfg, append([]string{"api-guard"}, args...)...)
		return withoutLog(text), ok
	}
	for name, args := range map[string][]string{
		"lint":            append([]string{"lint"}, config...),
		"coverage-config": append([]string{"coverage", "--open"}, config...),
		"init":            {"init", "orders.yaml", "--upstream", "127.0.0.1:9", "--host", "API.example.com"},
		"replay":          append([]string{"replay", "access.log"}, config...),
	} {
		t.Run(name, func(t *testing.T) {
			for _, columns := range []string{"80", "200"} {
				text, ok := run(columns, args...)
				if !ok {
					t.Errorf("%s failed: %s", name, text)
				}
				if name != "replay" && name != "init" { // which have goldens in tests of their own
					golden(t, name+"-"+columns, text)
				}
				for line := range strings.Lines(text) {
					if columns == "80" && name != "init" && len([]rune(strings.TrimSuffix(line, "\n"))) > 80 {
						t.Errorf("%d characters in a terminal of 80: %s", len(line), line)
					}
				}
			}
			text, ok := run("", append(args, "--json")...)
			if at := strings.IndexByte(text, '{'); !ok || at < 0 || !json.Valid([]byte(strings.TrimSpace(text[at:]))) {
				t.Errorf("--json: success %v: %s", ok, text)
			}
			if name != "init" {
				if text, ok := run("", append(args, "--strict")...); ok || !strings.Contains(text, "--strict") {
					t.Errorf("--strict: success %v: %s", ok, text)
				}
			}
		})
	}
}
