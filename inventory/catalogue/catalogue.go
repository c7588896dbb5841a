package catalogue

import (
	"cmp"
	"errors"
	"slices"
)

// Catalogue is a compiled declaration: what exists, and the matcher that finds
// it. It is immutable and safe for concurrent use.
type Catalogue struct {
	APIs   []*API   // in declared order
	Hosts  []*Host  // by Host.Index, in declared order
	Routes []*Route // by Route.Index: by API and version as declared, then path, then method

	// Problems are the parts of the documents that are not in force here. Each
	// degrades alone. What a document cannot use anywhere is in its own Problems.
	Problems []Problem

	// Passthroughs are what is declared to be no API, in declared order, and Passes
	// their paths by host, by Pass.Index.
	Passthroughs []*Passthrough
	Passes       []*Pass // one for each host and path of each

	hosts  hostTable
	passes passTable
}

// Problem is a part of a document that is not in force in a version, and why.
type Problem struct {
	API     string // as the configuration names it
	Version string // as the configuration names it
	Where   string // "METHOD /template", a server, or a document's name
	Reason  string // a sentence for people
}

// New compiles a declaration. It keeps and shares the APIs and documents and
// changes none of them. What is wrong with a version or a binding is an *Error;
// where two contradict each other its text names both.
func New(cfg Config) (*Catalogue, error) {
	if err := checkNames(cfg.APIs); err != nil {
		return nil, err
	}
	b := newBuilder(cfg.APIs)
	for _, api := range cfg.APIs {
		for _, v := range api.Versions {
			reaches, err := b.reaches(api, v)
			if err == nil {
				err = b.claim(api, v, reaches)
			}
			if err != nil {
				return nil, &Error{API: api.Name, Version: v.Name, Err: err}
			}
		}
	}
	if err := b.compileHosts(); err != nil {
		return nil, err
	}
	if err := b.bind(cfg.Bindings); err != nil {
		return nil, err
	}
	if err := b.passThrough(cfg.Passthroughs); err != nil {
		return nil, err
	}
	b.finish()
	return b.catalogue, nil
}

// checkNames refuses what messages, metrics and entries could not tell apart.
func checkNames(apis []*API) error {
	for i, api := range apis {
		if api == nil || api.Name == "" {
			return errors.New("compiling the catalogue: an API has no name")
		}
		if slices.ContainsFunc(apis[:i], func(o *API) bool { return o.Name == api.Name }) {
			return &Error{API: api.Name, Err: errors.New("two APIs have this name; declare their versions in one of them")}
		}
		for j, v := range api.Versions {
			if v == nil || v.Name == "" {
				return &Error{API: api.Name, Err: errors.New("a version has no name")}
			}
			if slices.ContainsFunc(api.Versions[:j], func(o *Version) bool { return o.Name == v.Name }) {
				return &Error{API: api.Name, Version: v.Name, Err: errors.New("two versions have this name")}
			}
			for _, doc := range v.Documents {
				if doc == nil {
					return &Error{API: api.Name, Version: v.Name, Err: errors.New("a document is missing")}
				}
			}
		}
	}
	return nil
}

// finish puts the routes into their published order.
func (b *builder) finish() {
	order := make(map[*Version]int)
	for _, api := range b.catalogue.APIs {
		for _, v := range api.Versions {
			order[v] = len(order)
		}
	}
	routes := b.catalogue.Routes
	slices.SortStableFunc(routes, func(x, y *Route) int {
		return cmp.Or(
			cmp.Compare(order[x.Version], order[y.Version]),
			cmp.Compare(x.Path, y.Path),
			cmp.Compare(x.Operation.Method, y.Operation.Method))
	})
	for i, r := range routes {
		r.Index = i
		slices.SortFunc(r.Hosts, func(x, y *Host) int { return cmp.Compare(x.Index, y.Index) })
	}
}
