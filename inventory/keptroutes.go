package inventory

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// savedRoute is an entry as the store has it.
type savedRoute struct {
	Noise   bool   `json:"noise,omitempty"` // refused or scanned; the first, see noisePrefix
	API     string `json:"api,omitempty"`
	Version string `json:"version,omitempty"`
	Host    string `json:"host,omitempty"`
	Method  string `json:"method"`
	Path    string `json:"path"`

	Since       int64         `json:"since,omitempty"`
	Hits        *savedCounts  `json:"hits,omitempty"` // a document has or had it
	HitCallers  *savedCallers `json:"hit_callers,omitempty"`
	Seen        *savedCounts  `json:"seen,omitempty"`
	SeenCallers *savedCallers `json:"seen_callers,omitempty"`

	Why      why          `json:"why,omitempty"`
	Answer   *savedAnswer `json:"answer,omitempty"`
	Mixed    bool         `json:"mixed,omitempty"`
	Baseline bool         `json:"baseline,omitempty"`

	Exposure *savedExposure `json:"exposure,omitempty"`
	Days     savedHistory   `json:"days,omitempty"`
}

type savedAnswer struct {
	Method string `json:"method"`
	Status int    `json:"status"`
	Type   string `json:"type,omitempty"`
	Length int64  `json:"length"`
	Echoes bool   `json:"echoes,omitempty"`
}

func (a *answer) save() *savedAnswer {
	return &savedAnswer{a.method, a.status, a.contentType, a.length, a.echoes}
}

func (s *savedAnswer) answer() answer {
	return answer{method: s.Method, status: s.Status, contentType: s.Type, length: s.Length, echoes: s.Echoes}
}

// touched is the latest epoch in which a request changed e.
func (e *entry) touched() uint64 {
	if e.hits == nil {
		return e.seen.touched
	}
	return max(e.seen.touched, e.hits.touched.Load())
}

func (inv *Inventory) saveRoutes(all bool, put func(key, value []byte)) {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	for _, e := range inv.routes {
		touched, sum := e.touched(), e.hits.sum()
		if !all && !e.unsaved && !inv.changed(touched, e.mark) && sum == e.sum {
			continue
		}
		e.mark, e.sum, e.unsaved, e.kept = touched, sum, false, true
		put(slices.Clone(e.id[:]), saved(e.save()))
	}
}

func (e *entry) save() *savedRoute {
	s := &savedRoute{
		API: e.key.api, Version: e.key.version, Host: e.key.host, Method: e.key.method, Path: e.key.path,
		Noise: e.shelf == shelfNoise, Since: e.since, Why: e.why, Mixed: e.mixed, Baseline: e.baseline,
	}
	s.Exposure = e.exposure.save()
	if e.hits != nil {
		s.Hits, s.HitCallers = e.hits.save()
	}
	if e.seen.touched != 0 {
		s.Seen = e.seen.save()
		s.SeenCallers = &savedCallers{Traits: uint32(e.traits), Unauthenticated: e.unauthenticated, Unguarded: e.unguarded, Reached: e.reached, Crowd: e.crowd.sketch.save(), One: e.crowd.first}
	}
	if e.answer != (answer{}) {
		s.Answer = e.answer.save()
	}
	counts := e.classes()
	s.Days = e.history.save(&counts)
	return s
}

var errKey = errors.New("the key is not that of the value")

func (inv *Inventory) loadRoute(key, value []byte) error {
	var s savedRoute
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	k := routeKey{api: s.API, version: s.Version, host: s.Host, method: s.Method, path: s.Path}
	id := k.id()
	if string(key) != string(id[:]) {
		return errKey
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	e := inv.routes[id]
	if e != nil {
		before := e.seen.best
		inv.merge(e, &s)
		inv.reshelve(e, before)
		return nil
	}
	e = &entry{key: k, id: id}
	if s.Host != catalogue.AnyHost {
		e.host = inv.recordOf(s.Host)
	}
	if s.Hits != nil {
		e.hits = new(counters)
	}
	inv.merge(e, &s)
	inv.routes[id] = e
	switch {
	case s.Hits != nil:
	case s.Host == hostOther && s.Path == rest:
		inv.overflow = e
	case e.seen.best < rankProbable:
		inv.shelveNoise(e)
	default:
		inv.shelveKnown(e)
		if e.seen.best == rankProbable {
			inv.probable++
		}
	}
	return nil
}

// merge adds what the store has of e to what there is.
func (inv *Inventory) merge(e *entry, s *savedRoute) {
	e.kept = true
	e.history.load(s.Days)
	e.since = earlier(e.since, s.Since)
	e.mergeExposure(s.Exposure)
	if s.Hits != nil && e.hits != nil {
		e.mark = max(e.mark, s.Hits.Touched)
		inv.passEpoch(s.Hits.Touched)
		e.hits.merge(s.Hits, s.HitCallers)
		var stored counters
		stored.merge(s.Hits, s.HitCallers)
		e.sum = stored.sum()
	}
	if s.Seen == nil {
		return
	}
	e.mark = max(e.mark, s.Seen.Touched)
	inv.passEpoch(s.Seen.Touched)
	if !e.seen.any() || rankOf(s.Seen.Best) > e.seen.best {
		e.why, e.mixed, e.echoless = s.Why, s.Mixed, true
		if s.Answer != nil {
			e.answer = s.Answer.answer()
		}
	}
	e.baseline = e.baseline || s.Baseline
	e.seen.merge(s.Seen)
	if c := s.SeenCallers; c != nil {
		e.traits |= traits(c.Traits)
		e.unauthenticated += c.Unauthenticated
		e.unguarded, e.reached = max(e.unguarded, c.Unguarded), max(e.reached, c.Reached)
		e.crowd.merge(c)
	}
}

func (c *crowd) merge(s *savedCallers) {
	c.add(s.One)
	if len(s.Crowd) == 0 {
		return
	}
	if c.sketch == nil {
		c.sketch = new(sketch)
		if c.first != 0 {
			c.sketch.add(c.first)
		}
	}
	c.sketch.merge(s.Crowd)
}

// loaded brings what was loaded in line with the configuration.
func (inv *Inventory) loaded() {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for _, h := range inv.hosts {
		h.sortNoise()
	}
	inv.linkFindings()
	if inv.active != nil {
		inv.align(inv.active)
	}
}

// sortNoise has the latest of the refused and scanned routes in front.
func (h *hostRecord) sortNoise() {
	list := make([]*entry, 0, h.noises)
	for e := h.oldestNoise(); e != nil; e = h.oldestNoise() {
		h.removeNoise(e)
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.seen.last, b.seen.last) })
	for _, e := range list {
		h.pushNoise(e)
	}
}
