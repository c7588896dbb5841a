package catalogue

import (
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

func TestAScriptBeforeAPathIsNoWayRound(t *testing.T) {
	api := &API{Name: "a", Versions: []*Version{
		{Name: "v2", Hosts: []string{"h"}, Claims: []Claim{{Path: "/v2"}}, Documents: []*spec.Document{document("d", "POST /verify verify", "GET /orders/{id}", "GET /app.php/own own", "POST /own own2")}},
		{Name: "v0", Hosts: []string{"h"}, Claims: []Claim{{Path: "/v0"}}},
		{Name: "all", Hosts: []string{"all"}},
	}}
	c, err := New(Config{APIs: []*API{api}, Bindings: []Binding{
		{API: api, Bit: 0, Name: "l", Operations: []string{"verify", "own"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]struct {
		bound   uint64
		outcome Outcome
		version string
	}{
		"POST h/v2/verify":                {1, Found, "v2"},
		"POST h/index.php/v2/verify":      {1, NearMiss, "v2"},
		"POST h/v2/index.php/verify":      {1, NearMiss, "v2"},
		"POST h/INDEX.PHP/v2/verify":      {1, NearMiss, "v2"},
		"POST h/cgi-bin/a.fcgi/v2/verify": {1, NearMiss, "v2"},
		"POST h/v0/index.php/v2/verify":   {1, NearMiss, "v2"},
		"POST h/index.php/V2/Verify":      {1, NearMiss, "v2"},
		"POST h/index.php/v2/verify.json": {1, NearMiss, "v2"}, // v2 claims it
		"GET h/index.php/v2/verify":       {0, NearMiss, "v2"},
		"GET h/index.php/v2/orders/7":     {0, NearMiss, "v2"},
		"GET h/index.php/v2/other":        {0, NearMiss, "v2"},
		"GET h/v2/index.php/other":        {0, NoRoute, "v2"},
		"GET h/index.php/v0/x":            {0, NearMiss, "v0"},
		"GET h/v0/index.php/x":            {0, NoDocument, "v0"},
		"POST h/v0/index.php/verify":      {1, NoDocument, "v0"},
		"POST all/index.php/verify":       {1, NoDocument, "all"},
		"GET h/index.php":                 {0, Unclaimed, ""},
		"GET h/index.php/":                {0, Unclaimed, ""},
		"GET h/index.php/other":           {0, Unclaimed, ""},
		"POST h/index.txt/v2/verify":      {0, Unclaimed, ""},
		"POST h/.php/v2/verify":           {0, Unclaimed, ""},
		"GET h/v2/app.php/own":            {1, Found, "v2"}, // a route of its own
		"PUT h/v2/app.php/own":            {0, NoMethod, "v2"},
		"POST h/v2/verify/index.php":      {0, NoRoute, "v2"},
	} {
		m := ask(c, request)
		version := ""
		if m.Version != nil {
			version = m.Version.Name
		}
		if m.Bound != want.bound || m.Outcome != want.outcome || version != want.version {
			t.Errorf("%s: bound %b, %s, %q; want %b, %s, %q", request, m.Bound, m.Outcome, version, want.bound, want.outcome, want.version)
		}
	}
}
