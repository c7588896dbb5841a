package inventory

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// row is an entry that an answer may list.
type row struct {
	view
	key sortKey
}

// Routes lists operations: what the active configuration documents and what was
// seen besides. An error says what is wrong with the query.
func (inv *Inventory) Routes(q RouteQuery) (List[RouteEntry], error) {
	at, err := q.check()
	if err != nil {
		return List[RouteEntry]{}, err
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	order, descending := strings.CutPrefix(q.order(), "-")
	fixed := order == SortHost || order == SortPath
	if !at.started && !fixed {
		at.epoch = inv.epoch.Add(1)
	}

	inv.mu.RLock()
	defer inv.mu.RUnlock()
	l := lens{inv: inv, now: inv.now()}
	rows := inv.matching(&l, &q)
	for i := range rows {
		rows[i].key = rows[i].sortKey(order)
	}
	list := newList[RouteEntry](inv, l.now, q.trimmable())
	page, next := paginate(rows, at, q.Limit, fixed, descending)
	if next != nil {
		list.Next = next.text(q.hash())
	}
	for i := range page {
		list.Items = append(list.Items, l.routeEntry(&page[i].view))
	}
	return list, nil
}

// Route is the entry with that id.
func (inv *Inventory) Route(id string) (RouteEntry, bool) {
	key, ok := parseRouteID(id)
	if !ok {
		return RouteEntry{}, false
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	e := inv.routes[key]
	if e == nil || !inv.listed(e) {
		return RouteEntry{}, false
	}
	l := lens{inv: inv, now: inv.now()}
	v := l.look(e)
	return l.routeEntry(&v), true
}

// matching are the entries that the query's filters let through.
func (inv *Inventory) matching(l *lens, q *RouteQuery) []row {
	var since int64
	if !q.Since.IsZero() {
		since = nanoseconds(q.Since)
	}
	rows := make([]row, 0, len(inv.routes))
	for _, e := range inv.routes {
		k := &e.key
		if !inv.listed(e) || !either(q.API, k.api) || !either(q.Version, k.version) || !either(q.Host, k.host) ||
			!either(q.Method, k.method) || !beneath(q.Path, k.path) {
			continue
		}
		v := l.look(e)
		if v.last < since || !either(q.State, v.state) || !either(q.Lifecycle, v.lifecycle) || !either(q.Evidence, evidenceOf[v.best]) {
			continue
		}
		if len(q.Reason) > 0 && !slices.ContainsFunc(l.reasons(&v), func(r string) bool { return slices.Contains(q.Reason, r) }) {
			continue
		}
		rows = append(rows, row{view: v})
	}
	return rows
}

func either[T comparable](wanted []T, got T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, got)
}

// beneath reports whether a path begins with one of the prefixes.
func beneath(prefixes []string, path string) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// trimmable reports whether the answer could list refused or scanned routes.
func (q *RouteQuery) trimmable() bool {
	return len(q.Evidence) == 0 || slices.Contains(q.Evidence, EvidenceRefused) || slices.Contains(q.Evidence, EvidenceScan)
}

func (r *row) sortKey(order string) sortKey {
	k := &r.entry.key
	switch order {
	case SortPath:
		return sortKey{a: k.path, b: k.host, c: k.method, id: r.entry.id}
	case SortFirst:
		return sortKey{number: r.first, id: r.entry.id}
	case SortLast:
		return sortKey{number: r.last, id: r.entry.id}
	case SortCount:
		return sortKey{number: int64(r.count), id: r.entry.id}
	default:
		return sortKey{a: k.host, b: k.path, c: k.method, id: r.entry.id}
	}
}

// paginate cuts the page after a position out of rows, and says where the next
// one begins, nil for nowhere. fixed: the keys of entries do not change. See
// position.
func paginate(rows []row, at position, limit int, fixed, descending bool) ([]*row, *position) {
	compare := func(a, b *sortKey) int {
		if descending {
			a, b = b, a
		}
		return a.compare(b)
	}
	page := smallest[row]{keep: limit + 1, compare: func(a, b *row) int { return compare(&a.key, &b.key) }}
	tail := smallest[row]{keep: limit + 1, compare: func(a, b *row) int { return bytes.Compare(a.entry.id[:], b.entry.id[:]) }}
	for i := range rows {
		r := &rows[i]
		touched := !fixed && r.touched >= at.epoch
		switch {
		case !at.started:
			page.add(r)
		case touched:
			if !at.tail || bytes.Compare(r.entry.id[:], at.key.id[:]) > 0 {
				tail.add(r)
			}
		case !at.tail && compare(&r.key, &at.key) > 0:
			page.add(r)
		}
	}
	list := page.sorted()
	if len(list) > limit {
		list = list[:limit]
		return list, &position{epoch: at.epoch, key: list[limit-1].key}
	}
	rest := tail.sorted()
	if room := limit - len(list); len(rest) > room {
		next := position{tail: true, epoch: at.epoch}
		if room > 0 {
			next.key.id = rest[room-1].entry.id
		}
		return append(list, rest[:room]...), &next
	}
	return append(list, rest...), nil
}

// smallest collects the first rows of an order without sorting all of them.
type smallest[T any] struct {
	keep    int
	compare func(a, b *T) int
	rows    []*T // those that may be among the first, twice keep at most
	cut     *T   // what is not before it need not be looked at; nil at first
}

func (s *smallest[T]) add(r *T) {
	if s.cut != nil && s.compare(r, s.cut) >= 0 {
		return
	}
	s.rows = append(s.rows, r)
	if len(s.rows) == 2*s.keep {
		s.sorted()
		s.cut = s.rows[s.keep-1]
	}
}

// sorted are the first keep rows in order.
func (s *smallest[T]) sorted() []*T {
	slices.SortFunc(s.rows, s.compare)
	s.rows = s.rows[:min(len(s.rows), s.keep)]
	return s.rows
}

// routeEntry spells a view.
func (l *lens) routeEntry(v *view) RouteEntry {
	e, k := v.entry, &v.entry.key
	counts := e.verdicts()
	seen, unauthenticated := e.callers()
	r := RouteEntry{
		ID: e.id.String(), API: k.api, Version: k.version, Host: k.host, Method: k.method, Path: k.path,
		Documented: l.inv.documented(e), Lifecycle: v.lifecycle, State: v.state, Reasons: l.reasons(v), Evidence: evidenceOf[v.best],
		FirstSeen: instant(v.first), LastSeen: instant(v.last), Count: v.count, Statuses: v.statuses(),
		Refused: byRule(&counts.refused), WouldRefuse: byRule(&counts.would),
		Consumers: e.consumers(),
		Auth:      Auth{Seen: seen.credentials(), Unauthenticated2xx: unauthenticated},
		CORS:      seen.cors(), Networks: seen.networks(), Software: []Software{}, AttackSigns: map[string]uint64{},
	}
	r.DataClasses, r.Data = l.inv.carries(e)
	if x := e.carried(); x != nil {
		r.Software = append(r.Software, x.software...)
		r.AttackSigns = attackSigns(&x.attacks)
	}
	r.Review, r.ReviewNote, r.Reviewed = l.inv.reviewOf(e)
	if p := e.pass; p != nil {
		r.Passthrough = &PassthroughEntry{Name: p.Passthrough.Name, Reason: p.Passthrough.Reason}
	}
	if e.slot != nil {
		r.Auth.Documented = e.slot.route.Operation.AsksCredentials()
	}
	r.Environment, r.EnvironmentSource = environmentOf(v.place, k.host)
	if p := v.place; p != nil {
		r.Docs = p.version.Docs
		r.Audience, r.Owner = p.meta.Audience, p.owner()
		r.Deprecated, r.Sunset = date(p.version.Deprecated), date(p.version.Sunset)
	}
	return r
}

func date(t time.Time) Time { return Time{t.UTC()} }

// owner is the version's, else the API's.
func (p *place) owner() string {
	if p.version.Owner != "" {
		return p.version.Owner
	}
	return p.api.Owner
}
