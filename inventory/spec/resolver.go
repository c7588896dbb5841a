package spec

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// documentScheme makes URLs of the files in a document's folder.
const documentScheme = "document"

// metaschemas are the schemas that every engine for JSON Schema has.
const metaschemas = "https://json-schema.org/draft/"

// resolver resolves the references of a document's schemas as JSON Schema says:
// against `$id`, to anchors and to JSON pointers. A resource without `$id` is the
// whole document, so that an anchor in one component is known in all.
type resolver struct {
	refs *references
	base *url.URL
	url  string // of base

	list    []*schemaRoot
	at      map[string]*schemaRoot // by JSON pointer into the document
	ids     map[string]place       // by URL
	anchors map[string]place       // by URL with fragment
	files   map[string]any         // by URL
}

// schemaRoot is a schema that stands in no other.
type schemaRoot struct {
	pointer string // into the document
	key     string // in $defs of the resource
	schema  any
	refs    []*reference
	marked  bool // kin-openapi cannot follow its references
}

// place is a schema within one of the resources that are loaded.
type place struct {
	resource, pointer string
	schema            any
}

func (p place) url() string {
	return p.resource + (&url.URL{Fragment: p.pointer}).String()
}

// reference is a `$ref`, or a `$schema` that names a file, as written and as it
// must be for the resources.
type reference struct {
	schema   map[string]any
	keyword  string
	written  string
	resolved string
	into     *schemaRoot // it leads to a place within a schema of the document
	file     *url.URL    // it leads to another file, or to nothing known
}

func newResolver(name string, refs *references) *resolver {
	base := &url.URL{Scheme: documentScheme, Path: "/" + name}
	return &resolver{
		refs: refs, base: base, url: base.String(), at: map[string]*schemaRoot{},
		ids: map[string]place{}, anchors: map[string]place{}, files: map[string]any{},
	}
}

// Fields of OpenAPI whose members have names of the author's choice, and fields
// that hold data.
var (
	namedObjects = []string{
		"callbacks", "content", "encoding", "headers", "links", "mediaTypes", "parameters", "pathItems", "paths",
		"requestBodies", "responses", "securitySchemes", "variables", "webhooks", "additionalOperations",
	}
	dataFields = []string{"example", "examples", "default", "value", "enum", "mapping"}
)

// roots finds the schemas of an OpenAPI document. named tells that the keys of v
// are names.
func (r *resolver) roots(v any, at string, named bool) {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			r.roots(e, at+"/"+strconv.Itoa(i), false)
		}
	case map[string]any:
		for _, key := range sortedNames(v) {
			pointer := at + "/" + escapePointer(key)
			switch members, _ := v[key].(map[string]any); {
			case named:
				r.roots(v[key], pointer, false)
			case strings.HasPrefix(key, "x-") || slices.Contains(dataFields, key):
			case key == "schema" || key == "itemSchema":
				r.root(v[key], pointer)
			case at == "/components" && key == "schemas":
				for _, name := range sortedNames(members) {
					r.root(members[name], pointer+"/"+escapePointer(name))
				}
			default:
				r.roots(v[key], pointer, members != nil && slices.Contains(namedObjects, key))
			}
		}
	}
}

func sortedNames(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (r *resolver) root(schema any, pointer string) {
	root := &schemaRoot{pointer: pointer, key: "s" + strconv.Itoa(len(r.list)), schema: schema}
	r.list = append(r.list, root)
	r.at[pointer] = root
	r.register(schema, r.base, r.url, "/$defs/"+root.key)
}

// register notes the names that schemas give themselves.
func (r *resolver) register(schema any, base *url.URL, resource, at string) {
	walkSchema(schema, base, at, func(m map[string]any, base *url.URL, at string) {
		u := withoutFragment(base)
		if id, _ := m["$id"].(string); id != "" {
			r.ids[u] = place{resource, at, m}
		}
		for _, keyword := range []string{"$anchor", "$dynamicAnchor"} {
			if name, _ := m[keyword].(string); name != "" {
				r.anchors[u+"#"+name] = place{resource, at, m}
			}
		}
	})
}

func withoutFragment(u *url.URL) string {
	c := *u
	c.Fragment, c.RawFragment = "", ""
	return c.String()
}

// resolve marks the schemas that kin-openapi cannot follow and takes their
// references away. It gives the resources, nil when nothing is marked.
func (r *resolver) resolve() (*Schemas, error) {
	for _, root := range r.list {
		walkSchema(root.schema, r.base, "", func(m map[string]any, base *url.URL, _ string) {
			if m["$dynamicRef"] != nil || m["$dynamicAnchor"] != nil {
				root.marked = true
			}
			if ref := r.dialect(m); ref != nil {
				root.refs, root.marked = append(root.refs, ref), true
			}
			if written, ok := m["$ref"].(string); ok {
				ref, beyond := r.reference(m, written, base, r.url)
				root.refs, root.marked = append(root.refs, ref), root.marked || beyond
			}
		})
	}
	if !r.spread() {
		return nil, nil
	}
	var open []*reference
	for _, root := range r.list {
		if root.marked {
			open = append(open, root.refs...)
		}
	}
	if err := r.load(open); err != nil {
		return nil, err
	}
	return r.resources(), nil
}

// dialect is the reference to a metaschema that is a file in the document's
// folder; nil for other dialects.
func (r *resolver) dialect(m map[string]any) *reference {
	written, _ := m["$schema"].(string)
	if u, err := r.base.Parse(written); err == nil && written != "" && u.Scheme == documentScheme {
		return &reference{schema: m, keyword: "$schema", written: written, resolved: u.String(), file: u}
	}
	return nil
}

// spread marks those that refer to a place within a marked schema, since its
// references are taken away there. It tells whether any is marked.
func (r *resolver) spread() bool {
	from := make(map[*schemaRoot][]*schemaRoot) // those that refer into it
	var marked []*schemaRoot
	for _, root := range r.list {
		if root.marked {
			marked = append(marked, root)
		}
		for _, ref := range root.refs {
			if ref.into != nil {
				from[ref.into] = append(from[ref.into], root)
			}
		}
	}
	for open := marked; len(open) > 0; open = open[1:] {
		for _, root := range from[open[0]] {
			if !root.marked {
				root.marked = true
				open = append(open, root)
			}
		}
	}
	return len(marked) > 0
}

// reference resolves a `$ref` within resource. beyond tells that kin-openapi
// would not find its target, or another one.
func (r *resolver) reference(m map[string]any, written string, base *url.URL, resource string) (ref *reference, beyond bool) {
	ref = &reference{schema: m, keyword: "$ref", written: written, resolved: written}
	target, err := base.Parse(written)
	if err != nil {
		return ref, false
	}
	u, pointer := withoutFragment(target), target.Fragment
	isPointer := pointer == "" || pointer[0] == '/'
	ref.resolved = target.String()
	own, known := r.ids[u]
	switch {
	case !isPointer:
		if p, ok := r.anchors[u+"#"+pointer]; ok {
			if p.resource != resource {
				ref.resolved = p.url()
			}
			return ref, true
		}
	case known:
		if _, err := lookup(own.schema, pointer); err == nil {
			if own.resource != resource {
				own.pointer += pointer
				ref.resolved = own.url()
			}
			return ref, true
		}
		// Many documents give components an `$id` and refer from there to other
		// components all the same, as if it were none.
		if written[0] == '#' {
			r.pointer(ref, pointer)
		}
		return ref, false
	case u == r.url:
		r.pointer(ref, pointer)
		return ref, false
	}
	if strings.HasPrefix(u, metaschemas) {
		return ref, true
	}
	ref.file = target
	return ref, !isPointer || target.Scheme == documentScheme && withoutFragment(base) != r.url
}

// pointer makes a reference lead to where a schema of the document stands in the
// resource.
func (r *resolver) pointer(ref *reference, pointer string) {
	for end := len(pointer); end > 0; end = strings.LastIndexByte(pointer[:end], '/') {
		if root, ok := r.at[pointer[:end]]; ok {
			ref.resolved = place{resource: r.url, pointer: "/$defs/" + root.key + pointer[end:]}.url()
			if end < len(pointer) {
				ref.into = root
			}
			return
		}
	}
}

// load reads the files that references lead to, and those that they lead to.
func (r *resolver) load(open []*reference) error {
	for ; len(open) > 0; open = open[1:] {
		target := open[0].file
		if target == nil {
			continue
		}
		u := withoutFragment(target)
		if _, ok := r.files[u]; ok || u == r.url {
			continue
		}
		if p, ok := r.ids[u]; ok { // a file that was read since has the name
			open[0].resolved = place{p.resource, p.pointer + target.Fragment, nil}.url()
			if open[0].keyword == "$ref" {
				open[0].schema["$ref"] = open[0].resolved
			}
			continue
		}
		if target.Scheme == documentScheme {
			target = &url.URL{Path: strings.TrimPrefix(target.Path, "/")}
		}
		data, err := r.refs.read(nil, target)
		if err != nil {
			return err
		}
		file := parseTree(data)
		if file == nil {
			return fmt.Errorf("reading the referenced file %q: it is neither JSON nor YAML", target.Path)
		}
		r.files[u] = file
		base := &url.URL{Scheme: documentScheme, Path: "/" + target.Path}
		r.register(file, base, u, "")
		walkSchema(file, base, "", func(m map[string]any, base *url.URL, _ string) {
			if written, ok := m["$ref"].(string); ok {
				ref, _ := r.reference(m, written, base, u)
				m["$ref"] = ref.resolved
				open = append(open, ref)
			}
		})
	}
	return nil
}

// resources moves the schemas into resources, and leaves kin-openapi what it can
// load.
func (r *resolver) resources() *Schemas {
	defs := make(map[string]any, len(r.list))
	for _, root := range r.list {
		for _, ref := range root.refs {
			ref.schema[ref.keyword] = ref.resolved
		}
		defs[root.key] = clone(root.schema)
		for _, ref := range root.refs {
			if ref.schema[ref.keyword] = ref.written; root.marked {
				delete(ref.schema, ref.keyword)
			}
		}
		if m, ok := root.schema.(map[string]any); ok && root.marked {
			m[SchemaMark] = place{resource: r.url, pointer: "/$defs/" + root.key}.url()
		}
	}
	s := &Schemas{Resources: map[string]any{r.url: map[string]any{"$defs": defs}}}
	for u, file := range r.files {
		s.Resources[u] = file
	}
	return s
}
