package inventory

import (
	"maps"
	"slices"
	"strings"
)

const (
	// foldNames is how many names at one place are looked at for being values, and
	// foldLoud how many it takes when a few consumers brought them. It takes
	// foldPlain times as many where hardly one has a digit in it, as the names of
	// routes have none.
	foldNames = 12
	foldLoud  = 64
	foldPlain = 3
	// rareHits is up to how many requests a name is a rare one.
	rareHits = 3
	// popular is the share of all requests to a place, one in so many, from which on a
	// name there is one of its own rather than a popular value.
	popular = 12
)

// grove is a node of the tree of the confirmed routes of a scope. It is made for
// one look and thrown away.
type grove struct {
	kids map[string]*grove
	hits uint64
	ends bool // a route ends here
	// who is the one consumer that called, many that there were more.
	who   uint64
	many  bool
	fixed bool // an operator said something about a route here or below
}

type grower struct {
	inv       *Inventory
	scope     scope
	root      *grove
	words     *vocabulary
	documents *branch
	place     *place
	once      map[string]bool // see templater
}

// plant adds a route.
func (g *grower) plant(e *entry) {
	fixed := g.inv.reviewed(e) || g.inv.templates.isPin(g.scope, e.key.path)
	n := g.root
	path := strings.TrimPrefix(e.key.path, "/")
	for more := true; more; {
		n.count(e, fixed)
		var segment string
		segment, path, more = strings.Cut(path, "/")
		kid := n.kids[segment]
		if kid == nil {
			kid = new(grove)
			if n.kids == nil {
				n.kids = make(map[string]*grove)
			}
			n.kids[segment] = kid
		}
		n = kid
	}
	n.count(e, fixed)
	n.ends = true
}

func (n *grove) count(e *entry, fixed bool) {
	n.hits += e.seen.count()
	n.fixed = n.fixed || fixed
	n.meet(e.crowd.first, e.crowd.sketch != nil)
}

func (n *grove) meet(who uint64, many bool) {
	if n.who == 0 {
		n.who = who
	}
	n.many = n.many || many || who != 0 && who != n.who
}

// merge adds another node.
func (n *grove) merge(o *grove) {
	n.hits += o.hits
	n.ends = n.ends || o.ends
	n.fixed = n.fixed || o.fixed
	n.meet(o.who, o.many)
	for segment, kid := range o.kids {
		if mine := n.kids[segment]; mine != nil {
			mine.merge(kid)
			continue
		}
		if n.kids == nil {
			n.kids = make(map[string]*grove)
		}
		n.kids[segment] = kid
	}
}

// look folds what is to be folded at n and below, from the root on: what is folded
// above brings together what is below. It reports whether anything was. before is
// the template of n, depth its number of segments, and leading says that all of
// them only lead to the API: its base path, versions, "api". The first segment
// after those is never folded, whatever comes: it is what tells one thing from
// another, and everybody may invent one.
func (g *grower) look(n *grove, before string, documents *branch, depth int, leading bool) bool {
	any := false
	if !leading && depth > 0 {
		any = g.fold(n, before, documents, depth)
	}
	for segment, kid := range n.kids {
		var next *branch
		if documents != nil {
			next, _, _ = documents.step(g.words, segment, "")
		}
		leads := leading && g.leads(before, segment, depth)
		any = g.look(kid, before+"/"+segment, next, depth+1, leads) || any
	}
	return any
}

// leads reports whether a segment after nothing but leading ones is one too.
func (g *grower) leads(before, segment string, depth int) bool {
	if base := g.place.baseOf(before + "/" + segment); base != "" && strings.Count(base, "/") > depth {
		return true
	}
	switch segment {
	case "api", "apis", "rest", "services", "public", "internal":
		return true
	}
	return segment != "" && isVersion(segment, depth, false)
}

// fold looks at the segments after n.
func (g *grower) fold(n *grove, before string, documents *branch, depth int) bool {
	t := &g.inv.templates
	f := t.folds[g.scope][before]
	var classes, names []string
	for segment, kid := range n.kids {
		switch {
		case kid.fixed || segment == "" || g.documents != nil && documents != nil && documents.names[segment] != nil:
		case strings.IndexByte(segment, '{') >= 0:
			if documents == nil || !slices.ContainsFunc(documents.values, func(v value) bool { return v.text == segment }) {
				classes = append(classes, segment)
			}
		case isVersion(segment, depth, len(kid.kids) == 0) || g.words.has(segment) || commonNames[segment]:
		default:
			names = append(names, segment)
		}
	}
	values, loud := n.values(names)
	if len(values)+len(loud) == 0 && (f != nil || len(classes) < 2) {
		return false
	}
	for _, segment := range loud {
		g.once[before+"/"+segment] = true
	}
	if f == nil {
		if t.count >= maxFolds {
			return false
		}
		t.count++
		f = new(fold)
		if t.folds[g.scope] == nil {
			t.folds[g.scope] = make(map[string]*fold)
		}
		t.folds[g.scope][before] = f
	}
	f.unsaved = true
	one := n.kids[folded]
	if one == nil {
		one = new(grove)
	}
	for _, segment := range slices.Concat(classes, values, loud) {
		if segment != folded {
			one.merge(n.kids[segment])
			delete(n.kids, segment)
		}
	}
	n.kids[folded] = one
	if len(values) == 0 {
		return true
	}
	f.names = true
	if f.keep == nil {
		f.keep = make(map[string]bool)
	}
	for segment := range n.kids {
		if len(f.keep) < maxKept && strings.IndexByte(segment, '{') < 0 {
			f.keep[segment] = true
		}
	}
	return true
}

// values picks those of the names after n that are values. Names that a few loud
// consumers alone brought do not decide: what one client sends must not change what
// a template is for others. They are values where the others say so. Where there are
// very many of them they are put together (loud), and nothing else: what others call
// stays, and so does what comes later.
func (n *grove) values(names []string) (values, loud []string) {
	if len(names) < foldNames {
		return nil, nil
	}
	others, loud := n.byLoudness(names)
	if values = n.open(others, foldNames); values != nil {
		return append(values, n.open(loud, 1)...), nil
	}
	least := foldLoud
	if n.kids[folded] != nil {
		least = foldNames
	}
	return nil, n.open(loud, least)
}

// byLoudness splits names: those that consumers brought alone who each brought two
// and more than a sixteenth of all names, and the others.
func (n *grove) byLoudness(names []string) (others, loud []string) {
	alone := make(map[uint64]int)
	for _, segment := range names {
		if kid := n.kids[segment]; !kid.many {
			alone[kid.who]++
		}
	}
	for _, segment := range names {
		kid := n.kids[segment]
		if !kid.many && kid.who != 0 && alone[kid.who] >= 2 && 16*alone[kid.who] > len(names) {
			loud = append(loud, segment)
		} else {
			others = append(others, segment)
		}
	}
	return others, loud
}

// open picks the values of a place where names are open-ended: there are so many,
// and most of them are rare, or most go on in the same way. nil: they are not.
func (n *grove) open(names []string, least int) []string {
	if len(names) < least {
		return nil
	}
	rare, inner, digits := 0, 0, 0
	var total uint64
	next := make(map[string]int) // what follows, and after how many names
	for _, segment := range names {
		kid := n.kids[segment]
		total += kid.hits
		if kid.hits <= rareHits {
			rare++
		}
		if count(segment, isDigit) > 0 {
			digits++
		}
		if len(kid.kids) > 0 {
			inner++
		}
		for after := range kid.kids {
			next[after]++
		}
	}
	common, times := "", 0
	for _, after := range slices.Sorted(maps.Keys(next)) {
		if next[after] > times {
			common, times = after, next[after]
		}
	}
	alike := inner >= foldNames && 2*times >= inner
	many := 4*digits > len(names) || len(names) >= foldPlain*least
	if (10*rare < 6*len(names) || !many) && !alike {
		return nil
	}
	// What is called often stays, unless it goes on as the others do. Those that are
	// neither rare nor called often are popular values.
	often := max(rareHits, total/popular)
	var picked []string
	for _, segment := range names {
		if kid := n.kids[segment]; kid.hits <= often || alike && kid.kids[common] != nil {
			picked = append(picked, segment)
		}
	}
	return picked
}

// commonNames are no values, wherever they stand.
var commonNames = func() map[string]bool {
	set := make(map[string]bool)
	for name := range strings.FieldsSeq(`
		me self current mine all any new latest default
		search query find filter count stats statistics metrics summary report reports export import upload download
		login logout signin signup register token refresh verify confirm reset password callback
		status health ping info version config settings preferences profile
		batch bulk validate preview schema types categories tags list history events activity
		admin users accounts public private shared archive trash recent popular featured`) {
		set[name] = true
	}
	return set
}()
