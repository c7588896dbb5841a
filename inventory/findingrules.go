package inventory

import (
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

const (
	// stillCalled is how long after its latest request something still is called:
	// a month has the jobs that run once in it.
	stillCalled = 30 * 24 * time.Hour
	// scanSize is how many refused and scanned requests within an hour are a scan,
	// for the finding and the event scan_detected, whenever that hour begins.
	scanSize = 100
	// scanFades is how long a scan is one after its latest request.
	scanFades = time.Hour
)

// grown is a counter that is looked at from time to time.
type grown struct {
	count uint64
	at    int64 // when it was last found to be more than before; 0: never
}

func (g *grown) look(count uint64, now time.Time) {
	if count > g.count {
		g.count, g.at = count, now.UnixNano()
	}
}

// versionUse is the traffic of a version, documented or not.
type versionUse struct {
	totals
	refusedRetired, passedRetired uint64 // verdicts of the rule lifecycle
	refusedAudience               uint64
	shadows                       uint64 // routes in no document
}

// findRoutes looks for what is wrong with routes, and sums up the versions.
func (inv *Inventory) findRoutes(now time.Time) map[versionKey]*versionUse {
	uses := make(map[versionKey]*versionUse, len(inv.active.places))
	for k := range inv.active.places {
		u := new(versionUse)
		if v := inv.versions[k]; v != nil {
			u.addTally(&v.seen)
			var n verdicts
			if v.seen.verdicts != nil {
				n = *v.seen.verdicts
			}
			v.seen.shares.addVerdicts(&n)
			u.refusedRetired, u.passedRetired = n.refused[ruleLifecycle], n.would[ruleLifecycle]
			u.refusedAudience = n.refused[ruleAudience]
		}
		uses[k] = u
	}
	l := lens{inv: inv, now: now}
	var around surroundings
	for _, e := range inv.routes {
		around.add(inv, now, e)
		u := uses[versionKey{e.key.api, e.key.version}]
		if u != nil && e.hits != nil {
			u.addCounters(e.hits)
			var n verdicts
			e.hits.shares.addVerdicts(&n)
			u.refusedRetired += e.hits.refused[ruleLifecycle].Load() + n.refused[ruleLifecycle]
			u.passedRetired += e.hits.would[ruleLifecycle].Load() + n.would[ruleLifecycle]
			u.refusedAudience += e.hits.refused[ruleAudience].Load() + n.refused[ruleAudience]
		}
		switch {
		case inv.documented(e):
			inv.findDocumented(&l, e)
		case inv.listed(e) && e.pass == nil && e != inv.overflow:
			if u != nil {
				u.shadows++
			}
			inv.findShadow(now, e)
		}
	}
	inv.findAround(now, &around, uses)
	return uses
}

// findShadow looks at a route that no document has.
func (inv *Inventory) findShadow(now time.Time, e *entry) {
	if e.seen.best != rankConfirmed || !e.seen.answers(now) || inv.reviewed(e) {
		return
	}
	kind := findShadow
	if e.unproven {
		kind = findShadowScan
	}
	if p := inv.active.places[versionKey{e.key.api, e.key.version}]; p != nil && len(p.version.Documents) == 0 {
		kind = findUndescribed
	}
	p := proof{count: e.seen.class(2), at: e.seen.good, best: e.rank(), why: e.why, dropped: e.since != 0}
	inv.hold(now, routeFinding(kind, e), e, p, e.seen.first, e.seen.good)
}

// findDocumented looks at an operation that a document has.
func (inv *Inventory) findDocumented(l *lens, e *entry) {
	operation, place := e.slot.route.Operation, e.slot.place
	if last := e.hits.unguarded.Load(); recent(l.now, last) && operation.AsksCredentials() {
		p := proof{count: e.hits.unauthenticated.Load() + e.hits.shares.unauthenticated(), at: last, best: rankConfirmed}
		inv.hold(l.now, routeFinding(findUnauthenticated, e), e, p, 0, last)
	}
	inv.takeStrange(e)
	if what, count, last := inv.driftOf(e, l.now.Add(-stillCalled).UnixNano()); len(what) > 0 {
		p := proof{count: count, at: last, best: rankConfirmed, detail: enumerate(what)}
		inv.hold(l.now, routeFinding(findDrift, e), e, p, 0, last)
	}
	inv.findUnchecked(l.now, e)
	if !operation.Deprecated {
		return
	}
	if life := place.version.StateAt(l.now); life == catalogue.StateDeprecated || life == catalogue.StateRetired {
		return // the version's finding says it
	}
	if t := e.totals(); recent(l.now, t.last) {
		p := proof{count: t.count, at: t.last, best: t.best}
		inv.hold(l.now, routeFinding(findDeprecated, e), e, p, 0, t.last)
	}
}

func routeFinding(kind findingKind, e *entry) findingKey {
	return findingKey{kind: kind, api: e.key.api, version: e.key.version, host: e.key.host, route: e.id}
}

func recent(now time.Time, last int64) bool {
	return last != 0 && last > now.Add(-stillCalled).UnixNano()
}

// findVersions looks for what is wrong with the declared versions.
func (inv *Inventory) findVersions(now time.Time, uses map[versionKey]*versionUse) {
	for k, place := range inv.active.places {
		v, u := place.version, uses[k]
		hold := func(kind findingKind, p proof, last int64) {
			inv.hold(now, findingKey{kind: kind, api: k.api, version: k.version}, nil, p, 0, last)
		}
		p := proof{count: u.count, consumers: uint64(place.record.consumers), routes: u.shadows, at: u.last, best: u.best}
		if len(v.Documents) == 0 {
			hold(findNoDocument, p, 0)
		}
		if place.owner() == "" {
			hold(findNoOwner, p, 0)
		}
		if differs := place.meta.Differs; len(differs) > 0 {
			p := p
			p.detail = strings.Join(differs, "; ")
			hold(findDiffers, p, 0)
		}
		if ended := place.meta.ended(now); len(ended) > 0 {
			p := p
			p.detail = "Exception " + strings.Join(ended, ", ")
			hold(findExpired, p, 0)
		}
		switch v.StateAt(now) {
		case catalogue.StateDeprecated:
			if v.Sunset.IsZero() {
				hold(findNoRetirement, p, 0)
			}
			if recent(now, u.last) && u.last >= nanoseconds(v.Deprecated) {
				hold(findDeprecated, p, u.last)
			}
		case catalogue.StateRetired:
			if !recent(now, u.last) || u.last < nanoseconds(v.Sunset) {
				continue
			}
			if place.record.answersRetired(u, now) {
				hold(findRetiredAnswers, p, u.last)
			} else {
				p.count = u.refusedRetired
				hold(findRetired, p, u.last)
			}
		}
	}
}

// ended are the exceptions that hold no more.
func (m *VersionMeta) ended(now time.Time) []string {
	var names []string
	for _, e := range m.Exceptions {
		if !now.Before(e.Until) {
			names = append(names, e.Name+" ("+e.Until.UTC().Format(time.RFC3339)+")")
		}
	}
	return names
}

// answersRetired reports whether requests to a retired version are passed on. The
// rule lifecycle refuses each, or says in monitor that it would; what it did last
// counts, so that the move from monitor to enforce shows. If it never said
// anything it is off, and upstream's answers tell.
func (v *versionRecord) answersRetired(u *versionUse, now time.Time) bool {
	v.refusedRetired.look(u.refusedRetired, now)
	v.passedRetired.look(u.passedRetired, now)
	if v.refusedRetired.at == 0 && v.passedRetired.at == 0 {
		return u.best >= rankProbable
	}
	return v.passedRetired.at >= v.refusedRetired.at
}

// findHosts looks for what is wrong with hosts.
func (inv *Inventory) findHosts(now time.Time) {
	for _, h := range inv.hosts {
		if h.name == hostInvalid || h.name == hostOther {
			continue
		}
		if !h.declared && recent(now, h.seen.last) {
			kind, p := findHost, proof{count: h.seen.all(), at: h.seen.last, best: h.seen.best}
			if h.seen.answers(now) {
				kind, p.count, p.at = findHostAnswers, h.seen.class(2), h.seen.good
			}
			inv.hold(now, findingKey{kind: kind, host: h.name}, nil, p, h.seen.first, h.seen.last)
		}
		if scan, end, found := scanIn(h.scans(), now); found {
			p := proof{count: scan.requests, routes: scan.routes, at: scan.from, best: rankScan}
			inv.hold(now, findingKey{kind: findScan, host: h.name}, nil, p, scan.from, min(now.UnixNano(), end))
		}
	}
}
