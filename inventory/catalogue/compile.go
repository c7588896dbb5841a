package catalogue

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// compileHosts turns what was gathered into the tables that requests meet.
func (b *builder) compileHosts() error {
	table := &b.catalogue.hosts
	for _, h := range b.hosts {
		entry := &hostEntry{host: h.host}
		for _, api := range h.host.APIs {
			entry.guards = append(entry.guards, b.guards[api])
		}
		exact, folded := newTreeBuilder(false), newTreeBuilder(true)
		for i, at := range h.bases {
			p, err := b.compileBase(h.host, at)
			if err != nil {
				return err
			}
			entry.prefixes = append(entry.prefixes, p)
			exact.insert(at.segments).value = int32(i + 1)
			n := folded.insert(at.segments)
			if n.value == 0 {
				entry.merged = append(entry.merged, nil)
				n.value = int32(len(entry.merged))
			}
			entry.merged[n.value-1] = append(entry.merged[n.value-1], int32(i))
		}
		entry.exact, entry.folded = exact.build(), folded.build()
		table.add(h.host.Name, entry)
	}
	slices.SortStableFunc(table.patterns, func(x, y hostPattern) int { return x.wildcards() - y.wildcards() })
	return nil
}

// compileBase compiles the claims of one base path.
func (b *builder) compileBase(host *Host, at *baseBuild) (*prefix, error) {
	p := &prefix{base: at.base}
	for _, c := range at.claims {
		members := c.members
		if c.selector.Kind == 0 {
			members = at.explicit(c.members)
		}
		if c.selector.Kind == SelectDate {
			// A day must not lead from a version that is served to one that is not yet.
			members = slices.DeleteFunc(slices.Clone(members), func(m member) bool { return m.version.State == StateDesign })
		}
		if len(members) == 0 {
			continue
		}
		g, err := b.compileGroup(host, at, members)
		if err != nil {
			return nil, err
		}
		if c.selector.Kind == 0 {
			p.plain = g
		} else {
			p.table(c.selector).add(c.selector.Value, g)
		}
	}
	if at.fallback != nil {
		g, err := b.compileGroup(host, at, []member{*at.fallback})
		if err != nil {
			return nil, err
		}
		p.fallback = g
	}
	for _, api := range host.APIs {
		if at.names(api) {
			p.guards = append(p.guards, b.guards[api])
		}
	}
	return p, nil
}

// explicit leaves out the default version where other versions of its API are
// told apart by selectors: there it answers for no selector, not for any.
func (at *baseBuild) explicit(members []member) []member {
	return slices.DeleteFunc(slices.Clone(members), func(m member) bool {
		return m.version.Default && slices.ContainsFunc(at.claims, func(c *claimBuild) bool {
			return c.selector.Kind != 0 && slices.ContainsFunc(c.members, func(o member) bool {
				return o.api == m.api && o.version != m.version
			})
		})
	})
}

func (at *baseBuild) names(api *API) bool {
	return slices.ContainsFunc(at.claims, func(c *claimBuild) bool {
		return slices.ContainsFunc(c.members, func(m member) bool { return m.api == api })
	})
}

// table finds or makes the table of a kind of value.
func (p *prefix) table(s Selector) *selectorTable {
	for i := range p.selectors {
		if p.selectors[i].kind == s.Kind && p.selectors[i].name == s.Name {
			return &p.selectors[i]
		}
	}
	p.selectors = append(p.selectors, selectorTable{kind: s.Kind, name: s.Name, values: make(map[string]*group)})
	return &p.selectors[len(p.selectors)-1]
}

func (b *builder) compileGroup(host *Host, at *baseBuild, members []member) (*group, error) {
	g := &group{}
	for _, m := range members {
		g.versions = append(g.versions, m.version)
		g.guards = append(g.guards, b.guards[m.api])
	}
	if !members[0].documented() {
		return g, nil
	}
	ops, err := b.compileOperations(at, members)
	if err != nil {
		return nil, err
	}
	for i := range ops.items {
		for _, r := range ops.items[i].routes {
			if !slices.Contains(r.Hosts, host) {
				r.Hosts = append(r.Hosts, host)
			}
		}
	}
	g.operations = ops
	return g, nil
}

// compileOperations builds the trees of a group. Groups of other hosts with the
// same operations share them.
func (b *builder) compileOperations(at *baseBuild, members []member) (*operations, error) {
	key := b.signature(at, members)
	if known := b.compiled[key]; known != nil {
		return known, nil
	}
	exact, folded := newTreeBuilder(false), newTreeBuilder(true)
	ops := &operations{}
	for _, m := range members {
		for _, op := range m.operations {
			t := b.template(op)
			if t.err != nil {
				b.problem(m.api, m.version, op.Method+" "+op.Template, t.err.Error())
				continue
			}
			n := exact.insert(t.Segments)
			if n.value == 0 {
				ops.items = append(ops.items, item{})
				n.value = int32(len(ops.items))
			}
			added, err := b.addRoute(&ops.items[n.value-1], at, m, op, t)
			if err != nil {
				return nil, err
			}
			if f := folded.insert(t.Segments); added && f.value == 0 {
				f.value = n.value
			}
		}
	}
	b.joinSpans(ops, exact, at, members)
	for i := range ops.items {
		ops.items[i].allow = allow(ops.items[i].routes)
	}
	ops.exact, ops.folded = exact.build(), folded.build()
	b.compiled[key] = ops
	return ops, nil
}

// joinSpans lets a multi-segment parameter that spans one segment stand beside
// bare parameters: GET /a/{b} with a spanning b and DELETE /a/{c} are one path
// item for /a/x. A method that the bare one has is the bare one's.
func (b *builder) joinSpans(ops *operations, exact *treeBuilder, at *baseBuild, members []member) {
	for _, m := range members {
		for _, op := range m.operations {
			r := b.routes[routeKey{version: m.version, base: at.base, operation: op}]
			if r == nil || len(op.MultiSegment) == 0 {
				continue
			}
			n := exact.lookup(b.template(op).single())
			if n == nil || n.value == 0 {
				continue
			}
			it := &ops.items[n.value-1]
			if !slices.ContainsFunc(it.routes, func(o *Route) bool { return o.Operation.Method == op.Method }) {
				it.routes = append(it.routes, r)
			}
		}
	}
}

// single is the template with every parameter confined to one segment.
func (t *template) single() []spec.Segment {
	segments := slices.Clone(t.Segments)
	for i, s := range segments {
		if s.IsParam() {
			segments[i] = spec.Segment{Parts: []spec.Part{{Param: s.Parts[0].Param}}}
		}
	}
	return segments
}

// addRoute gives an operation its route. Within one document the first of two
// operations with the same method and shape is kept; between documents that is a
// contradiction.
func (b *builder) addRoute(it *item, at *baseBuild, m member, op *spec.Operation, t *template) (bool, error) {
	for _, r := range it.routes {
		if r.Operation.Method != op.Method {
			continue
		}
		if r.Version == m.version && r.Operation.Document == op.Document {
			if !slices.Contains(r.Alternatives, op) {
				r.Alternatives = append(r.Alternatives, op)
				b.problem(m.api, m.version, op.Method+" "+op.Template,
					fmt.Sprintf("a request for it cannot be told from one for %s; requests for either count as the latter", r.Operation.Template))
			}
			return false, nil
		}
		first := member{api: r.API, version: r.Version}
		return false, &Error{API: m.api.Name, Version: m.version.Name,
			Err: fmt.Errorf("%s %s in %q overlaps with %s %s in %q of %s (path %s/): %w",
				op.Method, op.Template, documentName(op), r.Operation.Method, r.Operation.Template,
				documentName(r.Operation), first, at.base, errShared)}
	}
	key := routeKey{version: m.version, base: at.base, operation: op}
	r := b.routes[key]
	if r == nil {
		r = &Route{
			API: m.api, Version: m.version, Operation: op,
			Path: at.base + t.Text, Params: t.Params,
			segments: append(slices.Clone(at.segments), t.Segments...),
			guard:    b.guards[m.api],
		}
		b.routes[key] = r
		b.catalogue.Routes = append(b.catalogue.Routes, r)
	}
	it.routes = append(it.routes, r)
	return true, nil
}

func documentName(op *spec.Operation) string {
	if op.Document == nil {
		return ""
	}
	return op.Document.Name
}

// template parses an operation's template once.
func (b *builder) template(op *spec.Operation) *template {
	t := b.templates[op]
	if t != nil {
		return t
	}
	t = &template{number: len(b.templates)}
	t.Template, t.err = spec.ParseTemplate(op.Template, op.MultiSegment...)
	if t.err == nil && len(t.Params) > MaxParams {
		t.err = fmt.Errorf("the template has %d parameters; at most %d are supported", len(t.Params), MaxParams)
	}
	b.templates[op] = t
	return t
}

// signature identifies what compileOperations would build.
func (b *builder) signature(at *baseBuild, members []member) string {
	key := append([]byte(at.base), 0)
	for _, m := range members {
		key = append(key, m.api.Name...)
		key = append(key, 0)
		key = append(key, m.version.Name...)
		key = append(key, 0)
		for _, op := range m.operations {
			key = binary.AppendUvarint(key, uint64(b.template(op).number)+1)
		}
		key = append(key, 0)
	}
	return string(key)
}

// allow is the value of the Allow header: the documented methods, sorted, and
// HEAD where GET is.
func allow(routes []*Route) string {
	var methods []string
	for _, r := range routes {
		methods = append(methods, r.Operation.Method)
	}
	if slices.Contains(methods, "GET") && !slices.Contains(methods, "HEAD") {
		methods = append(methods, "HEAD")
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}
