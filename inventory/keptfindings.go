package inventory

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
)

// savedFinding is a finding as the store has it.
type savedFinding struct {
	Kind    string `json:"kind"`
	API     string `json:"api,omitempty"`
	Version string `json:"version,omitempty"`
	Host    string `json:"host,omitempty"`
	Party   string `json:"party,omitempty"`
	Route   string `json:"route,omitempty"`
	Method  string `json:"method,omitempty"` // of the route, which may be gone
	Path    string `json:"path,omitempty"`
	First   int64  `json:"first"`
	Last    int64  `json:"last"`
	Closed  int64  `json:"closed,omitempty"`
	Told    bool   `json:"told,omitempty"`

	Count     uint64   `json:"count,omitempty"`
	Consumers uint64   `json:"consumers,omitempty"`
	Routes    uint64   `json:"routes,omitempty"`
	At        int64    `json:"at,omitempty"`
	Best      Evidence `json:"best,omitempty"`
	Why       why      `json:"why,omitempty"`
	Dropped   bool     `json:"dropped,omitempty"`
	Detail    string   `json:"detail,omitempty"`

	Classes     uint16   `json:"classes,omitempty"` // bits, see dataclass.Set
	Products    []string `json:"products,omitempty"`
	Environment string   `json:"environment,omitempty"`
}

// findingGrain is how far the last time of a finding that goes on may lag behind in
// the store: what it rests on is kept by itself.
const findingGrain = int64(time.Minute)

func (inv *Inventory) saveFindings(all bool, put func(key, value []byte)) {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	for _, f := range inv.findings.byKey {
		if !all && !f.unsaved && f.last-f.keptLast < findingGrain {
			continue
		}
		f.unsaved, f.kept, f.keptLast = false, true, f.last
		k, p := &f.key, &f.proof
		s := savedFinding{
			Kind: k.kind.String(), API: k.api, Version: k.version, Host: k.host, Party: k.party,
			First: f.first, Last: f.last, Closed: f.closed, Told: f.told,
			Count: p.count, Consumers: p.consumers, Routes: p.routes, At: p.at, Best: evidenceOf[p.best], Why: p.why, Dropped: p.dropped, Detail: p.detail,
			Classes: uint16(p.classes), Products: p.products, Environment: p.environment,
		}
		if f.route != nil {
			s.Route, s.Method, s.Path = k.route.String(), f.route.key.method, f.route.key.path
		}
		id := k.id()
		put(id[:], saved(s))
	}
}

func (inv *Inventory) loadFinding(key, value []byte) error {
	var s savedFinding
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	kind := findingKind(0)
	for ; kind < numFindingKinds && kind.String() != s.Kind; kind++ {
	}
	if kind == numFindingKinds {
		return fmt.Errorf("unknown kind of finding %q", s.Kind)
	}
	k := findingKey{kind: kind, api: s.API, version: s.Version, host: s.Host, party: s.Party}
	f := &finding{
		first: s.First, last: s.Last, closed: s.Closed, told: s.Told, kept: true, keptLast: s.Last,
		proof: proof{count: s.Count, consumers: s.Consumers, routes: s.Routes, at: s.At, best: rankOf(s.Best), why: s.Why, dropped: s.Dropped, detail: s.Detail,
			classes: dataclass.Set(s.Classes), products: s.Products, environment: s.Environment},
	}
	if s.Route != "" {
		id, ok := parseRouteID(s.Route)
		if !ok {
			return errKey
		}
		k.route = id
		f.route = &entry{id: id, key: routeKey{api: s.API, version: s.Version, host: s.Host, method: s.Method, path: s.Path}}
	}
	f.key = k
	if id := k.id(); string(id[:]) != string(key) {
		return errKey
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if had := inv.findings.byKey[k]; had != nil {
		had.first, had.told, had.unsaved = earlier(had.first, f.first), f.told, true
		return nil
	}
	inv.findings.byKey[k] = f
	if f.closed != 0 {
		inv.findings.closed++
	}
	return nil
}

// linkFindings leads findings that were loaded to the entries that they are about.
func (inv *Inventory) linkFindings() {
	for _, f := range inv.findings.byKey {
		if f.route != nil && inv.routes[f.key.route] != nil {
			f.route = inv.routes[f.key.route]
		}
	}
}

// savedReview is a review as the store has it.
type savedReview struct {
	Review string `json:"review"`
	Note   string `json:"note,omitempty"`
	At     int64  `json:"at"`
}

func (inv *Inventory) saveReviews(all bool, put func(key, value []byte)) {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	for id, r := range inv.reviews {
		if all || r.unsaved {
			r.unsaved = false
			put(id[:], saved(savedReview{r.Review.Review, r.Note, r.at}))
		}
	}
}

func (inv *Inventory) loadReview(key, value []byte) error {
	var s savedReview
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	r := &review{Review: Review{Review: s.Review, Note: s.Note}, at: s.At}
	if err := r.check(); err != nil {
		return err
	}
	if len(key) != len(routeID{}) {
		return errKey
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if _, had := inv.reviews[routeID(key)]; !had {
		inv.reviews[routeID(key)] = r
	}
	return nil
}
