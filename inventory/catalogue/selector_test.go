package catalogue

import (
	"net/http"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// picked is a version of the API "a" on host "h" with these selectors.
func picked(name string, fallback bool, selectors ...Selector) *Version {
	v := &Version{Name: name, Hosts: []string{"h"}, Default: fallback, Documents: []*spec.Document{document("d", "GET /x")}}
	for i := range selectors {
		v.Claims = append(v.Claims, Claim{Select: &selectors[i]})
	}
	return v
}

// askQuery matches GET /x with a query and headers in pairs.
func askQuery(c *Catalogue, query string, headers ...string) string {
	q := Query{Method: "GET", Host: "h", Path: "/x", RawQuery: query, Header: http.Header{}}
	for j := 0; j < len(headers); j += 2 {
		q.Header.Add(headers[j], headers[j+1])
	}
	var m Match
	c.Match(&q, &m)
	return got(m)
}

func TestAQueryParameterPicksTheVersion(t *testing.T) {
	c := compile(t, &API{Name: "a", Versions: []*Version{
		picked("1", true, Selector{Kind: SelectQuery, Name: "api-version", Value: "2024-01-01"}),
		picked("2", false, Selector{Kind: SelectQuery, Name: "api-version", Value: "2025 b"}),
	}})
	for query, want := range map[string]string{
		"api-version=2024-01-01":           "found 1 /x",
		"a=b&api-version=2025+b&c":         "found 2 /x",
		"api%2Dversion=2025%20b":           "found 2 /x",
		"":                                 "found 1 /x",
		"other=2025+b&xapi-version=2025+b": "found 1 /x",
		"api-version=2023-01-01":           "unclaimed of a",
		"api-version":                      "unclaimed of a",
		"api-version=":                     "unclaimed of a",
		"api-version=" + strings.Repeat("9", 200):       "unclaimed of a",
		"api-version=2024-01-01&api-version=2024-01-01": "found 1 /x",
		"api-version=2024-01-01&api-version=2025+b":     "ambiguous of a",
		"api-version=2024-01-01&api%2dversion=2025+b":   "ambiguous of a",
		strings.Repeat("api-version=9&", 65):            "ambiguous of a",
	} {
		if have := askQuery(c, query); have != want && !(strings.HasPrefix(want, "ambiguous") && strings.HasPrefix(have, "ambiguous")) {
			t.Errorf("?%.60s: %s, want %s", query, have, want)
		}
	}
}

func TestAMediaTypeInAcceptPicksTheVersion(t *testing.T) {
	c := compile(t, &API{Name: "a", Versions: []*Version{
		picked("1", true, Selector{Kind: SelectAccept, Value: "application/vnd.a.v1+json"}, Selector{Kind: SelectAccept, Value: "Application/JSON; Version=1"}),
		picked("2", false, Selector{Kind: SelectAccept, Value: "application/vnd.a.v2+json"}, Selector{Kind: SelectAccept, Value: `application/json;version="2"`}),
		picked("3", false, Selector{Kind: SelectAccept, Value: `application/json;version=2;variant="a, b"`}),
	}})
	for _, row := range []struct{ accept, want string }{
		{"application/vnd.a.v2+json", "found 2 /x"},
		{"text/html, APPLICATION/vnd.A.v2+json ; q=0.5 ; charset=utf-8", "found 2 /x"},
		{"application/json; version=2", "found 2 /x"},
		{`application/json;VERSION="\2"`, "found 2 /x"},
		{`application/json;variant="a, b";version=2`, "found 3 /x"},
		{"application/json;version=1, */*;q=0.1", "found 1 /x"},
		{"application/vnd.a.v2+json, application/vnd.a.v2+json;q=0.2", "found 2 /x"},
		// None is named: the default's.
		{"", "found 1 /x"},
		{"*/*", "found 1 /x"},
		{"application/*", "found 1 /x"},
		{"application/json", "found 1 /x"},
		{"text/html", "found 1 /x"},
		{"application/vnd.a.v2+json;q=0", "found 1 /x"},
		{`text/plain;x="application/vnd.a.v2+json, application/vnd.a.v2+json"`, "found 1 /x"},
		// One is named that nobody has, or cannot be read in one way.
		{"application/json;version=9", "unclaimed of a"},
		{"application/json;version=1;version=2", "unclaimed of a"},
		// Two are named.
		{"application/vnd.a.v1+json, application/vnd.a.v2+json;q=0.5", "ambiguous"},
		{strings.Repeat("text/html,", 70) + "application/vnd.a.v2+json", "ambiguous"},
	} {
		headers := []string{"Accept", row.accept}
		if row.accept == "" {
			headers = nil
		}
		if have := askQuery(c, "", headers...); !strings.HasPrefix(have, row.want) {
			t.Errorf("Accept: %.70s: %s, want %s", row.accept, have, row.want)
		}
	}
	if have := askQuery(c, "", "Accept", "text/html", "Accept", "application/json;version=2"); have != "found 2 /x" {
		t.Errorf("a second line of Accept: %s", have)
	}
}

func TestADayPicksTheNewestVersionThatIsNotAfterIt(t *testing.T) {
	byDate := Selector{Kind: SelectDate, Name: "x-version"}
	future := picked("2027-01-01", false, byDate)
	future.State = StateDesign
	c := compile(t, &API{Name: "a", Versions: []*Version{
		picked("2026-03-10", false, byDate), future,
		picked("2022-11-28.basil", true, byDate),
		picked("preview", false, Selector{Kind: SelectHeader, Name: "X-Version", Value: "preview"}),
	}})
	for value, want := range map[string]string{
		"2022-11-28": "found 2022-11-28.basil /x",
		"2026-03-09": "found 2022-11-28.basil /x",
		"2026-03-10": "found 2026-03-10 /x",
		"2999-12-31": "found 2026-03-10 /x",
		"preview":    "found preview /x",
		"":           "unclaimed of a",
		"2022-11-27": "unclaimed of a",
		"2024-02-30": "unclaimed of a",
		"2024-2-03":  "unclaimed of a",
		"20240203":   "unclaimed of a",
		"tomorrow":   "unclaimed of a",
	} {
		if have := askQuery(c, "", "X-Version", value); have != want {
			t.Errorf("X-Version: %q: %s, want %s", value, have, want)
		}
	}
	if have := askQuery(c, ""); have != "found 2022-11-28.basil /x" {
		t.Errorf("no day: %s, want the fall-back", have)
	}
	if have := askQuery(c, "", "X-Version", "2022-11-28", "X-Version", "2026-03-10"); !strings.HasPrefix(have, "ambiguous") {
		t.Errorf("two days: %s", have)
	}
}

func TestSelectorsThatCannotHoldAreRefused(t *testing.T) {
	api := func(versions ...*Version) Config { return Config{APIs: []*API{{Name: "a", Versions: versions}}} }
	for _, s := range []Selector{
		{Kind: SelectQuery, Name: "", Value: "1"}, {Kind: SelectQuery, Name: "v", Value: " "},
		{Kind: SelectQuery, Name: "v", Value: strings.Repeat("9", 129)},
		{Kind: SelectAccept, Value: "application/*"}, {Kind: SelectAccept, Value: "json"},
		{Kind: SelectAccept, Value: "application/json;q=1"}, {Kind: SelectAccept, Value: "a/b;v=1;v=2"},
		{Kind: SelectAccept, Value: `a/b;v="1`}, {Kind: SelectDate, Name: "a b"},
	} {
		newError(t, api(picked("2026-01-01", false, s)), "2026-01-01")
	}
	for _, name := range []string{"v1", "2026-13-01", "2026-01-011", "2026-1-01"} {
		newError(t, api(picked(name, false, Selector{Kind: SelectDate, Name: "V"})), name, "date")
	}
	// Identical claims: the second names the first.
	same := func(name string, s Selector) *Version {
		v := picked(name, false, s)
		v.Documents = nil
		return v
	}
	for _, pair := range [][2]*Version{
		{same("1", Selector{Kind: SelectQuery, Name: "v", Value: "1"}), same("2", Selector{Kind: SelectQuery, Name: "v", Value: " 1"})},
		{same("1", Selector{Kind: SelectAccept, Value: "a/b;x=1;y=2"}), same("2", Selector{Kind: SelectAccept, Value: `A/B; Y="2"; X=1`})},
		{same("2026-01-01", Selector{Kind: SelectDate, Name: "v"}), same("2026-01-01.b", Selector{Kind: SelectDate, Name: "V"})},
	} {
		newError(t, api(pair[0], pair[1]), pair[0].Name, "same claim")
	}
	// Their twins differ in the kind, the name or the value.
	compile(t, &API{Name: "a", Versions: []*Version{
		same("1", Selector{Kind: SelectQuery, Name: "v", Value: "1"}), same("2", Selector{Kind: SelectQuery, Name: "V", Value: "1"}),
		same("3", Selector{Kind: SelectHeader, Name: "v", Value: "1"}), same("4", Selector{Kind: SelectQuery, Name: "v", Value: "2"}),
	}})
}

func TestPickingAVersionAllocatesNothing(t *testing.T) {
	c := compile(t, &API{Name: "a", Versions: []*Version{
		picked("2026-01-01", true, Selector{Kind: SelectQuery, Name: "v", Value: "1"}, Selector{Kind: SelectDate, Name: "V"}),
		picked("2026-02-01", false, Selector{Kind: SelectAccept, Value: "a/b;v=2"}, Selector{Kind: SelectDate, Name: "V"}),
	}})
	for _, q := range []Query{
		{RawQuery: "a=1&%76=%31"},
		{Header: http.Header{"V": {"2026-03-01"}}},
		{Header: http.Header{"Accept": {`text/html, a/b;v="2";q=0.9`}}},
		{Header: http.Header{}},
	} {
		q.Method, q.Host, q.Path = "GET", "h", "/x"
		var m Match
		if n := testing.AllocsPerRun(100, func() { c.Match(&q, &m) }); n != 0 || m.Outcome != Found {
			t.Errorf("%v: %s with %g allocations", q, got(m), n)
		}
	}
}
