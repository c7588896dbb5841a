package apiguard

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const smallDocument = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},
"paths":{"/things/{id}":{
 "get":{"operationId":"getThing","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"integer"}},
  {"name":"q","in":"query","schema":{"type":"string","maxLength":3}}],"responses":{"200":{"description":"ok"}}},
 "put":{"operationId":"putThing","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"integer"}}],
  "requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","properties":{"n":{"type":"integer"}}}}}},
  "responses":{"200":{"description":"ok"}}}}}}`

// writeDocument puts a document into a folder of the test's own.
func writeDocument(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "things.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// smallApp is one API with one documented version on api.example.
func smallApp(t testing.TB) *App {
	return &App{Inventory: &Inventory{File: inventoryMemory}, API: []*API{{Name: "things", Owner: "team", Version: []*Version{{
		Name: "v1", Hosts: []string{"api.example"}, Path: "/v1", Spec: []string{writeDocument(t, smallDocument)},
	}}}}}
}

// provision runs app as a configuration of its own until the test ends.
func provision(t testing.TB, app *App) (*App, error) {
	t.Helper()
	text, err := json.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true},
		AppsRaw: caddy.ModuleMap{"api_guard": text},
	})
	if err != nil {
		return nil, err
	}
	got, err := ctx.AppIfConfigured("api_guard")
	if err != nil {
		return nil, err
	}
	running := got.(*App)
	if err := running.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = running.Cleanup() })
	return running, nil
}

func mustProvision(t testing.TB, app *App) *App {
	t.Helper()
	running, err := provision(t, app)
	if err != nil {
		t.Fatal(err)
	}
	return running
}

func TestRejectedConfigurationLeavesTheRunningOneItsState(t *testing.T) {
	running := mustProvision(t, smallApp(t))
	state := running.shared
	references, _ := pool.References(poolKey)

	broken := smallApp(t)
	broken.API[0].Version[0].Spec[0] += ".gone"
	if _, err := provision(t, broken); err == nil {
		t.Fatal("a missing document is accepted")
	} else if !strings.Contains(err.Error(), "api[0].version[0].spec[0]") || !strings.Contains(err.Error(), ".gone") {
		t.Errorf("the error names neither field nor file: %v", err)
	}
	if now, _ := pool.References(poolKey); now != references {
		t.Errorf("%d references to the state after a rejected configuration, %d before", now, references)
	}
	if runningApp() != running {
		t.Error("another configuration answers")
	}

	next := mustProvision(t, smallApp(t))
	if next.shared != state {
		t.Error("the next configuration has other state")
	}
	if runningApp() != next {
		t.Error("the old configuration answers after a reload")
	}
	if err := next.Cleanup(); err != nil { // as when another app fails to start
		t.Fatal(err)
	}
	if runningApp() != running {
		t.Error("the configuration before it does not answer again")
	}
}

func TestConfigurationErrorsNameTheField(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*App)
		want   string
	}{
		{"an empty catalogue", func(a *App) { a.API = nil }, "api: the catalogue is empty"},
		{"an API without version", func(a *App) { a.API[0].Version = nil }, "api[0].version"},
		{"a name with a space", func(a *App) { a.API[0].Name = "a b" }, "api[0].name"},
		{"two APIs of one name", func(a *App) { a.API = append(a.API, a.API[0]) }, "api[1].name"},
		{"two versions of one name", func(a *App) { a.API[0].Version = append(a.API[0].Version, a.API[0].Version[0]) }, "api[0].version[1].name"},
		{"an unknown mode", func(a *App) { a.Mode = "observe" }, `mode: unrecognized mode "observe"`},
		{"a rule's unknown mode", func(a *App) { a.Policy = &Policy{Rules: Rules{Target: "on"}} }, "policy.target"},
		{"a looser rule in a version", func(a *App) { a.API[0].Version[0].Lifecycle = "off" }, "api[0].version[0].lifecycle: off is looser"},
		{"a looser body limit", func(a *App) { a.API[0].Request = &RequestRule{MaxBody: 1 << 30} }, "api[0].request.max_body"},
		{"unknown_host in a version", func(a *App) { a.API[0].Version[0].UnknownHost = "enforce" }, "api[0].version[0].unknown_host"},
		{"a bad date", func(a *App) { a.API[0].Version[0].Sunset = "soon" }, "api[0].version[0].sunset"},
		{"a sunset before its deprecation", func(a *App) {
			a.API[0].Version[0].Deprecated, a.API[0].Version[0].Sunset = "2027-01-01", "2026-01-01"
		}, "api[0].version[0].sunset: sunset 2026-01-01 is before"},
		{"a successor that is nobody", func(a *App) { a.API[0].Version[0].Successor = "v9" }, "api[0].version[0].successor"},
		{"a successor that runs code", func(a *App) { a.API[0].Version[0].Successor = "javascript:alert(1)" }, "api[0].version[0].successor"},
		{"docs that run code", func(a *App) { a.API[0].Version[0].Docs = "javascript:alert(1)" }, "api[0].version[0].docs"},
		{"docs that run code after a comment", func(a *App) { a.API[0].Version[0].Docs = "javascript://docs.example.com/%0aalert(1)" }, "api[0].version[0].docs"},
		{"docs without host", func(a *App) { a.API[0].Version[0].Docs = "https:///orders" }, "api[0].version[0].docs"},
		{"docs that end their link", func(a *App) { a.API[0].Version[0].Docs = "https://docs.example.com/>;rel=x" }, "api[0].version[0].docs"},
		{"consumers by an address in short form", func(a *App) { a.Consumers = []string{"{client_ip}"} }, "consumers[0]"},
		{"a key with an address within text, in short form", func(a *App) {
			a.API[0].Limit = []*Limit{{Name: "l", Rate: "1/m", Key: []string{"x{remote_host}"}}}
		}, "api[0].limit[0].key[0]"},
		{"a limit without rate", func(a *App) { a.API[0].Limit = []*Limit{{Name: "l"}} }, "api[0].limit[0].rate"},
		{"a bad rate", func(a *App) { a.API[0].Limit = []*Limit{{Name: "l", Rate: "many"}} }, "api[0].limit[0].rate"},
		{"an operation that nobody has", func(a *App) {
			a.API[0].Limit = []*Limit{{Name: "l", Rate: "1/m", Operations: []string{"getThing", "getThings"}}}
		}, `api[0].limit[0].operations[1]: limit "l" of API "things": no document of API "things" has the operation "getThings"`},
		{"an operation of a version's limit that nobody has", func(a *App) {
			a.API[0].Version[0].Limit = []*Limit{{Name: "l", Rate: "1/m", Operations: []string{"GET /things/{id"}}}
		}, "api[0].version[0].limit[0].operations[0]: "},
		{"an operation of the policy that is nearly one", func(a *App) {
			a.Policy = &Policy{Rules: Rules{Limit: []*Limit{{Name: "l", Rate: "1/m", Operations: []string{"getThng"}}}}}
		}, `policy.limit[0].operations[0]: limit "l": operation "getThng" is in no document of any API; did you mean getThing?`},
		{"an operation of the policy that is like none", func(a *App) {
			a.Policy = &Policy{Rules: Rules{Limit: []*Limit{{Name: "l", Rate: "1/m", Operations: []string{"somethingElseEntirely"}}}}}
		}, `is in no document of any API: write an operationId or "METHOD /template"`},
		{"a rate above all", func(a *App) { a.API[0].Limit = []*Limit{{Name: "l", Rate: "5/40d"}} }, "api[0].limit[0].rate: checking limit \"l\": window 40d is not between 1s and 31d"},
		{"a burst that takes for ever", func(a *App) {
			a.API[0].Limit = []*Limit{{Name: "l", Rate: "1/1d", Algorithm: "bucket", Burst: 40}}
		}, "api[0].limit[0].burst: checking limit \"l\": burst 40 takes more than 31d to refill at 1 per 1d"},
		{"burst for a window", func(a *App) { a.API[0].Limit = []*Limit{{Name: "l", Rate: "1/m", Burst: 3}} }, "api[0].limit[0].burst"},
		{"a looser limit of the same name", func(a *App) {
			a.API[0].Limit = []*Limit{{Name: "l", Rate: "1/m"}}
			a.API[0].Version[0].Limit = []*Limit{{Name: "l", Rate: "2/m"}}
		}, "api[0].version[0].limit[0].rate"},
		{"a status that is neither 400 nor 422", func(a *App) { a.Policy = &Policy{Rules: Rules{Request: &RequestRule{Status: 500}}} }, "policy.request.status"},
		{"more samples than there are requests", func(a *App) { a.Inventory = &Inventory{Sample: "150%"} }, "inventory.sample"},
		{"fewer samples than none", func(a *App) { a.Inventory = &Inventory{Sample: "1% -1"} }, "inventory.sample"},
		{"an inventory that forgets at once", func(a *App) { a.Inventory = &Inventory{Retention: caddy.Duration(time.Minute)} }, "inventory.retention"},
		{"a selector without value", func(a *App) { a.API[0].Version[0].Select = []*Selector{{Header: "X"}} }, "api[0].version[0].select[0]"},
		{"a path with a wildcard", func(a *App) { a.API[0].Version[0].Path = "/v1/*" }, "api[0].version[0].path"},
		{"multi_segment of an unknown parameter", func(a *App) {
			a.API[0].Version[0].MultiSegment = map[string][]string{"getThing": {"name"}}
		}, "api[0].version[0].multi_segment"},
		{"multi_segment of an unknown operation", func(a *App) {
			a.API[0].Version[0].MultiSegment = map[string][]string{"getX": {"id"}}
		}, "api[0].version[0].multi_segment"},
		{"multi_segment of a misspelt operation", func(a *App) {
			a.API[0].Version[0].MultiSegment = map[string][]string{"getThng": {"id"}}
		}, `"getThng" is in no document of version "v1"; did you mean getThing?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := smallApp(t)
			c.change(app)
			_, err := provision(t, app)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something with %q", err, c.want)
			}
		})
	}
	mustProvision(t, smallApp(t)) // the control: unchanged it is accepted
}

func TestBrokenDocumentsAreRefusedWithTheFilesName(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "not OpenAPI": `{"a":1}`, "Swagger 2": `{"swagger":"2.0","paths":{}}`, "cut short": smallDocument[:40], "binary": "\x00\x01\x02",
	} {
		app := smallApp(t)
		file := writeDocument(t, text)
		app.API[0].Version[0].Spec = []string{file}
		if _, err := provision(t, app); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHandlerWithoutTheAppSaysWhatToAdd(t *testing.T) {
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := new(Handler).Provision(ctx); err == nil || !strings.Contains(err.Error(), "global option api_guard") {
		t.Errorf("got %v", err)
	}
}

func TestClientAddressFromLaxProxiesIsRefused(t *testing.T) {
	limited := func() *App {
		app := smallApp(t)
		app.API[0].Limit = []*Limit{{Name: "l", Rate: "1/m"}}
		return app
	}
	overUnix := func(s map[string]any) map[string]any {
		s["trusted_proxies_unix"] = true
		return s
	}
	server := func(trusted string, strict int) map[string]any {
		s := map[string]any{
			"listen":                 []string{"127.0.0.1:0"},
			"routes":                 []any{map[string]any{"handle": []any{map[string]any{"handler": "api_guard"}}}},
			"trusted_proxies_strict": strict,
		}
		if trusted != "" {
			s["trusted_proxies"] = map[string]any{"source": trusted, "ranges": []string{"10.0.0.0/8"}}
		}
		return s
	}
	for _, c := range []struct {
		name    string
		app     *App
		server  map[string]any
		refused bool
	}{
		{"no trusted proxies", limited(), server("", 0), false},
		{"trusted but not strict", limited(), server("static", 0), true},
		{"trusted and strict", limited(), server("static", 1), false},
		{"a Unix socket's clients trusted but not strict", limited(), overUnix(server("", 0)), true},
		{"a Unix socket's clients trusted and strict", limited(), overUnix(server("", 1)), false},
		{"not strict, but no limit asks for the address", smallApp(t), server("static", 0), false},
		{"not strict, and the operator knows", func() *App { a := limited(); a.LaxProxies = true; return a }(), server("static", 0), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			guard, _ := json.Marshal(c.app)
			web, _ := json.Marshal(map[string]any{"servers": map[string]any{"s": c.server}})
			err := caddy.Validate(&caddy.Config{ // which cleans up what it provisioned
				Admin:   &caddy.AdminConfig{Disabled: true},
				AppsRaw: caddy.ModuleMap{"api_guard": guard, "http": web},
			})
			if refused := err != nil; refused != c.refused {
				t.Errorf("error %v", err)
			}
			if c.refused && !strings.Contains(err.Error(), "trusted_proxies_strict") {
				t.Errorf("the error does not say how to mend it: %v", err)
			}
		})
	}
}
