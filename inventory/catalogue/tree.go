package catalogue

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// tree finds what stands at a path among many templates, in time that depends on
// the path and hardly on their number. Node 0 is the root. All literal children
// of all nodes stand in one open-addressed table.
//
// A folded tree ignores the case of letters and one slash at the end.
type tree struct {
	fold      bool
	shift     uint8
	nodes     []node
	slots     []slot
	texts     []string // literals of more than 16 bytes
	compounds []compound
}

type node struct {
	value     int32 // what the caller put here, 0 for nothing
	param     int32 // the node after a bare parameter, 0 for none
	multi     int32 // the node after a multi-segment parameter, 0 for none
	compounds uint32
	count     uint16 // of compounds
	literals  bool   // whether it has literal children
}

// slot is one literal child. A free slot has child 0.
type slot struct {
	a, b   uint64
	parent int32
	length int32
	child  int32
	text   int32
}

// child is the node below a literal segment, or 0.
func (t *tree) child(at int32, segment string) int32 {
	a, b := words(segment)
	if t.fold {
		a, b = lowerWord(a), lowerWord(b)
	}
	mask := uint64(len(t.slots) - 1)
	for i := hashWords(a, b, at, len(segment)) >> (t.shift & 63); ; i++ {
		s := &t.slots[i&mask]
		if s.child == 0 {
			return 0
		}
		if s.a == a && s.b == b && s.parent == at && s.length == int32(len(segment)) &&
			(len(segment) <= 16 || sameText(segment, t.texts[s.text], t.fold)) {
			return s.child
		}
	}
}

// treeBuilder grows a tree.
type treeBuilder struct {
	fold  bool
	nodes []buildNode
}

type buildNode struct {
	value     int32
	param     int32
	multi     int32
	literals  map[string]int32
	compounds []compound
}

func newTreeBuilder(fold bool) *treeBuilder {
	return &treeBuilder{fold: fold, nodes: make([]buildNode, 1)}
}

// insert makes room for a template and returns its node, which is good until the
// next insert.
func (b *treeBuilder) insert(segments []spec.Segment) *buildNode {
	at := int32(0)
	for _, s := range segments {
		at = b.step(at, s)
	}
	return &b.nodes[at]
}

// lookup is the node of a template without multi-segment parameters, or nil.
func (b *treeBuilder) lookup(segments []spec.Segment) *buildNode {
	n := &b.nodes[0]
	for _, s := range segments {
		next := n.param
		if s.IsLiteral() {
			next = n.literals[b.text(s.Parts[0].Literal)]
		} else if !s.IsParam() {
			next = n.compound(b.text(shape(s)))
		}
		if next == 0 {
			return nil
		}
		n = &b.nodes[next]
	}
	return n
}

// compound is the node after the compound of a shape, or 0.
func (n *buildNode) compound(key string) int32 {
	for _, c := range n.compounds {
		if shape(spec.Segment{Parts: c.parts}) == key {
			return c.next
		}
	}
	return 0
}

func (b *treeBuilder) step(at int32, s spec.Segment) int32 {
	switch {
	case s.IsLiteral():
		text := b.text(s.Parts[0].Literal)
		if next, ok := b.nodes[at].literals[text]; ok {
			return next
		}
		next := b.grow()
		if b.nodes[at].literals == nil {
			b.nodes[at].literals = make(map[string]int32)
		}
		b.nodes[at].literals[text] = next
		return next
	case s.IsParam() && s.Parts[0].Multi:
		if b.nodes[at].multi == 0 {
			next := b.grow()
			b.nodes[at].multi = next
		}
		return b.nodes[at].multi
	case s.IsParam():
		if b.nodes[at].param == 0 {
			next := b.grow()
			b.nodes[at].param = next
		}
		return b.nodes[at].param
	default:
		return b.stepCompound(at, s)
	}
}

func (b *treeBuilder) stepCompound(at int32, s spec.Segment) int32 {
	if next := b.nodes[at].compound(b.text(shape(s))); next != 0 {
		return next
	}
	c := compound{parts: slices.Clone(s.Parts), next: b.grow()}
	for i := range c.parts {
		c.parts[i].Literal = b.text(c.parts[i].Literal)
		c.literals += len(c.parts[i].Literal)
	}
	b.nodes[at].compounds = append(b.nodes[at].compounds, c)
	return c.next
}

func (b *treeBuilder) text(s string) string {
	if b.fold {
		return lower(s)
	}
	return s
}

func (b *treeBuilder) grow() int32 {
	b.nodes = append(b.nodes, buildNode{})
	return int32(len(b.nodes) - 1)
}

// build packs the tree.
func (b *treeBuilder) build() *tree {
	literals := 0
	for i := range b.nodes {
		literals += len(b.nodes[i].literals)
	}
	// At most half full, so that probing is short and always ends.
	size := 1 << bits.Len(uint(2*literals+1))
	t := &tree{
		fold:  b.fold,
		shift: uint8(64 - bits.Len(uint(size-1))),
		nodes: make([]node, len(b.nodes)),
		slots: make([]slot, size),
		texts: []string{""},
	}
	for i, n := range b.nodes {
		slices.SortFunc(n.compounds, func(x, y compound) int {
			return cmp.Or(cmp.Compare(y.literals, x.literals),
				strings.Compare(shape(spec.Segment{Parts: x.parts}), shape(spec.Segment{Parts: y.parts})))
		})
		t.nodes[i] = node{
			value:     n.value,
			param:     n.param,
			multi:     n.multi,
			compounds: uint32(len(t.compounds)),
			count:     uint16(len(n.compounds)),
			literals:  len(n.literals) > 0,
		}
		t.compounds = append(t.compounds, n.compounds...)
		for text, next := range n.literals {
			t.place(int32(i), text, next)
		}
	}
	return t
}

func (t *tree) place(parent int32, text string, child int32) {
	s := slot{parent: parent, length: int32(len(text)), child: child}
	s.a, s.b = words(text)
	if len(text) > 16 {
		s.text = int32(len(t.texts))
		t.texts = append(t.texts, text)
	}
	mask := uint64(len(t.slots) - 1)
	i := hashWords(s.a, s.b, parent, len(text)) >> (t.shift & 63)
	for t.slots[i&mask].child != 0 {
		i++
	}
	t.slots[i&mask] = s
}
