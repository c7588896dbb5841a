package apiguard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

var (
	floorHosts    = []string{"api.example.com", "beta.example.com", "legacy.example.com"}
	floorVersions = []string{"v1", "v2", "v3", "v4"}
)

const floorDocument = `openapi: 3.1.0
info: {title: orders, version: "1"}
security: [{key: []}]
paths:
  /orders:
    get:
      operationId: listOrders
      parameters: [{name: limit, in: query, schema: {type: integer}}]
      responses:
        "200":
          description: ok
          content: {application/json: {schema: {type: object, required: [orders]}}}
components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}
`

// floorPolicy has every rule enforced and every setting at a value that can be
// looser.
const floorPolicy = `
		policy {
			target enforce
			unknown_host enforce
			unknown_route enforce
			audience enforce
			lifecycle enforce
			headers enforce
			upgrade enforce
			credentials enforce
			request enforce {
				max_body 64KiB
				body_idle_timeout 5s
				body_timeout 20s
				unknown_parameters enforce
			}
			response enforce {
				max_body 64KiB
			}
			limit fair {
				key {client_ip}
				rate 10/1m
				algorithm bucket
				burst 10
				penalty 5m
				cost 2
				concurrency 4
			}
			limit strict {
				key {client_ip}
				rate 1000/1m
				quota 10000/day
				on_store_failure deny
			}
		}
		audience internal 10.0.0.0/8
`

// floorConfig has four versions on three hosts each; inAPI and inVersion (by name)
// are lines of theirs.
func floorConfig(policy, inAPI string, inVersion map[string]string) string {
	var b strings.Builder
	b.WriteString(policy + "\t\tapi orders {\n\t\t\towner team\n" + inAPI + "\n")
	for _, v := range floorVersions {
		fmt.Fprintf(&b, "version %s {\nhosts %s\npath /%s\nspec orders.yaml\n%s\n}\n", v, strings.Join(floorHosts, " "), v, inVersion[v])
	}
	return b.String() + "}\n"
}

// adaptFloor gives the app of a Caddyfile, or what the adapter says.
func adaptFloor(t *testing.T, guard string) (*App, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "orders.yaml"), []byte(floorDocument), 0o600); err != nil {
		t.Fatal(err)
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("{\n\tapi_guard {\n"+guard+"\n\t}\n}\n"), map[string]any{"filename": filepath.Join(dir, "Caddyfile")})
	if err != nil {
		return nil, err
	}
	app, _, err := decodeConfig(config)
	if err == nil {
		err = app.offline(func(*policy.Config, *catalogue.Catalogue) {})
	}
	app.logger, app.Inventory = nil, &Inventory{File: inventoryMemory}
	return app, err
}

// loosened is each line that is looser than the policy, with a twin that is not.
var loosened = func() []struct{ name, looser, twin string } {
	var all []struct{ name, looser, twin string }
	add := func(name, looser, twin string) {
		all = append(all, struct{ name, looser, twin string }{name, looser, twin})
	}
	for _, rule := range policy.AllRules() {
		switch rule {
		case policy.RuleUnknownHost, policy.RuleLimit, policy.RuleAudience:
			continue // below
		}
		for _, mode := range []string{"monitor", "off"} {
			add(rule.String()+" "+mode, rule.String()+" "+mode, rule.String()+" enforce")
		}
	}
	add("a larger body", "request enforce {\nmax_body 65KiB\n}", "request enforce {\nmax_body 63KiB\n}")
	add("a longer wait for more", "request enforce {\nbody_idle_timeout 6s\n}", "request enforce {\nbody_idle_timeout 4s\n}")
	add("a longer wait for all", "request enforce {\nbody_timeout 21s\n}", "request enforce {\nbody_timeout 19s\n}")
	for _, mode := range []string{"monitor", "off"} {
		add("unknown parameters "+mode, "request enforce {\nunknown_parameters "+mode+"\n}", "request enforce {\nunknown_parameters enforce\n}")
		add("the limit in "+mode, "limit fair {\nmode "+mode+"\n}", "limit fair {\nmode enforce\n}")
	}
	add("a smaller answer that is judged", "response enforce {\nmax_body 63KiB\n}", "response enforce {\nmax_body 65KiB\n}")
	add("a higher rate", "limit fair {\nrate 11/1m\n}", "limit fair {\nrate 9/1m\n}")
	add("a longer window of it", "limit fair {\nrate 10/59s\n}", "limit fair {\nrate 10/61s\n}")
	add("a larger burst", "limit fair {\nburst 11\n}", "limit fair {\nburst 9\n}")
	add("a shorter penalty", "limit fair {\npenalty 4m\n}", "limit fair {\npenalty 6m\n}")
	add("a lower cost", "limit fair {\ncost 1\n}", "limit fair {\ncost 3\n}")
	add("more at a time", "limit fair {\nconcurrency 5\n}", "limit fair {\nconcurrency 3\n}")
	add("a bucket where a window is", "limit strict {\nalgorithm bucket\n}", "limit strict {\nalgorithm window\n}")
	add("a higher quota", "limit strict {\nquota 10001/day\n}", "limit strict {\nquota 9999/day\n}")
	add("a quota of another period", "limit strict {\nquota 9999/month\n}", "limit strict {\nquota 10000/day\n}")
	for _, answer := range []string{"local", "allow"} {
		add(answer+" while the store cannot be asked", "limit strict {\non_store_failure "+answer+"\n}", "limit strict {\non_store_failure deny\n}")
	}
	add("another count", "limit fair {\ncount unknown\n}", "limit fair {\ncount requests\n}")
	return all
}()

func TestNoRuleIsLoosenedInAnyPlaceWithoutAnException(t *testing.T) {
	places := append([]string{"the api"}, floorVersions...)
	at := func(place, line string) string {
		if place == "the api" {
			return floorConfig(floorPolicy, line, nil)
		}
		return floorConfig(floorPolicy, "", map[string]string{place: line})
	}
	if _, err := adaptFloor(t, floorConfig(floorPolicy, "", nil)); err != nil {
		t.Fatalf("the policy itself: %v", err)
	}
	for _, place := range places {
		for _, c := range loosened {
			if _, err := adaptFloor(t, at(place, c.looser)); err == nil {
				t.Errorf("%s in %s is accepted", c.name, place)
			} else if !strings.Contains(err.Error(), "Caddyfile:") {
				t.Errorf("%s in %s: the error names no line: %v", c.name, place, err)
			}
			if _, err := adaptFloor(t, at(place, c.twin)); err != nil {
				t.Errorf("%s in %s: the twin that is not looser is refused: %v", c.name, place, err)
			}
		}
		for _, line := range []string{"unknown_host monitor", "unknown_host enforce"} {
			if _, err := adaptFloor(t, at(place, line)); err == nil {
				t.Errorf("%s in %s is accepted: a host that nobody declared belongs to no API", line, place)
			}
		}
		for _, mode := range []string{"monitor", "off"} {
			if _, err := adaptFloor(t, at(place, "audience "+mode)); err == nil {
				t.Errorf("audience %s in %s is accepted", mode, place)
			}
		}
	}
}

// doors are the twelve ways in: three hosts times four versions.
func doors() (all [][2]string) {
	for _, host := range floorHosts {
		for _, version := range floorVersions {
			all = append(all, [2]string{host, version})
		}
	}
	return all
}

func through(app *App, host, target string, change func(*http.Request), next caddyhttp.HandlerFunc) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	r.URL.Path, r.RequestURI, r.Host = target, target, host
	if path, query, ok := strings.Cut(target, "?"); ok {
		r.URL.Path, r.URL.RawQuery = path, query
	}
	r.Header.Set("X-Key", "k")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	if next == nil {
		next = func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "application/json")
			_, err := w.Write([]byte(`{"orders":[]}`))
			return err
		}
	}
	repl := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, repl, w, new(caddyhttp.Server))
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, "192.0.2.1")
	if err := (&Handler{app: app}).ServeHTTP(w, r, next); err != nil {
		w.Code = -1
	}
	return w
}

// Every rule holds at every one of the twelve doors, and a limit is one bucket
// behind all of them.
func TestEveryRuleHoldsAtEveryDoor(t *testing.T) {
	everywhere := func(line string) map[string]string {
		lines := map[string]string{}
		for _, v := range floorVersions {
			lines[v] = line
		}
		return lines
	}
	roomy := strings.Replace(floorPolicy, "rate 10/1m", "rate 1000/1m", 1)
	roomy = strings.Replace(strings.Replace(roomy, "burst 10\n", "burst 1000\n", 1), "key {client_ip}", "key {http.request.host}", 1)
	for _, c := range []struct {
		name   string
		lines  map[string]string
		target string // after the base path
		change func(*http.Request)
		next   caddyhttp.HandlerFunc
		status int
		reason string
	}{
		{name: "what is right", target: "/orders?limit=1", status: 200},
		{name: "target", target: "/a/../orders", status: 400, reason: "malformed-target"},
		{name: "a near miss", target: "/Orders", status: 400, reason: "ambiguous-target"},
		{name: "unknown_route", target: "/nothing", status: 404, reason: "unknown-route"},
		{name: "unknown method", target: "/orders", change: func(r *http.Request) { r.Method = "DELETE" }, status: 405, reason: "method-not-allowed"},
		{name: "audience", lines: everywhere("audience internal"), target: "/orders", status: 403, reason: "audience-denied"},
		{name: "lifecycle", lines: everywhere("deprecated 2024-01-01\nsunset 2025-01-01"), target: "/orders", status: 410, reason: "version-retired"},
		{name: "credentials", target: "/orders", change: func(r *http.Request) { r.Header.Del("X-Key") }, status: 401, reason: "credentials-missing"},
		{name: "request", target: "/orders?limit=many", status: 400, reason: "request-invalid"},
		{name: "unknown parameters", target: "/orders?other=1", status: 400, reason: "request-invalid"},
		{name: "response", target: "/orders", next: func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "application/json")
			_, err := w.Write([]byte(`{}`))
			return err
		}, status: 502, reason: "response-invalid"},
		{name: "headers and upgrade", target: "/orders", change: func(r *http.Request) {
			r.Header.Set("X-HTTP-Method-Override", "DELETE")
			r.Header.Set("Upgrade", "websocket")
			r.Header.Set("Connection", "Upgrade")
		}, next: func(w http.ResponseWriter, r *http.Request) error {
			if r.Header.Get("X-HTTP-Method-Override")+r.Header.Get("Upgrade") != "" {
				w.WriteHeader(http.StatusTeapot)
				return nil
			}
			w.Header().Set("Content-Type", "application/json")
			_, err := w.Write([]byte(`{"orders":[]}`))
			return err
		}, status: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			app, err := adaptFloor(t, floorConfig(roomy, "", c.lines))
			if err != nil {
				t.Fatal(err)
			}
			app = mustProvision(t, app)
			for _, door := range doors() {
				w := through(app, door[0], "/"+door[1]+c.target, c.change, c.next)
				if w.Code != c.status || !strings.Contains(w.Body.String(), c.reason) {
					t.Errorf("%s %s: %d %s", door[0], door[1], w.Code, w.Body)
				}
			}
			if w := through(app, "other.example.com", "/v1/orders", nil, nil); w.Code != 421 {
				t.Errorf("an unknown host: %d", w.Code)
			}
		})
	}
	t.Run("limit", func(t *testing.T) {
		app, err := adaptFloor(t, floorConfig(strings.Replace(floorPolicy, "cost 2\n", "", 1), "", nil))
		if err != nil {
			t.Fatal(err)
		}
		app = mustProvision(t, app)
		var codes []int
		for _, door := range doors() {
			codes = append(codes, through(app, door[0], "/"+door[1]+"/orders", nil, nil).Code)
		}
		if want := []int{200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 429, 429}; !slices.Equal(codes, want) {
			t.Errorf("ten of one bucket: %v", codes)
		}
	})
	t.Run("digest", func(t *testing.T) {
		app, err := adaptFloor(t, floorConfig(floorPolicy, "", map[string]string{"v3": "limit fair {\nrate 9/1m\n}"}))
		if err != nil {
			t.Fatal(err)
		}
		app = mustProvision(t, app)
		versions := app.shared.inventory.APIs().Items[0].Versions
		digest := versions[0].PolicyDigest
		for _, v := range versions {
			differs := v.Version == "v3"
			if (v.PolicyDigest != digest) != differs || (len(v.PolicyDiffers) > 0) != differs {
				t.Errorf("%s: %s %v", v.Version, v.PolicyDigest, v.PolicyDiffers)
			}
			if differs && v.PolicyDiffers[0] != "limit fair of its own: 9 in 1m" {
				t.Errorf("%v", v.PolicyDiffers)
			}
		}
	})
}
