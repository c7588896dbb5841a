package catalogue

import (
	"cmp"
	"slices"
)

// prefix is a base path of a host and who claims it.
type prefix struct {
	base      string
	guards    []*guard // of the APIs with a claim here, in declared order
	plain     *group   // claims without a selector
	selectors []selectorTable
	fallback  *group // the default version
}

// selectorTable has the versions that are picked by one kind of value: one header
// field, one query parameter, or Accept.
type selectorTable struct {
	kind   SelectorKind
	name   string
	values map[string]*group // SelectHeader, SelectQuery
	days   []dayGroup        // SelectDate: the oldest first
	types  []mediaGroup      // SelectAccept: those with the most parameters first
}

type dayGroup struct {
	day   string
	group *group
}

type mediaGroup struct {
	media media
	group *group
}

// add files a version under its value.
func (t *selectorTable) add(value string, g *group) {
	switch t.kind {
	case SelectDate:
		t.days = append(t.days, dayGroup{value, g})
		slices.SortFunc(t.days, func(a, b dayGroup) int { return cmp.Compare(a.day, b.day) })
	case SelectAccept:
		m, _ := parseMedia(value) // canonical, so that it parses
		t.types = append(t.types, mediaGroup{m, g})
		slices.SortStableFunc(t.types, func(a, b mediaGroup) int {
			return len(b.media.parameters) - len(a.media.parameters)
		})
	default:
		t.values[value] = g
	}
}

// group is one claim and the versions that share it.
type group struct {
	versions   []*Version
	guards     []*guard    // of the versions, in the same order
	operations *operations // nil for a version without a document
}

// operations are the documented operations of a group.
type operations struct {
	exact  *tree // value: 1 + index of items
	folded *tree // value: 1 + index of items, one of those that fold together
	items  []item
}

// item is one path item: what stands at one template shape.
type item struct {
	routes []*Route
	allow  string
}

// route is the operation that a method is judged by. HEAD is judged as GET
// unless it is documented.
func (it *item) route(method string) *Route {
	var get *Route
	for _, r := range it.routes {
		if r.Operation.Method == method {
			return r
		}
		if r.Operation.Method == "GET" {
			get = r
		}
	}
	if method == "HEAD" {
		return get
	}
	return nil
}

// has reports whether a version is one of the group's.
func (g *group) has(v *Version) bool {
	for _, own := range g.versions {
		if own == v {
			return true
		}
	}
	return false
}

// maxCandidates is how many prefixes of one path may be claimed: the root, each
// of the at most eight literal ones, and those with variables.
const maxCandidates = 1 + maxBaseSegments + maxPatternBases

// candidates are the claimed prefixes of a path, the longest first; of equal
// length the more concrete first.
type candidates struct {
	n    int
	list [maxCandidates]candidate
}

type candidate struct {
	prefix uint16
	depth  uint16 // segments
	end    uint32 // where the rest of the path begins
}

func (c *candidates) add(prefix int32, depth, end int) {
	if c.n == len(c.list) {
		return
	}
	i := c.n
	for i > 0 && int(c.list[i-1].depth) < depth {
		c.list[i] = c.list[i-1]
		i--
	}
	c.list[i] = candidate{prefix: uint16(prefix), depth: uint16(depth), end: uint32(end)}
	c.n++
}

// collect gathers the claimed prefixes of a path. merged is given with the
// folded tree.
func (c *candidates) collect(t *tree, merged [][]int32, path string, pos int, at int32, depth int) {
	for {
		n := &t.nodes[at]
		if n.value != 0 {
			if merged == nil {
				c.add(n.value-1, depth, pos)
			} else {
				for _, p := range merged[n.value-1] {
					c.add(p, depth, pos)
				}
			}
		}
		if pos >= len(path) || !n.literals && n.param == 0 {
			return
		}
		start := pos + 1
		end := segmentEnd(path, start)
		next := t.child(at, path[start:end])
		if n.param != 0 && start < end {
			if next != 0 {
				c.collect(t, merged, path, end, next, depth+1)
			}
			next = n.param
		}
		if next == 0 {
			return
		}
		at, pos = next, end
		depth++
	}
}
