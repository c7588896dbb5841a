package inventory

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// PlanQuery asks how things stand at some time, past or to come.
type PlanQuery struct {
	// At is when the states hold; the traffic is that of the latest 30 days in any case.
	At time.Time
	// Mode is the mode of the rule lifecycle for a version.
	Mode func(api, version string) string
	// Excepted is the exception from that rule that an integration has then; empty:
	// none.
	Excepted func(api, version, integration string, at time.Time) string
}

// Plan is each version as it will stand at a time, and what of the traffic of the
// latest 30 days it would refuse then.
type Plan struct {
	List[PlanEntry]
	At            Time `json:"at"`             // as asked
	WindowDays    int  `json:"window_days"`    // how many days of traffic, today's too: 30
	ObservedSince Time `json:"observed_since"` // counts began here
}

// PlanEntry is one version.
type PlanEntry struct {
	API     string `json:"api"`     // as the configuration names it
	Version string `json:"version"` // as the configuration names it
	// State is the version's then; Brownout says that it takes a rest.
	State      string `json:"state"`
	Brownout   bool   `json:"brownout"`   // false once it is retired
	Deprecated Time   `json:"deprecated"` // null: no date
	Sunset     Time   `json:"sunset"`     // null: no date
	// Next is when the state changes after that, and Then what to; null and empty
	// when it stays.
	Next Time   `json:"next"`
	Then string `json:"then"` // a state, or "brownout"
	// Mode is that of the rule lifecycle: only enforce refuses.
	Mode string `json:"mode"`

	// Requests are those of the latest 30 days, refused ones too.
	Requests uint64 `json:"requests"`
	// WouldRefuse is what of them the version would refuse then: what those say that
	// are known, and for the others all.
	WouldRefuse PlanLoss `json:"would_refuse"`
	// Callers are who made them, the busiest first, 20 at most.
	Callers []PlanCaller `json:"callers"`
	// Operations are those that end before their version, and have then.
	Operations []PlanOperation `json:"operations"`
	Readiness  Readiness       `json:"readiness"` // as of now, not then
}

// PlanLoss is traffic that is refused.
type PlanLoss struct {
	Requests  uint64 `json:"requests"`  // of the latest 30 days
	Consumers int    `json:"consumers"` // that are known and have no exception
}

// PlanCaller is a consumer of a version.
type PlanCaller struct {
	Consumer string `json:"consumer"`  // as in ConsumerEntry
	Name     string `json:"name"`      // of an integration; else empty
	Requests uint64 `json:"requests"`  // of the latest 30 days
	LastSeen Time   `json:"last_seen"` // its latest request to the version
	Refused  bool   `json:"refused"`   // it would be, at that time
	// Exception is the one that it is not refused by.
	Exception string `json:"exception"`
}

// PlanOperation is an operation whose document ends it before its version.
type PlanOperation struct {
	Method   string `json:"method"`    // as in RouteEntry
	Host     string `json:"host"`      // as in RouteEntry
	Path     string `json:"path"`      // template with its base path
	Sunset   Time   `json:"sunset"`    // the document's x-sunset
	Count    uint64 `json:"count"`     // since first_seen
	LastSeen Time   `json:"last_seen"` // null: never called
}

// Trends of a version's traffic.
const (
	TrendNone    = "none"    // no request in 14 days
	TrendStopped = "stopped" // some in the week before the latest, none since
	TrendFalling = "falling" // by more than a tenth from week to week
	TrendSteady  = "steady"
	TrendRising  = "rising"
)

// Readiness says how far a version is from being missed by nobody.
type Readiness struct {
	// Callers is how many consumers called within the latest 30 days.
	Callers int    `json:"callers"`
	Trend   string `json:"trend"` // one of the Trend constants
	// Days are the requests of the latest 30 days (UTC), today last.
	Days     [planWindow]uint64 `json:"days"`
	LastSeen Time               `json:"last_seen"` // the version's latest request; null: none
	// QuietSince is the day from which on nobody called; null while today is one
	// with calls, or nobody ever called.
	QuietSince Time `json:"quiet_since"`
	// Ready: nobody called within 30 days, and that long was looked.
	Ready bool `json:"ready"`
}

const (
	maxPlanCallers = 20
	week           = 7
)

// GapWindow: counts began less than 30 days ago, so what came before is not known.
const GapWindow = "observed-less-than-30d"

// GapNode: of requests by day each node of a fleet knows its own alone.
const GapNode = "requests-of-this-node"

// Plan answers what the versions of the active configuration are at q.At.
func (inv *Inventory) Plan(q PlanQuery) Plan {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	now := inv.now()
	p := Plan{List: newList[PlanEntry](inv, now, false), At: Time{q.At.UTC()}, WindowDays: planWindow, ObservedSince: instant(inv.start)}
	p.consumerGap(inv.consumers)
	watched := now.UnixNano()-inv.start >= int64(planWindow*24*time.Hour)
	if !watched {
		p.Complete = false
		p.Gaps = append(p.Gaps, Gap{Kind: GapWindow, Detail: "Counts began " + time.Unix(0, inv.start).UTC().Format(time.RFC3339) + "; what was called before is not known."})
	}
	if inv.fleet.hasJoined() {
		p.Complete = false
		p.Gaps = append(p.Gaps, Gap{Kind: GapNode, Detail: "Requests, their days and the trend are those of this node; who called, and when last, is told of all nodes. Ask each for its own."})
	}
	if inv.active == nil {
		return p
	}
	callers := inv.callersByVersion(now)
	counts := inv.versionCounts()
	for _, api := range inv.active.cat.APIs {
		for _, v := range api.Versions {
			k := versionKey{api.Name, v.Name}
			record := inv.active.places[k].record
			e := PlanEntry{
				API: api.Name, Version: v.Name, State: v.StateAt(q.At).String(), Brownout: brownout(v, q.At),
				Deprecated: date(v.Deprecated), Sunset: date(v.Sunset), Mode: q.Mode(api.Name, v.Name),
				Callers: []PlanCaller{}, Operations: []PlanOperation{},
			}
			e.Next, e.Then = nextChange(v, q.At)
			e.Readiness = readiness(record.days.window(counts[k], dayOf(now)), inv.lastSeen(k), now, watched)
			e.Readiness.Callers = len(callers[k])
			for _, n := range e.Readiness.Days {
				e.Requests += n
			}
			e.judge(callers[k], q)
			p.Items = append(p.Items, e)
		}
	}
	inv.planOperations(&p, q.At)
	return p
}

func brownout(v *catalogue.Version, at time.Time) bool {
	return v.StateAt(at) != catalogue.StateRetired && v.BrownoutAt(at)
}

// nextChange is the next time after at when the version is another.
func nextChange(v *catalogue.Version, at time.Time) (Time, string) {
	var next time.Time
	consider := func(t time.Time) {
		if t.After(at) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	consider(v.Deprecated)
	consider(v.Sunset)
	for _, w := range v.Brownouts {
		consider(w.From)
		consider(w.To)
	}
	switch {
	case next.IsZero():
		return Time{}, ""
	case brownout(v, next):
		return Time{next}, "brownout"
	default:
		return Time{next}, v.StateAt(next).String()
	}
}

// judge says what of the callers' traffic is refused then.
func (e *PlanEntry) judge(callers []PlanCaller, q PlanQuery) {
	ends := e.Mode == "enforce" && (e.Brownout || e.State == catalogue.StateRetired.String() || e.State == catalogue.StateDesign.String())
	var spared uint64
	for i := range callers {
		c := &callers[i]
		if !ends {
			continue
		}
		if c.Name != "" {
			c.Exception = q.Excepted(e.API, e.Version, c.Name, q.At)
		}
		if c.Exception != "" {
			spared += c.Requests
			continue
		}
		c.Refused = true
		e.WouldRefuse.Consumers++
	}
	if ends {
		e.WouldRefuse.Requests = e.Requests - min(spared, e.Requests)
	}
	e.Callers = append(e.Callers, callers[:min(len(callers), maxPlanCallers)]...)
}

// callersByVersion are who called within the window, the busiest first.
// Inventory.mu is held.
func (inv *Inventory) callersByVersion(now time.Time) map[versionKey][]PlanCaller {
	all := make(map[versionKey][]PlanCaller)
	c, today, since := inv.consumers, dayOf(now), now.Add(-planWindow*24*time.Hour).UnixNano()
	add := func(r *consumerRecord, w [planWindow]uint64, last int64) {
		n := sum(w[:])
		if n == 0 && last < since {
			return
		}
		entry := c.entry(r)
		all[r.version.key] = append(all[r.version.key], PlanCaller{Consumer: entry.Consumer, Name: entry.Name, Requests: n, LastSeen: entry.LastSeen})
	}
	for i := range c.records {
		r := &c.records[i]
		add(r, r.days.window(c.countOf(r), today), c.lastOf(r))
	}
	for _, v := range inv.versions {
		if first := v.othersFirst.Load(); first != 0 {
			add(&consumerRecord{kind: consumerOther, first: first, version: v}, v.othersDays.window(v.others.count.Load(), today), v.others.last.Load())
		}
	}
	for _, list := range all {
		slices.SortFunc(list, func(a, b PlanCaller) int {
			return cmp.Or(-cmp.Compare(a.Requests, b.Requests), strings.Compare(a.Consumer, b.Consumer))
		})
	}
	return all
}

func sum(counts []uint64) uint64 {
	var n uint64
	for _, c := range counts {
		n += c
	}
	return n
}

// lastSeen is when a version was last called. Inventory.mu is held.
func (inv *Inventory) lastSeen(k versionKey) int64 {
	last := inv.versions[k].seen.last
	for _, e := range inv.routes {
		if e.hits != nil && e.key.api == k.api && e.key.version == k.version {
			last = max(last, e.hits.last.Load())
		}
	}
	return last
}

func readiness(w [planWindow]uint64, last int64, now time.Time, watched bool) Readiness {
	r := Readiness{Days: w, LastSeen: instant(last), Trend: trendOf(&w)}
	if last != 0 {
		if quiet := time.Unix(0, last).UTC().Truncate(24*time.Hour).AddDate(0, 0, 1); !quiet.After(now) {
			r.QuietSince = Time{quiet}
		}
	}
	r.Ready = watched && sum(w[:]) == 0 && last < now.Add(-planWindow*24*time.Hour).UnixNano()
	return r
}

// trendOf compares the latest seven whole days with the seven before.
func trendOf(w *[planWindow]uint64) string {
	const end = planWindow - 1 // today is not over
	latest, before := sum(w[end-week:end]), sum(w[end-2*week:end-week])
	switch {
	case latest+before+w[end] == 0:
		return TrendNone
	case latest+w[end] == 0:
		return TrendStopped
	case latest*10 < before*9:
		return TrendFalling
	case latest*10 > before*11:
		return TrendRising
	default:
		return TrendSteady
	}
}

// planOperations adds the operations that end before their version. Inventory.mu is
// held.
func (inv *Inventory) planOperations(p *Plan, at time.Time) {
	entries := make(map[versionKey]*PlanEntry, len(p.Items))
	for i := range p.Items {
		entries[versionKey{p.Items[i].API, p.Items[i].Version}] = &p.Items[i]
	}
	for _, e := range inv.routes {
		if !inv.documented(e) {
			continue
		}
		sunset := e.slot.route.Operation.Sunset
		entry := entries[versionKey{e.key.api, e.key.version}]
		if sunset.IsZero() || at.Before(sunset) || entry == nil || entry.State == catalogue.StateRetired.String() {
			continue
		}
		t := e.totals()
		entry.Operations = append(entry.Operations, PlanOperation{
			Method: e.key.method, Host: e.key.host, Path: e.key.path, Sunset: Time{sunset}, Count: t.count, LastSeen: instant(t.last),
		})
	}
	for _, entry := range entries {
		slices.SortFunc(entry.Operations, func(a, b PlanOperation) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method), strings.Compare(a.Host, b.Host))
		})
	}
}
