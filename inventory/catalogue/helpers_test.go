package catalogue

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// document makes a document of operations, each "METHOD /template" or
// "METHOD /template id". A parameter written {name+} spans segments.
func document(name string, operations ...string) *spec.Document {
	doc := &spec.Document{Name: name, Servers: []spec.Server{{}}}
	for _, text := range operations {
		fields := strings.Fields(text)
		op := &spec.Operation{Document: doc, Method: fields[0], Template: fields[1], Servers: doc.Servers}
		if len(fields) > 2 {
			op.ID = fields[2]
		}
		for {
			i := strings.Index(op.Template, "+}")
			if i < 0 {
				break
			}
			open := strings.LastIndexByte(op.Template[:i], '{')
			op.MultiSegment = append(op.MultiSegment, op.Template[open+1:i])
			op.Template = op.Template[:i] + op.Template[i+1:]
		}
		doc.Operations = append(doc.Operations, op)
	}
	return doc
}

// at puts a document's operations on servers.
func at(doc *spec.Document, servers ...spec.Server) *spec.Document {
	doc.Servers = servers
	for _, op := range doc.Operations {
		op.Servers = servers
	}
	return doc
}

func byHeader(name, value string) *Selector {
	return &Selector{Kind: SelectHeader, Name: name, Value: value}
}

// one is the catalogue of one documented version at the root of "h".
func one(t testing.TB, operations ...string) *Catalogue {
	t.Helper()
	return compile(t, &API{Name: "a", Versions: []*Version{
		{Name: "v1", Hosts: []string{"h"}, Documents: []*spec.Document{document("d", operations...)}},
	}})
}

func compile(t testing.TB, apis ...*API) *Catalogue {
	t.Helper()
	c, err := New(Config{APIs: apis})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask matches "METHOD host/path" with headers in pairs.
func ask(c *Catalogue, request string, headers ...string) Match {
	method, target, _ := strings.Cut(request, " ")
	i := strings.IndexByte(target, '/')
	q := Query{Method: method, Host: target[:i], Path: target[i:], Header: http.Header{}}
	for j := 0; j < len(headers); j += 2 {
		q.Header.Add(headers[j], headers[j+1])
	}
	var m Match
	c.Match(&q, &m)
	return m
}

func (o Outcome) String() string {
	return [...]string{"unknown host", "ambiguous", "unclaimed", "no document", "no route", "near miss", "no method", "found", "passed"}[o]
}

// got says in one line what matching found: the outcome, version and template.
func got(m Match) string {
	text := m.Outcome.String()
	if m.Version != nil {
		text += " " + m.Version.Name
	} else if m.API != nil {
		text += " of " + m.API.Name
	}
	if m.Route != nil {
		text += " " + m.Route.Path
	}
	return text
}

func newError(t *testing.T, cfg Config, want ...string) {
	t.Helper()
	_, err := New(cfg)
	if err == nil {
		t.Fatalf("no error; want one that names %q", want)
	}
	var about *Error
	if !errors.As(err, &about) {
		t.Errorf("the error %q does not say what it is about", err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error %q does not name %q", err, w)
		}
	}
}
