package caddytest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// shared is a file of the real API descriptions that stand beside the
// repository, in ../shared or where API_GUARD_SHARED says.
func shared(t testing.TB, name string) (path string, content []byte) {
	t.Helper()
	folder := os.Getenv("API_GUARD_SHARED")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared")
	}
	path, err := filepath.Abs(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	content, err = os.ReadFile(path)
	if os.IsNotExist(err) && os.Getenv("API_GUARD_REQUIRE_SHARED") == "" {
		t.Skipf("the real API description %s is not beside the repository; set API_GUARD_SHARED to its folder", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

// everyHost guards every host on the plain port.
const everyHost = `
http://:<http> {
	import guarded
}
`

// wantJudged sends the valid and the invalid request of each operation and checks
// what became of them. The access log must tell each by its own name, or by that
// of another operation with the same method and path.
func wantJudged(t *testing.T, caddy *harness.Caddy, up *harness.Upstream, version string, operations []operation, fields ...harness.Field) {
	t.Helper()
	sameRoute := make(map[string][]string)
	for _, o := range operations {
		sameRoute[o.route()] = append(sameRoute[o.route()], o.id)
	}
	traces := make(map[string]operation)
	refusals := make(map[string]bool)
	for _, o := range operations {
		call, trace := as(with(o.valid(), fields))
		traces[trace] = o
		got := caddy.Do1(t, call)
		seen := up.Requests("X-Trace", trace)
		if got.Status != 200 || len(seen) != 1 || seen[0].Target() != call.Target {
			t.Errorf("%s as its document has it, %v with %s: %v, %d requests upstream", o.id, call, call.Body, got, len(seen))
		}

		if o.secured {
			call := with(o.valid(), fields)
			call.Fields = slices.DeleteFunc(call.Fields, func(f harness.Field) bool { return f.Name == "Authorization" })
			call, trace = as(call)
			traces[trace] = o
			refusals[trace] = true
			if got = caddy.Do1(t, call); got.Status != 401 || len(up.Requests("X-Trace", trace)) != 0 {
				t.Errorf("%s without credentials, %v: %v, want status 401", o.id, call, got)
			}
		}

		call, status := o.invalid()
		call, trace = as(with(call, fields))
		traces[trace] = o
		refusals[trace] = true
		got = caddy.Do1(t, call)
		if got.Status != status || len(up.Requests("X-Trace", trace)) != 0 {
			t.Errorf("%s against its document, %v with %s: %v, want status %d", o.id, call, call.Body, got, status)
		}
	}
	if t.Failed() {
		return // the access log would say the same again
	}
	logged := make(map[string]map[string]any)
	harness.Await(t, "the access log", func() (string, bool) {
		for _, entry := range caddy.AccessLog(t) {
			request, _ := entry["request"].(map[string]any)
			headers, _ := request["headers"].(map[string]any)
			trace, _ := headers["X-Trace"].([]any)
			if len(trace) == 1 {
				logged[fmt.Sprint(trace[0])], _ = entry["api_guard"].(map[string]any)
			}
		}
		return fmt.Sprintf("%d of %d requests", len(logged), len(traces)), len(logged) >= len(traces)
	})
	for trace, o := range traces {
		got, want := logged[trace], "allow"
		if refusals[trace] {
			want = "refuse"
		}
		name := fmt.Sprint(got["operation"])
		if !slices.Contains(sameRoute[o.route()], name) || got["version"] != version || got["verdict"] != want {
			t.Errorf("%s: the access log says %v, want version %s, verdict %s and one of %q", o.id, got, version, want, sameRoute[o.route()])
		}
	}
}

// with gives the call those of the fields that it does not have.
func with(call harness.Call, fields []harness.Field) harness.Call {
	for _, f := range fields {
		if !slices.ContainsFunc(call.Fields, func(has harness.Field) bool { return has.Name == f.Name }) {
			call = call.With(f.Name, f.Value)
		}
	}
	return call
}

func TestBoxServesThreeDatedVersionsBehindOneHost(t *testing.T) {
	t.Parallel()
	versions := []string{"2024.0", "2025.0", "2026.0"}
	var guard strings.Builder
	guard.WriteString("policy {\nunknown_route enforce\nresponse off\n}\napi box {\n")
	operations := make(map[string][]operation)
	for i, version := range versions {
		path, content := shared(t, "specs/box/v"+version+".json")
		operations[version] = operationsOf(t, content)
		fmt.Fprintf(&guard, "version %s {\nselect header box-version %s\nspec %s\n", version, version, path)
		if i == 0 {
			guard.WriteString("default\n")
		}
		guard.WriteString("}\n")
	}
	guard.WriteString("}\n")
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, harness.Config{Guard: guard.String(), Sites: everyHost, Upstream: up})

	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			wantJudged(t, caddy, up, version, operations[version], harness.Field{Name: "box-version", Value: version})
		})
	}
	t.Run("the oldest by default", func(t *testing.T) {
		wantJudged(t, caddy, up, "2024.0", operations["2024.0"])
	})
	t.Run("an operation that another version has", func(t *testing.T) {
		call, _ := as(operations["2024.0"][0].valid())
		refused(t, caddy.Do1(t, call.With("box-version", "2026.0")), 404, "unknown-route")
	})
	t.Run("two versions at once", func(t *testing.T) {
		call, _ := as(operations["2025.0"][0].valid())
		refused(t, caddy.Do1(t, call.With("box-version", "2025.0").With("box-version", "2026.0")), 400, "version-ambiguous")
	})
	t.Run("a version that there is not", func(t *testing.T) {
		call, _ := as(operations["2024.0"][0].valid())
		refused(t, caddy.Do1(t, call.With("box-version", "2027.0")), 404, "unknown-route")
	})
}

func TestVAmPIIsMatchedAndJudged(t *testing.T) {
	t.Parallel()
	path, content := shared(t, "specs/vampi/openapi3.yml")
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, harness.Config{
		Guard:    "policy {\nunknown_route enforce\nresponse off\n}\napi vampi {\nversion v1 {\nspec " + path + "\n}\n}\n",
		Sites:    everyHost,
		Upstream: up,
	})
	wantJudged(t, caddy, up, "v1", operationsOf(t, content))
	call, _ := as(get("localhost", "/users/v1/_admin/all"))
	refused(t, caddy.Do1(t, call), 404, "unknown-route")
}
