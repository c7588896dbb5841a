package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

// translator turns one schema of a document into JSON Schema 2020-12 as it
// holds for requests, or for responses. Annotations (title, default, example, xml and the like)
// are left out. The discriminator stays as the hint that OpenAPI calls it, which
// says where to look first: it never changes the verdict.
type translator struct {
	l      *library
	u      *unit
	legacy bool // the dialect of OpenAPI 3.0
}

// maxNesting bounds schemas that are nested without references.
const maxNesting = 200

// ref translates a place where a schema or a reference may stand. inPlace says
// that it judges the same value as the unit.
func (t *translator) ref(r *openapi3.SchemaRef, inPlace bool) any {
	switch {
	case r == nil:
		return true
	case r.Value == nil:
		t.failed(fmt.Errorf("resolving $ref %q: it leads nowhere", r.Ref))
		return true
	case r.Ref == "":
		return t.schema(r.Value, inPlace)
	}
	if target, beside := t.l.siblings(r); beside != nil {
		return t.beside(target, beside, inPlace)
	}
	return t.reference(r.Value, inPlace)
}

func (t *translator) reference(s *openapi3.Schema, inPlace bool) map[string]any {
	u := t.l.unit(s)
	t.u.refs = append(t.u.refs, u)
	if inPlace {
		t.u.inPlace = append(t.u.inPlace, u)
	}
	return map[string]any{"$ref": u.url}
}

func (t *translator) schema(s *openapi3.Schema, inPlace bool) any {
	if s.Always != nil {
		return *s.Always
	}
	if url, ok := t.l.marked(s); ok {
		t.u.marked = true
		return map[string]any{"$ref": url}
	}
	if t.l.nesting++; t.l.nesting > maxNesting {
		t.failed(fmt.Errorf("the schema is nested more than %d deep", maxNesting))
		t.l.nesting--
		return true
	}
	defer func() { t.l.nesting-- }()
	m := map[string]any{}
	t.types(m, s)
	t.numbers(m, s)
	t.strings(m, s)
	t.arrays(m, s)
	t.objects(m, s)
	t.combinators(m, s, inPlace)
	if !t.legacy {
		t.modern(m, s, inPlace)
	}
	return m
}

func (t *translator) types(m map[string]any, s *openapi3.Schema) {
	var names []any
	if s.Type != nil {
		for _, name := range *s.Type {
			if typesOf(name) == 0 {
				// No value is of such a type, so that all would be refused. Leaving it
				// out instead would be as wrong within oneOf and not.
				t.failed(fmt.Errorf("type %q is none: write null, boolean, integer, number, string, array or object", name))
			}
			names = append(names, name)
		}
	}
	// OpenAPI 3.0.3: nullable adds "null" to a type that stands beside it, and
	// nothing else; an enum without null still excludes it.
	if t.legacy && s.Nullable && len(names) > 0 && !slices.Contains(names, any("null")) {
		names = append(names, "null")
	}
	switch len(names) {
	case 0:
	case 1:
		m["type"] = names[0]
	default:
		m["type"] = names
	}
	if s.Enum != nil {
		m["enum"] = exactAll(s.Enum)
	}
	if t.l.formats.text(s.Format) != nil || t.l.formats.number(s.Format) != nil {
		m["format"] = s.Format
	}
}

// exact gives the numbers within a value of a document the text that they were
// most likely written with: kin-openapi reads them as float64, and the shortest
// text of 0.1 is 0.1.
func exact(v any) any {
	switch v := v.(type) {
	case float64:
		return exactNumber(v)
	case uint64:
		return json.Number(strconv.FormatUint(v, 10))
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case int:
		return json.Number(strconv.Itoa(v))
	case []any:
		return exactAll(v)
	case map[string]any:
		m := make(map[string]any, len(v))
		for name, value := range v {
			m[name] = exact(value)
		}
		return m
	default:
		return v
	}
}

func exactAll(list []any) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = exact(v)
	}
	return out
}

func exactNumber(f float64) json.Number {
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
}

func (t *translator) numbers(m map[string]any, s *openapi3.Schema) {
	put := func(name string, f *float64) {
		if f != nil {
			m[name] = exactNumber(*f)
		}
	}
	put("exclusiveMinimum", s.ExclusiveMin.Value)
	put("exclusiveMaximum", s.ExclusiveMax.Value)
	put("multipleOf", s.MultipleOf)
	low, high := "minimum", "maximum"
	if open := s.ExclusiveMin.Bool; open != nil && *open {
		low = "exclusiveMinimum"
	}
	if open := s.ExclusiveMax.Bool; open != nil && *open {
		high = "exclusiveMaximum"
	}
	put(low, s.Min)
	put(high, s.Max)
}

func (t *translator) strings(m map[string]any, s *openapi3.Schema) {
	if s.MinLength > 0 {
		m["minLength"] = count(s.MinLength)
	}
	if s.MaxLength != nil {
		m["maxLength"] = count(*s.MaxLength)
	}
	if s.Pattern == "" {
		return
	}
	if _, err := t.l.pattern(s.Pattern); err != nil {
		t.problem("%v", err)
		return
	}
	m["pattern"] = s.Pattern
}

func count(n uint64) json.Number {
	return json.Number(strconv.FormatUint(min(n, 1<<31-1), 10))
}

func (t *translator) arrays(m map[string]any, s *openapi3.Schema) {
	if s.MinItems > 0 {
		m["minItems"] = count(s.MinItems)
	}
	if s.MaxItems != nil {
		m["maxItems"] = count(*s.MaxItems)
	}
	if s.UniqueItems {
		m["uniqueItems"] = true
	}
	if s.Items != nil {
		m["items"] = t.ref(s.Items, false)
	}
}

func (t *translator) objects(m map[string]any, s *openapi3.Schema) {
	if s.MinProps > 0 {
		m["minProperties"] = count(s.MinProps)
	}
	if s.MaxProps != nil {
		m["maxProperties"] = count(*s.MaxProps)
	}
	if len(s.Properties) > 0 {
		m["properties"] = t.named(s.Properties, false)
	}
	var required []any
	for _, name := range s.Required {
		if !t.l.spared(s, name, map[*openapi3.Schema]bool{}) && !slices.Contains(required, any(name)) {
			required = append(required, name)
		}
	}
	if len(required) > 0 {
		m["required"] = required
	}
	t.boolSchema(m, "additionalProperties", s.AdditionalProperties)
}

func (t *translator) boolSchema(m map[string]any, name string, b openapi3.BoolSchema) {
	switch {
	case b.Schema != nil:
		m[name] = t.ref(b.Schema, false)
	case b.Has != nil:
		m[name] = *b.Has
	}
}

func (t *translator) named(schemas openapi3.Schemas, inPlace bool) map[string]any {
	m := make(map[string]any, len(schemas))
	for name, r := range schemas {
		m[name] = t.ref(r, inPlace)
	}
	return m
}

// spared tells whether s declares a property as one that messages of the other
// direction alone must have: readOnly for requests, writeOnly for responses.
// OpenAPI lets it be left out although it is required; a message that has it is
// accepted, since the specification only says SHOULD NOT.
func (l *library) spared(s *openapi3.Schema, name string, seen map[*openapi3.Schema]bool) bool {
	if seen[s] {
		return false
	}
	seen[s] = true
	if r := s.Properties[name]; r != nil && r.Value != nil && (!l.answers && r.Value.ReadOnly || l.answers && r.Value.WriteOnly) {
		return true
	}
	for _, r := range s.AllOf {
		if r != nil && r.Value != nil && l.spared(r.Value, name, seen) {
			return true
		}
	}
	return false
}

func (t *translator) combinators(m map[string]any, s *openapi3.Schema, inPlace bool) {
	put := func(name string, list openapi3.SchemaRefs, ref func(*openapi3.SchemaRef, bool) any) {
		if len(list) == 0 {
			return
		}
		t.u.branches = max(t.u.branches, len(list))
		out := make([]any, len(list))
		for i, r := range list {
			out[i] = ref(r, inPlace)
		}
		m[name] = out
	}
	put("allOf", s.AllOf, t.ref)
	put("anyOf", s.AnyOf, t.ref)
	put("oneOf", s.OneOf, t.whole)
	if s.Not != nil {
		m["not"] = t.whole(s.Not, inPlace)
	}
	if d := s.Discriminator; d != nil && d.PropertyName != "" {
		list := s.OneOf
		if len(list) == 0 {
			list = s.AnyOf
		}
		m[discriminatorHint] = discriminator{d.PropertyName, meant(d, list)}
	}
}
