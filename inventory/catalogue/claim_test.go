package catalogue

import (
	"slices"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

func TestAPrefixIsClaimedByWholeSegmentsTheLongestFirst(t *testing.T) {
	c := compile(t,
		&API{Name: "a", Versions: []*Version{
			{Name: "v1", Hosts: []string{"h"}, Claims: []Claim{{Path: "/v1"}}},
			{Name: "v2", Hosts: []string{"h", "g"}, Claims: []Claim{{Path: "/v2/"}}, Documents: []*spec.Document{document("d", "GET /x", "GET /")}},
			{Name: "deep", Hosts: []string{"h"}, Claims: []Claim{{Path: "/v2/deep"}}, Documents: []*spec.Document{document("e", "GET /x")}},
		}},
		&API{Name: "b", Versions: []*Version{
			{Name: "root", Hosts: []string{"g"}, Documents: []*spec.Document{document("f", "GET /x", "GET /v2/y")}},
		}},
	)
	for request, want := range map[string]string{
		"GET h/v1":        "no document v1",
		"GET h/v1/x":      "no document v1",
		"GET h/v10/x":     "unclaimed",
		"GET h/v2/x":      "found v2 /v2/x",
		"GET h/v2/":       "found v2 /v2/",
		"GET h/v2":        "near miss v2",
		"GET h/v20/x":     "unclaimed",
		"GET h/V2/x":      "near miss v2",
		"GET h/V1/x":      "near miss v1",
		"GET h/V2/none":   "unclaimed of a",
		"GET h/v2/deep/x": "found deep /v2/deep/x",
		"GET h/v2/deep/y": "no route deep",
		"GET h/x":         "unclaimed",
		"GET g/x":         "found root /x",
		"GET g/v2/x":      "found v2 /v2/x",
		"GET g/v2/y":      "no route v2", // the longest prefix wins, not the one that has it
		"GET g/v3/y":      "no route root",
	} {
		if g := got(ask(c, request)); g != want {
			t.Errorf("%s: %s, want %s", request, g, want)
		}
	}
	if m := ask(c, "GET h/v2/none"); m.Base != "/v2" {
		t.Errorf("the base of an unknown route is %q", m.Base)
	}
	if m := ask(c, "GET h/v2/x/"); m.Base != "/v2" || m.Outcome != NearMiss {
		t.Errorf("near miss with base %q", m.Base)
	}
}

func TestTheHeaderHostSelectsNoVersion(t *testing.T) {
	newError(t, Config{APIs: []*API{{Name: "a", Versions: []*Version{
		picked("1", true, Selector{Kind: SelectHeader, Name: "host", Value: "b.example.com"}),
	}}}}, "Host", "write hosts")
}

func TestHostsAreExactThenWildcardsThenPatterns(t *testing.T) {
	v := func(name, host string) *Version { return &Version{Name: name, Hosts: []string{host}} }
	c := compile(t, &API{Name: "a", Versions: []*Version{
		v("exact", "HTTPS://API.Example.com.:8443"),
		v("wild", "*.example.com"),
		v("both", "*.*.test"),
		v("inner", "api.*.test"),
		v("six", "[2001:DB8::1]:443"),
	}})
	for host, want := range map[string]string{
		"api.example.com":   "no document exact",
		"beta.example.com":  "no document wild",
		"a.b.example.com":   "unknown host",
		"example.com":       "unknown host",
		".example.com":      "unknown host",
		"api.eu.test":       "no document inner",
		"beta.eu.test":      "no document both",
		"api.test":          "unknown host",
		"x.api.eu.test":     "unknown host",
		"2001:db8::1":       "no document six",
		"api.example.com.x": "unknown host",
		"":                  "unknown host",
	} {
		if g := got(ask(c, "GET "+host+"/x")); g != want {
			t.Errorf("%s: %s, want %s", host, g, want)
		}
	}
	if h := c.HostOf("beta.example.com"); h == nil || h.Name != "*.example.com" || c.Hosts[h.Index] != h {
		t.Errorf("HostOf a covered name is %v", h)
	}
	if c.HostOf("nowhere") != nil {
		t.Error("HostOf an unknown name is not nil")
	}
	for _, bad := range []string{"", "a b", "https://h/v1", "h:0", "h:x", "a..b", "*a.example.com", "ä*.example"} {
		newError(t, Config{APIs: []*API{{Name: "a", Versions: []*Version{v("v1", bad)}}}}, `version "v1"`, `API "a"`, "host")
	}
}

// selected is three versions by header at one place: v1 by default.
func selected() *API {
	return &API{Name: "a", Versions: []*Version{
		{Name: "v1", Hosts: []string{"h"}, Default: true, Claims: []Claim{{Select: byHeader("x-version", "1")}},
			Documents: []*spec.Document{document("d1", "GET /x", "GET /old")}},
		{Name: "v2", Hosts: []string{"h"}, Claims: []Claim{{Select: byHeader("X-Version", "2")}, {Path: "/v2"}},
			Documents: []*spec.Document{document("d2", "GET /x")}},
		{Name: "v3", Hosts: []string{"h"}, Claims: []Claim{{Select: byHeader("X-Version", "3")}, {Select: byHeader("X-Beta", "yes")}, {Path: "/v3", Select: byHeader("X-Other", "3")}}},
	}}
}

func TestASelectorPicksTheVersion(t *testing.T) {
	c := compile(t, selected())
	tests := []struct {
		name    string
		request string
		headers []string
		want    string
	}{
		{"the value", "GET h/x", []string{"X-Version", "2"}, "found v2 /x"},
		{"another value", "GET h/x", []string{"X-Version", "1"}, "found v1 /x"},
		{"white space around it", "GET h/x", []string{"X-Version", " 2\t"}, "found v2 /x"},
		{"no selector is the default's", "GET h/x", nil, "found v1 /x"},
		{"a value that nobody has is not", "GET h/x", []string{"X-Version", "9"}, "unclaimed of a"},
		{"nor an empty one", "GET h/x", []string{"X-Version", ""}, "unclaimed of a"},
		{"a list names several to some readers", "GET h/x", []string{"X-Version", "1, 2"}, "ambiguous of a"},
		{"values are compared exactly, and nearly is ambiguous", "GET h/x", []string{"X-Beta", "YES"}, "ambiguous of a"},
		{"a header that selects nothing", "GET h/x", []string{"X-Unrelated", "9"}, "found v1 /x"},
		{"any line of the header counts", "GET h/x", []string{"X-Version", "9", "X-Version", "2"}, "found v2 /x"},
		{"the same version twice", "GET h/x", []string{"X-Version", "3", "X-Beta", "yes"}, "no document v3"},
		{"two versions", "GET h/x", []string{"X-Version", "1", "X-Version", "2"}, "ambiguous of a"},
		{"two versions by two headers", "GET h/x", []string{"X-Version", "2", "X-Beta", "yes"}, "ambiguous of a"},
		{"five values", "GET h/x", []string{"X-Version", "1", "X-Version", "2", "X-Version", "3", "X-Beta", "yes", "X-Other", "3"}, "ambiguous of a"},
		{"a path is an alternative", "GET h/v2/x", nil, "found v2 /v2/x"},
		{"with its own selector", "GET h/v2/x", []string{"X-Version", "2"}, "found v2 /v2/x"},
		{"with that of another version", "GET h/v2/x", []string{"X-Version", "1"}, "ambiguous of a"},
		{"with a value that nobody has the path decides", "GET h/v2/x", []string{"X-Version", "9"}, "found v2 /v2/x"},
		{"path and selector together", "GET h/v3/x", []string{"X-Other", "3"}, "no document v3"},
		{"the path alone does not suffice: the default of the root answers", "GET h/v3/x", nil, "no route v1"},
		{"nor does the wrong value", "GET h/v3/x", []string{"X-Other", "2"}, "unclaimed of a"},
		{"the selector alone does not suffice", "GET h/x", []string{"X-Other", "3"}, "found v1 /x"},
		{"a path of another version is no near miss", "GET h/old", []string{"X-Version", "2"}, "no route v2"},
		{"nor its other spelling", "GET h/Old", []string{"X-Version", "2"}, "no route v2"},
		{"the twin", "GET h/Old", nil, "near miss v1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := ask(c, tt.request, tt.headers...)
			if g := got(m); g != tt.want {
				t.Errorf("%s, want %s", g, tt.want)
			}
		})
	}
	if m := ask(c, "GET h/v3/x", "X-Other", "2"); m.Base != "/v3" {
		t.Errorf("the base of an unknown selector is %q", m.Base)
	}
}

func TestADefaultWithoutASelectorGivesWayToSelectors(t *testing.T) {
	c := compile(t, &API{Name: "a", Versions: []*Version{
		{Name: "v1", Hosts: []string{"h"}, Default: true},
		{Name: "v2", Hosts: []string{"h"}, Claims: []Claim{{Select: byHeader("X-Version", "2")}}},
	}}, &API{Name: "b", Versions: []*Version{
		{Name: "plain", Hosts: []string{"g"}},
		{Name: "picked", Hosts: []string{"g"}, Claims: []Claim{{Select: byHeader("X-Version", "2")}}},
	}})
	if g := got(ask(c, "GET h/x", "X-Version", "2")); g != "no document v2" {
		t.Errorf("the selector: %s", g)
	}
	if g := got(ask(c, "GET h/x")); g != "no document v1" {
		t.Errorf("the default: %s", g)
	}
	if g := got(ask(c, "GET h/x", "X-Version", "3")); g != "unclaimed of a" {
		t.Errorf("a value that nobody has: %s", g)
	}
	if g := got(ask(c, "GET g/x", "X-Version", "2")); g != "ambiguous of b" {
		t.Errorf("without default the path claims too: %s", g)
	}
}

func TestClaimsOfTwoAPIsAtOnePlaceAreDecidedByTheOperation(t *testing.T) {
	c := compile(t,
		&API{Name: "a", Versions: []*Version{{Name: "a1", Hosts: []string{"h"}, Documents: []*spec.Document{document("a.yaml", "GET /a/{x}", "POST /both")}}}},
		&API{Name: "b", Versions: []*Version{{Name: "b1", Hosts: []string{"h"}, Documents: []*spec.Document{document("b.yaml", "GET /b", "GET /both", "GET /a/me")}}}},
		&API{Name: "c", Versions: []*Version{{Name: "c1", Hosts: []string{"h"}, Claims: []Claim{{Select: byHeader("X-C", "1")}},
			Documents: []*spec.Document{document("c.yaml", "GET /c", "GET /b")}}}},
	)
	for _, tt := range []struct {
		request string
		headers []string
		want    string
	}{
		{"GET h/a/1", nil, "found a1 /a/{x}"},
		{"GET h/b", nil, "found b1 /b"},
		{"GET h/a/me", nil, "found b1 /a/me"},
		{"GET h/both", nil, "found b1 /both"},
		{"POST h/both", nil, "found a1 /both"},
		{"PUT h/both", nil, "no method a1"},
		{"GET h/none", nil, "no route a1"},
		{"GET h/c", nil, "no route a1"},
		{"GET h/c", []string{"X-C", "1"}, "found c1 /c"},
		// A header must not hide an operation, and its limits, of another API.
		{"GET h/a/1", []string{"X-C", "1"}, "found a1 /a/{x}"},
		{"GET h/b", []string{"X-C", "1"}, "ambiguous of c"},
	} {
		if g := got(ask(c, tt.request, tt.headers...)); g != tt.want {
			t.Errorf("%s %v: %s, want %s", tt.request, tt.headers, g, tt.want)
		}
	}
}

func TestAnOperationOfASharedClaimMustAgreeWithTheSelector(t *testing.T) {
	api := &API{Name: "a", Versions: []*Version{
		{Name: "v1", Hosts: []string{"h"}, Claims: []Claim{{Path: "/p"}, {Path: "/", Select: byHeader("X", "1")}}, Documents: []*spec.Document{document("1", "GET /one")}},
		{Name: "v2", Hosts: []string{"h"}, Claims: []Claim{{Path: "/p"}}, Documents: []*spec.Document{document("2", "GET /two")}},
	}}
	c := compile(t, api)
	for _, tt := range []struct {
		request string
		headers []string
		want    string
	}{
		{"GET h/p/two", nil, "found v2 /p/two"},
		{"GET h/p/one", []string{"X", "1"}, "found v1 /p/one"},
		{"GET h/p/two", []string{"X", "1"}, "ambiguous of a"},
		{"PUT h/p/two", []string{"X", "1"}, "ambiguous of a"},
		{"GET h/p/none", []string{"X", "1"}, "no route v1"},
	} {
		m := ask(c, tt.request, tt.headers...)
		if g := got(m); g != tt.want || m.Outcome != Found && m.Route != nil || m.Outcome != NoMethod && m.Allow != "" {
			t.Errorf("%s %v: %s, want %s", tt.request, tt.headers, g, tt.want)
		}
	}
}

func TestASearchInVainLeavesNoParameters(t *testing.T) {
	c := compile(t,
		&API{Name: "a", Versions: []*Version{{Name: "a1", Hosts: []string{"h"}, Claims: []Claim{{Select: byHeader("X", "1")}}, Documents: []*spec.Document{document("a", "GET /x/{id}")}}}},
		&API{Name: "b", Versions: []*Version{{Name: "b1", Hosts: []string{"h"}, Documents: []*spec.Document{document("b", "GET /{any}/{more}/end")}}}},
	)
	m := ask(c, "GET h/x/42", "X", "1")
	if got(m) != "found a1 /x/{id}" || m.Params[0] != (Range{Start: 3, End: 5}) {
		t.Errorf("%s with %v", got(m), m.Params[:2])
	}
}

func TestServersOfTheDocumentsGiveHostsAndPaths(t *testing.T) {
	doc := at(document("d.yaml", "GET /x", "GET /up"), spec.Server{Host: "h", Base: "/v1"}, spec.Server{Host: "g", Base: "/{tenant}/v1"})
	doc.Operations[1].Servers = []spec.Server{{Host: "upload.h", Base: "/api"}}
	docs := []*spec.Document{doc}
	c := compile(t, &API{Name: "a", Versions: []*Version{{Name: "v1", Documents: docs}}})
	for request, want := range map[string]string{
		"GET h/v1/x":          "found v1 /v1/x",
		"GET h/v1/up":         "no route v1",
		"GET upload.h/api/up": "found v1 /api/up",
		"GET upload.h/api/x":  "no route v1",
		"GET g/acme/v1/x":     "found v1 /{tenant}/v1/x",
		"GET g/acme/V1/x":     "near miss v1",
		"GET g//v1/x":         "unclaimed",
		"GET g/v1/x":          "unclaimed",
	} {
		if g := got(ask(c, request)); g != want {
			t.Errorf("%s: %s, want %s", request, g, want)
		}
	}
	if m := ask(c, "GET g/acme/v1/x"); m.Base != "/{tenant}/v1" || len(m.Route.Params) != 0 {
		t.Errorf("base %q, parameters %v", m.Base, m.Route.Params)
	}
	replaced := compile(t, &API{Name: "a", Versions: []*Version{{Name: "v1", Documents: docs, Hosts: []string{"own"}, Claims: []Claim{{Path: "/p"}}}}})
	for request, want := range map[string]string{
		"GET own/p/x":  "found v1 /p/x",
		"GET own/p/up": "found v1 /p/up",
		"GET h/v1/x":   "unknown host",
	} {
		if g := got(ask(replaced, request)); g != want {
			t.Errorf("replaced: %s: %s, want %s", request, g, want)
		}
	}
	if n := len(replaced.Routes); n != 2 {
		t.Errorf("%d routes, want 2", n)
	}
}

func TestARouteNamesItsHosts(t *testing.T) {
	doc := at(document("d.yaml", "GET /x"), spec.Server{Host: "b", Base: "/v1"}, spec.Server{Host: "a", Base: "/v1"})
	api := &API{Name: "a", Versions: []*Version{{Name: "v1", Documents: []*spec.Document{doc}}}}
	c := compile(t, api)
	if len(c.Routes) != 1 || len(c.Routes[0].Hosts) != 2 || c.Routes[0].Index != 0 {
		t.Fatalf("routes %+v", c.Routes)
	}
	for i, h := range c.Hosts {
		if h.Index != i || !slices.Equal(h.APIs, []*API{api}) {
			t.Errorf("host %d: %+v", i, h)
		}
	}
}

func TestContradictionsAreErrorsThatNameBoth(t *testing.T) {
	docs := func(d ...*spec.Document) []*spec.Document { return d }
	v := func(name string, d []*spec.Document, claims ...Claim) *Version {
		return &Version{Name: name, Hosts: []string{"h"}, Documents: d, Claims: claims}
	}
	apis := func(versions ...*Version) Config { return Config{APIs: []*API{{Name: "a", Versions: versions}}} }
	fallback := func(v *Version) *Version { v.Default = true; return v }

	newError(t, apis(v("v1", nil), v("v2", nil)), `"v1"`, `"v2"`, "host h", "path /")
	newError(t, apis(v("v1", docs(document("x", "GET /x"))), v("v2", nil)), `"v1"`, `"v2"`)
	newError(t, apis(v("v1", docs(document("x.yaml", "GET /x/{a}"))), v("v2", docs(document("y.yaml", "GET /x/{b}")))),
		`"v1"`, `"v2"`, "GET /x/{a}", "GET /x/{b}", "x.yaml", "y.yaml")
	newError(t, apis(v("v1", docs(document("x.yaml", "GET /x"), document("y.yaml", "GET /x")))), "x.yaml", "y.yaml", "GET /x")
	newError(t, apis(
		v("v1", nil, Claim{Select: byHeader("X-V", "1")}),
		v("v2", nil, Claim{Select: byHeader("x-v", " 1 ")})), `"v1"`, `"v2"`, "X-V: 1")
	newError(t, apis(
		fallback(v("v1", nil, Claim{Select: byHeader("X-V", "1")})),
		fallback(v("v2", nil, Claim{Select: byHeader("X-V", "2")}))), `"v1"`, `"v2"`, "default")
	newError(t, apis(&Version{Name: "v1"}), "hosts")
	newError(t, apis(&Version{Name: "v1", Documents: docs(document("x", "GET /x"))}), "hosts")
	newError(t, apis(v("v1", nil, Claim{Path: "v1"})), "slash")
	newError(t, apis(v("v1", nil, Claim{Path: "/a/../b"})), "dot segment")
	newError(t, apis(v("v1", nil, Claim{Path: "/a?b"})), "query")
	newError(t, apis(v("v1", nil, Claim{Path: "/1/2/3/4/5/6/7/8/9"})), "at most 8")
	newError(t, apis(v("v1", nil, Claim{Select: &Selector{Name: "X", Value: "1"}})), "not supported")
	newError(t, apis(v("v1", nil, Claim{Select: byHeader("X y", "1")})), "field name")
	newError(t, apis(v("v1", nil, Claim{Select: byHeader("X", " ")})), "no value")
	newError(t, apis(v("v1", nil), v("v1", nil, Claim{Path: "/x"})), "two versions", `"v1"`, `"a"`)
	newError(t, Config{APIs: []*API{{Name: "a"}, {Name: "a"}}}, "two APIs")
	newError(t, apis(nil), "no name")

	for name, cfg := range map[string]Config{
		"disjoint documents":                  apis(v("v1", docs(document("x", "GET /x"))), v("v2", docs(document("y", "GET /y")))),
		"disjoint methods":                    apis(v("v1", docs(document("x", "GET /x"))), v("v2", docs(document("y", "PUT /x")))),
		"disjoint in one version":             apis(v("v1", docs(document("x", "GET /x"), document("y", "GET /y")))),
		"different shapes":                    apis(v("v1", docs(document("x", "GET /x/{a}"))), v("v2", docs(document("y", "GET /x/me")))),
		"different paths":                     apis(v("v1", nil, Claim{Path: "/a"}), v("v2", nil, Claim{Path: "/b"})),
		"different values":                    apis(v("v1", nil, Claim{Select: byHeader("X-V", "1")}), v("v2", nil, Claim{Select: byHeader("X-V", "2")})),
		"one default":                         apis(fallback(v("v1", nil, Claim{Select: byHeader("X-V", "1")})), v("v2", nil, Claim{Select: byHeader("X-V", "2")})),
		"the same claim twice in one version": apis(v("v1", nil, Claim{Path: "/a"}, Claim{Path: "/a/"})),
		"nothing":                             {},
	} {
		if _, err := New(cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
