package catalogue

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// randomCase is a random API on one host with bindings, and its claims.
func randomCase(t *rapid.T) (Config, []refClaim) {
	segment := rapid.SampledFrom([]string{"a", "b", "A", "{x}", "{x}.b", "a{x}", "{x}.{z}", "v1", "{x}:b", "aVeryLongLiteralSegment"})
	template := func() (string, []string) {
		var b strings.Builder
		n := rapid.IntRange(0, 3).Draw(t, "segments")
		for i := range n {
			s := segment.Draw(t, "segment")
			b.WriteString("/" + strings.NewReplacer("{x", fmt.Sprintf("{x%d", i), "{z", fmt.Sprintf("{z%d", i)).Replace(s))
		}
		switch rapid.IntRange(0, 5).Draw(t, "end") {
		case 0:
			b.WriteString("/")
		case 1:
			return b.String() + "/{m}", []string{"m"}
		case 2:
			return b.String() + "/{m}/b", []string{"m"}
		}
		if b.Len() == 0 {
			return "/", nil
		}
		return b.String(), nil
	}
	pool := rapid.Permutation([]refClaim{
		{base: ""}, {base: "/v1"}, {base: "/v1/a"}, {base: "/{t}"},
		{base: "", selector: byHeader("X", "1")}, {base: "", selector: byHeader("X", "2")}, {base: "", selector: byHeader("Y", "1")},
		{base: "/v1", selector: byHeader("X", "1")}, {base: "/v1", selector: byHeader("X", "3")},
	}).Draw(t, "claims")
	api := &API{Name: "a"}
	var all []refClaim
	withDefault := rapid.IntRange(0, 3).Draw(t, "default")
	for i := range rapid.IntRange(1, 3).Draw(t, "versions") {
		v := &Version{Name: fmt.Sprintf("v%d", i), Hosts: []string{"h"}, Default: i == withDefault}
		for range rapid.IntRange(1, 2).Draw(t, "n") {
			c := pool[0]
			pool = pool[1:]
			c.version = v
			all = append(all, c)
			path := c.base
			if path == "" {
				path = "/"
			}
			v.Claims = append(v.Claims, Claim{Path: path, Select: c.selector})
		}
		if rapid.IntRange(0, 4).Draw(t, "documented") > 0 {
			doc := &spec.Document{Name: v.Name, Servers: []spec.Server{{}}}
			for range rapid.IntRange(0, 8).Draw(t, "operations") {
				text, multi := template()
				doc.Operations = append(doc.Operations, &spec.Operation{
					Document: doc, Template: text, MultiSegment: multi, Servers: doc.Servers,
					Method: rapid.SampledFrom([]string{"GET", "PUT", "HEAD"}).Draw(t, "method"),
				})
			}
			v.Documents = []*spec.Document{doc}
		}
		api.Versions = append(api.Versions, v)
	}
	cfg := Config{APIs: []*API{api}}
	for _, v := range api.Versions {
		for _, doc := range v.Documents {
			for i, op := range doc.Operations {
				if bit := uint(len(cfg.Bindings)); i%3 == 0 && bit < 64 {
					cfg.Bindings = append(cfg.Bindings, Binding{API: api, Bit: bit, Name: op.Template, Operations: []string{op.Method + " " + op.Template}})
				}
			}
		}
	}
	return cfg, all
}

// TestMatchAgreesWithAMatcherThatTriesEverything also serves as the proof that
// no spelling of a bound operation escapes its limit.
func TestMatchAgreesWithAMatcherThatTriesEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, all := randomCase(t)
		c, err := New(cfg)
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		piece := rapid.SampledFrom([]string{"/a", "/b", "/A", "/v1", "/V1", "/a.b", "/b.B", "/x", "/ab", "/x:b", "/averyLongLiteralSegment", "/"})
		value := rapid.SampledFrom([]string{"1", "2", "3", ""})
		for range 20 {
			q := Query{Host: "h", Method: rapid.SampledFrom([]string{"GET", "PUT", "HEAD", "POST"}).Draw(t, "method"), Header: http.Header{}}
			for range rapid.IntRange(1, 5).Draw(t, "length") {
				q.Path += piece.Draw(t, "piece")
			}
			for _, name := range []string{"X", "Y"} {
				for range rapid.SampledFrom([]int{0, 0, 1, 1, 2}).Draw(t, "lines") {
					q.Header[name] = append(q.Header[name], value.Draw(t, "value"))
				}
			}
			var m Match
			c.Match(&q, &m)
			if want := refOutcome(cfg, all, &q); want != refGot(m) {
				t.Fatalf("%s %s %v\ngot  %s\nwant %s\nclaims %s", q.Method, q.Path, q.Header, refGot(m), want, refShow(all))
			}
			want := refBound(cfg, all, &q, &m)
			if bare, ok := withoutSuffix(q.Path); ok && (m.Route == nil || !regexp.MustCompile(`/[^/{]*/?$`).MatchString(m.Route.Path)) {
				other, plain := Match{}, q
				plain.Path = bare
				c.Match(&plain, &other)
				want |= refBound(cfg, all, &plain, &other)
			}
			if m.Bound != want {
				t.Fatalf("%s %s %v (%s)\nbound %b\nwant  %b\nclaims %s", q.Method, q.Path, q.Header, refGot(m), m.Bound, want, refShow(all))
			}
		}
	})
}
