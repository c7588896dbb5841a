package conformance

import (
	"strconv"
	"strings"
)

// report collects what is wrong, in words of the schema: it never takes a value
// or an undeclared name from the request.
type report struct {
	in     Where
	name   string
	path   []string // "*" stands for a name that the schema does not declare
	errors []Error
}

func (p *report) add(keyword, detail string) {
	if len(p.errors) >= MaxErrors {
		return
	}
	e := Error{In: p.in, Name: p.name, Pointer: pointer(p.path), Keyword: keyword, Detail: detail}
	for _, other := range p.errors {
		if other == e {
			return
		}
	}
	p.errors = append(p.errors, e)
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer writes a JSON pointer (RFC 6901).
func pointer(path []string) string {
	if len(path) == 0 {
		return ""
	}
	var b strings.Builder
	for _, segment := range path {
		b.WriteByte('/')
		_, _ = pointerEscapes.WriteString(&b, segment)
	}
	return b.String()
}

// fail records a failure where there is a report. It is always false.
func (r *run) fail(keyword string, detail ...string) bool {
	if r.report != nil {
		r.report.add(keyword, strings.Join(detail, ""))
	}
	return false
}

func (r *run) failCount(keyword, before string, n int, after string) bool {
	if r.report != nil {
		r.report.add(keyword, before+strconv.Itoa(n)+after)
	}
	return false
}

// typeDetails say each set of types, made once: a wrong type is what most refusals
// are for.
var typeDetails = func() (all [anyType + 1]string) {
	for t := range all {
		all[t] = "must be of the type " + types(t).String()
	}
	return all
}()

func (r *run) failType(n *node) bool {
	if r.report != nil {
		r.report.add("type", typeDetails[n.types])
	}
	return false
}

func (r *run) failBound(b *bound) bool {
	if r.report == nil {
		return false
	}
	words := "must be at least "
	switch {
	case b.below && b.open:
		words = "must be less than "
	case b.below:
		words = "must be at most "
	case b.open:
		words = "must be greater than "
	}
	r.report.add(b.keyword, words+string(b.limit.text))
	return false
}

// element checks an item of an array, property a member's value.
func (r *run) element(n *node, i uint32, position int) bool {
	if r.report == nil {
		return r.check(n, i)
	}
	return r.property(n, i, strconv.Itoa(position))
}

func (r *run) property(n *node, i uint32, name string) bool {
	if r.report == nil {
		return r.check(n, i)
	}
	kept := len(r.report.path)
	r.report.path = append(r.report.path, name)
	ok := r.check(n, i)
	r.report.path = r.report.path[:kept]
	return ok
}

// failBranch reports that no alternative holds. Where the discriminator, the
// value's type, or else the members with fixed values, single out the alternative
// that was meant, it says what is wrong with that one.
func (r *run) failBranch(keyword, detail string, c *combinators, i uint32) bool {
	if r.report == nil {
		return false
	}
	var meant []*node
	nodes := c.any
	if keyword == "oneOf" {
		nodes = c.one
	}
	if at := r.meantBy(&c.choice, i); at >= 0 && (keyword == "oneOf" || c.one == nil) {
		nodes = nodes[at : at+1]
	}
	for _, n := range nodes {
		if n.accepts(r.t.toks[i].kind) {
			meant = append(meant, n)
		}
	}
	if len(meant) > 1 && r.t.toks[i].kind == kindObject {
		fitting := meant[:0]
		for _, n := range meant {
			if r.tagged(n, i) {
				fitting = append(fitting, n)
			}
		}
		meant = fitting
	}
	before := len(r.report.errors)
	if len(meant) == 1 && !r.check(meant[0], i) && len(r.report.errors) > before {
		return false
	}
	return r.fail(keyword, detail)
}

func (n *node) accepts(k kind) bool {
	t := ofKind[k]
	if k == kindNumber {
		t |= typeInteger
	}
	return !n.never && n.types&t != 0
}

// tagged tells whether the object i has, in every member for which n fixes the
// values, one of them.
func (r *run) tagged(n *node, i uint32) bool {
	if n.object == nil {
		return false
	}
	tags := 0
	for m, end := i+1, r.t.toks[i].next; m < end; m = r.t.toks[m+1].next {
		name := r.unescaped(m)
		at := n.object.find(nameKey(name), name)
		if at < 0 || n.object.nodes[at] == nil || n.object.nodes[at].values == nil {
			continue
		}
		if !r.literal(n.object.nodes[at].values, m+1) {
			return false
		}
		tags++
	}
	return tags > 0
}
