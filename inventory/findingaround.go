package inventory

import (
	"slices"
	"strings"
	"time"
)

// siblingsNeeded is how many routes beside one must have been called with
// credentials only for it to stand out.
const siblingsNeeded = 3

// surroundings are what findings about one route need to know of others.
type surroundings struct {
	families map[family]*siblings
	stages   map[stage]*reach
}

// family are the routes of a version on a host that begin with the same segment.
type family struct {
	scope
	begins string
}

type siblings struct {
	guarded int // called with credentials, and never answered well without
	open    []*entry
}

// stage is a version on a host, with the environment that they are.
type stage struct {
	scope
	environment, source string
}

type reach struct {
	routes uint64
	last   int64
}

func (s *surroundings) add(inv *Inventory, now time.Time, e *entry) {
	if e == inv.overflow || e.pass != nil || !inv.listed(e) {
		return
	}
	best, reached, unguarded := e.seen.best, e.reached, e.unguarded
	if e.hits != nil {
		best = max(best, rank(e.hits.best.Load()))
		reached, unguarded = max(reached, e.hits.reached.Load()), max(unguarded, e.hits.unguarded.Load())
	}
	if best < rankConfirmed {
		return
	}
	place := inv.active.places[versionKey{e.key.api, e.key.version}]
	if environment, source := environmentOf(place, e.key.host); recent(now, reached) && offStage(environment, source) {
		if s.stages == nil {
			s.stages = make(map[stage]*reach)
		}
		at := stage{e.key.scope(), environment, source}
		if s.stages[at] == nil {
			s.stages[at] = new(reach)
		}
		r := s.stages[at]
		r.routes++
		r.last = max(r.last, reached)
	}
	seen, unauthenticated := e.callers()
	open := recent(now, unguarded) && !declaredOpen(e)
	if guarded := unauthenticated == 0 && seen&anyCredentials != 0; guarded || open {
		if s.families == nil {
			s.families = make(map[family]*siblings)
		}
		at := family{e.key.scope(), beginning(e.key.path, place.baseOf(e.key.path))}
		if s.families[at] == nil {
			s.families[at] = new(siblings)
		}
		if guarded {
			s.families[at].guarded++
		} else {
			s.families[at].open = append(s.families[at].open, e)
		}
	}
}

// beginning is the base path and the first segment after it.
func beginning(path, base string) string {
	return upTo(path, strings.Count(base, "/")+1)
}

// declaredOpen reports whether a document says that an operation needs no
// credentials, or asks for them: then that is another finding.
func declaredOpen(e *entry) bool {
	if e.slot == nil || e.slot.route.Operation.Op == nil {
		return false
	}
	op := e.slot.route.Operation
	return op.AsksCredentials() || op.Op.Security != nil || op.Document.Root != nil && op.Document.Root.Security != nil
}

// findAround looks for routes that are open where those beside them are not, and for
// environments that the public reaches and should not.
func (inv *Inventory) findAround(now time.Time, s *surroundings, uses map[versionKey]*versionUse) {
	for _, family := range s.families {
		if family.guarded < siblingsNeeded || family.guarded < 4*len(family.open) {
			continue
		}
		for _, e := range family.open {
			if inv.reviewed(e) {
				continue
			}
			_, count := e.callers()
			last := e.unguarded
			if e.hits != nil {
				last = max(last, e.hits.unguarded.Load())
			}
			p := proof{count: count, routes: uint64(family.guarded), at: last, best: rankConfirmed}
			inv.hold(now, routeFinding(findOpenSibling, e), e, p, 0, last)
		}
	}
	refused := make(map[versionKey]int64)
	for k, place := range inv.active.places {
		place.record.refusedAudience.look(uses[k].refusedAudience, now)
		refused[k] = place.record.refusedAudience.at
	}
	for at, r := range s.stages {
		if r.last <= refused[versionKey{at.api, at.version}] {
			continue // it was reserved since
		}
		how := at.environment + ", as its host's name says"
		if at.source == "declared" {
			how = at.environment + ", as declared"
		}
		p := proof{routes: r.routes, at: r.last, best: rankConfirmed, detail: how}
		inv.hold(now, findingKey{kind: findNonProduction, api: at.api, version: at.version, host: at.host}, nil, p, 0, r.last)
	}
}

// enumerate names some of many things.
func enumerate(what []string) string {
	const most = 5
	if len(what) <= most {
		return strings.Join(what, ", ")
	}
	return strings.Join(slices.Concat(what[:most], []string{"and more"}), ", ")
}
