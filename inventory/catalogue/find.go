package catalogue

import "math"

// HostOf is the declared host that a canonical host name belongs to: the exact
// name, else the pattern that covers it. It is nil when nobody declared it.
func (c *Catalogue) HostOf(name string) *Host {
	if h := c.hosts.lookup(name); h != nil {
		return h.host
	}
	return nil
}

// match resolves the path as it is.
func (c *Catalogue) match(q *Query, m *Match) {
	*m = Match{}
	h := c.hosts.lookup(q.Host)
	if h == nil {
		return
	}
	m.Host = h.host
	m.Outcome = Unclaimed
	if q.Path == "" || q.Path[0] != '/' || uint64(len(q.Path)) > math.MaxUint32 {
		return
	}
	var near candidates
	near.collect(h.exact, nil, q.Path, 0, 0, 0)
	var cl claims
	cl.resolve(h.prefixes, &near, q)
	cl.settle(q, m)
	switch m.Outcome {
	case Found:
		m.Bound = m.Route.bound
		if m.Route.dynamic {
			bound := boundQuery{path: q.Path, method: q.Method, route: m.Route}
			m.Route.guard.ask(&bound, false)
			m.Bound |= bound.bits
		}
	default:
		h.miss(q, m, &cl)
	}
}

// settle finds the operation among the claims of a request.
func (cl *claims) settle(q *Query, m *Match) {
	if cl.prefix == nil {
		return
	}
	m.Base = cl.prefix.base
	if cl.tooMany || cl.near {
		// What was not read, or is read otherwise elsewhere, may name any version.
		m.ambiguous(cl.prefix.guards[0].api)
		return
	}
	if cl.n == 0 {
		m.API = cl.prefix.guards[0].api
		return
	}
	if cl.contradiction() {
		m.ambiguous(cl.groups[0].guards[0].api)
		return
	}
	var found *item
	var by *group
	for _, g := range cl.groups[:cl.n] {
		it := g.find(q, cl.end, m)
		if it == nil {
			continue
		}
		if found != nil && found.routes[0] != it.routes[0] {
			m.ambiguous(found.routes[0].API)
			return
		}
		found, by = it, g
	}
	if found == nil {
		cl.noRoute(m)
		return
	}
	if cl.n > 1 {
		by.find(q, cl.end, m) // a search in vain may have left its parameters
	}
	r := found.route(q.Method)
	m.Outcome = Found
	if r == nil {
		m.Outcome, m.Allow = NoMethod, found.allow
		r = found.routes[0]
	}
	if cl.n+cl.nOthers > 1 && cl.excludes(r.guard, r.Version) {
		m.ambiguous(r.API)
		return
	}
	m.API, m.Version = r.API, r.Version
	if m.Outcome == Found {
		m.Route = r
	}
}

func (m *Match) ambiguous(api *API) {
	m.Outcome, m.API, m.Version, m.Allow = Ambiguous, api, nil, ""
}

// find is the path item of the rest of the path.
func (g *group) find(q *Query, end int, m *Match) *item {
	if g.operations == nil {
		return nil
	}
	v := g.operations.exact.find(q.Path, end, 0, 0, &m.Params)
	if v == 0 {
		return nil
	}
	return &g.operations.items[v-1]
}

// noRoute attributes a path that no document has to the first version that all
// claims agree on.
func (cl *claims) noRoute(m *Match) {
	g := cl.groups[0]
	m.Outcome = NoRoute
	if g.operations == nil {
		m.Outcome = NoDocument
	}
	m.API, m.Version = g.guards[0].api, g.versions[0]
	for i, v := range g.versions {
		if !cl.excludes(g.guards[i], v) {
			m.API, m.Version = g.guards[i].api, v
			return
		}
	}
}

// miss completes a match without a route: the bindings that hold nevertheless,
// and whether the path is one spelled otherwise.
func (h *hostEntry) miss(q *Query, m *Match, cl *claims) {
	bound := boundQuery{path: q.Path, method: q.Method}
	switch {
	case cl.prefix == nil:
		for _, g := range h.guards {
			g.ask(&bound, true)
		}
	case cl.n == 0:
		for _, g := range cl.prefix.guards {
			g.ask(&bound, false)
		}
	default:
		for _, g := range cl.groups[:cl.n] {
			g.ask(&bound)
		}
	}
	m.Bound = bound.bits
	if m.Outcome == NoMethod || m.Outcome == Ambiguous {
		return
	}
	if h.nearMiss(q, m, cl) {
		return
	}
	if bound.folded && !bound.exact {
		m.Outcome = NearMiss
	}
}

// ask asks the bindings of every API of the group.
func (g *group) ask(bound *boundQuery) {
	for _, api := range g.guards {
		api.ask(bound, false)
	}
}

// nearMiss looks for the path in another letter case and with a slash more or
// less at its end. exact are the claims of the path as it is.
func (h *hostEntry) nearMiss(q *Query, m *Match, exact *claims) bool {
	var near candidates
	near.collect(h.folded, h.merged, q.Path, 0, 0, 0)
	var cl claims
	cl.resolve(h.prefixes, &near, q)
	if cl.n == 0 || cl.contradiction() {
		return false
	}
	for _, g := range cl.groups[:cl.n] {
		if g.operations == nil {
			continue
		}
		v := g.operations.folded.find(q.Path, cl.end, 0, 0, nil)
		if v == 0 {
			continue
		}
		r := g.operations.items[v-1].routes[0]
		m.nearly(q, &cl, r.API, r.Version)
		m.Outcome = NearMiss
		return true
	}
	if exact.prefix != nil {
		return false
	}
	// Nobody claims the path as it is spelled, but somebody would: what stands
	// behind may not mind the letter case, so the limits do not either.
	g := cl.groups[0]
	m.nearly(q, &cl, g.guards[0].api, g.versions[0])
	if g.operations == nil {
		m.Outcome = NearMiss
		return true
	}
	m.Version = nil
	return false
}

// nearly attributes a request to what it nearly is, whose bindings hold.
func (m *Match) nearly(q *Query, cl *claims, api *API, v *Version) {
	bound := boundQuery{path: q.Path, method: q.Method}
	for _, g := range cl.groups[:cl.n] {
		g.ask(&bound)
	}
	m.Bound |= bound.bits
	m.API, m.Version, m.Base = api, v, cl.prefix.base
}
