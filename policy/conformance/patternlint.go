package conformance

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"weak"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// patternProblems are the answers of UnsupportedPatterns, for as long as a document
// is in use: a reload asks again about documents that did not change. It goes by
// what was parsed, which a document with multi_segment shares with the one without.
var patternProblems sync.Map // weak.Pointer[openapi3.T] to []spec.Problem

// UnsupportedPatterns are the regular expressions of a document's schemas that
// cannot be checked, each once, with a place where it stands.
func UnsupportedPatterns(d *spec.Document) []spec.Problem {
	if d.Root == nil {
		return nil
	}
	key := weak.Make(d.Root)
	if known, ok := patternProblems.Load(key); ok {
		return known.([]spec.Problem)
	}
	w := patternWalk{seen: make(map[*openapi3.Schema]bool), said: make(map[string]bool)}
	w.document(d.Root)
	if _, loaded := patternProblems.LoadOrStore(key, w.problems); !loaded {
		runtime.AddCleanup(d.Root, func(key weak.Pointer[openapi3.T]) { patternProblems.Delete(key) }, key)
	}
	return w.problems
}

type patternWalk struct {
	seen     map[*openapi3.Schema]bool
	said     map[string]bool // by pattern
	problems []spec.Problem
}

func (w *patternWalk) document(root *openapi3.T) {
	if c := root.Components; c != nil {
		w.schemas("/components/schemas", c.Schemas)
	}
	paths := root.Paths.Map()
	for _, template := range slices.Sorted(maps.Keys(paths)) {
		item := paths[template]
		if item == nil {
			continue
		}
		w.parameters(template, item.Parameters)
		operations := item.Operations()
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			op, at := operations[method], method+" "+template
			w.parameters(at, op.Parameters)
			if op.RequestBody != nil && op.RequestBody.Value != nil {
				w.content(at+" requestBody", op.RequestBody.Value.Content)
			}
			if op.Responses == nil {
				continue
			}
			responses := op.Responses.Map()
			for _, status := range slices.Sorted(maps.Keys(responses)) {
				if r := responses[status]; r != nil && r.Value != nil {
					w.content(at+" "+status, r.Value.Content)
				}
			}
		}
	}
}

func (w *patternWalk) parameters(at string, list openapi3.Parameters) {
	for _, p := range list {
		if p != nil && p.Value != nil {
			w.schema(at+" "+p.Value.Name, p.Value.Schema)
			w.content(at+" "+p.Value.Name, p.Value.Content)
		}
	}
}

func (w *patternWalk) content(at string, content openapi3.Content) {
	for _, mediaType := range slices.Sorted(maps.Keys(content)) {
		if m := content[mediaType]; m != nil {
			w.schema(at+" "+mediaType, m.Schema)
		}
	}
}

func (w *patternWalk) schemas(at string, all openapi3.Schemas) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w.schema(at+"/"+name, all[name])
	}
}

func (w *patternWalk) schema(at string, ref *openapi3.SchemaRef) {
	if ref == nil || ref.Value == nil || w.seen[ref.Value] {
		return
	}
	s := ref.Value
	w.seen[s] = true
	if s.Pattern != "" {
		w.pattern(at, s.Pattern)
	}
	for _, source := range slices.Sorted(maps.Keys(s.PatternProperties)) {
		w.pattern(at+"/patternProperties", source)
	}
	for _, k := range []struct {
		name string
		list openapi3.SchemaRefs
	}{{"allOf", s.AllOf}, {"anyOf", s.AnyOf}, {"oneOf", s.OneOf}, {"prefixItems", s.PrefixItems}} {
		for _, part := range k.list {
			w.schema(at+"/"+k.name, part)
		}
	}
	for _, k := range []struct {
		name string
		part *openapi3.SchemaRef
	}{
		{"not", s.Not}, {"items", s.Items}, {"contains", s.Contains}, {"propertyNames", s.PropertyNames}, {"if", s.If}, {"then", s.Then}, {"else", s.Else},
		{"additionalProperties", s.AdditionalProperties.Schema}, {"unevaluatedItems", s.UnevaluatedItems.Schema}, {"unevaluatedProperties", s.UnevaluatedProperties.Schema},
	} {
		w.schema(at+"/"+k.name, k.part)
	}
	w.schemas(at+"/properties", s.Properties)
	w.schemas(at+"/patternProperties", s.PatternProperties)
	w.schemas(at+"/dependentSchemas", s.DependentSchemas)
	w.schemas(at+"/$defs", s.Defs)
}

func (w *patternWalk) pattern(at, source string) {
	if w.said[source] {
		return
	}
	w.said[source] = true
	if _, err := newPattern(source); err != nil {
		w.problems = append(w.problems, spec.Problem{Where: strings.TrimSpace(at), Reason: err.Error()})
	}
}
