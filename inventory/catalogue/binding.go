package catalogue

import (
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// guard holds the bindings of one API: which methods and templates carry which
// bits, under every base path of the API and, for paths that nobody claims,
// under none. They match whatever the letter case and whether or not the path
// ends in a slash, so that no spelling escapes a limit.
type guard struct {
	api   *API
	under *boundTree // below every base path of the API; nil without bindings
	bare  *boundTree // below no base path; nil when the API has an empty one
}

// boundTree finds the bindings of a path.
type boundTree struct {
	exact   *tree // tells a template from its near misses
	folded  *tree // value: 1 + index of entries
	entries [][]boundEntry
}

// boundEntry is one method and template that bindings name.
type boundEntry struct {
	method   string
	bits     uint64
	segments []spec.Segment // base path and template
}

// boundQuery gathers the bindings of a request.
type boundQuery struct {
	path   string
	method string
	route  *Route // the documented operation that the request matched, if any
	tree   *boundTree

	bits   uint64
	folded bool // a template covers the path in some spelling
	exact  bool // one covers it as it is
}

// ask adds the bindings that hold. outside says that nobody claims the path.
func (g *guard) ask(q *boundQuery, outside bool) {
	q.search(g.under)
	if outside {
		q.search(g.bare)
	}
}

func (q *boundQuery) search(t *boundTree) {
	if t == nil {
		return
	}
	q.tree = t
	before := q.folded
	q.folded = false
	t.folded.visit(q.path, 0, 0, q)
	if q.folded && !q.exact {
		q.exact = t.exact.find(q.path, 0, 0, 0, nil) != 0
	}
	q.folded = q.folded || before
}

// add is told a value of the folded tree.
func (q *boundQuery) add(value int32) {
	if value == 0 {
		return
	}
	q.folded = true
	entries := q.tree.entries[value-1]
	for i := range entries {
		e := &entries[i]
		if !e.binds(q.method) || q.route != nil && lessSpecific(e.segments, q.route.segments) {
			continue
		}
		q.bits |= e.bits
	}
}

// binds reports whether the entry is about a method. HEAD asks for what GET
// does, and a method in small letters may reach somebody who does not mind.
func (e *boundEntry) binds(method string) bool {
	if strings.EqualFold(e.method, method) {
		return true
	}
	return e.method == "GET" && strings.EqualFold(method, "HEAD")
}

// boundTreeBuilder grows a boundTree.
type boundTreeBuilder struct {
	exact   *treeBuilder
	folded  *treeBuilder
	entries [][]boundEntry
}

func newBoundTreeBuilder() *boundTreeBuilder {
	return &boundTreeBuilder{exact: newTreeBuilder(false), folded: newTreeBuilder(true)}
}

func (b *boundTreeBuilder) add(base []spec.Segment, o boundOperation) {
	segments := append(append([]spec.Segment(nil), base...), o.template.Segments...)
	b.exact.insert(segments).value = 1
	at := b.folded.insert(segments)
	if at.value == 0 {
		b.entries = append(b.entries, nil)
		at.value = int32(len(b.entries))
	}
	entries := &b.entries[at.value-1]
	for i := range *entries {
		if (*entries)[i].method == o.method {
			(*entries)[i].bits |= o.bits
			return
		}
	}
	*entries = append(*entries, boundEntry{method: o.method, bits: o.bits, segments: segments})
}

func (b *boundTreeBuilder) build() *boundTree {
	if len(b.entries) == 0 {
		return nil
	}
	return &boundTree{exact: b.exact.build(), folded: b.folded.build(), entries: b.entries}
}

// settleRoute computes once what does not depend on the request: the bindings
// that hold for every path of a route.
func (g *guard) settleRoute(r *Route) {
	r.bound, r.dynamic = 0, false
	if g.under == nil {
		return
	}
	for _, entries := range g.under.entries {
		for i := range entries {
			e := &entries[i]
			sometimes := e.method == "HEAD" && r.Operation.Method == "GET"
			if !e.binds(r.Operation.Method) && !sometimes ||
				!overlap(e.segments, r.segments) || lessSpecific(e.segments, r.segments) {
				continue
			}
			if !sometimes && covers(e.segments, r.segments) {
				r.bound |= e.bits
			} else {
				r.dynamic = true
			}
		}
	}
}
