package conformance

import (
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// modern adds the keywords that OpenAPI has from 3.1 on.
func (t *translator) modern(m map[string]any, s *openapi3.Schema, inPlace bool) {
	if d := s.SchemaDialect; d != "" && !knownDialect(d) {
		t.failed(fmt.Errorf("reading $schema %q: %w", d, errDialect))
	}
	if s.Const != nil {
		m["const"] = exact(s.Const)
	}
	if len(s.PrefixItems) > 0 {
		list := make([]any, len(s.PrefixItems))
		for i, r := range s.PrefixItems {
			list[i] = t.ref(r, false)
		}
		m["prefixItems"] = list
	}
	if s.Contains != nil {
		m["contains"] = t.whole(s.Contains, false)
		if s.MinContains != nil {
			m["minContains"] = count(*s.MinContains)
		}
		if s.MaxContains != nil {
			m["maxContains"] = count(*s.MaxContains)
		}
	}
	t.patternProperties(m, s)
	if len(s.DependentSchemas) > 0 {
		m["dependentSchemas"] = t.named(s.DependentSchemas, inPlace)
	}
	if len(s.DependentRequired) > 0 {
		dependent := make(map[string]any, len(s.DependentRequired))
		for name, needs := range s.DependentRequired {
			list := make([]any, len(needs))
			for i, n := range needs {
				list[i] = n
			}
			dependent[name] = list
		}
		m["dependentRequired"] = dependent
	}
	if s.PropertyNames != nil {
		m["propertyNames"] = t.ref(s.PropertyNames, false)
	}
	t.boolSchema(m, "unevaluatedItems", s.UnevaluatedItems)
	t.boolSchema(m, "unevaluatedProperties", s.UnevaluatedProperties)
	for name, r := range map[string]*openapi3.SchemaRef{"if": s.If, "then": s.Then, "else": s.Else} {
		if r != nil && s.If != nil {
			translate := t.ref
			if name == "if" {
				translate = t.whole
			}
			m[name] = translate(r, inPlace)
		}
	}
	if s.If != nil || len(s.DependentSchemas) > 0 {
		t.u.branches = max(t.u.branches, 2)
	}
	if s.SchemaID != "" || s.Anchor != "" || s.DynamicRef != "" || s.DynamicAnchor != "" || len(s.Defs) > 0 {
		t.identified(m, s)
	}
}

func (t *translator) patternProperties(m map[string]any, s *openapi3.Schema) {
	if len(s.PatternProperties) == 0 {
		return
	}
	out := map[string]any{}
	for source, r := range s.PatternProperties {
		if _, err := t.l.pattern(source); err != nil {
			// Without this pattern additionalProperties would judge its members too.
			t.failed(err)
			continue
		}
		out[source] = t.ref(r, false)
	}
	m["patternProperties"] = out
}

// identified adds the keywords by which schemas name themselves and each other.
// Only the general engine knows them.
func (t *translator) identified(m map[string]any, s *openapi3.Schema) {
	for name, v := range map[string]string{
		"$id": s.SchemaID, "$anchor": s.Anchor, "$dynamicRef": s.DynamicRef, "$dynamicAnchor": s.DynamicAnchor,
	} {
		if v != "" {
			m[name] = v
		}
	}
	if len(s.Defs) > 0 {
		m["$defs"] = t.named(s.Defs, false)
	}
	// A dynamic reference may lead back here without a step into the value.
	if s.DynamicRef != "" {
		t.u.branches = max(t.u.branches, 2)
	}
}

// knownDialect tells whether a dialect's keywords are those of 2020-12.
func knownDialect(uri string) bool {
	uri = strings.TrimSuffix(uri, "#")
	return uri == "https://json-schema.org/draft/2020-12/schema" ||
		strings.HasPrefix(uri, "https://spec.openapis.org/oas/3.") && strings.Contains(uri, "/dialect/")
}
