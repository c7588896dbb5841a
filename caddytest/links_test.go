package caddytest

import (
	"slices"
	"strings"
	"testing"

	"github.com/peterhellberg/link"
)

// The Link fields of every version are read by a parser of somebody else's, and
// say where to go.
func TestLinkFieldsAreReadBySomebodyElse(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	for _, c := range []struct {
		host, target string
		want         map[string]string // by relation
	}{
		{"legacy.example.com", "/v1/orders", map[string]string{
			"deprecation": "https://docs.example.com/orders", "sunset": "https://docs.example.com/orders", "successor-version": "//api.example.com/v2",
		}},
		{"legacy.example.com", "/v0/orders", map[string]string{
			"deprecation": "https://docs.example.com/orders", "sunset": "https://docs.example.com/orders", "successor-version": "//api.example.com/v2",
		}},
		{"api.example.com", "/v2/orders", map[string]string{}},
		{"api.example.com", catalogPath, map[string]string{"api-catalog": catalogPath}},
	} {
		call, _ := as(get(c.host, c.target))
		got := caddy.Do1(t, call)
		found := link.Parse(strings.Join(got.Header.Values("Link"), ", "))
		var relations []string
		for relation, l := range found {
			relations = append(relations, relation)
			if l.URI != c.want[relation] {
				t.Errorf("%s%s: %s leads to %q, want %q", c.host, c.target, relation, l.URI, c.want[relation])
			}
		}
		if len(found) != len(c.want) {
			slices.Sort(relations)
			t.Errorf("%s%s: relations %v of %q", c.host, c.target, relations, got.Header.Values("Link"))
		}
	}
}
