package catalogue

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// boundOperation is what a reference of a binding names.
type boundOperation struct {
	method   string
	template spec.Template
	bits     uint64
}

// bind resolves the bindings and compiles them for every API.
func (b *builder) bind(bindings []Binding) error {
	bound := make(map[*API][]boundOperation)
	for _, binding := range bindings {
		about := &Error{Limit: binding.Name}
		if binding.API != nil {
			about.API = binding.API.Name
		}
		if about.Operation, about.Err = b.bindOne(binding, bound); about.Err != nil {
			return about
		}
	}
	for _, api := range b.catalogue.APIs {
		if err := b.compileGuard(api, bound[api]); err != nil {
			return err
		}
	}
	for _, r := range b.catalogue.Routes {
		r.guard.settleRoute(r)
	}
	return nil
}

// bindOne binds the operations of a binding. An error may be about one of them.
func (b *builder) bindOne(binding Binding, bound map[*API][]boundOperation) (about string, err error) {
	if binding.Bit > 63 {
		return "", fmt.Errorf("its bit is %d; there are 64", binding.Bit)
	}
	if len(binding.Operations) == 0 {
		return "", errors.New("it names no operation")
	}
	apis := b.catalogue.APIs
	if binding.API != nil {
		if b.guards[binding.API] == nil {
			return "", fmt.Errorf("API %q is not in the catalogue", binding.API.Name)
		}
		apis = []*API{binding.API}
	}
	anyDocuments := slices.ContainsFunc(apis, (*API).documented)
	for _, ref := range binding.Operations {
		found := false
		for _, api := range apis {
			ops, err := b.resolve(api, ref)
			if err != nil {
				return ref, fmt.Errorf("operation %q: %w", ref, err)
			}
			for _, op := range ops {
				op.bits = 1 << binding.Bit
				bound[api] = append(bound[api], op)
				// What an API without documents takes as written proves nothing.
				found = found || !anyDocuments || api.documented()
			}
		}
		if !found {
			return ref, b.unresolved(apis, ref)
		}
	}
	return "", nil
}

// resolve finds a reference in every document of an API. An API without any
// document takes "METHOD /template" as it is written.
func (b *builder) resolve(api *API, ref string) ([]boundOperation, error) {
	method, path, pair := splitReference(ref)
	var written spec.Template
	if pair {
		var err error
		if written, err = spec.ParseTemplate(path); err != nil {
			return nil, err
		}
	}
	var found []boundOperation
	for _, v := range api.Versions {
		for _, doc := range v.Documents {
			for _, op := range doc.Operations {
				t := b.template(op)
				if t.err != nil {
					continue
				}
				switch {
				case !pair && op.ID == ref:
					found = append(found, boundOperation{method: op.Method, template: t.Template})
				case pair && sameMethod(method, op.Method) && singleShape(t.Template) == written.Shape():
					found = append(found, boundOperation{method: method, template: t.Template})
				}
			}
		}
	}
	if pair && !api.documented() {
		found = append(found, boundOperation{method: method, template: written})
	}
	return found, nil
}

// Describe reports whether one of the documents has the operation that a reference
// names, as a binding finds it: parameters of a template may have other names.
func Describe(documents []*spec.Document, ref string) bool {
	method, path, pair := splitReference(ref)
	written, err := spec.ParseTemplate(path)
	if pair && err != nil {
		return false
	}
	for _, d := range documents {
		for _, op := range d.Operations {
			if !pair {
				if op.ID == ref {
					return true
				}
			} else if sameMethod(method, op.Method) {
				if t, err := spec.ParseTemplate(op.Template, op.MultiSegment...); err == nil && singleShape(t) == written.Shape() {
					return true
				}
			}
		}
	}
	return false
}

// documented reports whether any version has a document.
func (a *API) documented() bool {
	return slices.ContainsFunc(a.Versions, func(v *Version) bool { return len(v.Documents) > 0 })
}

// sameMethod lets a reference to HEAD stand for what GET documents.
func sameMethod(ref, documented string) bool {
	return ref == documented || ref == "HEAD" && documented == "GET"
}

// singleShape is a template's shape as somebody writes it who does not know
// which parameters span segments.
func singleShape(t spec.Template) string {
	return strings.ReplaceAll(t.Shape(), "{+}", "{}")
}

// splitReference tells "METHOD /template" from an operationId.
func splitReference(ref string) (method, path string, ok bool) {
	method, path, ok = strings.Cut(strings.TrimSpace(ref), " ")
	path = strings.TrimSpace(path)
	return method, path, ok && strings.HasPrefix(path, "/")
}

func (b *builder) unresolved(apis []*API, ref string) error {
	var names []string
	var documents []*spec.Document
	described := false
	for _, api := range apis {
		names = append(names, fmt.Sprintf("%q", api.Name))
		for _, v := range api.Versions {
			documents = append(documents, v.Documents...)
		}
	}
	for _, d := range documents {
		described = described || len(d.Operations) > 0
	}
	where := "API " + strings.Join(names, ", ")
	if !described {
		return fmt.Errorf("no document of %s describes the operation %q; without documents, name it as `METHOD /template`", where, ref)
	}
	return fmt.Errorf("no document of %s has the operation %q%s", where, ref, Suggest(ref, documents, "; name an operationId or `METHOD /template` without the base path"))
}

// compileGuard builds the trees of an API's bindings.
func (b *builder) compileGuard(api *API, bound []boundOperation) error {
	if len(bound) == 0 {
		return nil
	}
	under, bare := newBoundTreeBuilder(), newBoundTreeBuilder()
	for _, base := range b.bases[api] {
		segments, err := baseSegments(base)
		if err != nil {
			return err
		}
		for _, op := range bound {
			under.add(segments, op)
		}
	}
	if !slices.Contains(b.bases[api], "") {
		for _, op := range bound {
			bare.add(nil, op)
		}
	}
	g := b.guards[api]
	g.under, g.bare = under.build(), bare.build()
	return nil
}
