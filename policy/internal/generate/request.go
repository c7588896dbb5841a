package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// Request is one request in parts, so that a fault can be put into one of them.
type Request struct {
	Method, Host, Base string           // Base is the path before the template, without a final slash
	Operation          *spec.Operation  // that the request is for
	Path               map[string]any   // parameters
	Query              map[string]any   // parameters
	Header             http.Header      // parameters, credentials and Content-Type
	MediaType          string           // of the body; empty: none
	Schema             *openapi3.Schema // of the body
	Value              any              // of the body
	Body               []byte           // encoded as MediaType says
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Parameters are those of the operation: its own before its path's.
func Parameters(op *spec.Operation) []*openapi3.Parameter {
	var list []*openapi3.Parameter
	for _, p := range slices.Concat(op.Op.Parameters, op.Path.Parameters) {
		if p.Value != nil && !slices.ContainsFunc(list, func(o *openapi3.Parameter) bool { return o.In == p.Value.In && o.Name == p.Value.Name }) {
			list = append(list, p.Value)
		}
	}
	return list
}

// Valid is a request that the operation's document allows. It has a bearer token,
// and a basic one where the document asks for that.
func (g *Generator) Valid(op *spec.Operation, host, base string) *Request {
	r := &Request{
		Method: op.Method, Host: host, Base: base, Operation: op,
		Path: map[string]any{}, Query: map[string]any{}, Header: http.Header{},
	}
	r.Header.Set("Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln")
	for _, p := range Parameters(op) {
		if p.Schema == nil || p.Schema.Value == nil || !p.Required && (unwritable(p.Schema.Value) || g.IntN(2) == 0) {
			continue
		}
		v := g.Value(p.Schema.Value, maxDepth-1)
		switch list, isList := v.([]any); {
		case isList && len(list) == 0 && !p.Required:
			continue
		case isList && len(list) == 0:
			v = []any{g.Value(p.Schema.Value.Items.Value, maxDepth)}
		}
		switch p.In {
		case "path":
			r.Path[p.Name] = v
		case "query":
			r.Query[p.Name] = v
		case "header":
			r.Header.Set(p.Name, plain(v))
		}
	}
	if op.Op.RequestBody == nil || op.Op.RequestBody.Value == nil {
		return r
	}
	body := op.Op.RequestBody.Value
	if !body.Required && g.IntN(4) == 0 {
		return r
	}
	types := sorted(body.Content)
	if len(types) == 0 {
		return r
	}
	r.MediaType = types[g.IntN(len(types))]
	if m := body.Content[r.MediaType]; m.Schema != nil {
		r.Schema = m.Schema.Value
		r.Value = g.Value(r.Schema, 0)
	}
	r.Encode()
	return r
}

// unwritable reports whether OpenAPI (3.0.3, "Style Values") does not say how a
// value is written in a parameter: a list of objects, as Box's mdfilters. No request
// can be called valid by it.
func unwritable(s *openapi3.Schema) bool {
	if !s.Type.Is("array") || s.Items == nil || s.Items.Value == nil {
		return false
	}
	items := flatten(s.Items.Value)
	return items.Type.Is("object") || len(items.properties) > 0
}

// Encode writes the body's value in its media type.
func (r *Request) Encode() {
	r.Header.Set("Content-Type", r.MediaType)
	members, _ := r.Value.(map[string]any)
	switch {
	case strings.Contains(r.MediaType, "json"):
		r.Body, _ = json.Marshal(r.Value) // of maps, lists and scalars, which always marshal
	case strings.HasSuffix(r.MediaType, "urlencoded"):
		form := url.Values{}
		for name, v := range members {
			if list, ok := v.([]any); ok {
				for _, item := range list {
					form.Add(name, plain(item))
				}
				continue
			}
			form.Set(name, plain(v))
		}
		r.Body = []byte(form.Encode())
	case r.MediaType == "multipart/form-data":
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		_ = w.SetBoundary("xxBoundaryxx") // a valid one
		for _, name := range sorted(members) {
			h := textproto.MIMEHeader{}
			h.Set("Content-Disposition", fmt.Sprintf(`form-data; name=%q`, name))
			content := []byte(plain(members[name]))
			if _, object := members[name].(map[string]any); object {
				h.Set("Content-Type", "application/json")
				content, _ = json.Marshal(members[name])
			}
			part, _ := w.CreatePart(h) // into memory
			_, _ = part.Write(content)
		}
		_ = w.Close()
		r.Body = b.Bytes()
		r.Header.Set("Content-Type", "multipart/form-data; boundary=xxBoundaryxx")
	default:
		r.Body = []byte(plain(r.Value))
	}
	if len(r.Body) == 0 {
		r.Body = []byte(" ")
	}
}

// plain writes a value as parameters do, lists with commas.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, plain(item))
		}
		return strings.Join(items, ",")
	case map[string]any:
		var items []string
		for _, name := range sorted(v) {
			items = append(items, name, plain(v[name]))
		}
		return strings.Join(items, ",")
	case float64:
		text, _ := json.Marshal(v)
		return string(text)
	default:
		return fmt.Sprint(v)
	}
}

// Target is the request target in origin form.
func (r *Request) Target() string {
	path, _, _ := strings.Cut(r.Operation.Template, "#")
	for name, v := range r.Path {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(plain(v)))
	}
	var query []string
	parameters := Parameters(r.Operation)
	for _, name := range sorted(r.Query) {
		explode, style := true, "form"
		for _, p := range parameters {
			if p.In == "query" && p.Name == name {
				explode = p.Explode == nil && (p.Style == "" || p.Style == "form") || p.Explode != nil && *p.Explode
				if p.Style != "" {
					style = p.Style
				}
			}
		}
		switch v := r.Query[name].(type) {
		case []any:
			if explode {
				for _, item := range v {
					query = append(query, url.QueryEscape(name)+"="+url.QueryEscape(plain(item)))
				}
				continue
			}
			query = append(query, url.QueryEscape(name)+"="+strings.ReplaceAll(url.QueryEscape(plain(v)), "%2C", ","))
		case map[string]any:
			for _, member := range sorted(v) {
				key := member
				if style == "deepObject" {
					key = name + "[" + member + "]"
				}
				query = append(query, url.QueryEscape(key)+"="+url.QueryEscape(plain(v[member])))
			}
		default:
			query = append(query, url.QueryEscape(name)+"="+url.QueryEscape(plain(v)))
		}
	}
	target := r.Base + path
	if len(query) > 0 {
		target += "?" + strings.Join(query, "&")
	}
	return target
}
