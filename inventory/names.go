package inventory

import (
	"slices"
	"strings"
)

const (
	// maxWatched is how many names at a place of an entry are watched, and
	// maxWatchedName how long one may be in bytes.
	maxWatched     = 8
	maxWatchedName = 48
	// nameHits is how often a name must have been asked for, and nameConsumers by how
	// many, before it can be told from a value that is popular.
	nameHits      = 4
	nameConsumers = 3
	// nameMixed is how many requests of an entry decide that its values are values.
	nameMixed = 1000
)

// watch counts the names that were asked for at one place of an undocumented route
// where a value is expected, because a document has one there or after the same name
// elsewhere: POST /users/login beside a documented GET /users/{user}. A value that
// hardly ever is another one is a name.
type watch struct {
	index int // of the segment
	// strict: everything speaks for a value, so that a name must be asked for more.
	strict bool
	total  uint32
	names  []watched
}

type watched struct {
	name      string
	is, split bool // it is a name, and has a route of its own
	hits      uint32
	consumers [nameConsumers]uint64
}

func (w *watched) several() bool { return w.consumers[nameConsumers-1] != 0 }

// add counts a name, and reports whether it may have become one that is kept. The
// names that come most often stay (Misra and Gries, 1982).
func (w *watch) add(name string, consumer uint64) bool {
	w.total++
	i := slices.IndexFunc(w.names, func(n watched) bool { return n.name == name })
	if i < 0 {
		if len(w.names) == maxWatched {
			w.names = slices.DeleteFunc(w.names, func(n watched) bool { return n.hits <= 1 && !n.is })
			for i := range w.names {
				w.names[i].hits = max(w.names[i].hits, 2) - 1
			}
			if len(w.names) == maxWatched {
				return false
			}
		}
		i, w.names = len(w.names), append(w.names, watched{name: strings.Clone(name)})
	}
	n := &w.names[i]
	n.hits++
	if consumer != 0 && !slices.Contains(n.consumers[:], consumer) {
		if free := slices.Index(n.consumers[:], 0); free >= 0 {
			n.consumers[free] = consumer
		}
	}
	n.is = n.is || w.isName(n)
	return n.is
}

// isName reports whether a name is one rather than a value: it is most of what comes
// here, or, when there is more to go by, an eighth.
func (w *watch) isName(n *watched) bool {
	if w.strict {
		return n.several() && n.hits >= 3*nameHits && 2*n.hits >= w.total
	}
	return n.several() && (n.hits >= nameHits && 2*n.hits >= w.total || n.hits >= 6*nameHits && 8*n.hits >= w.total)
}

// watchNames counts the names of a confirmed request where e's template has values.
func (inv *Inventory) watchNames(e *entry, ob *observation, worth rank) {
	if worth < rankConfirmed || e.shelf != shelfKnown || e.mixedNames || strings.IndexByte(e.key.path, '{') < 0 {
		return
	}
	if e.seen.count() > nameMixed {
		e.mixedNames = true
	}
	ready := false
	documents := ob.rec.branches[e.key.scope()]
	template, path := e.key.path, ob.path
	for index := 0; path != ""; index++ {
		var t, p string
		t, template, _ = strings.Cut(template, "/")
		p, path, _ = strings.Cut(path, "/")
		strict := false
		if documents != nil && index > 0 {
			after, _, _ := strings.Cut(path, "/")
			var text string
			if documents, text, _ = documents.step(ob.rec.words, p, after); after != "" && documents.any() && strings.IndexByte(text, '{') >= 0 {
				strict = true // it is the value that a document says, with something else after it
			}
		}
		if !isPlaceholder(t) || p == "" || len(p) > maxWatchedName || !all(p, isNameByte) || segmentClass(p, index, path == "") != "" || ob.rec.words.values[p] {
			continue
		}
		i := slices.IndexFunc(e.watches, func(w watch) bool { return w.index == index })
		if i < 0 {
			i, e.watches = len(e.watches), append(e.watches, watch{index: index, strict: strict})
		}
		ready = e.watches[i].add(p, ob.consumer) || ready
	}
	if ready {
		inv.ripen(e)
	}
}

func isNameByte(c byte) bool { return isBase64URL(c) || c == '.' || c == ':' }

// splitNames keeps the names that were taken for values in a scope, and gives them
// routes of their own. It reports whether there are any.
func (inv *Inventory) splitNames(sc scope) bool {
	any := false
	each := func(do func(e *entry, w *watch, n *watched)) {
		for _, e := range inv.routes {
			if e.watches == nil || e.key.scope() != sc || e.shelf != shelfKnown || inv.reviewed(e) || inv.templates.isPin(sc, e.key.path) {
				continue
			}
			for i := range e.watches {
				for j := range e.watches[i].names {
					do(e, &e.watches[i], &e.watches[i].names[j])
				}
			}
		}
	}
	each(func(e *entry, w *watch, n *watched) {
		any = n.is && inv.keepName(sc, upTo(e.key.path, w.index-1), n.name) || any
	})
	if !any {
		return false
	}
	// A name at a place is one for all methods, and whatever follows it.
	var list []split
	each(func(e *entry, w *watch, n *watched) {
		if !n.split && inv.templates.folds[sc][upTo(e.key.path, w.index-1)].kept(n.name) {
			n.is, n.split = true, true
			list = append(list, split{e, w.index, n.name, n.hits, n.consumers})
		}
	})
	for i := range list {
		inv.splitName(&list[i])
	}
	for _, e := range inv.routes {
		if e.mixedNames {
			e.watches = nil
		}
	}
	return true
}

// split is a name that is to get a route of its own, beside e.
type split struct {
	*entry
	index     int
	name      string
	hits      uint32
	consumers [nameConsumers]uint64
}

// splitName gives a name that was taken for a value a route of its own, which goes on
// as the one that it was found in does. What came for it is counted there too; where
// nothing else came, that one becomes it.
func (inv *Inventory) splitName(s *split) {
	sc, e := s.key.scope(), s.entry
	path := withSegment(e.key.path, s.index, s.name)
	for _, after := range e.watches {
		if after.index > s.index {
			inv.foldAt(sc, upTo(path, after.index-1), func(f *fold) { f.names = true })
		}
	}
	var place *place
	if inv.active != nil {
		place = inv.active.places[versionKey{sc.api, sc.version}]
	}
	path = inv.templater(inv.active, sc, place.baseOf(path)).template(path)
	if path == e.key.path || e.seen.touched == 0 || inv.routes[e.id] != e {
		return
	}
	if uint64(s.hits) == e.seen.count() {
		inv.move(e, path)
		return
	}
	own := &entry{key: e.key, id: e.id, host: e.host, why: e.why, mixed: true, echoless: true}
	own.seen.first, own.seen.last, own.seen.best = e.seen.first, e.seen.last, rankConfirmed
	own.seen.classes[2] = uint64(s.hits)
	own.seen.good = e.seen.good
	for _, consumer := range s.consumers {
		own.crowd.add(consumer)
	}
	inv.found(own, path)
}

// keepName makes a segment a name at a place, where it would be a value. It reports
// whether it was none.
func (inv *Inventory) keepName(sc scope, before, name string) bool {
	kept := false
	inv.foldAt(sc, before, func(f *fold) {
		if f.keep[name] || len(f.keep) >= maxKept {
			return
		}
		if f.keep == nil {
			f.keep = make(map[string]bool)
		}
		f.keep[name], kept = true, true
	})
	return kept
}

// foldAt changes what is known of a place, as long as there is room for it.
func (inv *Inventory) foldAt(sc scope, before string, change func(*fold)) {
	t := &inv.templates
	f := t.folds[sc][before]
	if f == nil {
		if t.count >= maxFolds {
			return
		}
		t.count++
		f = new(fold)
		if t.folds[sc] == nil {
			t.folds[sc] = make(map[string]*fold)
		}
		t.folds[sc][before] = f
	}
	f.unsaved = true
	change(f)
}

// keeps reports whether a value in path, where the documented template has
// parameters, is a name all the same.
func (t *templates) keeps(sc scope, template, path string) bool {
	folds := t.folds[sc]
	if len(folds) == 0 {
		return false
	}
	for index := 0; path != ""; index++ {
		var p string
		p, path, _ = strings.Cut(path, "/")
		if index > 0 && folds[upTo(template, index-1)].kept(p) {
			return true
		}
	}
	return false
}

func (f *fold) kept(name string) bool { return f != nil && f.keep[name] }

// withSegment is the path with another segment at index, counted as Cut does: 0 is
// what stands before the first slash.
func withSegment(path string, index int, segment string) string {
	parts := strings.Split(path, "/")
	parts[index] = segment
	return strings.Join(parts, "/")
}
