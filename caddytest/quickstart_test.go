package caddytest

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

const quickstart = "../examples/quickstart"

// startQuickstart runs the example as it stands, on free ports.
func startQuickstart(t *testing.T) (caddy *harness.Caddy, text string) {
	t.Helper()
	read := func(path string) string {
		content, err := os.ReadFile(filepath.Join(quickstart, path))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	text = read("Caddyfile")
	cfg := harness.Config{Files: map[string]string{}}
	cfg.Caddyfile = strings.NewReplacer(":8080", ":<http>", ":8081", ":<https>",
		"\n{\n", "\n{\n\tadmin 127.0.0.1:<admin>\n").Replace(text)
	for _, version := range []string{"v1", "v2", "v3"} {
		name := "specs/orders-" + version + ".yaml"
		cfg.Files[name] = read(name)
	}
	return harness.Start(t, cfg), text
}

// curl is the call that a command line of the example makes. Of curl it knows
// what the example needs: -i, -s, -H, -d and the URL.
func curl(t *testing.T, command string) harness.Call {
	t.Helper()
	var words []string
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	var call harness.Call
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-i", "-s":
		case "-H":
			i++
			name, value, _ := strings.Cut(words[i], ": ")
			call = call.With(name, value)
		case "-d":
			i++
			call.Method, call.Body = "POST", []byte(words[i])
		default:
			u, err := url.Parse(words[i])
			if err != nil || u.Host == "" {
				t.Fatalf("%q in %q is no URL", words[i], command)
			}
			call.Host, call.Target = u.Host, u.RequestURI()
		}
	}
	return call
}

func TestTheQuickstartShowsWhatItSays(t *testing.T) {
	t.Parallel()
	caddy, text := startQuickstart(t)
	ask := func(command string) harness.Answer {
		t.Helper()
		if !strings.Contains(text, "\n#    "+command+"\n") {
			t.Errorf("the example does not tell to run %s", command)
		}
		return caddy.Do1(t, curl(t, command))
	}

	if got := ask("curl -i 'http://api.localhost:8080/v2/orders?limit=10'"); got.Status != 200 || string(got.Body) != `{"orders":[]}` {
		t.Errorf("a documented call: %v", got)
	}

	p := refused(t, ask(`curl -i -H 'Content-Type: application/json' -d '{"sku":"ABC-1234","quantity":0}' http://api.localhost:8080/v2/orders`), 400, "request-invalid")
	if len(p.Errors) != 1 || *p.Errors[0].Pointer != "/quantity" || p.Errors[0].Keyword != "minimum" {
		t.Errorf("the refusal points at %+v", p.Errors)
	}

	got := ask("curl -i http://old.localhost:8080/v1/orders")
	if got.Status != 200 {
		t.Errorf("the deprecated version: %v", got)
	}
	wantLifecycle(t, got.Header, day(2026, 1, 1), day(2099, 1, 1))

	got = ask("curl -i http://legacy.localhost:8080/v0/orders")
	refused(t, got, 410, "version-retired")
	wantLifecycle(t, got.Header, day(2025, 1, 1), day(2026, 1, 1))
	wantLinks(t, got.Header, "successor-version")

	for n := range 5 {
		if got := ask(`curl -i -H 'Content-Type: application/json' -d '{"code":"123456"}' http://api.localhost:8080/v2/password-reset`); got.Status != 200 {
			t.Errorf("guess %d: %v", n+1, got)
		}
	}
	got = ask(`curl -i -H 'Content-Type: application/json' -d '{"code":"123456"}' http://beta.localhost:8080/v3/password-reset`)
	refused(t, got, 429, "quota-exceeded")
	wantRetryAfter(t, got.Header, slack)

	refused(t, ask("curl -i http://staging.localhost:8080/v2/orders"), 421, "unknown-host")

	if got := ask("curl -i http://api.localhost:8080/v2/debug"); got.Status != 200 {
		t.Errorf("an undocumented route: %v", got)
	}
	query := "curl -s 'http://localhost:2019/api_guard/routes?state=shadow&evidence=confirmed'"
	if !strings.Contains(text, "\n#    "+query+"\n") {
		t.Errorf("the example does not tell to run %s", query)
	}
	awaitRoute(t, caddy, curl(t, query).Target, "api.localhost", "GET", "/v2/debug")
}
