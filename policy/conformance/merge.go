package conformance

// merge makes one set of rules of what n and the schemas of its allOf say about
// objects, as inheritance is mostly written: each has properties of its own. It
// gives nil where something else is said.
func merge(n *node) *node {
	var parts []*objectRules
	m := &node{types: anyType}
	if !m.gather(n, &parts, map[*node]bool{}) {
		return nil
	}
	all := objectRules{min: -1, max: -1}
	children := map[string]*node{}
	for _, o := range parts {
		all.min = max(all.min, o.min)
		if o.max >= 0 && (all.max < 0 || o.max < all.max) {
			all.max = o.max
		}
		all.require(o)
	}
	if len(all.names) > 64 {
		return nil
	}
	all.needed = 1<<len(all.names) - 1
	for _, o := range parts {
		for i, name := range o.names {
			if !all.has(name) {
				all.names = append(all.names, name)
			}
			children[name] = both(children[name], o.nodes[i])
		}
	}
	if len(all.names) > maxNames {
		return nil
	}
	for _, name := range all.names {
		all.nodes = append(all.nodes, children[name])
	}
	all.index()
	all.order = newOrder(&all)
	m.object = &all
	return m
}

// gather adds the rules of n and of its allOf, each once, and reports false where there
// is more to an object than they say.
func (m *node) gather(n *node, parts *[]*objectRules, seen map[*node]bool) bool {
	if seen[n] {
		return true
	}
	seen[n] = true
	if n.never || n.values != nil {
		return false
	}
	m.types &= n.types
	if o := n.object; o != nil {
		if o.order == nil || o.rest != nil {
			return false
		}
		*parts = append(*parts, o)
	}
	c := n.combine
	if c == nil {
		return true
	}
	if c.any != nil || c.one != nil || c.not != nil || c.test != nil {
		return false
	}
	for _, part := range c.all {
		if !m.gather(part, parts, seen) {
			return false
		}
	}
	return true
}

// require adds the names that are required in o.
func (all *objectRules) require(o *objectRules) {
	for i, name := range o.names {
		if i < 64 && o.needed&(1<<i) != 0 && !all.has(name) {
			all.names = append(all.names, name)
		}
	}
}

func (o *objectRules) has(name string) bool {
	for _, known := range o.names {
		if known == name {
			return true
		}
	}
	return false
}

// both holds where x and y hold.
func both(x, y *node) *node {
	switch {
	case x == nil || x == anything || x == y:
		return y
	case y == nil || y == anything:
		return x
	default:
		return &node{types: anyType, combine: &combinators{all: []*node{x, y}}}
	}
}
