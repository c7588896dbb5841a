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
	// Its minute in some seconds, once it runs.
	lives := func(brownout, length, sunset string) harness.Config {
		short := strings.NewReplacer(":8080", ":<http>", ":8081", ":<https>", "\n{\n", "\n{\n\tadmin 127.0.0.1:<admin>\n",
			"{$BROWNOUT:2098-01-01} 20s", brownout+" "+length, "{$SUNSET:2099-01-01}", sunset).Replace(text)
		return harness.Config{Caddyfile: short, Files: map[string]string{"orders.yaml": read("orders.yaml")}}
	}
	caddy := harness.Start(t, lives("2098-01-01", "20s", "2099-01-01"))
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

	// What the loop in the example shows, one entry for each change. A machine that is
	// busy elsewhere may miss what lasts for seconds, and is given more of them.
	const want = `passed {"type":"urn:api-guard:version-brownout passed {"type":"urn:api-guard:version-retired`
	for unit := 2 * time.Second; ; unit *= 2 {
		begins := time.Now().UTC().Truncate(time.Second).Add(2 * unit)
		at := func(after time.Duration) string { return begins.Add(after).Format(time.RFC3339) }
		if status, body := caddy.Reload(t, lives(at(0), unit.String(), at(2*unit))); status != 200 {
			t.Fatalf("reloading: %d %s", status, body)
		}
		var seen []string
		harness.AwaitFor(t, time.Minute+4*unit, "the version to be retired", func() (string, bool) {
			got := caddy.Do1(t, get("api.localhost", "/v1/orders"))
			what := "passed"
			if got.Status != 200 {
				what, _, _ = strings.Cut(string(got.Body), `","title"`)
			}
			if len(seen) == 0 || seen[len(seen)-1] != what {
				seen = append(seen, what)
			}
			return strings.Join(seen, " "), strings.Contains(what, "version-retired")
		})
		all := strings.Join(seen, " ")
		if all == want {
			break
		}
		if unit > 10*time.Second {
			t.Fatalf("the version was seen as %s", all)
		}
		t.Logf("with %s for each the version was seen as %s", unit, all)
	}
	got := ask("curl -i -H 'X-Api-Key: partner-key' http://api.localhost:8080/v1/orders")
	if got.Status != 200 || got.Header.Get("Sunset") == "" {
		t.Errorf("the partner after the sunset: %v", got)
	}
	if status, body := caddy.Ask(t, "GET", "/api_guard/apis"); status != 200 || !strings.Contains(string(body), `"retired"`) || !strings.Contains(string(body), `"design"`) {
		t.Errorf("the inventory: %d %s", status, body)
	}
}
