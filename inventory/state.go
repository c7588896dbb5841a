package inventory

import (
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// State is where a route stands: the first of these that holds.
type State string

const (
	// StateShadow: no document of the active configuration has it.
	StateShadow State = "shadow"
	// StateRetired: its version's sunset has passed.
	StateRetired State = "retired"
	// StateDeprecated: its version is deprecated, or its document marks it.
	StateDeprecated State = "deprecated"
	// StateOrphan: documented and watched for 30 days, without a single request
	// in the last 30, while its host had some.
	StateOrphan State = "orphan"
	// StateActive: none of these.
	StateActive State = "active"
)

// orphanAfter is how long an operation must not be called to be an orphan.
const orphanAfter = 30 * 24 * time.Hour

// Reasons: the predicates behind an entry's state, and what else is wrong with
// it. The set is fixed.
const (
	// Of shadows.

	// ReasonUndocumented: no document has it. Every shadow has this reason.
	ReasonUndocumented = "undocumented"
	// ReasonAnswered: upstream answered 2xx to it, and not as it answers to
	// everything.
	ReasonAnswered = "answered-2xx"
	// ReasonHost: nobody declared its host.
	ReasonHost = "host-not-declared"
	// ReasonMethod: its path is documented, its method is not.
	ReasonMethod = "method-not-documented"
	// ReasonSpelling: it would be documented in another letter case, or with one
	// trailing slash more or less.
	ReasonSpelling = "spelled-otherwise"
	// ReasonUnclaimed: its host is declared, but no version claims the request.
	ReasonUnclaimed = "unclaimed"
	// ReasonNoDocument: its version has no document to find it in.
	ReasonNoDocument = "no-document"
	// ReasonAmbiguous: it was asked for in a way that claims two versions.
	ReasonAmbiguous = "version-ambiguous"
	// ReasonTarget: it was asked for in a form that can be read in two ways.
	ReasonTarget = "malformed-target"
	// ReasonDropped: an earlier configuration documented it.
	ReasonDropped = "dropped-from-document"
	// ReasonBaseline: it got only what its host answers to everything.
	ReasonBaseline = "host-baseline"
	// ReasonPreflight: only CORS preflights came to it, whose answers prove nothing.
	ReasonPreflight = "cors-preflight"
	// ReasonOverflow: the sum of all that found no room.
	ReasonOverflow = "over-cap"

	// Of what is no API.

	// ReasonPassthrough: it is declared to be no API and passed through.
	ReasonPassthrough = "passthrough"

	// Of all.

	// ReasonPastSunset: called after its version's sunset.
	ReasonPastSunset = "past-sunset-called"
	// ReasonDeprecatedCalled: called after its version was deprecated.
	ReasonDeprecatedCalled = "deprecated-called"
	// ReasonDeprecatedOperation: its document marks the operation as deprecated.
	ReasonDeprecatedOperation = "deprecated-in-document"
	// ReasonNotCalled: not one request in 30 days, while its host had some.
	ReasonNotCalled = "not-called-30d"
	// ReasonNoDocs: its version has neither a document nor a page for people.
	ReasonNoDocs = "no-docs"
	// ReasonNoOwner: neither its version nor its API has an owner.
	ReasonNoOwner = "no-owner"
	// ReasonNoRetirement: its version is deprecated without a sunset.
	ReasonNoRetirement = "no-retirement-plan"
)

// allReasons is for messages and for checking a query.
var allReasons = [...]string{
	ReasonUndocumented, ReasonAnswered, ReasonHost, ReasonMethod, ReasonSpelling, ReasonUnclaimed, ReasonNoDocument,
	ReasonAmbiguous, ReasonTarget, ReasonDropped, ReasonBaseline, ReasonPreflight, ReasonOverflow, ReasonPastSunset, ReasonDeprecatedCalled,
	ReasonDeprecatedOperation, ReasonNotCalled, ReasonNoDocs, ReasonNoOwner, ReasonNoRetirement,
	ReasonPassthrough,
}

// view is an entry as the active configuration and the clock see it.
type view struct {
	totals
	entry     *entry
	place     *place // nil: its version is not declared
	lifecycle string
	state     State
}

// documented reports whether the active configuration documents e.
func (inv *Inventory) documented(e *entry) bool { return inv.gen > 0 && e.gen == inv.gen }

// listed reports whether e is there for a query: documented, or seen without
// being covered by a document.
func (inv *Inventory) listed(e *entry) bool {
	return inv.documented(e) || e.pass != nil || !e.covered && e.seen.any()
}

// lens takes views for one answer. Inventory.mu is held while it is used.
type lens struct {
	inv   *Inventory
	now   time.Time
	hosts map[string]int64 // when each was last asked for anything; made when asked for
}

// look takes a view of e.
func (l *lens) look(e *entry) view {
	inv, now := l.inv, l.now
	v := view{totals: e.totals(), entry: e, state: StateShadow}
	if e.unproven && v.best == rankConfirmed {
		v.best = rankUnproven
	}
	if e.pass != nil {
		v.state = StateActive
		return v
	}
	documented := inv.documented(e)
	switch {
	case documented:
		v.place = e.slot.place
	case inv.active != nil && e.key.api != "":
		v.place = inv.active.places[versionKey{e.key.api, e.key.version}]
	}
	if v.place != nil {
		life := v.place.version.StateAt(now)
		if documented {
			if sunset := e.slot.route.Operation.Sunset; !sunset.IsZero() && !now.Before(sunset) {
				life = catalogue.StateRetired
			}
		}
		if documented && e.slot.route.Operation.Deprecated && life != catalogue.StateRetired {
			life = catalogue.StateDeprecated
		}
		v.lifecycle = life.String()
	}
	if !documented {
		return v
	}
	v.state = StateActive
	switch v.lifecycle {
	case "retired":
		v.state = StateRetired
	case "deprecated":
		v.state = StateDeprecated
	default:
		past := now.Add(-orphanAfter)
		quiet := !inv.watchedSince(e).After(past) && v.last <= past.UnixNano()
		if quiet && l.hostLast(e.key.host) > past.UnixNano() {
			v.state = StateOrphan
		}
	}
	return v
}

// hostLast is when a host was last asked for anything, in Unix nanoseconds.
func (l *lens) hostLast(name string) int64 {
	if l.hosts == nil {
		l.hosts = make(map[string]int64, len(l.inv.hosts))
		for name, h := range l.inv.hosts {
			l.hosts[name] = h.seen.last
		}
		for i := range l.inv.active.slots {
			s := &l.inv.active.slots[i]
			host := s.entry.key.host
			l.hosts[host] = max(l.hosts[host], s.hits.last.Load())
		}
	}
	return l.hosts[name]
}

// reasons are what holds of v, never nil.
func (l *lens) reasons(v *view) []string {
	list := []string{}
	if v.entry.pass != nil {
		return append(list, ReasonPassthrough)
	}
	if v.state == StateShadow {
		list = l.inv.shadowReasons(list, v)
	}
	if v.state == StateOrphan {
		list = append(list, ReasonNotCalled)
	}
	if v.place == nil {
		return list
	}
	version := v.place.version
	if !version.Sunset.IsZero() && v.last >= nanoseconds(version.Sunset) {
		list = append(list, ReasonPastSunset)
	}
	if !version.Deprecated.IsZero() && v.last >= nanoseconds(version.Deprecated) {
		list = append(list, ReasonDeprecatedCalled)
	}
	if s := v.entry.slot; s != nil && s.route.Operation.Deprecated {
		list = append(list, ReasonDeprecatedOperation)
	}
	if version.Docs == "" && len(version.Documents) == 0 {
		list = append(list, ReasonNoDocs)
	}
	if version.Owner == "" && v.place.api.Owner == "" {
		list = append(list, ReasonNoOwner)
	}
	if v.lifecycle == "deprecated" && version.Sunset.IsZero() {
		list = append(list, ReasonNoRetirement)
	}
	return list
}

func (inv *Inventory) shadowReasons(list []string, v *view) []string {
	e := v.entry
	list = append(list, ReasonUndocumented)
	if v.best >= rankUnproven && v.classes[2] > 0 {
		list = append(list, ReasonAnswered)
	}
	if e == inv.overflow {
		return append(list, ReasonOverflow)
	}
	if h := inv.hosts[e.key.host]; h == nil || !h.declared {
		list = append(list, ReasonHost)
	}
	switch e.why {
	case whyMethod:
		list = append(list, ReasonMethod)
	case whySpelling:
		list = append(list, ReasonSpelling)
	case whyUnclaimed:
		list = append(list, ReasonUnclaimed)
	case whyNoDocument:
		list = append(list, ReasonNoDocument)
	case whyAmbiguous:
		list = append(list, ReasonAmbiguous)
	case whyTarget:
		list = append(list, ReasonTarget)
	case whyPreflight:
		list = append(list, ReasonPreflight)
	}
	if e.since != 0 {
		list = append(list, ReasonDropped)
	}
	if v.best == rankScan && e.baseline {
		list = append(list, ReasonBaseline)
	}
	return list
}
