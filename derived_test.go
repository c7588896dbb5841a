package apiguard

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory"
)

const sayingDocument = `openapi: 3.1.0
info:
  title: orders
  version: 2.3.1
  contact: {name: team-checkout, email: checkout@example.com}
  x-audience: internal
  x-deprecated: 2026-01-01
  x-sunset: 2099-01-01
servers: [{url: https://api.example.com/v2}]
security: [{key: []}]
paths:
  /orders:
    get:
      operationId: listOrders
      x-ratelimit: 2/1h
      responses: {"200": {description: ok}}
    post:
      operationId: createOrder
      x-ratelimit: {rate: 1/1h, key: ["{header.X-Account}"]}
      responses: {"200": {description: ok}}
components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}
`

func derivedApp(t *testing.T, guard, document string) *App {
	t.Helper()
	config := adaptedWith(t, "inventory {\nfile memory\n}\n"+guard, map[string]string{"orders.yaml": document})
	app, _, err := decodeConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return mustProvision(t, app)
}

func onlyVersion(t *testing.T, app *App) inventory.VersionEntry {
	t.Helper()
	return app.shared.inventory.APIs().Items[0].Versions[0]
}

func TestDocumentsSayWhatTheConfigurationDoesNot(t *testing.T) {
	app := derivedApp(t, "audience internal 10.0.0.0/8\napi orders {\nversion v2 {\nspec orders.yaml\n}\n}", sayingDocument)
	v := onlyVersion(t, app)
	want := map[string]string{
		"hosts": fromDocument, "path": fromDocument, "owner": fromDocument, "audience": fromDocument, "state": fromDefault,
		"deprecated": fromDocument, "sunset": fromDocument, "limits": fromDocument, "credentials": fromDocument,
	}
	if !maps.Equal(v.Origins, want) {
		t.Errorf("origins %v, want %v", v.Origins, want)
	}
	if v.Owner != "team-checkout" || v.Contact != "checkout@example.com" || v.DocumentVersion != "2.3.1" || v.Audience != "internal" ||
		v.State != "deprecated" || v.Sunset.Year() != 2099 || strings.Join(v.Hosts, " ") != "api.example.com" || v.Path != "/v2" {
		t.Errorf("%+v", v)
	}
	if len(app.now.Load().lint) > 0 {
		t.Errorf("lint %v", app.now.Load().lint)
	}
	if w := through(app, "api.example.com", "/v2/orders", nil, nil); w.Code != 403 {
		t.Errorf("from outside of the document's audience: %d", w.Code)
	}
}

// A version says "public" where its document says otherwise; what is declared under
// that name is meant by both.
func TestPublicIsEverybodyUnlessItIsDeclared(t *testing.T) {
	public := strings.Replace(sayingDocument, "x-audience: internal", "x-audience: public", 1)
	for name, c := range map[string]struct {
		guard, lines, document string
		status                 int
		origin                 string
	}{
		"the version over its document":        {"audience internal 10.0.0.0/8\n", "audience public\n", sayingDocument, 200, fromConfiguration},
		"the document":                         {"", "", public, 200, fromDocument},
		"the version, declared":                {"audience public 10.0.0.0/8\n", "audience public\n", sayingDocument, 403, fromConfiguration},
		"the document, declared":               {"audience public 10.0.0.0/8\n", "", public, 403, fromDocument},
		"the document over nothing, elsewhere": {"audience internal 10.0.0.0/8\n", "", sayingDocument, 403, fromDocument},
	} {
		app := derivedApp(t, c.guard+"api orders {\nversion v2 {\nspec orders.yaml\n"+c.lines+"}\n}", c.document)
		if w := through(app, "api.example.com", "/v2/orders", nil, nil); w.Code != c.status {
			t.Errorf("%s: %d, want %d", name, w.Code, c.status)
		}
		if v := onlyVersion(t, app); v.Origins["audience"] != c.origin {
			t.Errorf("%s: the audience is from the %s", name, v.Origins["audience"])
		}
	}
}

func TestAnOperationsRateLimitHoldsAtEveryVersion(t *testing.T) {
	app := derivedApp(t, "api orders {\nowner team\nversion v2 {\nspec orders.yaml\n}\nversion v1 {\nhosts old.example.com\npath /v1\n}\n}", strings.Replace(sayingDocument, "x-audience: internal", "x-audience: public", 1))
	for i, door := range [][2]string{{"api.example.com", "/v2/orders"}, {"old.example.com", "/v1/orders"}, {"api.example.com", "/v2/orders"}, {"old.example.com", "/v1/orders"}} {
		want := 200
		if i >= 2 {
			want = 429
		}
		if w := through(app, door[0], door[1], nil, nil); w.Code != want {
			t.Errorf("request %d, %s: %d, want %d", i, door, w.Code, want)
		}
	}
	by := func(account string) func(*http.Request) {
		return func(r *http.Request) { r.Method = "POST"; r.Header.Set("X-Account", account) }
	}
	for i, account := range []string{"a", "b", "a"} {
		if w := through(app, "api.example.com", "/v2/orders", by(account), nil); (w.Code == 429) != (i == 2) {
			t.Errorf("POST of %s: %d", account, w.Code)
		}
	}
}

func TestTheConfigurationWins(t *testing.T) {
	app := derivedApp(t, `audience internal 10.0.0.0/8
		audience everyone 0.0.0.0/0
		policy {
			limit ours {
				operations listOrders
				rate 5/1h
			}
		}
		api orders {
			version v2 {
				owner us
				hosts our.example.com
				path /ours
				spec orders.yaml
				audience everyone
				state beta
				deprecated 2098-01-01
				sunset 2098-06-01
			}
		}`, sayingDocument)
	v := onlyVersion(t, app)
	for name, origin := range v.Origins {
		if origin != fromConfiguration && name != "credentials" && name != "limits" {
			t.Errorf("%s comes from the %s", name, origin)
		}
	}
	if v.Owner != "us" || v.Audience != "everyone" || v.State != "beta" || v.Sunset.Year() != 2098 || v.Hosts[0] != "our.example.com" || v.Path != "/ours" {
		t.Errorf("%+v", v)
	}
	for i := range 6 {
		if w := through(app, "our.example.com", "/ours/orders", nil, nil); (w.Code == 429) != (i == 5) {
			t.Errorf("request %d: %d: the configuration's limit on the operation is the one that counts", i, w.Code)
		}
	}
}

func TestWhatADocumentSaysWronglyChangesNothingAndIsLint(t *testing.T) {
	for name, c := range map[string]struct{ old, new, says string }{
		"an audience that nobody declared": {"x-audience: internal", "x-audience: partners", "partners"},
		"a list of audiences":              {"x-audience: internal", "x-audience: [internal]", "x-audience of orders.yaml is no text"},
		"a date that is a number":          {"x-sunset: 2099-01-01", "x-sunset: 20990101", "x-sunset of orders.yaml is no text"},
		"a date that is none":              {"x-sunset: 2099-01-01", "x-sunset: soon", "soon"},
		"a sunset before the deprecation":  {"x-sunset: 2099-01-01", "x-sunset: 2020-01-01", "before the deprecation"},
		"a rate that is none":              {"x-ratelimit: 2/1h", "x-ratelimit: often", "often"},
		"an option that is none":           {"{rate: 1/1h,", "{rate: 1/1h, colour: red,", "colour"},
		"a limit without a rate":           {"{rate: 1/1h, key", "{key", "rate"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(sayingDocument, c.old, c.new, 1)
			if text == sayingDocument {
				t.Fatal("the case changes nothing")
			}
			config := adaptedWith(t, "audience internal 10.0.0.0/8\napi orders {\nowner team\nversion v2 {\nspec orders.yaml\nsuccessor https://example.com/\n}\n}", map[string]string{"orders.yaml": text})
			list, err := lintConfig(config, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, l := range list {
				found = found || l.Kind == lintDocument && strings.Contains(l.Detail, c.says)
			}
			if !found {
				t.Errorf("no lint says %q: %v", c.says, list)
			}
		})
	}
}

func TestDocumentsOfOneVersionThatSayDifferentThingsAreLint(t *testing.T) {
	other := "openapi: 3.0.3\ninfo: {title: more, version: \"1\", x-audience: public}\npaths: {/more: {get: {responses: {\"200\": {description: ok}}}}}\n"
	for second, want := range map[string]bool{other: true, strings.Replace(other, ", x-audience: public", "", 1): false} {
		config := adaptedWith(t, "audience internal 10.0.0.0/8\napi orders {\nowner team\nversion v2 {\nspec orders.yaml more.yaml\nhosts api.example.com\npath /v2\nsuccessor https://example.com/\n}\n}",
			map[string]string{"orders.yaml": sayingDocument, "more.yaml": second})
		list, err := lintConfig(config, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, l := range list {
			found = found || strings.Contains(l.Detail, `say "internal" and "public"`)
		}
		if found != want {
			t.Errorf("%v, want a lint about it: %v", list, want)
		}
	}
}
