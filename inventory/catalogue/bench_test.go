package catalogue

import (
	"fmt"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// synthetic is a document of n operations as people write them: collections,
// elements and what is below them.
func synthetic(n int) *spec.Document {
	doc := &spec.Document{Name: "synthetic.yaml", Servers: []spec.Server{{}}}
	for i := range n {
		op := &spec.Operation{Document: doc, Method: "GET", ID: fmt.Sprintf("op%d", i), Servers: doc.Servers}
		switch name := fmt.Sprintf("resource%d", i/3); i % 3 {
		case 0:
			op.Template = "/" + name
		case 1:
			op.Template = "/" + name + "/{id}"
		default:
			op.Template = "/" + name + "/{id}/items/{item}"
		}
		doc.Operations = append(doc.Operations, op)
	}
	return doc
}

func benchCatalogue(b testing.TB, doc *spec.Document, limited ...string) *Catalogue {
	b.Helper()
	api := &API{Name: "orders", Versions: []*Version{
		{Name: "v1", Hosts: []string{"legacy.example.com"}, Claims: []Claim{{Path: "/v1"}}},
		{Name: "v2", Hosts: []string{"api.example.com", "beta.example.com"}, Claims: []Claim{{Path: "/v2"}}, Documents: []*spec.Document{doc}},
	}}
	cfg := Config{APIs: []*API{api}}
	for i, op := range limited {
		cfg.Bindings = append(cfg.Bindings, Binding{API: api, Bit: uint(i), Name: op, Operations: []string{op}})
	}
	c, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func benchMatch(b *testing.B, c *Catalogue, queries []Query, want Outcome) {
	var m Match
	for i := range queries {
		if c.Match(&queries[i], &m); m.Outcome != want {
			b.Fatalf("%s: outcome %d, want %d", queries[i].Path, m.Outcome, want)
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Match(&queries[i], &m)
		if i++; i == len(queries) {
			i = 0
		}
	}
}

// BenchmarkMatch measures host, version and operation. "hot" asks for one
// operation, "all" for every operation in turn, so that the tables of a large
// catalogue do not stay in the nearest cache.
func BenchmarkMatch(b *testing.B) {
	docs := []struct {
		name string
		doc  *spec.Document
	}{{"10", synthetic(10)}, {"1223", nil}, {"10000", synthetic(10_000)}}
	for _, d := range docs {
		doc := d.doc
		if doc == nil {
			doc = sharedSpec(b, "github/api.github.com.json")
		}
		c := benchCatalogue(b, doc, doc.Operations[0].Method+" "+doc.Operations[0].Template)
		var all, miss, near []Query
		for _, op := range doc.Operations {
			q := Query{Host: "api.example.com", Method: op.Method, Path: "/v2" + pathFor(op.Template)}
			all = append(all, q)
			q.Path += "/undocumented/path/of/some/length"
			var m Match
			if c.Match(&q, &m); m.Outcome == NoRoute {
				miss = append(miss, q)
			}
			q.Path = "/v2" + pathFor(op.Template) + "/"
			if c.Match(&q, &m); m.Outcome == NearMiss {
				near = append(near, q)
			}
		}
		hot := all[len(all)/2 : len(all)/2+1]
		b.Run(d.name+"/hot", func(b *testing.B) { benchMatch(b, c, hot, Found) })
		b.Run(d.name+"/all", func(b *testing.B) { benchMatch(b, c, all, Found) })
		b.Run(d.name+"/miss", func(b *testing.B) { benchMatch(b, c, miss, NoRoute) })
		b.Run(d.name+"/near", func(b *testing.B) { benchMatch(b, c, near, NearMiss) })
	}
}

// BenchmarkMatchSelected measures a version that a header selects.
func BenchmarkMatchSelected(b *testing.B) {
	doc := synthetic(1000)
	api := &API{Name: "box"}
	for i := range 3 {
		api.Versions = append(api.Versions, &Version{
			Name: fmt.Sprint(i), Hosts: []string{"api.example.com"}, Documents: []*spec.Document{doc}, Default: i == 0,
			Claims: []Claim{{Path: "/2.0", Select: &Selector{Kind: SelectHeader, Name: "Box-Version", Value: fmt.Sprint(i)}}},
		})
	}
	c, err := New(Config{APIs: []*API{api}})
	if err != nil {
		b.Fatal(err)
	}
	q := Query{Host: "api.example.com", Method: "GET", Path: "/2.0/resource7/4711", Header: map[string][]string{"Box-Version": {"2"}}}
	benchMatch(b, c, []Query{q}, Found)
}

func BenchmarkNew(b *testing.B) {
	doc := synthetic(10_000)
	b.ReportAllocs()
	for b.Loop() {
		benchCatalogue(b, doc, "op7")
	}
}
