package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"

	"github.com/oasdiff/yaml"
)

// SchemaMark is the extension that a schema of Document.Root has when its
// references are more than kin-openapi can follow. Its value is the URL, within
// Document.Schemas, of the schema as it was written; what stands beside it has
// no references and tells of types and names only.
const SchemaMark = "x-api-guard-schema"

// Schemas are JSON Schema resources: those that the schemas of a document from
// OpenAPI 3.1 on make with `$id`, `$anchor` and `$dynamicAnchor`, in a form that
// an engine for JSON Schema 2020-12 can load. Numbers are json.Number.
type Schemas struct {
	// Resources are the document, with each of its schemas in `$defs`, and the
	// files that marked schemas refer to, by URL.
	Resources map[string]any
}

// nullConstant finds what may be `const: null`.
var nullConstant = regexp.MustCompile(`const["']?\s*:\s*(?:null|Null|NULL|~|!!null|[\n\r#,}])`)

// maybeIdentified finds what kin-openapi drops or cannot follow. Most documents
// have none of it and are not read a second time.
func maybeIdentified(data []byte) bool {
	for _, keyword := range []string{"$id", "$anchor", "$dynamic"} {
		if bytes.Contains(data, []byte(keyword)) {
			return true
		}
	}
	return nullConstant.Match(data)
}

// identify gives the text that kin-openapi can load, and the schemas that it
// cannot. Both are nil where the document can be loaded as it is.
func identify(name string, data []byte, refs *references) (text []byte, schemas *Schemas, err error) {
	defer func() {
		if p := recover(); p != nil {
			text, schemas, err = nil, nil, fmt.Errorf("resolving the references of its schemas failed: %v", p)
		}
	}()
	if !maybeIdentified(data) {
		return nil, nil, nil
	}
	tree, ok := parseTree(data).(map[string]any)
	if !ok {
		return nil, nil, nil // the loader says why
	}
	if v, _ := tree["openapi"].(string); !strings.HasPrefix(v, "3.") || strings.HasPrefix(v, "3.0") {
		return nil, nil, nil
	}
	r := newResolver(name, refs)
	r.roots(tree, "", false)
	constants := false
	for _, root := range r.list {
		constants = nullConstants(root.schema) || constants
	}
	schemas, err = r.resolve()
	if err != nil || schemas == nil && !constants {
		return nil, nil, err
	}
	text, err = json.Marshal(tree)
	return text, schemas, err
}

// parseTree reads JSON or YAML as kin-openapi does; nil when it cannot be read.
func parseTree(data []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if d.Decode(&v) == nil {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return v
		}
	}
	numbers := func(d *json.Decoder) *json.Decoder { d.UseNumber(); return d }
	v = nil
	if _, err := yaml.Unmarshal(data, &v, yaml.DecodeOpts{DisableTimestamps: true}, numbers); err != nil {
		return nil
	}
	return v
}

// nullConstants writes `const: null`, which kin-openapi drops, as an enum.
func nullConstants(v any) (found bool) {
	walkSchema(v, nil, "", func(m map[string]any, _ *url.URL, _ string) {
		c, ok := m["const"]
		if !ok || c != nil {
			return
		}
		found = true
		delete(m, "const")
		beside, ok := m["enum"].([]any)
		m["enum"] = []any{}
		for _, v := range beside {
			ok = ok && v != nil
		}
		if !ok {
			m["enum"] = []any{nil}
		}
	})
	return found
}

// Keywords with a schema, a list of schemas and schemas by name.
var (
	oneSchema = []string{
		"additionalProperties", "not", "if", "then", "else", "items", "contains", "propertyNames",
		"unevaluatedItems", "unevaluatedProperties", "contentSchema",
	}
	listedSchemas = []string{"allOf", "anyOf", "oneOf", "prefixItems"}
	namedSchemas  = []string{"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"}
)

// walkSchema visits a schema and those within it, each with the URL that its
// references start at (from `$id`) and its JSON pointer.
func walkSchema(v any, base *url.URL, at string, visit func(m map[string]any, base *url.URL, at string)) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	if id, _ := m["$id"].(string); id != "" && base != nil {
		if u, err := base.Parse(id); err == nil {
			base = u
		}
	}
	visit(m, base, at)
	for _, name := range oneSchema {
		walkSchema(m[name], base, at+"/"+name, visit)
	}
	for _, name := range listedSchemas {
		list, _ := m[name].([]any)
		for i, v := range list {
			walkSchema(v, base, fmt.Sprintf("%s/%s/%d", at, name, i), visit)
		}
	}
	for _, name := range namedSchemas {
		members, _ := m[name].(map[string]any)
		for key, v := range members {
			walkSchema(v, base, at+"/"+name+"/"+escapePointer(key), visit)
		}
	}
}

// lookup follows a JSON pointer.
func lookup(v any, pointer string) (any, error) {
	for _, segment := range strings.Split(pointer, "/")[1:] {
		segment = strings.NewReplacer("~1", "/", "~0", "~").Replace(segment)
		switch parent := v.(type) {
		case map[string]any:
			child, ok := parent[segment]
			if !ok {
				return nil, errNowhere
			}
			v = child
		case []any:
			var i int
			if _, err := fmt.Sscanf(segment, "%d", &i); err != nil || i < 0 || i >= len(parent) {
				return nil, errNowhere
			}
			v = parent[i]
		default:
			return nil, errNowhere
		}
	}
	return v, nil
}

var errNowhere = errors.New("it leads nowhere")

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	default:
		return v
	}
}
