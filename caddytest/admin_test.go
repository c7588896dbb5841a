package caddytest

import (
	"encoding/json"
	"io"
	"net/http"
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
	for path, allow := range map[string]string{
		"apis": "GET, HEAD", "routes": "GET, HEAD", "routes/x": "GET, HEAD", "health": "GET, HEAD", "feed": "GET, HEAD", "plan": "GET, HEAD",
		"limits": "GET, HEAD, DELETE", "override": "GET, HEAD, POST, DELETE", "routes/x/review": "POST", "routes/x/template": "POST",
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "PATCH", "http://"+caddy.Admin+"/api_guard/"+path, nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Error string }
		err = json.NewDecoder(resp.Body).Decode(&answer)
		_ = resp.Body.Close()
		if resp.StatusCode != 405 || err != nil || !strings.Contains(answer.Error, "takes") {
			t.Errorf("PATCH %s: %d %q %v", path, resp.StatusCode, answer.Error, err)
		}
		if got := resp.Header.Values("Allow"); len(got) != 1 || got[0] != allow {
			t.Errorf("PATCH %s: Allow is %q, want %q", path, got, allow)
		}
	}
	for _, path := range []string{"/api_guard/apis", "/api_guard/routes", "/api_guard/health"} {
		if status, _ := caddy.Ask(t, "GET", path); status != 200 {
			t.Errorf("GET %s: %d", path, status)
		}
	}
}

// What net/url leaves out of a query would be a filter that does not filter.
func TestAQueryThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	for _, query := range []string{"routes?state=shadow;limit=1", "routes?state=%zz", "apis?%zz", "feed?since=%", "plan?at=2027-01-01;x", "limits?limit=a;key=b"} {
		if status, body := caddy.Ask(t, "GET", "/api_guard/"+query); status != 400 || !strings.Contains(string(body), "reading query") {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	if status, _ := caddy.Ask(t, "GET", "/api_guard/routes?path=%2Fv2&state=shadow"); status != 200 {
		t.Errorf("an encoded one: %d", status)
	}
}

func TestAStatementThatIsNoObjectIsAnErrorInPlainWords(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	for body, says := range map[string]string{
		`[]`: "it cannot be a JSON array", `{"rule":7}`: "rule cannot be a JSON number", `{"rule":"request"} 1`: "something follows", `{"rul":1}`: "unknown field",
	} {
		resp, err := client.Post("http://"+caddy.Admin+"/api_guard/override", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 400 || !strings.Contains(string(text), says) || strings.Contains(string(text), "Go ") {
			t.Errorf("%s: %d %s", body, resp.StatusCode, text)
		}
	}
}
