package apiguard

import (
	"net/http"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// selector checks one entry of `select`.
func (s *Selector) selector(v *Version, at string) (*catalogue.Selector, error) {
	out := &catalogue.Selector{Value: strings.TrimSpace(s.Value)}
	kinds, field := 0, ".header"
	for _, kind := range []struct {
		name  string
		is    catalogue.SelectorKind
		field string
	}{
		{s.Header, catalogue.SelectHeader, ".header"},
		{s.Query, catalogue.SelectQuery, ".query"},
		{s.Accept, catalogue.SelectAccept, ".accept"},
		{s.Date, catalogue.SelectDate, ".date"},
	} {
		if kind.name != "" {
			kinds++
			out.Kind, out.Name, field = kind.is, kind.name, kind.field
		}
	}
	if kinds != 1 {
		return nil, wrong(at, v.Source, "a selector has one of header, query, accept and date: this one has %d", kinds)
	}
	switch out.Kind {
	case catalogue.SelectAccept:
		out.Name, out.Value = "", s.Accept
	case catalogue.SelectHeader, catalogue.SelectDate:
		out.Name = http.CanonicalHeaderKey(out.Name)
	}
	needed := out.Kind == catalogue.SelectHeader || out.Kind == catalogue.SelectQuery
	if needed != (strings.TrimSpace(s.Value) != "") {
		return nil, wrong(at+field, v.Source, "a selector by header or query needs a value, one by accept or date has none")
	}
	if err := out.Check(v.Name); err != nil {
		return nil, wrong(at+field, v.Source, "%w", err)
	}
	return out, nil
}
