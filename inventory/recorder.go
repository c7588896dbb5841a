package inventory

import (
	"strings"
	"sync"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// VersionMeta is what the inventory tells about a version besides its catalogue
// entry.
type VersionMeta struct {
	API          string // as the configuration names it
	Version      string // as the configuration names it
	PolicyDigest string // names the policy: equal ones protect alike
	Audience     string // names, comma-separated; empty: everybody
	// Differs says in what the version's policy is another than its API's.
	Differs []string
	// Origins says where each value comes from: configuration, document or default.
	Origins map[string]string
	// Contact and DocumentVersion are what its documents say of themselves.
	Contact, DocumentVersion string
	// Exceptions are what loosens it.
	Exceptions []Exception
}

// Exception is what loosens a version's policy, and until when it does.
type Exception struct {
	Name  string    // as declared
	Until time.Time // it holds before that
}

// Recorder records the requests of one configuration. It is safe for concurrent
// use and none of its methods waits.
type Recorder struct {
	inv *Inventory
	cat *catalogue.Catalogue

	// Operations by Route.Index: those of route i are slots[starts[i]:starts[i+1]],
	// one a host.
	slots  []slot
	starts []uint32
	passes []*entry // by Pass.Index

	places  map[versionKey]*place
	hosts   map[string]*catalogue.Host // by declared name
	methods map[string]string          // that are documented and not standard
	keys    []apiKey                   // of all documents
	shapes  shapes

	branches map[scope]*branch
	words    *vocabulary
	parties  map[string]*Party // third parties by name

	// unchecked is what is not checked of requests to a route, as far as it is known.
	unchecked func(*catalogue.Route) (what []string, known bool)
	// unguarded are the hosts whose requests get by the guard.
	unguarded []Unguarded

	declaredMu sync.Mutex
	declaredBy map[*spec.Operation][]dataclass.Declared
}

// slot is a documented operation on one host.
type slot struct {
	host  *catalogue.Host // nil: the route names no host
	hits  *counters
	entry *entry
	route *catalogue.Route
	place *place
	// statuses are those that the document has; nil: any.
	statuses *statusSet
}

type versionKey struct{ api, version string }

// place is a version as one configuration has it.
type place struct {
	api     *catalogue.API
	version *catalogue.Version
	meta    VersionMeta
	record  *versionRecord
	keys    []apiKey // of its documents
}

// Bind attaches a configuration's catalogue and returns what its handlers record
// with. Documented operations get, or keep, their counters: an operation is the
// same one as long as its API, version, host, method and path are, so counts do
// not go back over a reload. Nothing that a query answers changes before
// Activate, so a configuration that fails after Bind leaves no trace there.
//
// Counters of operations that no configuration has any more stay in memory, so
// that they go on where they were when the operation comes back. Their number is
// that of the distinct operations ever configured.
func (inv *Inventory) Bind(cat *catalogue.Catalogue, meta ...VersionMeta) *Recorder {
	r := &Recorder{
		inv:     inv,
		cat:     cat,
		places:  make(map[versionKey]*place),
		hosts:   make(map[string]*catalogue.Host, len(cat.Hosts)),
		methods: make(map[string]string),
		shapes:  make(shapes),
	}
	for _, h := range cat.Hosts {
		r.hosts[h.Name] = h
	}
	var documents []*spec.Document
	for _, a := range cat.APIs {
		for _, v := range a.Versions {
			r.places[versionKey{a.Name, v.Name}] = &place{api: a, version: v, keys: apiKeys(v.Documents)}
			documents = append(documents, v.Documents...)
		}
	}
	r.keys = apiKeys(documents)
	for _, m := range meta {
		if p := r.places[versionKey{m.API, m.Version}]; p != nil {
			p.meta = m
		}
	}

	inv.mu.Lock()
	defer inv.mu.Unlock()
	for k, p := range r.places {
		p.record = inv.version(k)
	}
	r.starts = append(make([]uint32, 0, len(cat.Routes)+1), 0)
	for _, route := range cat.Routes {
		statuses := statusesOf(route.Operation)
		if _, standard := standardMethod(route.Operation.Method); !standard {
			r.methods[route.Operation.Method] = route.Operation.Method
		}
		if len(route.Hosts) == 0 {
			r.slots = append(r.slots, r.bind(route, nil, statuses))
		}
		for _, h := range route.Hosts {
			r.slots = append(r.slots, r.bind(route, h, statuses))
		}
		r.starts = append(r.starts, uint32(len(r.slots)))
	}
	for _, p := range cat.Passes {
		r.passes = append(r.passes, inv.bound(routeKey{host: p.Host, method: p.Method(), path: p.Path}))
	}
	r.growBranches()
	return r
}

// bind makes the slot of a documented operation. Inventory.mu is held.
func (r *Recorder) bind(route *catalogue.Route, host *catalogue.Host, statuses *statusSet) slot {
	k := routeKey{api: route.API.Name, version: route.Version.Name, method: route.Operation.Method, path: route.Path}
	if host != nil {
		k.host = host.Name
	}
	e := r.inv.bound(k)
	r.shapes.add(e)
	return slot{host: host, hits: e.hits, entry: e, route: route, place: r.places[versionKey{k.api, k.version}], statuses: statuses}
}

// Hit records a request to a documented operation (m.Outcome is Found). It
// touches fixed atomic counters only and allocates nothing.
func (r *Recorder) Hit(m *catalogue.Match, o Outcome) {
	if s := r.slotOf(m); s != nil {
		r.hit(s, &o)
	}
}

// slotOf is the slot of a documented operation that was matched.
func (r *Recorder) slotOf(m *catalogue.Match) *slot {
	if m.Route == nil || uint(m.Route.Index) >= uint(len(r.starts)-1) {
		return nil
	}
	slots := r.slots[r.starts[m.Route.Index]:r.starts[m.Route.Index+1]]
	for i := range slots {
		if slots[i].host == m.Host {
			return &slots[i]
		}
	}
	if len(slots) > 0 {
		return &slots[0]
	}
	return nil
}

// observation is a request that no document has, on its way to the inventory's
// goroutine.
type observation struct {
	rec          *Recorder
	match        catalogue.Outcome
	host         *catalogue.Host // nil: nobody declared it
	api, version string
	base         string
	name         string // of the host, as the request spells it
	method       string
	path         string
	outcome      Outcome
	traits       traits
	anonymous    bool   // a good answer without credentials
	consumer     uint64 // its fast hash, 0 for nobody known
}

// Observe records any other request. host, method and path may be hostile: they
// are cut to size before they are kept and cleaned before anybody sees them, and
// neither they nor m are held after the call. When the queue is full the
// observation is dropped and counted.
func (r *Recorder) Observe(m *catalogue.Match, host, method, path string, o Outcome) {
	if m.Outcome == catalogue.Found {
		r.Hit(m, o)
		return
	}
	if m.Outcome == catalogue.Passed {
		r.passed(m.Pass, &o)
		return
	}
	inv := r.inv
	ob := observation{rec: r, match: m.Outcome, host: m.Host, base: m.Base}
	r.passBy(m, &o, &ob)
	ob.outcome = o
	if len(inv.queue) == cap(inv.queue) {
		inv.dropped.Add(1)
		return
	}
	if m.API != nil {
		ob.api = m.API.Name
	}
	if m.Version != nil {
		ob.version = m.Version.Name
	}
	ob.method = r.methodName(method)
	if m.Host != nil {
		host = ""
	}
	// One byte over the limit shows that there was more.
	host = host[:min(len(host), maxHost+16)]
	path = path[:min(len(path), maxPath+1)]
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	mime := mediaType(o.ContentType)

	var b strings.Builder
	b.Grow(len(host) + len(path) + len(mime))
	b.WriteString(host)
	b.WriteString(path)
	b.WriteString(mime)
	copied := b.String()
	ob.name = copied[:len(host)]
	ob.path = copied[len(host) : len(host)+len(path)]
	ob.outcome.ContentType = copied[len(host)+len(path):]

	select {
	case inv.queue <- ob:
	default:
		inv.dropped.Add(1)
	}
}

// methodName is a string of ours for the method.
func (r *Recorder) methodName(method string) string {
	if m, ok := standardMethod(method); ok {
		return m
	}
	if m, ok := r.methods[method]; ok {
		return m
	}
	return methodOther
}

// declares finds the declared host or pattern that a clean name belongs to.
func (r *Recorder) declares(name string) *catalogue.Host {
	if h := r.hosts[name]; h != nil {
		return h
	}
	if name == hostInvalid || name == hostOther {
		return nil
	}
	return r.cat.HostOf(name)
}

// covers reports whether a documented template stands for an undocumented route
// that was learned under another configuration: the same version has it now, or
// the route belonged to no version, or to one that is gone, and a version that
// needs no selector has it.
func (r *Recorder) covers(k *routeKey) bool {
	if k.api != "" && k.version == "" {
		// An API's path without its selector: no document can claim that.
		return false
	}
	_, same := r.places[versionKey{k.api, k.version}]
	suits := func(e *entry) bool {
		d := &e.key
		if d.method != k.method && (k.method != "HEAD" || d.method != "GET") {
			return false
		}
		if same {
			return d.api == k.api && d.version == k.version
		}
		return r.places[versionKey{d.api, d.version}].claimsWithoutSelector()
	}
	if r.shapes.find(k.host, k.path, suits) != nil || r.passesThrough(k) {
		return true
	}
	h := r.declares(k.host)
	return h != nil && h.Name != k.host && r.shapes.find(h.Name, k.path, suits) != nil
}

func (p *place) claimsWithoutSelector() bool {
	if p == nil {
		return false
	}
	for _, c := range p.version.Claims {
		if c.Select == nil {
			return true
		}
	}
	return len(p.version.Claims) == 0
}
