package conformance

import "math/bits"

func (r *run) object(n *objectRules, i uint32) bool {
	t := r.t
	k := &t.toks[i]
	ok := true
	if n.min >= 0 && int(k.count) < n.min {
		ok = r.failCount("minProperties", "must have at least ", n.min, " properties")
	}
	if n.max >= 0 && int(k.count) > n.max {
		ok = r.failCount("maxProperties", "must have at most ", n.max, " properties")
	}
	missing := n.needed
	for m, end := i+1, k.next; m < end; m = t.toks[m+1].next {
		if !ok && r.report == nil {
			return false
		}
		name := t.raw(m)
		if t.toks[m].flags&flagEscaped != 0 {
			r.name = appendUnescaped(r.name[:0], name)
			name = r.name
		}
		at := n.find(t.toks[m].count, name)
		if at >= 0 && at < 64 {
			missing &^= 1 << at
		}
		if at >= 0 && n.nodes[at] != nil {
			child := n.nodes[at]
			switch {
			case child == anything:
			case r.report != nil:
				ok = r.property(child, m+1, n.names[at]) && ok
			case !r.check(child, m+1):
				return false
			}
			if len(n.patterns) == 0 && n.nameSchema == nil {
				continue
			}
		}
		if !r.loose(n, m, name, at >= 0 && n.nodes[at] != nil) {
			ok = false
		}
	}
	if missing != 0 {
		for ; missing != 0; missing &= missing - 1 {
			ok = r.fail("required", "must have the property ", n.names[bits.TrailingZeros64(missing)])
		}
	}
	if len(n.dependents) > 0 && (ok || r.report != nil) {
		ok = r.dependent(n, i) && ok
	}
	return ok
}

// loose judges a member by the keywords that do not name it.
func (r *run) loose(n *objectRules, m uint32, name []byte, declared bool) bool {
	ok, matched := true, declared
	if r.t.toks[m].flags&flagEscaped != 0 { // judging the value has used the buffer
		r.name = appendUnescaped(r.name[:0], r.t.raw(m))
		name = r.name
	}
	for x, p := range n.patterns {
		if !p.match(name) {
			continue
		}
		matched = true
		if child := n.patternOf[x]; child != nil && !r.property(child, m+1, "*") {
			if ok = false; r.report == nil {
				return false
			}
		}
		if r.t.toks[m].flags&flagEscaped != 0 {
			r.name = appendUnescaped(r.name[:0], r.t.raw(m))
			name = r.name
		}
	}
	if n.nameSchema != nil && !r.silently(n.nameSchema, m) {
		if ok = r.fail("propertyNames", "must have property names as the schema asks for"); r.report == nil {
			return false
		}
	}
	if matched || n.rest == nil {
		return ok
	}
	if n.rest.never {
		return r.fail("additionalProperties", "must not have properties that the schema does not declare")
	}
	return r.property(n.rest, m+1, "*") && ok
}

func (r *run) dependent(n *objectRules, i uint32) bool {
	ok := true
	for x := range n.dependents {
		d := &n.dependents[x]
		if !r.has(i, d.name) {
			continue
		}
		for _, name := range d.needs {
			if r.has(i, name) {
				continue
			}
			if ok = r.fail("dependentRequired", "must have the property ", name); r.report == nil {
				return false
			}
		}
		if d.node != nil && !r.check(d.node, i) {
			if ok = false; r.report == nil {
				return false
			}
		}
	}
	return ok
}

func (r *run) has(i uint32, name string) bool {
	for m, end := i+1, r.t.toks[i].next; m < end; m = r.t.toks[m+1].next {
		if string(r.unescaped(m)) == name {
			return true
		}
	}
	return false
}

func (r *run) combined(c *combinators, i uint32) bool {
	r.depth++
	ok := r.branches(c, i)
	r.depth--
	return ok
}

func (r *run) branches(c *combinators, i uint32) bool {
	ok := true
	for _, n := range c.all {
		if !r.check(n, i) {
			if ok = false; r.report == nil {
				return false
			}
		}
	}
	if len(c.any) > 0 && !r.anyOf(c, i) {
		if ok = r.failBranch("anyOf", "must match at least one of the schema's alternatives", c, i); r.report == nil {
			return false
		}
	}
	if len(c.one) > 0 {
		switch r.count(c, i) {
		case 0:
			ok = r.failBranch("oneOf", "must match one of the schema's alternatives", c, i)
		case 1:
		default:
			ok = r.fail("oneOf", "must match only one of the schema's alternatives")
		}
		if !ok && r.report == nil {
			return false
		}
	}
	if c.not != nil && r.silently(c.not, i) {
		if ok = r.fail("not", "must not match the schema that is excluded"); r.report == nil {
			return false
		}
	}
	if c.test == nil {
		return ok
	}
	if r.silently(c.test, i) {
		return r.check(c.then, i) && ok
	}
	return r.check(c.other, i) && ok
}

// anyOf tries the alternative that the discriminator names first.
func (r *run) anyOf(c *combinators, i uint32) bool {
	meant := -1
	if c.one == nil {
		if meant = r.meantBy(&c.choice, i); meant >= 0 && r.silently(c.any[meant], i) {
			return true
		}
	}
	for x, n := range c.any {
		if x != meant && r.silently(n, i) {
			return true
		}
	}
	return false
}

// count is how many alternatives of oneOf hold, 2 for all above one.
func (r *run) count(c *combinators, i uint32) int {
	found := 0
	tag := r.tagOf(&c.choice, i)
	for x, n := range c.one {
		if !c.excludes(x, tag) && r.silently(n, i) {
			if found++; found > 1 {
				return found
			}
		}
	}
	return found
}

// silently checks without reporting: what fails there is no fault by itself.
func (r *run) silently(n *node, i uint32) bool {
	kept := r.report
	r.report = nil
	r.depth++
	ok := r.check(n, i)
	r.depth--
	r.report = kept
	return ok
}
