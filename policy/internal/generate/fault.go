package generate

import (
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Fault puts a single fault into a valid request and says which, or nothing when
// it found no place for one. What it breaks is broken whatever else the document
// says: it stays away from alternatives, in which another form could allow it.
func (g *Generator) Fault(r *Request) string {
	var all []func() string
	add := func(f func() string) { all = append(all, f) }
	for _, p := range Parameters(r.Operation) {
		if p.Schema == nil || p.Schema.Value == nil {
			continue
		}
		bad, wrong := breakText(p.Schema.Value)
		_, inQuery := r.Query[p.Name]
		switch {
		case p.In == "query" && inQuery && p.Required:
			add(func() string { delete(r.Query, p.Name); return "query " + p.Name + " left out" })
		case p.In == "header" && p.Required && r.Header.Get(p.Name) != "":
			add(func() string { r.Header.Del(p.Name); return "header " + p.Name + " left out" })
		}
		if bad == "" {
			continue
		}
		switch {
		case p.In == "query" && (inQuery || !p.Required):
			add(func() string { r.Query[p.Name] = bad; return "query " + p.Name + " " + wrong })
		case p.In == "path":
			add(func() string { r.Path[p.Name] = bad; return "path " + p.Name + " " + wrong })
		case p.In == "header" && !strings.EqualFold(p.Name, "Accept") && !strings.EqualFold(p.Name, "Content-Type") && !strings.EqualFold(p.Name, "Authorization"):
			add(func() string { r.Header.Set(p.Name, bad); return "header " + p.Name + " " + wrong })
		}
	}
	body := r.Operation.Op.RequestBody
	if body == nil || body.Value == nil {
		add(func() string {
			r.Body, r.MediaType = []byte("{}"), "application/json"
			r.Header.Set("Content-Type", r.MediaType)
			return "a body that is not declared"
		})
	} else if body.Value.Required && len(body.Value.Content) > 0 {
		add(func() string { r.Body = nil; r.Header.Del("Content-Type"); return "body left out" })
	}
	if r.Body != nil && body != nil && body.Value != nil {
		if !strings.Contains(strings.Join(sorted(body.Value.Content), " "), "*") {
			add(func() string { r.Header.Set("Content-Type", "application/x-other"); return "another media type" })
		}
		if strings.Contains(r.MediaType, "json") {
			add(func() string { r.Body = r.Body[:len(r.Body)-1]; return "JSON that ends early" })
			if r.Schema != nil {
				for _, b := range breaks(r.Schema, r.Value, func(v any) { r.Value = v }, "") {
					add(func() string { b.apply(); r.Encode(); return "body" + b.what })
				}
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	return all[g.IntN(len(all))]()
}

// breakText is text that no reading of a parameter's schema allows.
func breakText(s *openapi3.Schema) (text, what string) {
	f := flatten(s)
	switch {
	case f.opaque:
		return "", ""
	case len(s.Enum) > 0 && !f.Type.Is("array"):
		return "zz-none-of-these", "in no enum"
	case f.Type.Is("integer"), f.Type.Is("number"):
		if s.Max != nil && f.Type.Is("integer") {
			return "999999999999", "above its maximum"
		}
		return "zz", "no number"
	case f.Type.Is("boolean"):
		return "maybe", "no boolean"
	case f.Type.Is("string") && s.MaxLength != nil && *s.MaxLength < 500:
		return strings.Repeat("a", int(*s.MaxLength)+1), "too long"
	case f.Type.Is("array") && s.Items != nil && s.Items.Value != nil && s.Items.Value.Type.Is("integer") && len(s.AllOf) == 0:
		return "zz", "with an item that is no number"
	}
	return "", ""
}

// breakage is one place of a body and what to do there.
type breakage struct {
	what  string
	apply func()
}

// breaks lists the places of a value where a single fault is one for certain.
func breaks(s *openapi3.Schema, v any, set func(any), at string) []breakage {
	f := flatten(s)
	if f.opaque {
		return nil
	}
	var all []breakage
	add := func(what string, bad any) { all = append(all, breakage{at + " " + what, func() { set(bad) }}) }
	if len(s.Enum) > 0 {
		add("in no enum", "zz-none-of-these")
		return all
	}
	switch types := f.Type.Slice(); {
	case len(types) != 1:
	case types[0] == "string":
		add("a list for a string", []any{})
		if s.MaxLength != nil && *s.MaxLength < 5000 {
			add("too long", strings.Repeat("a", int(*s.MaxLength)+1))
		}
		if s.MinLength > 0 && s.Pattern == "" {
			add("too short", "")
		}
	case types[0] == "integer" || types[0] == "number":
		add("a list for a number", []any{})
		if s.Max != nil {
			add("above its maximum", *s.Max+1)
		}
		if s.Min != nil {
			add("below its minimum", *s.Min-1)
		}
	case types[0] == "boolean":
		add("a list for a boolean", []any{})
	case types[0] == "array":
		add("an object for a list", map[string]any{})
	case types[0] == "object":
		add("a list for an object", []any{})
	}
	switch v := v.(type) {
	case []any:
		if s.Items == nil || s.Items.Value == nil {
			break
		}
		for i, item := range v {
			all = append(all, breaks(s.Items.Value, item, func(bad any) { v[i] = bad }, at+"/0")...)
		}
	case map[string]any:
		for _, name := range f.required {
			if p := f.properties[name]; p == nil || !p.ReadOnly {
				all = append(all, breakage{at + " without " + name, func() { delete(v, name) }})
			}
		}
		if f.closed && len(s.AllOf) == 0 && s.AdditionalProperties.Schema == nil {
			all = append(all, breakage{at + " with a member too many", func() { v["zz-none"] = 1 }})
		}
		for _, name := range sorted(f.properties) { // the same fault for the same seed
			if member, has := v[name]; has {
				all = append(all, breaks(f.properties[name], member, func(bad any) { v[name] = bad }, at+"/"+name)...)
			}
		}
	}
	return all
}
