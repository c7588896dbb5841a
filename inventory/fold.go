package inventory

import (
	"strings"
	"time"
)

const (
	// foldEvery is how long new routes wait until it is looked whether some of them
	// are one, and foldAfter how many of them do not wait.
	foldEvery = time.Minute
	foldAfter = 256
	// maxFolds is how many places may be folded in all, and maxKept how many names
	// one of them keeps.
	maxFolds = 5_000
	maxKept  = 256
)

// templates is what was learned about templates, and what an operator said.
// Inventory.mu guards it.
type templates struct {
	folds map[scope]map[string]*fold // by the template before the segment
	count int                        // of folds
	pins  map[scope][]*pin
	fresh map[scope]int // known routes that came since the last look
	since time.Time     // when the first of them did; zero: there is none
}

func newTemplates() templates {
	return templates{
		folds: make(map[scope]map[string]*fold), pins: make(map[scope][]*pin), fresh: make(map[scope]int),
	}
}

// fold is a place where a segment is a value: after one template, in one scope.
type fold struct {
	// names says that names are values too, but for the kept ones. Otherwise only
	// what belongs to some lexical class is: several classes at one place are one
	// parameter, since no document may tell /{id} from /{uuid}.
	names   bool
	keep    map[string]bool
	unsaved bool // the store does not have it
}

// holds reports whether a segment is one of the values.
func (f *fold) holds(name, class string, index int, last bool) bool {
	if class != "" {
		return true
	}
	return f.names && name != "" && !f.keep[name] && !isVersion(name, index, last)
}

// templater is what turns the paths of a scope into templates.
func (inv *Inventory) templater(r *Recorder, sc scope, base string) templater {
	t := templater{base: base, folds: inv.templates.folds[sc]}
	if r != nil {
		t.documents, t.words = r.branches[sc], r.words
	}
	return t
}

// ripen notes that a route became known, for the next look.
func (inv *Inventory) ripen(e *entry) {
	inv.templates.fresh[e.key.scope()]++
	if inv.templates.since.IsZero() {
		inv.templates.since = inv.now()
	}
}

// foldDue looks at the scopes that have new routes, when it is time: never while a
// request is recorded, so that an order of requests decides nothing.
func (inv *Inventory) foldDue(now time.Time) {
	t := &inv.templates
	if t.since.IsZero() {
		return
	}
	waited := now.Sub(t.since)
	all := waited >= foldEvery || waited < 0
	for sc, n := range t.fresh {
		if !all && n < foldAfter {
			continue
		}
		delete(t.fresh, sc)
		inv.foldScope(sc)
	}
	if len(t.fresh) == 0 {
		t.since = time.Time{}
	}
}

// foldScope looks for places in a scope where names are values.
func (inv *Inventory) foldScope(sc scope) {
	if inv.splitNames(sc) {
		inv.regroup(sc, nil)
	}
	g := grower{inv: inv, scope: sc, root: new(grove), once: make(map[string]bool)}
	if inv.active != nil {
		g.words, g.documents = inv.active.words, inv.active.branches[sc]
		g.place = inv.active.places[versionKey{sc.api, sc.version}]
	}
	for _, e := range inv.routes {
		if e.key.scope() == sc && e.shelf == shelfKnown && e.seen.best == rankConfirmed && !e.cut() {
			g.plant(e)
		}
	}
	if g.look(g.root, "", g.documents, 0, true) {
		inv.regroup(sc, g.once)
	}
}

func (e *entry) cut() bool { return strings.HasSuffix(e.key.path, rest) }

// regroup gives the known routes of a scope the template that they would get now,
// and makes one of those that get the same. once may be nil, see templater.
func (inv *Inventory) regroup(sc scope, once map[string]bool) {
	var list []*entry
	for _, e := range inv.routes {
		if e.key.scope() == sc && e.shelf == shelfKnown && e.why != whyMethod && !inv.reviewed(e) {
			list = append(list, e)
		}
	}
	var place *place
	if inv.active != nil {
		place = inv.active.places[versionKey{sc.api, sc.version}]
	}
	for _, e := range list {
		path := inv.templates.pinned(sc, e.key.path)
		if path == "" {
			t := inv.templater(inv.active, sc, place.baseOf(e.key.path))
			t.once = once
			path = t.template(e.key.path)
		}
		// What only other nodes have seen stays until they have moved it.
		if path != e.key.path && e.seen.touched != 0 {
			inv.move(e, path)
		}
	}
}

// move makes e, or what is there already, the route of another template. What it
// counted goes with it.
func (inv *Inventory) move(e *entry, path string) {
	k := e.key
	k.path = path
	id := k.id()
	about := inv.learned[e.id]
	inv.forget(e)
	if have := inv.learned[id]; about != nil && (have == nil || have.Samples < about.Samples) {
		inv.unlearn(id)
		about.unsaved = true
		inv.learned[id] = about
		inv.nodes += about.nodes()
	}
	inv.moved(e.id, id)
	inv.leaveShares(e)
	inv.found(e, path)
}

// found adds what was counted of e to the route of a template, which is made where
// there is none.
func (inv *Inventory) found(e *entry, path string) {
	k := e.key
	k.path = path
	id := k.id()
	to := inv.routes[id]
	if to == nil {
		to = &entry{key: k, id: id, host: e.host, why: e.why, answer: e.answer, mixed: e.mixed, echo: e.echo, echoless: e.echoless, since: e.since}
		to.seen.best = e.seen.best
		to.history.begin(dayOf(inv.now()))
		inv.routes[id] = to
		inv.shelveKnown(to)
		if e.seen.best == rankProbable {
			inv.probable++
		}
		if inv.active != nil {
			to.covered = inv.active.covers(&k)
		}
	}
	before := to.seen.best
	counts, today := e.classes(), dayOf(inv.now())
	have := to.classes()
	to.history.roll(&have, today)
	to.history.join(&e.history, &counts, today)
	to.absorb(e, inv.epoch.Load())
	inv.reshelve(to, before)
	to.unsaved = true
}

// absorb adds what was counted of another entry.
func (e *entry) absorb(from *entry, epoch uint64) {
	switch {
	case from.seen.best > e.seen.best:
		e.answer, e.mixed, e.echo, e.echoless = from.answer, from.mixed, from.echo, from.echoless
	case from.seen.best == e.seen.best:
		e.mixed = e.mixed || from.mixed || from.answer != e.answer
		e.echoless = e.echoless || from.echoless || from.echo != e.echo
	}
	e.seen.join(&from.seen)
	e.seen.touched = epoch
	e.traits |= from.traits
	e.unauthenticated += from.unauthenticated
	e.unguarded, e.reached = max(e.unguarded, from.unguarded), max(e.reached, from.reached)
	e.baseline = e.baseline || from.baseline
	e.crowd.join(&from.crowd)
	e.mergeExposure(from.exposure.save())
}

// join adds another tally.
func (t *tally) join(o *tally) {
	t.first, t.last = earlier(t.first, o.first), max(t.last, o.last)
	t.best = max(t.best, o.best)
	for i, n := range o.classes {
		t.classes[i] += n
	}
	if o.verdicts != nil {
		if t.verdicts == nil {
			t.verdicts = new(verdicts)
		}
		for i := range o.verdicts.refused {
			t.verdicts.refused[i] += o.verdicts.refused[i]
			t.verdicts.would[i] += o.verdicts.would[i]
		}
	}
	t.good, t.closed = max(t.good, o.good), max(t.closed, o.closed)
}

// join adds another crowd.
func (c *crowd) join(o *crowd) {
	c.add(o.first)
	if o.sketch == nil {
		return
	}
	if c.sketch == nil {
		c.sketch = new(sketch)
		if c.first != 0 {
			c.sketch.add(c.first)
		}
	}
	for i := range sketchSize {
		c.sketch.raise(uint64(i), o.sketch[i/8].Load()>>(i%8*8)&0xff)
	}
}
