package caddytest

import (
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/coverage"
)

// hole is a second listener that nobody thought of.
const hole = "https://beta.example.com:<https> {\nreverse_proxy 127.0.0.1:<upstream>\n}\n"

// forgotten is a host that no version declares and no guard sees.
const forgotten = "http://old.example.com:<http> {\nreverse_proxy 127.0.0.1:<upstream>\n}\n"

func statusesOf(entries []coverage.Entry, host string) string {
	var all []string
	for _, e := range entries {
		if e.Host == host {
			all = append(all, string(e.Status))
		}
	}
	return strings.Join(all, ", ")
}

func TestTheRunningCaddyAnswersWhatTheGuardStandsBefore(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up)
	cfg.Sites = "http://api.example.com:<http>, http://beta.example.com:<http> {\nimport guarded\n}\nhttp://:<http> {\napi_guard\n}\n" + forgotten + hole
	caddy := harness.Start(t, cfg)
	var answer struct {
		Items    []coverage.Entry
		Complete bool
	}
	caddy.Query(t, "/api_guard/coverage", &answer)
	if got := statusesOf(answer.Items, "api.example.com"); got != "guarded" || !answer.Complete {
		t.Errorf("api.example.com: %s", got)
	}
	if got := statusesOf(answer.Items, "beta.example.com"); got != "guarded, not guarded" && got != "not guarded, guarded" {
		t.Errorf("beta.example.com: %s", got)
	}
	if log := caddy.Log(); strings.Count(log, "no api_guard stands before it") != 1 || !strings.Contains(log, `"host":"beta.example.com"`) {
		t.Errorf("the log does not name the hole:\n%s", log)
	}
	if status, body := caddy.Ask(t, "GET", "/api_guard/coverage?host=x"); status != 400 {
		t.Errorf("an unknown parameter: %d %s", status, body)
	}

	found := openFindings(t, caddy, "")
	declared, other := found["host-without-guard  beta.example.com"], found["undeclared-host-without-guard  old.example.com"]
	if declared.Severity != "high" || !strings.Contains(declared.Evidence, "reverse_proxy") || other.Severity != "medium" || !strings.Contains(other.Evidence, "not guarded") {
		t.Errorf("the hosts without a guard are found as %+v and %+v", declared, other)
	}
	if len(openFindings(t, caddy, "&kind=host-without-guard&kind=undeclared-host-without-guard")) != 2 {
		t.Errorf("guarded hosts are found too: %v", found)
	}

	// The configuration that says strict and has the hole is rejected; this one stays.
	strict := cfg
	strict.Guard = "coverage strict\n" + cfg.Guard
	if status, body := caddy.Reload(t, strict); status != 400 || !strings.Contains(string(body), "beta.example.com") || !strings.Contains(string(body), "not guarded") {
		t.Errorf("strict with a hole: %d %s", status, body)
	}
	call, trace := as(get("api.example.com", "/v2/orders"))
	if got := caddy.Do1(t, call); got.Status != 200 || len(up.Requests("X-Trace", trace)) != 1 {
		t.Errorf("after the rejected reload: %v", got)
	}
	if _, open := openFindings(t, caddy, "")["host-without-guard  beta.example.com"]; !open {
		t.Error("a rejected configuration closed the finding")
	}
	strict.Sites = strings.Replace(cfg.Sites, hole, "", 1)
	if status, body := caddy.Reload(t, strict); status != 200 {
		t.Errorf("strict without a hole: %d %s", status, body)
	}
	if left := openFindings(t, caddy, "&kind=host-without-guard"); len(left) > 0 {
		t.Errorf("the hole is closed and still found: %v", left)
	}
}

func TestThePipelineFindsAHoleWithoutACaddy(t *testing.T) {
	t.Parallel()
	cfg := fleetConfig(harness.NewUpstream(t))
	const closed = "http://api.example.com:<http>, http://beta.example.com:<http>, http://legacy.example.com:<http> {\nimport guarded\n}\nhttp://:<http> {\napi_guard\n}\n"
	for _, c := range []struct {
		name, sites string
		args        []string
		ok          bool
		says        string
	}{
		{"closed", closed, []string{"--strict"}, true, "guarded"},
		{"open", closed + hole, []string{"--strict"}, false, "not guarded"},
		{"open, as a table only", closed + hole, nil, true, "not guarded"},
		{"open, as JSON", closed + hole, []string{"--json"}, true, `"status": "not guarded"`},
		{"what is open alone", closed, []string{"--open", "--strict"}, true, "STATUS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := cfg
			cfg.Sites = c.sites
			text, ok := harness.Command(t, cfg, append([]string{"api-guard", "coverage", "--config", "CADDYFILE", "--adapter", "caddyfile"}, c.args...)...)
			if ok != c.ok || !strings.Contains(text, c.says) {
				t.Errorf("succeeded: %v\n%s", ok, text)
			}
			if c.name == "what is open alone" && strings.Contains(text, "guarded  ") {
				t.Errorf("it shows what is guarded too:\n%s", text)
			}
		})
	}
	t.Run("without the app", func(t *testing.T) {
		text, ok := harness.Command(t, harness.Config{Caddyfile: "http://:<http> {\nrespond ok\n}\n"}, "api-guard", "coverage", "--config", "CADDYFILE", "--adapter", "caddyfile")
		if ok || !strings.Contains(text, "add the global option api_guard") {
			t.Errorf("succeeded: %v\n%s", ok, text)
		}
	})
	t.Run("an unknown command", func(t *testing.T) {
		if text, ok := harness.Command(t, cfg, "api-guard", "nonsense"); ok || !strings.Contains(text, "nonsense") {
			t.Errorf("succeeded: %v\n%s", ok, text)
		}
	})
}

func TestTheCommandAsksTheRunningCaddy(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	text, ok := harness.Command(t, harness.Config{Caddyfile: "{\n}\n"}, "api-guard", "coverage", "--address", caddy.Admin, "--strict")
	if !ok || !strings.Contains(text, "api.example.com") {
		t.Errorf("succeeded: %v\n%s", ok, text)
	}
	if text, ok := harness.Command(t, harness.Config{Caddyfile: "{\n}\n"}, "api-guard", "coverage", "--address", "127.0.0.1:1"); ok || !strings.Contains(text, "127.0.0.1:1") {
		t.Errorf("nobody listens there: succeeded: %v\n%s", ok, text)
	}
}

// stripped is a site whose guard sees what the client's target has become, and kept its
// twin that says so after the guard.
const (
	stripped = "http://beta.example.com:<http> {\nhandle_path /api/* {\napi_guard\nreverse_proxy 127.0.0.1:<upstream>\n}\n}\n"
	kept     = "http://beta.example.com:<http> {\nhandle /api/* {\napi_guard\nuri strip_prefix /api\nreverse_proxy 127.0.0.1:<upstream>\n}\n}\n"
)

func TestAGuardThatARewriteStandsBeforeIsNamedAtEveryDoor(t *testing.T) {
	t.Parallel()
	const status, why = "rewritten before the guard", "in place of handle_path"
	cfg := fleetConfig(harness.NewUpstream(t))
	cfg.Untrusted = true // so that the page is shown to a client here
	others := "http://api.example.com:<http> {\nimport guarded\n}\nhttp://local.localhost:<http> {\napi_inventory\n}\nhttp://:<http> {\napi_guard\n}\n"
	twin := cfg
	cfg.Sites, twin.Sites = stripped+others, kept+others

	caddy := harness.Start(t, cfg)
	var answer struct{ Items []coverage.Entry }
	ask := func() string {
		caddy.Query(t, "/api_guard/coverage", &answer)
		return statusesOf(answer.Items, "beta.example.com")
	}
	page := func() string {
		return string(caddy.Do1(t, harness.Call{Host: "local.localhost", Target: "/coverage?show=open"}).Body)
	}
	command := func() (string, bool) {
		return harness.Command(t, harness.Config{Caddyfile: "{\n}\n"}, "api-guard", "coverage", "--open", "--strict", "--address", caddy.Admin)
	}
	file := func(cfg harness.Config) (string, bool) {
		return harness.Command(t, cfg, "api-guard", "coverage", "--open", "--strict", "--config", "CADDYFILE", "--adapter", "caddyfile")
	}
	if got := ask(); got != status {
		t.Errorf("the admin API says %q", got)
	}
	if log := caddy.Log(); strings.Count(log, "requests may get by the guard") != 1 || !strings.Contains(log, `"status":"`+status+`"`) || !strings.Contains(log, why) {
		t.Errorf("the log does not say it once:\n%s", log)
	}
	if html := page(); !strings.Contains(html, status) || !strings.Contains(html, why) {
		t.Errorf("the page does not show it:\n%s", html)
	}
	if text, ok := command(); ok || !strings.Contains(text, status) || !strings.Contains(text, why) || strings.Contains(text, "api.example.com") {
		t.Errorf("the command: succeeded: %v\n%s", ok, text)
	}
	if text, ok := file(cfg); ok || !strings.Contains(text, status) || !strings.Contains(text, why) {
		t.Errorf("the command about the file: succeeded: %v\n%s", ok, text)
	}
	if f := openFindings(t, caddy, "")["host-without-guard  beta.example.com"]; !strings.Contains(f.Evidence, status) {
		t.Errorf("the finding is %+v", f)
	}
	strict := cfg
	strict.Guard = "coverage strict\n" + cfg.Guard
	if code, body := caddy.Reload(t, strict); code != 400 || !strings.Contains(string(body), status) {
		t.Errorf("strict: %d %s", code, body)
	}

	strict.Sites = twin.Sites
	if code, body := caddy.Reload(t, strict); code != 200 {
		t.Fatalf("strict, with the twin: %d %s", code, body)
	}
	if got := ask(); got != "guarded" {
		t.Errorf("of the twin the admin API says %q", got)
	}
	if html := page(); strings.Contains(html, status) || !strings.Contains(html, "Nothing gets by.") {
		t.Errorf("the page of the twin:\n%s", html)
	}
	if text, ok := command(); !ok || strings.Contains(text, "beta.example.com") {
		t.Errorf("the command about the twin: succeeded: %v\n%s", ok, text)
	}
	if text, ok := file(twin); !ok || strings.Contains(text, "beta.example.com") {
		t.Errorf("the command about the twin's file: succeeded: %v\n%s", ok, text)
	}
	if f, open := openFindings(t, caddy, "")["host-without-guard  beta.example.com"]; open {
		t.Errorf("the twin is found: %+v", f)
	}
}
