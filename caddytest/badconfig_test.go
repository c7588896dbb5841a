package caddytest

import (
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// oneVersion is the smallest configuration with a document.
const oneVersion = `
		api orders {
			version v1 {
				hosts api.example.com
				spec orders.yaml
			}
		}
`

// unusable are configurations that adapt, or nearly, and must be refused before
// they serve: with an error that says what is wrong and where.
var unusable = []struct {
	name  string
	guard string
	files map[string]string
	says  []string
}{
	{"an empty catalogue", "mode enforce", nil, []string{"Caddyfile:", "api", "declare"}},
	{"an API without versions", "api orders {\n}", nil, []string{"orders", "version"}},
	{"a version without a host", "api orders {\nversion v1 {\npath /v1\n}\n}", nil, []string{"Caddyfile:", "v1", "host"}},
	{"a host that is none", "api orders {\nversion v1 {\nhosts exa_mple..com\n}\n}", nil, []string{"exa_mple..com"}},
	{"a missing document", oneVersion, nil, []string{"orders.yaml", "no such file"}},
	{"an empty document", oneVersion, map[string]string{"orders.yaml": ""}, []string{"orders.yaml", "empty"}},
	{"a folder for a document", oneVersion, map[string]string{"orders.yaml/x": ""}, []string{"orders.yaml", "folder"}},
	{"a document that is no YAML", oneVersion, map[string]string{"orders.yaml": "openapi: [3.1"}, []string{"orders.yaml"}},
	{"a document that is no OpenAPI", oneVersion, map[string]string{"orders.yaml": "kind: Deployment\n"}, []string{"orders.yaml", "OpenAPI"}},
	{"a page for a document", oneVersion, map[string]string{"orders.yaml": "<!DOCTYPE html><html><body>Sign in</body></html>"}, []string{"orders.yaml", "HTML"}},
	{"a document with a reference to nothing", oneVersion, map[string]string{"orders.yaml": "openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths:\n  /a:\n    get:\n      parameters:\n      - $ref: '#/components/parameters/Nope'\n"}, []string{"orders.yaml", "#/components/parameters/Nope", "line 7"}},
	{"a limit beside the policy", "limit a {\nrate 5/1m\n}" + oneVersion, nil, []string{"Caddyfile:", "limit\\\", which belongs into policy, api, version or exception"}},
	{"hosts of an API", "api orders {\nhosts api.example.com\n}", nil, []string{"Caddyfile:", "hosts\\\", which belongs into version or passthrough"}},
	{"a rate of the policy", "policy {\nrate 5/1m\n}" + oneVersion, nil, []string{"Caddyfile:", "rate\\\", which belongs into limit:"}},
	{"a size in two words", "body_memory 512 MiB" + oneVersion, nil, []string{"Caddyfile:", "without blanks", "1MiB"}},
	{"a time in two words", "inventory {\nretention 90 days\n}" + oneVersion, nil, []string{"Caddyfile:", "without blanks", "90d"}},
	{"hosts with commas between them", "api orders {\nversion v1 {\nhosts a.example.com, b.example.com\n}\n}", nil, []string{"Caddyfile:", "with blanks between them"}},
	{"a key that lacks a brace", "policy {\nlimit a {\nrate 5/1m\nkey {client_ip\n}\n}" + oneVersion, nil, []string{"Caddyfile:", "brace", "{client_ip}"}},
	{"a URL for a host", "api orders {\nversion v1 {\nhosts https://api.example.com:8443/v1\n}\n}", nil, []string{"https://api.example.com:8443/v1", "leave out the path"}},
	{"a document in Swagger 2.0", oneVersion, map[string]string{"orders.yaml": "swagger: '2.0'\npaths: {}\n"}, []string{"orders.yaml", "2.0"}},
	{"a document that refers out of its folder", oneVersion, map[string]string{"orders.yaml": "openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths:\n  /a:\n    $ref: ../secret.yaml\n"}, []string{"orders.yaml", "../secret.yaml"}},
	{"a document of a thousand million aliases", oneVersion, map[string]string{"orders.yaml": aliasBomb()}, []string{"orders.yaml"}},
	{"a limit on an operation that is nowhere", "policy {\nlimit guess {\noperations verifyToken\nrate 5/1m\n}\n}" + oneVersion, map[string]string{"orders.yaml": ordersDocument}, []string{"guess", "verifyToken"}},
	{"two versions with one claim", "api orders {\nversion v1 {\nhosts api.example.com\n}\nversion v2 {\nhosts API.example.com\n}\n}", nil, []string{"v1", "v2", "api.example.com"}},
	{"two versions of one query value", "api orders {\nversion v1 {\nhosts api.example.com\nselect query v 1\n}\nversion v2 {\nhosts api.example.com\nselect query v 1\n}\n}", nil, []string{"v1", "v2", "query parameter v=1"}},
	{"two versions of one media type", "api orders {\nversion v1 {\nhosts api.example.com\nselect accept a/b;v=1\n}\nversion v2 {\nhosts api.example.com\nselect accept \"A/B; V=1\"\n}\n}", nil, []string{"v1", "v2", "Accept: a/b;v=1"}},
	{"two versions of one day", "api orders {\nversion 2026-01-01 {\nhosts api.example.com\nselect date V\n}\nversion 2026-01-01.b {\nhosts api.example.com\nselect date v\n}\n}", nil, []string{"2026-01-01.b", "date 2026-01-01"}},
	{"consumers without an integration", "consumers {http.auth.user.id}\napi orders {\nversion v1 {\nhosts api.example.com\n}\n}", nil, []string{"Caddyfile:", "consumers", "integration"}},
	{"a response cap that lets more pass unchecked", "api orders {\nresponse monitor {\nmax_body 1KiB\n}\nversion v1 {\nhosts api.example.com\n}\n}", nil, []string{"Caddyfile:", "1024 bytes", "looser"}},
	{"a response rule that is looser", "policy {\nresponse enforce\n}\napi orders {\nresponse monitor\nversion v1 {\nhosts api.example.com\n}\n}", nil, []string{"Caddyfile:", "monitor is looser"}},
	{"credentials in no mode", "policy {\ncredentials maybe\n}\napi orders {\nversion v1 {\nhosts api.example.com\n}\n}", nil, []string{"Caddyfile:", "maybe"}},
	{"a class of data that there is not", "integration acme {\nconsumer sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\ndata mood\n}\napi orders {\nversion v1 {\nhosts api.example.com\n}\n}", nil, []string{"Caddyfile:", "mood", "postal_address"}},
	{"a sample that is no share", "inventory {\nsample many\n}\napi orders {\nversion v1 {\nhosts api.example.com\n}\n}", nil, []string{"Caddyfile:", "many", "1%"}},
	{"two defaults on one host", "api orders {\nversion v1 {\nhosts api.example.com\nselect header V 1\ndefault\n}\nversion v2 {\nhosts api.example.com\nselect header V 2\ndefault\n}\n}", nil, []string{"v1", "v2", "default"}},
}

// aliasBomb is a YAML text that grows tenfold with each line.
func aliasBomb() string {
	var b strings.Builder
	b.WriteString("openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths: {}\nx0: &x0 [a,a,a,a,a,a,a,a,a,a]\n")
	for i := range 9 {
		from, to := string(rune('0'+i)), string(rune('1'+i))
		b.WriteString("x" + to + ": &x" + to + " [" + strings.TrimSuffix(strings.Repeat("*x"+from+",", 10), ",") + "]\n")
	}
	return b.String()
}

func TestAConfigurationThatCannotWorkIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	validate := func(t *testing.T, guard string, files map[string]string) (string, bool) {
		cfg := harness.Config{Guard: guard, Sites: everyHost, Upstream: up, Files: files}
		return harness.Command(t, cfg, "validate", "--config", "CADDYFILE", "--adapter", "caddyfile")
	}
	if text, ok := validate(t, oneVersion, map[string]string{"orders.yaml": ordersDocument}); !ok {
		t.Fatalf("the twin that is right: %s", text)
	}
	for _, row := range unusable {
		t.Run(row.name, func(t *testing.T) {
			text, ok := validate(t, row.guard, row.files)
			lines := strings.Split(strings.TrimSpace(text), "\n")
			last := lines[len(lines)-1]
			if ok {
				t.Fatalf("it was taken: %s", text)
			}
			if strings.Contains(text, "panic") || strings.Contains(text, "goroutine ") {
				t.Errorf("it panicked: %s", text)
			}
			if len(last) > 1000 {
				t.Errorf("the error has %d bytes: %.300s", len(last), last)
			}
			for _, word := range row.says {
				if !strings.Contains(last, word) {
					t.Errorf("the error does not say %q: %s", word, last)
				}
			}
		})
	}
}

func TestADirectiveWithAnArgumentSaysWhereThePolicyStands(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"api_guard orders", "api_guard /v1/* orders", "api_guard {\n\t\tmode monitor\n\t}"} {
		text, ok := harness.Command(t, harness.Config{Caddyfile: "http://:<http> {\n\t" + line + "\n}\n"}, "validate", "--config", "CADDYFILE", "--adapter", "caddyfile")
		if ok || !strings.Contains(text, "the policy stands in the global option api_guard") || !strings.Contains(text, "Caddyfile:2") && !strings.Contains(text, "Caddyfile:3") {
			t.Errorf("%s: taken: %v: %s", line, ok, text)
		}
	}
}

func TestADirectiveWithoutAPolicySaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	text, ok := harness.Command(t, harness.Config{Caddyfile: "http://:<http> {\n\tapi_guard\n}\n"}, "validate", "--config", "CADDYFILE", "--adapter", "caddyfile")
	if ok || !strings.Contains(text, "global option api_guard") {
		t.Errorf("taken: %v: %s", ok, text)
	}
}

func TestAReloadThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	call, client := as(post("api.example.com", "/v2/password-reset", guess))
	for range 5 {
		caddy.Do1(t, call)
	}
	known, _ := as(get("api.example.com", "/v2/orders"))
	caddy.Do1(t, known)
	before := awaitRoute(t, caddy, "/api_guard/routes?host=api.example.com&path=/v2/orders&evidence=confirmed", "api.example.com", "GET", "/v2/orders")

	for _, bad := range []harness.Config{
		fleetConfig(up, "orders.yaml", "absent.yaml"),
		fleetConfig(up, "rate 5/1m", "rate much"),
		{Guard: fleet, Sites: sites + "\nhttp://broken.example.com:<http> {\nreverse_proxy {\nto 127.0.0.1:1-0\n}\n}\n", Upstream: up},
	} {
		if status, body := caddy.Reload(t, bad); status == 200 {
			t.Fatalf("the bad configuration was taken: %s", body)
		}
		refused(t, caddy.Do1(t, call), 429, "quota-exceeded")
	}
	if status, body := caddy.Reload(t, fleetConfig(up, "purpose \"create", "purpose \"to create")); status != 200 {
		t.Fatalf("the good configuration was not taken: %s", body)
	}
	refused(t, caddy.Do1(t, call), 429, "quota-exceeded")
	if n := len(up.Requests("X-Trace", client)); n != 5 {
		t.Errorf("%d guesses reached the upstream, want 5", n)
	}
	after := awaitRoute(t, caddy, "/api_guard/routes?host=api.example.com&path=/v2/orders&evidence=confirmed", "api.example.com", "GET", "/v2/orders")
	if after.ID != before.ID || after.Count < before.Count || !after.FirstSeen.Equal(before.FirstSeen) {
		t.Errorf("the inventory had %+v and has %+v", before, after)
	}
}
