package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/getkin/kin-openapi/openapi3"
)

// isMarked tells whether references of s are known from the resources only.
func isMarked(s *openapi3.Schema) bool {
	_, ok := s.Extensions[spec.SchemaMark].(string)
	return ok
}

var errMarkedText = errors.New("only JSON bodies are checked against schemas with names such as $id, $anchor and $dynamicRef")

// compileText is compile for a value that is text: its types must be known, to
// read it.
func (l *library) compileText(s *openapi3.SchemaRef, h *hint) compiled {
	if h.marked {
		return compiled{err: errMarkedText}
	}
	return l.compile(s)
}

// marked is the URL of the schema that s stands for, where kin-openapi cannot
// follow its references: the general engine judges by it as it was written.
func (l *library) marked(s *openapi3.Schema) (string, bool) {
	if l.resources == nil {
		return "", false
	}
	url, ok := s.Extensions[spec.SchemaMark].(string)
	return url, ok
}

// preparedResources are the resources of a document as they hold for requests,
// or for responses.
type preparedResources struct {
	docs    map[string]any
	reasons []error

	anchored map[string][]string // URLs by $dynamicAnchor
}

// unusable begins the URL that a schema which cannot be used refers to, so that
// only what reaches the schema fails, with the reason.
const unusable = "unusable:///"

func (p *preparedResources) unusable(err error) map[string]any {
	p.reasons = append(p.reasons, err)
	return map[string]any{"$ref": unusable + strconv.Itoa(len(p.reasons)-1)}
}

func (p *preparedResources) reason(number string) error {
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(p.reasons) {
		return errors.New("the schema cannot be used")
	}
	return p.reasons[i]
}

// prepare makes the resources ready for the general engine, once.
func (l *library) prepare() *preparedResources {
	if l.prepared != nil {
		return l.prepared
	}
	p := &preparedResources{docs: map[string]any{}, anchored: map[string][]string{}}
	l.prepared = p
	meta, err := l.newCompiler().Compile("https://json-schema.org/draft/2020-12/schema")
	if err != nil {
		return p
	}
	for url, doc := range l.resources {
		// An invalid schema would make its whole resource unusable.
		if root, ok := doc.(map[string]any); ok {
			defs, _ := root["$defs"].(map[string]any)
			kept := make(map[string]any, len(defs))
			for name, schema := range defs {
				kept[name] = l.prepareSchema(p, schema)
				if err := meta.Validate(kept[name]); err != nil {
					kept[name] = p.unusable(errors.New("the schema is not one of JSON Schema 2020-12"))
				}
			}
			rest := make(map[string]any, len(root))
			for name, v := range root {
				if name != "$defs" {
					rest[name] = v
				}
			}
			doc = l.prepareSchema(p, rest)
			if whole, ok := doc.(map[string]any); ok && defs != nil {
				whole["$defs"] = kept
			}
		}
		p.docs[url] = doc
		p.dynamicAnchors(doc, url, "")
	}
	return p
}

// prepareSchema copies a schema as translator would translate it: formats that
// are not asserted are left out, and so is what messages of this direction need
// not have. A pattern that cannot be checked makes its schema unusable.
func (l *library) prepareSchema(p *preparedResources, v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = l.prepareSchema(p, e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for keyword, value := range v {
			kept, err := l.prepareKeyword(p, v, keyword, value)
			if err != nil {
				return p.unusable(err)
			}
			if kept != nil || value == nil {
				out[keyword] = kept
			}
		}
		return out
	default:
		return v
	}
}

// prepareKeyword gives nil for what is left out.
func (l *library) prepareKeyword(p *preparedResources, schema map[string]any, keyword string, value any) (any, error) {
	switch keyword {
	case "enum", "const", "default", "examples", "example":
		return value, nil
	case "format":
		name, ok := value.(string)
		if ok && l.formats.text(name) == nil && l.formats.number(name) == nil {
			return nil, nil
		}
	case "pattern":
		if source, ok := value.(string); ok {
			_, err := l.pattern(source)
			return value, err
		}
	case "$schema":
		// The general engine heeds it beside `$id` alone.
		d, _ := value.(string)
		if _, ok := l.resources[d]; ok && schema["$id"] != nil {
			return d, nil
		}
		if !knownDialect(d) {
			return nil, fmt.Errorf("reading $schema %q: %w", d, errDialect)
		}
		return nil, nil
	case "required":
		return l.requiredOf(schema, value), nil
	case "properties", "patternProperties", "dependentSchemas", "$defs", "definitions":
		members, ok := value.(map[string]any)
		if !ok {
			return value, nil
		}
		out := make(map[string]any, len(members))
		for name, v := range members {
			if keyword == "patternProperties" {
				if _, err := l.pattern(name); err != nil {
					return nil, err
				}
			}
			out[name] = l.prepareSchema(p, v)
		}
		return out, nil
	}
	return l.prepareSchema(p, value), nil
}

// requiredOf leaves out what messages of the other direction alone must have.
func (l *library) requiredOf(schema map[string]any, value any) any {
	list, ok := value.([]any)
	if !ok {
		return value
	}
	kept := []any{}
	for _, name := range list {
		if s, ok := name.(string); !ok || !l.sparedIn(schema, s, map[string]bool{}) {
			kept = append(kept, name)
		}
	}
	return kept
}

// maxFollowed is how many references are followed that lead to nothing but another one.
const maxFollowed = 8

// sparedIn is spared for a schema as it was written. seen are the references that were
// followed.
func (l *library) sparedIn(schema any, name string, seen map[string]bool) bool {
	if ref, ok := followed(schema); ok {
		if seen[ref] {
			return false
		}
		seen[ref] = true
	}
	m, ok := l.follow(schema).(map[string]any)
	if !ok {
		return false
	}
	properties, _ := m["properties"].(map[string]any)
	flag := "readOnly"
	if l.answers {
		flag = "writeOnly"
	}
	direct, _ := properties[name].(map[string]any)
	target, _ := l.follow(properties[name]).(map[string]any)
	if direct[flag] == true || target[flag] == true {
		return true
	}
	all, _ := m["allOf"].([]any)
	for _, s := range all {
		if l.sparedIn(s, name, seen) {
			return true
		}
	}
	return false
}

// followed is the reference that is followed in place of a schema.
func followed(v any) (ref string, ok bool) {
	m, _ := v.(map[string]any)
	ref, ok = m["$ref"].(string)
	return ref, ok && m["properties"] == nil && m["allOf"] == nil
}

// follow goes from references to what they lead to in a resource, as far as they
// are JSON pointers.
func (l *library) follow(v any) any {
	for range maxFollowed {
		ref, ok := followed(v)
		if !ok {
			return v
		}
		url, pointer, _ := strings.Cut(ref, "#")
		if v, ok = l.resources[url]; !ok {
			return nil
		}
		for _, segment := range strings.Split(pointer, "/")[1:] {
			parent, _ := v.(map[string]any)
			v = parent[strings.NewReplacer("~1", "/", "~0", "~").Replace(segment)]
		}
	}
	return v
}
