package caddytest

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

func TestTheVersionsExampleLivesThroughItsBrownoutToItsRetirement(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		content, err := os.ReadFile("../examples/versions/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	text := read("Caddyfile")
	// Its minute in some seconds.
	start := time.Now().UTC().Truncate(time.Second)
	at := func(seconds int) string { return start.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339) }
	short := strings.NewReplacer(":8080", ":<http>", ":8081", ":<https>", "\n{\n", "\n{\n\tadmin 127.0.0.1:<admin>\n",
		"{$BROWNOUT:2098-01-01} 20s", at(4)+" 2s", "{$SUNSET:2099-01-01}", at(8)).Replace(text)
	caddy := harness.Start(t, harness.Config{Caddyfile: short, Files: map[string]string{"orders.yaml": read("orders.yaml")}})
	ask := func(command string) harness.Answer {
		t.Helper()
		if !strings.Contains(text, "\n#    "+command+"\n") {
			t.Errorf("the example does not tell to run %s", command)
		}
		return caddy.Do1(t, curl(t, command))
	}
	refused(t, ask("curl -i http://api.localhost:8080/v3/orders"), 404, "unknown-route")
	for _, command := range []string{"curl -i -H 'X-Api-Version: 2026-06-01' http://dated.localhost:8080/orders", "curl -i http://dated.localhost:8080/orders"} {
		if got := ask(command); got.Status != 200 {
			t.Errorf("%s: %v", command, got)
		}
	}
	refused(t, ask("curl -i -H 'X-Api-Version: 2020-01-01' http://dated.localhost:8080/orders"), 404, "unknown-route")

	// What the loop in the example shows, one entry for each change.
	var seen []string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		got := caddy.Do1(t, get("api.localhost", "/v1/orders"))
		what := "passed"
		if got.Status != 200 {
			what = string(got.Body[:strings.Index(string(got.Body), `","title"`)])
		}
		if len(seen) == 0 || seen[len(seen)-1] != what {
			seen = append(seen, what)
		}
		if strings.Contains(what, "version-retired") {
			break
		}
	}
	if all := strings.Join(seen, " "); all != `passed {"type":"urn:api-guard:version-brownout passed {"type":"urn:api-guard:version-retired` {
		t.Errorf("the version was seen as %s", all)
	}
	got := ask("curl -i -H 'X-Api-Key: partner-key' http://api.localhost:8080/v1/orders")
	if got.Status != 200 || got.Header.Get("Sunset") == "" {
		t.Errorf("the partner after the sunset: %v", got)
	}
	if status, body := caddy.Ask(t, "GET", "/api_guard/apis"); status != 200 || !strings.Contains(string(body), `"retired"`) || !strings.Contains(string(body), `"design"`) {
		t.Errorf("the inventory: %d %s", status, body)
	}
}
