package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// formPlan says how the members of a form's object are written, in
// application/x-www-form-urlencoded or in the parts of multipart/form-data.
type formPlan struct {
	hint   *hint
	rules  parameterRules // of the fields, as if they stood in a query
	fields []field        // what else is to say of each, in the order of rules.query
	// problem is why such forms are not judged.
	problem string
}

// field is what a form's field has besides a query parameter.
type field struct {
	repeats bool     // each occurrence is one item of an array
	json    bool     // the text of the value, or of each item, is JSON
	types   []string // the media types that its part may have; nil: any
	headers []parameter
	bytes   bool  // it is, or its items are, files
	most    int64 // how many bytes a file may have; -1: any number
}

// newFormPlan follows the Encoding Object (OpenAPI 3.1.1 section 4.8.15). With
// style, explode or allowReserved a field is written as a query parameter of that
// style. Else contentType says how, and by default arrays are repeated fields,
// objects are JSON, and the rest is text.
func newFormPlan(l *library, entry *openapi3.MediaType, parts bool) *formPlan {
	plan := &formPlan{hint: hintOf(entry.Schema, maxHintDepth)}
	switch {
	case plan.hint.marked:
		plan.problem = errMarkedText.Error()
	case plan.hint.types&typeObject == 0:
		plan.problem = "a form is an object, its schema has another type"
	case len(plan.hint.props) > maxQueryParameters:
		plan.problem = fmt.Sprintf("forms with more than %d fields are not checked", maxQueryParameters)
	}
	if plan.problem != "" {
		return plan
	}
	plan.rules.byName = map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(plan.hint.props)) {
		h := plan.hint.props[name]
		p := parameter{in: InQuery, name: name, hint: h, shapes: h.shapes(), style: styleForm}
		f := fileField(h, entry.Schema.Value.Properties[name])
		e := entry.Encoding[name]
		if e != nil && (e.Style != "" || e.Explode != nil || e.AllowReserved) && !(parts && l.legacy) {
			plan.styled(&p, &f, e, parts)
		} else {
			plan.encoded(&p, &f, e)
		}
		if e != nil && parts {
			f.addHeaders(l, e)
		}
		plan.add(p, f)
	}
	return plan
}

// fileField is the field of a property, as far as it is about files.
func fileField(h *hint, r *openapi3.SchemaRef) field {
	if h.has(typeArray) && h.item != nil && r != nil && r.Value != nil {
		h, r = h.item, r.Value.Items
	}
	f := field{bytes: h.bytes, most: -1}
	if r != nil && r.Value != nil && r.Value.MaxLength != nil && *r.Value.MaxLength < 1<<62 {
		f.most = int64(*r.Value.MaxLength)
	}
	return f
}

func (plan *formPlan) add(p parameter, f field) {
	at := len(plan.rules.query)
	if p.exploded(shapeObject) && !f.repeats && !f.json {
		plan.rules.loose = append(plan.rules.loose, at)
	} else {
		plan.rules.byName[p.name] = at
	}
	plan.rules.query, plan.fields = append(plan.rules.query, p), append(plan.fields, f)
}

// styled is a field with a style. Parts of multipart have the styles that write
// one value, or one item, in each part.
func (plan *formPlan) styled(p *parameter, f *field, e *openapi3.Encoding, parts bool) {
	p.setStyle(&openapi3.Parameter{In: "query", Style: e.Style, Explode: e.Explode})
	switch {
	case p.style == styleUnknown:
		plan.problem = fmt.Sprintf("field %q: the style %q is not one of forms", p.name, e.Style)
	case parts && (p.hint.has(typeObject) || p.hint.has(typeArray) && !p.explode):
		plan.problem = fmt.Sprintf("field %q: values that a style writes in one part are not checked", p.name)
	case parts:
		f.repeats = p.hint.has(typeArray)
	}
}

// encoded is a field without a style.
func (plan *formPlan) encoded(p *parameter, f *field, e *openapi3.Encoding) {
	value := p.hint
	f.repeats = value.has(typeArray)
	if f.repeats && value.item != nil {
		value = value.item
	}
	f.json = value.has(typeObject) || value.has(typeArray) && value != p.hint
	if e == nil || e.ContentType == "" {
		if f.json {
			f.types = []string{"application/json", "*/*+json"}
		}
		return
	}
	asJSON := false
	for name := range strings.SplitSeq(e.ContentType, ",") {
		name = declaredType(name)
		f.types = append(f.types, name)
		asJSON = asJSON || classify(name) == mediaJSON
	}
	if f.json && !asJSON {
		plan.problem = fmt.Sprintf("field %q: objects written as %s are not checked", p.name, e.ContentType)
	}
	f.json = asJSON
}

func (f *field) addHeaders(l *library, e *openapi3.Encoding) {
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		// Content-Type is described by contentType alone.
		if ref := e.Headers[name]; ref != nil && ref.Value != nil && !strings.EqualFold(name, "Content-Type") {
			f.headers = append(f.headers, headerOf(l, name, &ref.Value.Parameter))
		}
	}
}

// takes tells whether a part of the field may have the media type.
func (f *field) takes(mediaType string) bool {
	if f.types == nil {
		return true
	}
	main, _, _ := strings.Cut(mediaType, "/")
	for _, t := range f.types {
		switch {
		case t == mediaType || t == "*/*":
			return true
		case t == "*/*+json" && classify(mediaType) == mediaJSON:
			return true
		case strings.HasSuffix(t, "/*") && t[:len(t)-2] == main:
			return true
		}
	}
	return false
}
