package conformance

import (
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// siblings takes a reference and the keywords beside it apart again, where that
// makes a difference. From OpenAPI 3.1 on kin-openapi makes of `{$ref, …}` a copy
// of the target with the keywords beside it as one more allOf entry. That is the
// same but for unevaluatedProperties and unevaluatedItems, which look at what
// stands beside them, and for a marked schema, whose copy has no references. Without
// such, beside is nil.
func (l *library) siblings(r *openapi3.SchemaRef) (target, beside *openapi3.Schema) {
	n := len(r.Value.AllOf)
	if l.legacy || r.Ref == "" || n == 0 {
		return nil, nil
	}
	last := r.Value.AllOf[n-1]
	if last == nil || last.Ref != "" || last.Value == nil {
		return nil, nil
	}
	if _, marked := l.marked(r.Value); !marked && !unevaluated(r.Value) && !unevaluated(last.Value) || !hasSiblings(r) {
		return nil, nil
	}
	target, ok := l.split[r]
	if !ok {
		whole := *r.Value
		whole.AllOf = slices.Clone(whole.AllOf[:n-1])
		target = &whole
		l.split[r] = target
	}
	return target, last.Value
}

func unevaluated(s *openapi3.Schema) bool {
	for _, b := range []openapi3.BoolSchema{s.UnevaluatedItems, s.UnevaluatedProperties} {
		if b.Has != nil || b.Schema != nil {
			return true
		}
	}
	return false
}

func hasSiblings(r *openapi3.SchemaRef) bool {
	written, err := r.MarshalYAML()
	if err != nil {
		return false
	}
	m, ok := written.(map[string]any)
	if !ok {
		return false
	}
	for name := range m {
		if name != "$ref" && name != "summary" && name != "description" {
			return true
		}
	}
	return false
}

// beside translates the keywords beside a reference, with the reference as one
// more allOf entry.
func (t *translator) beside(target, beside *openapi3.Schema, inPlace bool) any {
	m, ok := t.schema(beside, inPlace).(map[string]any)
	if !ok {
		return t.reference(target, inPlace)
	}
	all, _ := m["allOf"].([]any)
	m["allOf"] = append(all, t.reference(target, inPlace))
	return m
}
