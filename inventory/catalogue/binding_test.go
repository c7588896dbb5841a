package catalogue

import (
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// guarded is an API with a limit on its login in a documented, an undocumented
// and a header-selected version, and a second API beside it.
func guarded(t *testing.T, operations ...string) *Catalogue {
	t.Helper()
	api := &API{Name: "a", Versions: []*Version{
		{Name: "v1", Hosts: []string{"legacy"}, Claims: []Claim{{Path: "/v1"}}},
		{Name: "v2", Hosts: []string{"h", "beta"}, Claims: []Claim{{Path: "/v2"}}, Documents: []*spec.Document{
			document("v2.yaml", "POST /users/login login", "GET /users/{id} user", "GET /users/me", "GET /{a}/{b}/c wild", "GET / root", "GET /files/{path+} file"),
		}},
		{Name: "v3", Hosts: []string{"h"}, Claims: []Claim{{Path: "/v3", Select: byHeader("X-V", "3")}}, Documents: []*spec.Document{
			document("v3.yaml", "GET /users/{user}", "GET /users/me/c", "GET /users/Special", "GET /{x}/me", "PUT /users/login"),
		}},
	}}
	other := &API{Name: "b", Versions: []*Version{{Name: "b1", Hosts: []string{"shared"}}, {Name: "b2", Hosts: []string{"h"}, Claims: []Claim{{Path: "/b"}}}}}
	c, err := New(Config{APIs: []*API{api, other}, Bindings: []Binding{{API: api, Bit: 3, Name: "limit", Operations: operations}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestABindingHoldsHoweverTheOperationIsReached(t *testing.T) {
	c := guarded(t, "login")
	tests := []struct {
		name    string
		request string
		headers []string
		outcome Outcome
		bound   bool
	}{
		{"documented", "POST h/v2/users/login", nil, Found, true},
		{"on every host", "POST beta/v2/users/login", nil, Found, true},
		{"another operation", "GET h/v2/users/me", nil, Found, false},
		{"another method", "GET h/v2/users/login", nil, NoMethod, false},
		{"in a version without a document", "POST legacy/v1/users/login", nil, NoDocument, true},
		{"another path there", "POST legacy/v1/users/logout", nil, NoDocument, false},
		{"in a version whose document lacks the method", "POST h/v3/users/login", []string{"X-V", "3"}, NoMethod, true},
		{"with a selector that nobody has", "POST h/v3/users/login", []string{"X-V", "9"}, Unclaimed, true},
		{"with no selector", "POST h/v3/users/login", nil, Unclaimed, true},
		{"in another letter case", "POST h/v2/Users/LOGIN", nil, NearMiss, true},
		{"with a slash at the end", "POST h/v2/users/login/", nil, NearMiss, true},
		{"with two", "POST h/v2/users/login//", nil, NoRoute, false},
		{"in another letter case without a document", "POST legacy/v1/users/Login", nil, NearMiss, true},
		{"with a base path in another letter case", "POST h/V2/users/login", nil, NearMiss, true},
		{"with that of a version without a document", "POST legacy/V1/users/login", nil, NearMiss, true},
		{"under the base path of another version", "POST h/v1/users/login", nil, Unclaimed, true},
		{"under no base path", "POST h/users/login", nil, Unclaimed, true},
		{"under no base path, spelled otherwise", "POST h/users/login/", nil, NearMiss, true},
		{"under a foreign base path", "POST h/v9/users/login", nil, Unclaimed, false},
		{"with the method in small letters", "post h/v2/users/login", nil, NoMethod, true},
		{"on a host of another API", "POST shared/v2/users/login", nil, NoDocument, false},
		{"on a path of another API", "POST h/b/users/login", nil, NoDocument, false},
		{"on an unknown host", "POST other/v2/users/login", nil, UnknownHost, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := ask(c, tt.request, tt.headers...)
			if m.Outcome != tt.outcome || (m.Bound == 1<<3) != tt.bound {
				t.Errorf("%s, bound %b; want %s, %v", got(m), m.Bound, tt.outcome, tt.bound)
			}
		})
	}
}

func TestABindingYieldsToAMoreConcreteOperation(t *testing.T) {
	tests := []struct {
		name      string
		operation string
		request   string
		headers   []string
		bound     bool
	}{
		{"the template itself", "user", "GET h/v2/users/7", nil, true},
		{"HEAD counts as GET", "user", "HEAD h/v2/users/7", nil, true},
		{"a documented literal", "user", "GET h/v2/users/me", nil, false},
		{"an undocumented one", "user", "GET legacy/v1/users/me", nil, true},
		{"another name of the parameter", "GET /users/{x}", "GET h/v3/users/7", []string{"X-V", "3"}, true},
		{"a more concrete binding on a value", "GET /users/me", "GET h/v2/users/ME", nil, true},
		{"its own spelling", "GET /users/me", "GET h/v2/users/me", nil, true},
		{"but not another value", "GET /users/me", "GET h/v2/users/7", nil, false},
		{"a binding without a method in the document", "HEAD /users/{id}", "HEAD h/v2/users/7", nil, true},
		{"which is not about GET", "HEAD /users/{id}", "GET h/v2/users/7", nil, false},
		{"two that are each more concrete somewhere", "GET /{x}/me", "GET h/v2/users/7", nil, false},
		{"where both cover the path", "GET /users/{id}", "GET h/v3/x/me", []string{"X-V", "3"}, false},
		{"less concrete in one segment", "wild", "GET h/v3/users/me/c", []string{"X-V", "3"}, false},
		{"the twin", "wild", "GET h/v2/users/me/c", nil, true},
		{"the root of a version", "root", "GET h/v2/", nil, true},
		{"without its slash", "root", "GET h/v2", nil, true},
		{"a spanning parameter", "file", "GET h/v2/files/a/b", nil, true},
		{"elsewhere", "file", "GET legacy/v1/files/a/b", nil, true},
		{"of which one segment is left", "file", "GET legacy/v1/files/", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := ask(guarded(t, tt.operation), tt.request, tt.headers...)
			if (m.Bound != 0) != tt.bound {
				t.Errorf("%s, bound %b, want %v", got(m), m.Bound, tt.bound)
			}
		})
	}
}

func TestAnIncomparableBindingHolds(t *testing.T) {
	api := &API{Name: "a", Versions: []*Version{
		{Name: "v1", Hosts: []string{"h"}, Documents: []*spec.Document{document("1", "GET /users/{id}")}},
		{Name: "v2", Hosts: []string{"g"}, Documents: []*spec.Document{document("2", "GET /{any}/me")}},
	}}
	c, err := New(Config{APIs: []*API{api}, Bindings: []Binding{{API: api, Bit: 0, Name: "l", Operations: []string{"GET /{any}/me"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if m := ask(c, "GET h/users/me"); m.Bound != 1 {
		t.Error("a limit that might hold did not")
	}
	if m := ask(c, "GET h/users/you"); m.Bound != 0 {
		t.Error("a limit held for a path that it does not name")
	}
}

func TestBindingsOfSeveralLimitsAddUp(t *testing.T) {
	api := &API{Name: "a", Versions: []*Version{{Name: "v1", Hosts: []string{"h"}, Documents: []*spec.Document{document("d", "GET /x x", "POST /x", "GET /{y} y")}}}}
	free := &API{Name: "free", Versions: []*Version{{Name: "f", Hosts: []string{"h"}, Claims: []Claim{{Path: "/free"}}}}}
	c, err := New(Config{APIs: []*API{api, free}, Bindings: []Binding{
		{API: api, Bit: 0, Name: "one", Operations: []string{"x", "POST /x"}},
		{API: api, Bit: 63, Name: "two", Operations: []string{"GET /x"}},
		{API: free, Bit: 5, Name: "as written", Operations: []string{"GET /x"}},
		{Bit: 7, Name: "every API", Operations: []string{"POST /x"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]uint64{
		"GET h/x":       1 | 1<<63,
		"HEAD h/x":      1 | 1<<63,
		"POST h/x":      1 | 1<<7,
		"GET h/z":       0,
		"GET h/free/x":  1 << 5,
		"POST h/free/X": 1 << 7,
	} {
		if m := ask(c, request); m.Bound != want {
			t.Errorf("%s: %b, want %b (%s)", request, m.Bound, want, got(m))
		}
	}
}

func TestABindingThatResolvesNowhereIsAnError(t *testing.T) {
	documented := &API{Name: "orders", Versions: []*Version{{Name: "v1", Hosts: []string{"h"}, Documents: []*spec.Document{
		document("d", "POST /users/login verifyResetToken", "GET /users/{id}")}}}}
	free := &API{Name: "free", Versions: []*Version{{Name: "v1", Hosts: []string{"g"}}}}
	cfg := func(api *API, bit uint, operations ...string) Config {
		return Config{APIs: []*API{documented, free}, Bindings: []Binding{{API: api, Bit: bit, Name: "reset", Operations: operations}}}
	}
	newError(t, cfg(documented, 0, "verifyResetTokens"), `"reset"`, `"verifyResetTokens"`, `"orders"`, "did you mean verifyResetToken")
	newError(t, cfg(documented, 0, "POST /users/logn"), "POST /users/login")
	newError(t, cfg(documented, 0, "POST /v1/users/login"), "POST /users/login")
	newError(t, cfg(documented, 0, "PUT /users/login"), "POST /users/login")
	newError(t, cfg(documented, 0, "somethingElseEntirely"), `"orders"`, "METHOD /template")
	newError(t, cfg(documented, 0, "POST /users/{"), "brace")
	newError(t, cfg(free, 0, "login"), `"free"`, "METHOD /template")
	newError(t, cfg(nil, 0, "login2"), `"orders"`, `"free"`)
	newError(t, cfg(nil, 0, "DELETE /nowhere"), "DELETE /nowhere")
	newError(t, cfg(documented, 64, "verifyResetToken"), "64")
	newError(t, cfg(documented, 0), "no operation")
	newError(t, cfg(&API{Name: "stranger"}, 0, "x"), `"stranger"`)
	for _, ok := range []Config{cfg(documented, 0, "verifyResetToken"), cfg(documented, 0, "GET /users/{other}"), cfg(free, 0, "GET /anything")} {
		if _, err := New(ok); err != nil {
			t.Error(err)
		}
	}
}
