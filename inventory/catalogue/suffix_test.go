package catalogue

import (
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

func TestEndingsThatUpstreamsDropAreNoWayRoundABinding(t *testing.T) {
	api := &API{Name: "a", Versions: []*Version{
		{Name: "v1", Hosts: []string{"h"}, Documents: []*spec.Document{document("d", "POST /verify verify", "POST /verify.csv", "POST /codes/{id}", "POST /codes/last last", "POST /a@b at", "POST /.well verify2")}},
		{Name: "v0", Hosts: []string{"old"}},
	}}
	c, err := New(Config{APIs: []*API{api}, Bindings: []Binding{
		{API: api, Bit: 0, Name: "l", Operations: []string{"verify", "last", "at", "verify2"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]struct {
		bound   uint64
		outcome Outcome
	}{
		"POST h/verify":            {1, Found},
		"POST h/verify.json":       {1, NoRoute},
		"POST h/verify.json/":      {1, NoRoute},
		"POST h/verify.":           {1, NoRoute},
		"POST h/verify%20":         {1, NoRoute},
		"POST h/verify.json.%20.":  {1, NoRoute},
		"POST h/verify%20.json":    {1, NoRoute},
		"POST h/VERIFY.JSON":       {1, NoRoute},
		"POST old/verify.json":     {1, NoDocument},
		"POST h/codes/last.xml":    {1, Found},
		"POST h/a%40b.json":        {1, NoRoute},
		"POST h/verify.csv":        {0, Found}, // a route of its own
		"POST h/codes/first.xml":   {0, Found},
		"POST h/codes/7":           {0, Found},
		"POST h/verify.toolongext": {0, NoRoute},
		"POST h/verify.a-b":        {0, NoRoute},
		"POST h/verify.json.gz":    {0, NoRoute},
		"POST h/verify%2Ejson":     {0, NoRoute}, // not canonical: never gets here
		"POST h/.well":             {1, Found},
		"POST h/.json":             {0, NoRoute},
		"POST h/verify.d/x":        {0, NoRoute},
		"GET h/verify.json":        {0, NoRoute},
	} {
		if m := ask(c, request); m.Bound != want.bound || m.Outcome != want.outcome {
			t.Errorf("%s: bound %b, %s; want %b, %s", request, m.Bound, m.Outcome, want.bound, want.outcome)
		}
	}
}

func TestWithoutSuffix(t *testing.T) {
	for path, want := range map[string]string{
		"/": "", "/a": "", "/a/": "", "/a.b": "/a", "/a.b/": "/a", "/a.b/c": "", "/a%20": "/a", "/a%21": "", "/.": "", "/..": "", "/%20": "", "/a..": "/a", "/a.b.c": "/a.b", "/v1.2/x.json": "/v1.2/x",
	} {
		if got, ok := withoutSuffix(path); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q %v, want %q", path, got, ok, want)
		}
	}
}
