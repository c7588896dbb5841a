package conformance

import (
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// choice is what makes alternatives cheap to judge. None of it changes a verdict.
type choice struct {
	// tag is a property whose values the alternatives fix: an object that has
	// another value is none of theirs, whatever else it has.
	tag    string
	quoted string      // as quotedName has it
	key    uint32      // as nameKey has it
	texts  []*literals // by alternative; nil where it fixes none

	// property and meant are the description's discriminator: which alternative an
	// object with a value of the property is most likely to be.
	property string
	meant    map[string]int

	// apart: all that is asked of a value, besides its type, is to be one of the
	// alternatives.
	apart bool
}

// discriminatorHint is the keyword under which a translated schema has its
// discriminator.
const discriminatorHint = "discriminator"

type discriminator struct {
	property string
	meant    map[string]int // alternatives by the property's value
}

// meant reads which alternatives the values of a discriminator stand for: what the
// mapping says, else the names of the schemas (OpenAPI 3.1.1 section 4.8.25).
func meant(d *openapi3.Discriminator, list openapi3.SchemaRefs) map[string]int {
	m := map[string]int{}
	byRef := map[string]int{}
	for i, r := range list {
		if r == nil || r.Ref == "" {
			continue
		}
		name := r.Ref[strings.LastIndexByte(r.Ref, '/')+1:]
		byRef[r.Ref], byRef[name], m[name] = i, i, i
	}
	for value, to := range d.Mapping {
		if i, ok := byRef[to.Ref]; ok {
			m[value] = i
		}
	}
	return m
}

// settle prepares the combinators of a program once all of its nodes are filled.
func (b *builder) settle() {
	for _, n := range b.combined {
		n.combine.merged = merge(n)
	}
	for _, n := range b.combined {
		c := n.combine
		c.apart = c.all == nil && c.not == nil && c.test == nil && (c.any == nil || c.one == nil) &&
			n.values == nil && n.number == nil && n.text == nil && n.array == nil && n.object == nil
		c.pickTag()
	}
}

// alternatives are those of oneOf, else of anyOf.
func (c *combinators) alternatives() []*node {
	if c.one != nil {
		return c.one
	}
	return c.any
}

// objects are the rules that hold for every object that n accepts.
func (n *node) objects() *objectRules {
	if n.object == nil && n.combine != nil && n.combine.merged != nil {
		return n.combine.merged.object
	}
	return n.object
}

// pickTag takes the property that most alternatives fix, the discriminator's
// before others.
func (c *combinators) pickTag() {
	list := c.alternatives()
	if len(list) < 2 {
		return
	}
	most := 0
	for _, n := range list {
		o := n.objects()
		if o == nil {
			continue
		}
		for i, name := range o.names {
			if o.nodes[i] == nil || o.nodes[i].values == nil || most > 0 && c.tag == c.property {
				continue
			}
			if texts, fixed := fixedBy(list, name); fixed > most || name == c.property {
				most, c.tag, c.texts = fixed, name, texts
			}
		}
	}
	if most > 0 {
		c.key, c.quoted = nameKey([]byte(c.tag)), quotedName(c.tag)
	}
}

// fixedBy are the values that alternatives fix for a property, and how many do.
func fixedBy(list []*node, name string) (texts []*literals, fixed int) {
	texts = make([]*literals, len(list))
	for i, n := range list {
		o := n.objects()
		if o == nil {
			continue
		}
		if at := slices.Index(o.names, name); at >= 0 && o.nodes[at] != nil && o.nodes[at].values != nil {
			texts[i] = o.nodes[at].values
			fixed++
		}
	}
	return texts, fixed
}

// excludes tells whether an object with that tag cannot be the alternative.
func (c *choice) excludes(alternative int, tag []byte) bool {
	return tag != nil && c.texts[alternative] != nil && !c.texts[alternative].hasText(tag)
}

// tagOf is the tag of the value i, nil for none. It is good until the next call.
func (r *run) tagOf(c *choice, i uint32) []byte {
	if c.texts == nil {
		return nil
	}
	return r.member(i, c.tag, c.key)
}

// meantBy is the alternative that the discriminator names for the value i, -1 for
// none.
func (r *run) meantBy(c *choice, i uint32) int {
	if c.meant == nil {
		return -1
	}
	if at, ok := c.meant[string(r.member(i, c.property, nameKey([]byte(c.property))))]; ok {
		return at
	}
	return -1
}

// member is the text of a property of i, nil for none, or where it takes more than
// a look to tell. It is good until the next call.
func (r *run) member(i uint32, name string, key uint32) []byte {
	t := r.t
	if t.toks[i].kind != kindObject {
		return nil
	}
	for m, end := i+1, t.toks[i].next; m < end; m = t.toks[m+1].next {
		if t.toks[m].count != key || t.toks[m].flags&flagEscaped != 0 || string(t.raw(m)) != name {
			continue
		}
		if t.toks[m+1].kind != kindString || t.toks[m+1].flags&(flagEscaped|flagSized) != 0 {
			return nil
		}
		return t.raw(m + 1)
	}
	return nil
}

// combined judges the value at p, while it is read, by a schema with combinators.
func (s *pass) combined(n *node, p, depth int) int {
	c := n.combine
	switch {
	case n.never:
		return no
	case c.apart:
		if one := s.choose(n, p); one != nil {
			return s.value(one, p, depth)
		}
	case c.merged != nil && s.src[p] == '{':
		return s.object(c.merged, p, depth)
	}
	return s.taped(n, p, depth)
}

// choose is the only alternative that the value at p can be, nil where that cannot
// be told from its beginning.
func (s *pass) choose(n *node, p int) *node {
	t := typeStarting(s.src[p])
	if n.types != anyType && (t&typeNumber != 0 || n.types&t == 0) {
		return nil
	}
	c := n.combine
	var tag []byte
	if t == typeObject && c.quoted != "" {
		tag = s.firstTag(c, p)
	}
	var one *node
	for i, a := range c.alternatives() {
		if a.never || a.types&t == 0 || c.excludes(i, tag) {
			continue
		}
		if one != nil {
			return nil
		}
		one = a
	}
	return one
}

// firstTag is the tag of the object at p where it is the first member.
func (s *pass) firstTag(c *combinators, p int) []byte {
	p = s.space(p + 1)
	if !begins(s.src, p, c.quoted) {
		return nil
	}
	p = s.space(p + len(c.quoted))
	if p >= len(s.src) || s.src[p] != '"' {
		return nil
	}
	end, flags, f := scanText(s.src, p+1)
	if f != noFault || flags&flagEscaped != 0 {
		return nil
	}
	return s.src[p+1 : end]
}

// typeStarting is the type of the value that starts with c.
func typeStarting(c byte) types {
	switch c {
	case '"':
		return typeString
	case '{':
		return typeObject
	case '[':
		return typeArray
	case 't', 'f':
		return typeBoolean
	case 'n':
		return typeNull
	default:
		return typeNumber | typeInteger
	}
}
