package conformance

import (
	"errors"
	"fmt"
)

// anything is the schema `true` where a name must still count as declared.
var anything = &node{types: anyType}

// errUncovered marks keywords that the program leaves to the general engine.
var errUncovered = errors.New("the keyword is left to the general engine")

// builder compiles units into nodes. What it makes becomes part of the library
// when the whole of a root compiles, and is dropped otherwise.
type builder struct {
	l     *library
	fresh map[*unit]*node
	open  map[*unit]bool // being built: a reference to it is a recursion

	combined []*node // all with combinators
}

func (b *builder) unit(u *unit) (*node, error) {
	if n, ok := b.l.nodes[u]; ok {
		return n, nil
	}
	if n, ok := b.fresh[u]; ok {
		if b.open[u] && !n.memo {
			b.l.memos++
			n.memo, n.id = true, b.l.memos
		}
		return n, nil
	}
	n := &node{types: anyType}
	b.fresh[u], b.open[u] = n, true
	err := b.fill(n, u.doc)
	b.open[u] = false
	return n, err
}

func (b *builder) schema(v any) (*node, error) {
	if m, ok := v.(map[string]any); ok {
		if url, ok := m["$ref"].(string); ok {
			if b.l.byURL[url] == nil {
				return nil, fmt.Errorf("compiling a marked schema: %w", errUncovered)
			}
			return b.unit(b.l.byURL[url])
		}
		if len(m) == 0 {
			return anything, nil
		}
	} else if v == true {
		return anything, nil
	}
	n := &node{types: anyType}
	return n, b.fill(n, v)
}

// optional is schema with nil for what accepts anything.
func (b *builder) optional(v any) (*node, error) {
	if v == nil {
		return nil, nil
	}
	n, err := b.schema(v)
	if n == anything {
		n = nil
	}
	return n, err
}

func (b *builder) list(v any) ([]*node, error) {
	list, _ := v.([]any)
	var nodes []*node
	for _, v := range list {
		n, err := b.schema(v)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func (b *builder) fill(n *node, v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		n.never = v == false
		return nil
	}
	// The doc of a unit has `$ref` beside nothing when its schema is marked.
	for _, keyword := range []string{"unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$ref"} {
		if _, ok := m[keyword]; ok {
			return fmt.Errorf("compiling %s: %w", keyword, errUncovered)
		}
	}
	n.types = typesOf(m["type"])
	for _, step := range []func(*node, map[string]any) error{
		b.values, b.numbers, b.texts, b.arrays, b.objects, b.combinators,
	} {
		if err := step(n, m); err != nil {
			return err
		}
	}
	return nil
}

func typesOf(v any) types {
	var set types
	add := func(v any) {
		for _, t := range typeNames {
			if t.name == v {
				set |= t.set
			}
		}
	}
	switch v := v.(type) {
	case nil:
		return anyType
	case []any:
		for _, name := range v {
			add(name)
		}
	default:
		add(v)
	}
	return set
}

func (b *builder) combinators(n *node, m map[string]any) error {
	c := combinators{}
	for keyword, to := range map[string]*[]*node{"allOf": &c.all, "anyOf": &c.any, "oneOf": &c.one} {
		list, err := b.list(m[keyword])
		if err != nil {
			return err
		}
		*to = list
	}
	for keyword, to := range map[string]**node{"not": &c.not, "if": &c.test, "then": &c.then, "else": &c.other} {
		v, ok := m[keyword]
		if !ok {
			continue
		}
		child, err := b.schema(v)
		if err != nil {
			return err
		}
		*to = child
	}
	if c.all != nil || c.any != nil || c.one != nil || c.not != nil || c.test != nil {
		if d, ok := m[discriminatorHint].(discriminator); ok && c.alternatives() != nil {
			c.property, c.meant = d.property, d.meant
		}
		n.combine = &c
		b.combined = append(b.combined, n)
	}
	return nil
}
