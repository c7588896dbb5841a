package catalogue

const (
	// maxNamed is how many different claims of one request are told apart. A
	// request that makes more is ambiguous in any case.
	maxNamed = 4
	// maxSelectorLines is how many values of one selector are read: lines of a header
	// field, repeated query parameters, elements of Accept.
	maxSelectorLines = 64
)

// claims are the claims that a request makes on a host.
type claims struct {
	prefix  *prefix // of the longest claim; of the unclaimed part when n is 0
	end     int     // where the rest of the path begins
	groups  [maxNamed]*group
	n       int
	others  [maxNamed]*group // selected at shorter prefixes
	nOthers int
	tooMany bool
	near    bool // a value, or the name of a selector, that is nearly a version's
}

// resolve finds who claims the request: by a selector or by the longest path
// without one; else the default version of a prefix whose selectors the request
// does not carry at all.
func (cl *claims) resolve(prefixes []*prefix, c *candidates, q *Query) {
	for i := range c.list[:c.n] {
		p := prefixes[c.list[i].prefix]
		end := int(c.list[i].end)
		for j := range p.selectors {
			cl.selected(p, end, &p.selectors[j], q)
		}
		if p.plain != nil && (cl.prefix == nil || cl.prefix == p) {
			cl.name(p, end, p.plain)
		}
	}
	if cl.prefix != nil {
		return
	}
	for i := range c.list[:c.n] {
		p := prefixes[c.list[i].prefix]
		if cl.prefix == nil {
			cl.prefix, cl.end = p, int(c.list[i].end)
		}
		if p.carried(q) {
			// A value that nobody has is not the default's.
			cl.prefix, cl.end = p, int(c.list[i].end)
			return
		}
		if p.fallback != nil {
			cl.prefix, cl.end = p, int(c.list[i].end)
			cl.groups[0], cl.n = p.fallback, 1
			return
		}
	}
}

// selected names the versions whose value the request carries.
func (cl *claims) selected(p *prefix, end int, t *selectorTable, q *Query) {
	switch t.kind {
	case SelectQuery:
		values := queryValues{rest: q.RawQuery, name: t.name}
		n := 0
		for value, ok := values.next(); ok; value, ok = values.next() {
			if n++; n > maxSelectorLines {
				cl.tooMany = true
				return
			}
			g := t.values[string(value)]
			cl.near = cl.near || g == nil && t.nearly(string(value))
			cl.name(p, end, g)
		}
		cl.near = cl.near || t.nearlyAsked(q.RawQuery)
	case SelectAccept:
		ranges := mediaRanges{lines: q.Header["Accept"]}
		for r, ok := ranges.next(); ok; r, ok = ranges.next() {
			cl.name(p, end, t.accepted(r))
		}
		cl.tooMany = cl.tooMany || ranges.tooMany()
	default:
		lines := q.Header[t.name]
		if len(lines) > maxSelectorLines {
			cl.tooMany = true
			lines = lines[:maxSelectorLines]
		}
		for _, line := range lines {
			line = trimSpace(line)
			g := t.values[line]
			if t.kind == SelectDate {
				g = t.dated(line)
			}
			cl.near = cl.near || g == nil && !(t.kind == SelectDate && isDay(line)) && t.nearly(line)
			cl.name(p, end, g)
		}
	}
}

func (p *prefix) carried(q *Query) bool {
	for i := range p.selectors {
		if p.selectors[i].carried(q) {
			return true
		}
	}
	return false
}

// name records a claim. A nil group is a value that nobody has.
func (cl *claims) name(p *prefix, end int, g *group) {
	if g == nil {
		return
	}
	if cl.prefix == nil {
		cl.prefix, cl.end = p, end
	}
	list, n := &cl.groups, &cl.n
	if cl.prefix != p {
		list, n = &cl.others, &cl.nOthers
	}
	for _, known := range list[:*n] {
		if known == g {
			return
		}
	}
	if *n == maxNamed {
		cl.tooMany = true
		return
	}
	list[*n] = g
	*n++
}

// contradiction reports whether the claims name different versions of one API:
// two claims with an API in common, but no version of it.
func (cl *claims) contradiction() bool {
	if cl.tooMany || cl.near {
		return true
	}
	if cl.n+cl.nOthers < 2 {
		return false
	}
	for i, g := range cl.groups[:cl.n] {
		for _, o := range cl.groups[i+1 : cl.n] {
			if g.contradicts(o) {
				return true
			}
		}
		for _, o := range cl.others[:cl.nOthers] {
			if g.contradicts(o) {
				return true
			}
		}
	}
	return false
}

func (g *group) contradicts(o *group) bool {
	for _, api := range g.guards {
		if o.names(api) && !g.sharesVersion(o, api) {
			return true
		}
	}
	return false
}

// sharesVersion reports whether both groups hold some version of one API.
func (g *group) sharesVersion(o *group, api *guard) bool {
	for i, own := range g.guards {
		if own == api && o.has(g.versions[i]) {
			return true
		}
	}
	return false
}

// excludes reports whether another claim of the request names the route's API
// in other versions only.
func (cl *claims) excludes(api *guard, v *Version) bool {
	for _, g := range cl.groups[:cl.n] {
		if g.names(api) && !g.has(v) {
			return true
		}
	}
	for _, g := range cl.others[:cl.nOthers] {
		if g.names(api) && !g.has(v) {
			return true
		}
	}
	return false
}

func (g *group) names(api *guard) bool {
	for _, own := range g.guards {
		if own == api {
			return true
		}
	}
	return false
}
