package caddytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/getkin/kin-openapi/openapi3"
)

// operation is an operation of a document as a client that reads it sees it.
type operation struct {
	id       string // operationId, else "METHOD /template"
	method   string
	template string
	server   *url.URL
	item     *openapi3.PathItem
	op       *openapi3.Operation
	secured  bool // it asks for a bearer token, as every scheme in these documents does
}

// sampleToken has the form of a JWT: header and claims are objects.
const sampleToken = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"

// route is what tells the operation from others in a request. Documents use a
// fragment to tell apart uses of one route, which no request can.
func (o operation) route() string {
	path, _, _ := strings.Cut(o.template, "#")
	return o.method + " " + o.server.Host + o.server.Path + path
}

// operationsOf reads a document with kin-openapi, which the guard loads documents
// with too but judges nothing by.
func operationsOf(t *testing.T, content []byte) []operation {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(content)
	if err != nil {
		t.Fatal(err)
	}
	var all []operation
	for template, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			o := operation{id: op.OperationID, method: method, template: template, item: item, op: op}
			o.secured = len(doc.Security) > 0
			if op.Security != nil {
				o.secured = len(*op.Security) > 0
			}
			if o.id == "" {
				o.id = method + " " + template
			}
			servers := doc.Servers
			if op.Servers != nil && len(*op.Servers) > 0 {
				servers = *op.Servers
			}
			text := servers[0].URL
			for name, variable := range servers[0].Variables {
				text = strings.ReplaceAll(text, "{"+name+"}", variable.Default)
			}
			if o.server, err = url.Parse(text); err != nil {
				t.Fatalf("%s: %v", o.id, err)
			}
			o.server.Path = strings.TrimSuffix(o.server.Path, "/")
			all = append(all, o)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].id < all[j].id })
	return all
}

// valid makes a request that the operation's template and schemas ask for, with
// every required parameter and the required members of the body.
func (o operation) valid() harness.Call {
	path, _, _ := strings.Cut(o.template, "#")
	call := harness.Call{Method: o.method, Host: o.server.Hostname()}
	if o.secured {
		call = call.With("Authorization", "Bearer "+sampleToken)
	}
	query := url.Values{}
	for _, p := range append(append(openapi3.Parameters{}, o.item.Parameters...), o.op.Parameters...) {
		if !p.Value.Required || p.Value.Schema == nil {
			continue
		}
		schema := p.Value.Schema.Value
		if schema.Type.Is("array") {
			schema = schema.Items.Value // in every style a list of one is its member
		}
		text := fmt.Sprint(sample(schema, 0))
		switch p.Value.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", url.PathEscape(text))
		case "query":
			query.Set(p.Value.Name, text)
		case "header":
			call = call.With(p.Value.Name, text)
		}
	}
	call.Target = o.server.Path + path
	if len(query) > 0 {
		call.Target += "?" + query.Encode()
	}
	if mediaType, schema := o.content(); mediaType != "" {
		call = call.With("Content-Type", mediaType)
		call.Body = sampleBody(mediaType, schema)
	}
	return call
}

// sampleBody writes a value that the schema allows in the media type.
func sampleBody(mediaType string, schema *openapi3.Schema) []byte {
	switch {
	case strings.Contains(mediaType, "json"):
		text, _ := json.Marshal(sample(schema, 0)) // of maps, slices and scalars, which always marshal
		return text
	case strings.HasSuffix(mediaType, "urlencoded"):
		form := url.Values{}
		members, _ := sample(schema, 0).(map[string]any)
		for name, value := range members {
			form.Set(name, fmt.Sprint(value))
		}
		return []byte(form.Encode())
	case strings.HasPrefix(mediaType, "multipart/form-data"):
		return sampleParts(schema)
	}
	return []byte("opaque")
}

// sampleParts writes a form in parts, with the boundary x.
func sampleParts(schema *openapi3.Schema) []byte {
	members, _ := sample(schema, 0).(map[string]any)
	var form bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(members)) {
		text, mediaType := fmt.Sprint(members[name]), "text/plain"
		switch members[name].(type) {
		case map[string]any, []any:
			object, _ := json.Marshal(members[name])
			text, mediaType = string(object), "application/json"
		}
		fmt.Fprintf(&form, "--x\r\nContent-Disposition: form-data; name=%q\r\nContent-Type: %s\r\n\r\n%s\r\n", name, mediaType, text)
	}
	form.WriteString("--x--\r\n")
	return form.Bytes()
}

// content is the media type of the body that the operation takes and its schema.
func (o operation) content() (mediaType string, schema *openapi3.Schema) {
	if o.op.RequestBody == nil {
		return "", nil
	}
	content := o.op.RequestBody.Value.Content
	for mediaType, media := range content {
		if media.Schema != nil {
			schema = media.Schema.Value
		}
		if mediaType == "multipart/form-data" {
			mediaType += "; boundary=x"
		}
		return mediaType, schema
	}
	return "", nil
}

// invalid is the valid request with what the operation surely does not allow: a
// body that is no object and no list of objects, one in a media type that it does
// not take, or one at all.
func (o operation) invalid() (call harness.Call, status int) {
	call = o.valid()
	mediaType, _ := o.content()
	switch {
	case mediaType == "":
		return harness.Call{Method: call.Method, Host: call.Host, Target: call.Target, Fields: call.Fields, Body: []byte("{}")}.With("Content-Type", "application/json"), 400
	case strings.Contains(mediaType, "json"):
		call.Body = []byte(`["x"]`)
		return call, 400
	}
	for i, f := range call.Fields {
		if f.Name == "Content-Type" {
			call.Fields[i].Value = "text/x-nonsense"
		}
	}
	return call, 415
}

// sample is a value that the schema allows, as small as it can be: of objects
// only the required members. It knows what the schemas in use here need.
func sample(s *openapi3.Schema, depth int) any {
	switch {
	case s == nil || depth > 12:
		return nil
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.OneOf) > 0 && !s.Type.Is("object"):
		return sample(s.OneOf[0].Value, depth+1)
	case len(s.AnyOf) > 0:
		return sample(s.AnyOf[0].Value, depth+1)
	case len(s.AllOf) > 0, s.Type.Is("object"), len(s.Properties) > 0:
		object := map[string]any{}
		fill(object, s, depth)
		return object
	case s.Type.Is("array"):
		list := []any{}
		for range s.MinItems {
			list = append(list, sample(s.Items.Value, depth+1))
		}
		return list
	case s.Type.Is("integer"), s.Type.Is("number"):
		if s.Min != nil {
			return int64(*s.Min)
		}
		return 1
	case s.Type.Is("boolean"):
		return true
	}
	return sampleString(s)
}

// fill sets the required members of s and of everything that it is composed of.
// One part may ask for what another describes.
func fill(object map[string]any, s *openapi3.Schema, depth int) {
	properties := map[string]*openapi3.SchemaRef{}
	for _, name := range compose(s, properties) {
		property, ok := properties[name]
		switch {
		case !ok:
			object[name] = "anything"
		case !property.Value.ReadOnly:
			object[name] = sample(property.Value, depth+1)
		}
	}
}

// compose collects the properties of s and its parts, and the required names.
func compose(s *openapi3.Schema, properties map[string]*openapi3.SchemaRef) (required []string) {
	parts := s.AllOf
	if len(s.OneOf) > 0 {
		parts = append(parts[:len(parts):len(parts)], s.OneOf[0])
	}
	for _, part := range parts {
		required = append(required, compose(part.Value, properties)...)
	}
	maps.Copy(properties, s.Properties)
	return append(required, s.Required...)
}

func sampleString(s *openapi3.Schema) string {
	switch s.Format {
	case "date":
		return "2026-01-31"
	case "date-time":
		return "2026-01-31T10:00:00Z"
	case "uuid":
		return "00112233-4455-4677-8899-aabbccddeeff"
	case "email":
		return "someone@example.com"
	case "uri", "url":
		return "https://example.com/"
	}
	if text, ok := s.Example.(string); ok && s.Pattern != "" {
		return text
	}
	return "abc" + strings.Repeat("x", max(0, int(s.MinLength)-3))
}
