package inventory

import (
	"hash/maphash"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// why is how an observation missed the documents.
type why uint8

const (
	whyNoRoute why = iota
	whyUnclaimed
	whyNoDocument
	whyAmbiguous
	whySpelling
	whyMethod
	whyTarget
	whyPreflight
)

// learn records one observation. Inventory.mu is held.
func (inv *Inventory) learn(ob *observation, now time.Time) {
	o := &ob.outcome
	epoch := inv.epoch.Load()
	worth := o.worth()

	name := inv.hostName(ob)
	host := inv.admitHost(name, worth)
	known, baseline := inv.find(ob, host), false
	if known == nil && o.Forwarded && !o.Preflight && ob.match != catalogue.NoMethod {
		is, learned := host.baseline.observe(answerOf(ob.method, o), ob.path, maphash.String(inv.seed, ob.path))
		for i := range learned {
			inv.demote(host, &learned[i])
		}
		if is {
			worth, baseline = rankScan, true
		}
	}

	host.seen.add(o, worth, epoch)
	if n := host.seen.count(); !host.declared && powerOfTen(n) {
		inv.announceHost(host, n, now)
	}
	if ob.version != "" {
		inv.version(versionKey{ob.api, ob.version}).seen.add(o, worth, epoch)
	}

	e, first := known, false
	if e == nil {
		e, first = inv.entryFor(ob, host, worth)
	}
	before := e.rank()
	wasKnown := e.shelf != shelfNoise
	if why := ob.why(); why != whyPreflight || before <= rankScan {
		e.why = why
	}
	e.baseline = e.baseline || baseline
	e.remember(ob, worth)
	e.seen.add(o, worth, epoch)
	e.traits |= ob.traits
	e.crowd.add(ob.consumer)
	if ob.anonymous {
		e.unauthenticated++
		e.unguarded = max(e.unguarded, o.Time)
	}
	if o.Forwarded && ob.traits&traitPublic != 0 {
		e.reached = max(e.reached, o.Time)
	}
	inv.objectTo(ob, e)
	inv.reshelve(e, before)
	inv.reweigh(e, first)
	inv.watchNames(e, ob, worth)
	if worth <= rankRefused && !o.Preflight {
		inv.countNoise(host, worth, first, now)
	}
	inv.announceRoute(e, before, wasKnown && !first, now)
}

// hostName is the name that the observation's host is kept under: the declared
// name or pattern, else the clean one. A request that was refused before it was
// matched is looked up here.
func (inv *Inventory) hostName(ob *observation) string {
	if ob.host != nil {
		return ob.host.Name
	}
	name := cleanHost(ob.name)
	if h := ob.rec.declares(name); h != nil {
		ob.host = h
		if ob.match == catalogue.UnknownHost {
			ob.match = catalogue.Unclaimed
		}
		return h.Name
	}
	return name
}

func (ob *observation) why() why {
	if ob.outcome.Preflight {
		return whyPreflight
	}
	switch ob.match {
	case catalogue.Ambiguous:
		return whyAmbiguous
	case catalogue.NoDocument:
		return whyNoDocument
	case catalogue.NearMiss:
		return whySpelling
	case catalogue.NoMethod:
		return whyMethod
	case catalogue.Unclaimed:
		if ob.outcome.Rule == "target" {
			return whyTarget
		}
		return whyUnclaimed
	default:
		return whyNoRoute
	}
}

// find is the entry of an operation that an earlier configuration documented and
// that this request calls, so that its history goes on.
func (inv *Inventory) find(ob *observation, host *hostRecord) *entry {
	if len(inv.gone) == 0 || ob.match == catalogue.NearMiss || ob.match == catalogue.NoMethod {
		return nil
	}
	return inv.gone.find(host.name, ob.path, func(e *entry) bool {
		if e.key.method != ob.method {
			return false
		}
		if e.key.api == ob.api && e.key.version == ob.version {
			return true
		}
		_, declared := ob.rec.places[versionKey{e.key.api, e.key.version}]
		return !declared
	})
}

// entryFor finds or makes the entry of a request that no document has or had.
func (inv *Inventory) entryFor(ob *observation, host *hostRecord, worth rank) (e *entry, first bool) {
	k := inv.keyOf(ob, host, worth)
	id := k.id()
	if e := inv.routes[id]; e != nil {
		return e, false
	}
	e = &entry{key: k, id: id, host: host}
	e.history.begin(dayOf(inv.now()))
	if worth == rankConfirmed && host.scannedBy(ob.consumer) {
		// It may be one more of a scan's, which must not push out others.
		worth = rankUnproven
	}
	if !inv.admit(e, worth) {
		return inv.overflowEntry(), false
	}
	if worth >= rankProbable {
		inv.keeper.hurry()
	}
	if ob.rec != inv.active && inv.active != nil {
		// A late request of an earlier configuration.
		e.covered = inv.active.covers(&k)
	}
	return e, true
}

// keyOf is the key of a request that no document has or had. What was refused or
// not found is templated by lexical classes alone, unless it asked for a route that
// is known: then it is one more request to that.
func (inv *Inventory) keyOf(ob *observation, host *hostRecord, worth rank) routeKey {
	k := routeKey{api: ob.api, version: ob.version, host: host.name, method: ob.method}
	if ob.match == catalogue.NoMethod {
		// The path is documented, the method is not: its template is known.
		if d := ob.rec.shapes.find(k.host, ob.path, func(e *entry) bool {
			return e.key.api == k.api && e.key.version == k.version
		}); d != nil && !ob.rec.words.among(d.key.path, ob.path) && !inv.templates.keeps(k.scope(), d.key.path, ob.path) {
			k.path = d.key.path
		}
	}
	if k.path != "" {
		return k
	}
	t, path := inv.templater(ob.rec, k.scope(), ob.base), asRequested(ob.path)
	k.path = inv.templates.pinned(k.scope(), path)
	if k.path == "" {
		k.path = t.template(path)
	}
	if worth >= rankProbable {
		return k
	}
	if e := inv.routes[k.id()]; e == nil || e.shelf == shelfNoise {
		k.path = lexical(ob.base, ob.path)
	}
	return k
}

// remember keeps which answer the entry's evidence rests on, so that it can be
// taken back when that answer turns out to be the host's baseline.
func (e *entry) remember(ob *observation, worth rank) {
	if worth < rankProbable || worth < e.seen.best {
		return
	}
	a := answerOf(ob.method, &ob.outcome)
	switch {
	case worth > e.seen.best:
		e.answer, e.mixed = a, false
		e.echo, e.echoless = a.echo(ob.path), false
	default:
		e.mixed = e.mixed || e.answer != a
		e.echoless = e.echoless || e.echo != a.echo(ob.path)
	}
}

// demote takes back the evidence that rests on an answer which has just become
// its host's baseline.
func (inv *Inventory) demote(host *hostRecord, a *answer) {
	for _, e := range inv.routes {
		if e.host != host || e.shelf != shelfKnown || !e.restsOn(a) {
			continue
		}
		inv.unshelve(e)
		e.seen.best, e.baseline = rankScan, true
		e.seen.touched = inv.epoch.Load()
		inv.shelveNoise(e)
	}
}

// restsOn reports whether e's evidence is one answer, or one that repeats the path.
func (e *entry) restsOn(a *answer) bool {
	if a.echoes {
		return !e.echoless && e.echo == *a
	}
	return !e.mixed && e.answer == *a
}

func (inv *Inventory) version(k versionKey) *versionRecord {
	v := inv.versions[k]
	if v == nil {
		today := days{day: dayOf(inv.now())}
		v = &versionRecord{key: k, index: uint64(len(inv.versions) + 1), days: today, othersDays: today}
		inv.versions[k] = v
	}
	return v
}

func powerOfTen(n uint64) bool {
	if n == 0 {
		return false
	}
	for n%10 == 0 {
		n /= 10
	}
	return n == 1
}
