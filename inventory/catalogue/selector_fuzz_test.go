package catalogue

import (
	"net/http"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// Whatever a client writes where selectors look, a request is one version's, or
// nobody's, or ambiguous, the same each time; and a version that is selected is one
// that the configuration has.
func FuzzSelectors(f *testing.F) {
	for _, s := range [][3]string{
		{"v=2", "application/json", "2026-01-01"}, {"v=1&v=2", "application/vnd.x.v2+json;q=0.5, */*", "2025-06-01T00:00:00Z"},
		{"%76=%32", "a/b;q=", "Mon, 02 Jan 2006 15:04:05 GMT"}, {"v=%zz&;", ",,;=\"", "9999-99-99"}, {"v", "*/*;q=0", "-1"}, {"v=2%00", "application/vnd.x.v2+json; profile=\"a,b\"", " 2026-01-01 "},
	} {
		f.Add(s[0], s[1], s[2], s[2])
	}
	version := func(name string, s *Selector) *Version {
		return &Version{Name: name, Hosts: []string{"h"}, Claims: []Claim{{Select: s}}, Documents: []*spec.Document{document(name, "GET /users/{id}")}}
	}
	c, err := New(Config{APIs: []*API{{Name: "a", Versions: []*Version{
		version("query", &Selector{Kind: SelectQuery, Name: "v", Value: "2"}),
		version("accept", &Selector{Kind: SelectAccept, Value: "application/vnd.x.v2+json"}),
		version("header", byHeader("X-Version", "2")),
		version("2025-01-01", &Selector{Kind: SelectDate, Name: "X-Date"}),
		version("2026-01-01", &Selector{Kind: SelectDate, Name: "X-Date"}),
	}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query, accept, date, header string) {
		q := Query{Method: "GET", Host: "h", Path: "/users/7", RawQuery: query, Header: http.Header{"Accept": {accept}, "X-Date": {date}, "X-Version": {header}}}
		var m, again Match
		c.Match(&q, &m)
		c.Match(&q, &again)
		if m != again {
			t.Error("two answers to one question")
		}
		if m.Outcome == Found && m.Version == nil {
			t.Error("found without a version")
		}
		if m.Version != nil && m.Version.Name == "2026-01-01" && len(date) >= 10 {
			if day, err := time.Parse(time.DateOnly, date[:10]); err == nil && day.Year() < 2026 {
				t.Errorf("a version of 2026 for the date %q", date)
			}
		}
	})
}
