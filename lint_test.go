package apiguard

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// lintDocument31 has what the cases need and nothing to say about.
const lintDocument31 = `openapi: 3.1.0
info: {title: orders, version: "1"}
paths:
  /orders/{id}:
    get:
      operationId: readOrder
      security: [{key: []}]
      parameters: [{name: id, in: path, required: true, schema: {type: string, pattern: "^[a-z]+$"}}]
      responses: {"200": {description: ok}}
components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}
`

// adaptedWith adapts a Caddyfile with the inside of the global option, beside
// documents.
func adaptedWith(t *testing.T, guard string, documents map[string]string) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, text := range documents {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	caddyfile := "{\n\tapi_guard {\n" + guard + "\n\t}\n}\n"
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": filepath.Join(dir, "Caddyfile")})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestLintSaysWhatIsProbablyNotMeant(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	const acme = "integration acme {\nconsumer sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n%s\n}\n"
	one := func(lines string) string {
		return "api orders {\nowner team\nversion v1 {\nhosts api.example.com\nspec orders.yaml\n" + lines + "\n}\n}"
	}
	two := func(first, second string) string {
		return "api orders {\nowner team\nversion v1 {\nhosts api.example.com\nspec orders.yaml\n" + first + "\n}\nversion v2 {\nhosts beta.example.com\nspec second.yaml\n" + second + "\n}\n}"
	}
	change := func(old, new string) map[string]string {
		return map[string]string{"second.yaml": strings.Replace(lintDocument31, old, new, 1)}
	}
	for _, c := range []struct {
		name  string
		guard string
		other map[string]string // instead of the documents
		want  []string          // kinds
		says  string
	}{
		{"nothing", one(""), nil, nil, ""},
		{"nothing about two versions", two("", "state beta"), nil, nil, ""},
		{"no owner", "api orders {\nversion v1 {\nhosts a.example.com\nspec orders.yaml\n}\n}", nil, []string{lintNoOwner}, "answers"},
		{"a document of no operation", one(""), map[string]string{"orders.yaml": "openapi: 3.1.0\ninfo: {title: orders, version: '1'}\npaths: {}\n"}, []string{lintNoOperations}, "describes no operation"},
		{"an owner of the version", "api orders {\nversion v1 {\nowner team\nhosts a.example.com\nspec orders.yaml\n}\n}", nil, nil, ""},
		{"a key that Caddy does not have", one("limit a {\nkey {client_ipp}\nrate 5/1m\n}"), nil, []string{lintUnknownKey}, "{client_ipp}"},
		{"a part of a key that Caddy does not have", one("limit a {\nkey {client_ip} {tenant}\nrate 5/1m\n}"), nil, []string{lintUnknownKey}, "{tenant}"},
		{"a key that no request has", one("limit a {\nkey {http.request.remote_host}\nrate 5/1m\n}"), nil, []string{lintUnknownKey}, "{http.request.remote_host}"},
		{"keys that requests have", one("limit a {\nkey {remote_host} {http.request.remote.host/24,48} {http.request.local} {hostport} {orig_path} {query.a} {cookie.a} {path.3} {labels.7} {tls_client_subject} {http.request.proto}\nrate 5/1m\n}"), nil, nil, ""},
		{"a key that is no placeholder", one("limit a {\nkey client_ip\nrate 5/1m\n}"), nil, []string{lintUnknownKey}, "every request"},
		{"a key that the guard sets later", one("limit a {\nkey {http.api_guard.version}\nrate 5/1m\n}"), nil, []string{lintUnknownKey}, "not known yet"},
		{"keys that the guard knows", one("limit a {\nkey {http.api_guard.consumer}\nrate 5/1m\n}"), nil, nil, ""},
		{"a key that each connection has another of", one("limit a {\nkey {remote}\nrate 5/1m\n}"), nil, []string{lintFreshKey}, "{http.request.remote}"},
		{"a key that each request has another of", one("limit a {\nkey {uuid}\nrate 5/1m\n}"), nil, []string{lintFreshKey}, "{http.request.uuid}"},
		{"a key that is a whole body", one("limit a {\nkey t-{http.request.body}\nrate 5/1m\n}"), nil, []string{lintFreshKey}, "{http.request.body}"},
		{"a key that is the time", one("limit a {\nkey {client_ip} {time.now.unix}\nrate 5/1m\n}"), nil, []string{lintFreshKey}, "{time.now.unix}"},
		{"keys that Caddy has", one("limit a {\nkey {client_ip} {method} {header.X-Key} {http.auth.user.id} {vars.tenant}\nrate 5/1m\n}"), nil, nil, ""},
		{"no document", "api orders {\nowner team\nversion v1 {\nhosts a.example.com\n}\n}", nil, []string{lintNoDocument}, ""},
		{"deprecated without an end", one("deprecated 2026-01-01"), nil, []string{lintNoRetirement}, "sunset"},
		{"deprecated with an end", one("deprecated 2026-01-01\nsunset 2028-01-01"), nil, nil, ""},
		{"to be deprecated", one("deprecated 2027-06-01"), nil, nil, ""},
		{"an end that is near, and nowhere to go", one("deprecated 2026-01-01\nsunset 2027-01-20"), nil, []string{lintNoSuccessor}, "2027-01-20"},
		{"an end that is near", one("deprecated 2026-01-01\nsunset 2027-01-20\nsuccessor https://example.com/"), nil, nil, ""},
		{"an exception that ended", "" + strings.Replace(acme, "%s", "", 1) + one("exception x {\nconsumer acme\nrule request\nuntil 2026-12-30\nreason \"CHG-1\"\n}"), nil, []string{lintExpired}, "2026-12-30"},
		{"an exception on its last day", strings.Replace(acme, "%s", "", 1) + one("exception x {\nconsumer acme\nrule request\nuntil 2027-01-01\nreason \"CHG-1\"\n}"), nil, nil, ""},
		{"an integration that ended", strings.Replace(acme, "%s", "until 2026-12-31", 1) + one(""), nil, []string{lintGone}, "acme"},
		{"an integration on its last day", strings.Replace(acme, "%s", "until 2027-01-01", 1) + one(""), nil, nil, ""},

		{"a limit in one version", two("limit a {\nrate 5/1m\n}", ""), nil, []string{lintNarrowLimit}, "v2"},
		{"a limit in the later version", two("", "limit a {\nrate 5/1m\n}"), nil, []string{lintNarrowLimit}, "v1"},
		{"a limit that is tighter in one than in the policy", "policy {\nlimit a {\nrate 50/1m\n}\n}\n" + two("limit a {\nrate 5/1m\n}", ""), nil, nil, ""},
		{"a limit of one name in each", two("limit a {\nrate 5/1m\n}", "limit a {\nrate 5/1m\n}"), nil, nil, ""},
		{"a limit that is tighter in one", strings.Replace(two("limit a {\nrate 5/1m\n}", ""), "owner team", "owner team\nlimit a {\nrate 50/1m\n}", 1), nil, nil, ""},
		{"a limit of the only version", one("limit a {\nrate 5/1m\n}"), nil, nil, ""},

		{"a beta version that lets unknown routes pass", two("unknown_route enforce", "state beta"), nil, []string{lintBetaWeaker}, "unknown_route is monitor, and enforce in v1"},
		{"a beta version that does not", two("unknown_route enforce", "state beta\nunknown_route enforce"), nil, nil, ""},
		{"an older version that lets them pass", two("unknown_route enforce", ""), nil, nil, ""},
		{"a beta version that asks for no credentials", two("", "state beta"), change("security: [{key: []}]", "security: []"), []string{lintBetaWeaker}, "readOrder"},

		{"a document that names a host of nobody", two("", ""), change("paths:", "servers: [{url: https://internal.example.com/}]\npaths:"), []string{lintForeignHost}, "internal.example.com"},
		{"a document that names a host of another version", two("", ""), change("paths:", "servers: [{url: https://api.example.com/}]\npaths:"), nil, ""},
		{"a pattern with look-behind", two("", ""), change("^[a-z]+$", "^(?<=a)b$"), []string{lintPattern}, "(?<=a)b"},
		{"two templates of one shape", two("", ""), change("components:", "  /orders/{number}:\n    post:\n      parameters: [{name: number, in: path, required: true, schema: {type: string}}]\n      responses: {\"200\": {description: ok}}\ncomponents:"), []string{lintSameShape}, "/orders/{number}"},
		{"two methods of one template", two("", ""), change("components:", "    post:\n      parameters: [{name: id, in: path, required: true, schema: {type: string}}]\n      responses: {\"200\": {description: ok}}\ncomponents:"), nil, ""},
		{"a date that is none", two("", ""), change("operationId: readOrder", "operationId: readOrder\n      x-sunset: soon"), []string{lintDocument}, "soon"},
	} {
		t.Run(c.name, func(t *testing.T) {
			documents := map[string]string{"orders.yaml": lintDocument31, "second.yaml": lintDocument31}
			for name, text := range c.other {
				if text == lintDocument31 {
					t.Fatal("the case changes nothing")
				}
				documents[name] = text
			}
			config := adaptedWith(t, c.guard, documents)
			list, err := lintConfig(config, now)
			if err != nil {
				t.Fatal(err)
			}
			var byHand map[string]any
			if err := json.Unmarshal(config, &byHand); err != nil {
				t.Fatal(err)
			}
			withoutSources(byHand)
			config, _ = json.Marshal(byHand)
			same, err := lintConfig(config, now)
			if err != nil || len(same) != len(list) {
				t.Fatalf("written in JSON: %v %v", same, err)
			}
			for i, l := range same {
				want := list[i]
				if strings.HasPrefix(want.Where, "Caddyfile:") { // else it is in a document
					want.Where = l.Where
					if !hasField(byHand["apps"].(map[string]any)["api_guard"], l.Where) {
						t.Errorf("written in JSON: %q, which stands at %s, is at %q", l.Detail, list[i].Where, l.Where)
					}
				}
				if l != want {
					t.Errorf("written in JSON: %v instead of %v", l, want)
				}
			}
			var kinds []string
			for _, l := range list {
				kinds = append(kinds, l.Kind)
				if l.Detail == "" || l.Advice == "" || l.Where == "" || !strings.Contains(l.Detail+l.Where, c.says) {
					t.Errorf("%+v does not say %q", l, c.says)
				}
			}
			if slices.Sort(kinds); !slices.Equal(slices.Compact(kinds), c.want) {
				t.Errorf("got %v, want %v", list, c.want)
			}
		})
	}
}

// withoutSources takes the Caddyfile's lines out of an adapted configuration.
func withoutSources(value any) {
	switch value := value.(type) {
	case map[string]any:
		delete(value, "source")
		for _, member := range value {
			withoutSources(member)
		}
	case []any:
		for _, member := range value {
			withoutSources(member)
		}
	}
}

// hasField reports whether a configuration has a place such as api[0].version[1].
func hasField(value any, path string) bool {
	for name := range strings.FieldsFuncSeq(path, func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			if i, err := strconv.Atoi(name); err == nil && i < len(v) {
				value = v[i]
				continue
			}
			return false
		}
	}
	return path != "" && value != nil
}
