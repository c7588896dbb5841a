package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// maxPins is how many templates may be pinned.
	maxPins = 10_000
)

// pin is a template that an operator said. It holds before everything that is
// found out, within its version and host.
type pin struct {
	path    string
	unsaved bool
}

// pinned is the pinned template that stands for a path, or for an earlier template
// of it, "" for none: the most specific one, from the left.
func (t *templates) pinned(sc scope, path string) string {
	best := ""
	for _, p := range t.pins[sc] {
		if holds(p.path, path) && (best == "" || moreSpecific(p.path, best)) {
			best = p.path
		}
	}
	return best
}

func (t *templates) isPin(sc scope, path string) bool {
	return slices.ContainsFunc(t.pins[sc], func(p *pin) bool { return p.path == path })
}

// moreSpecific compares two templates that hold one path: the first place where one
// has a name and the other a parameter decides.
func moreSpecific(a, b string) bool {
	for {
		x, moreA, ok := strings.Cut(a, "/")
		y, moreB, _ := strings.Cut(b, "/")
		if p, q := strings.Count(x, "{"), strings.Count(y, "{"); p != q {
			return p < q
		}
		if n := cmp.Compare(len(x), len(y)); n != 0 && strings.Contains(x, "{") {
			return n > 0
		}
		if !ok {
			return false
		}
		a, b = moreA, moreB
	}
}

// Pin is what an operator says of the template of an undocumented route.
type Pin struct {
	// Template is the path with its base path and with a name in braces for each
	// value: "/v2/users/{user}". It must stand for the route, or be one that the
	// route's template stands for: that splits it.
	Template string `json:"template"`
	// Pinned says whether it is to stick; false takes it back.
	Pinned bool `json:"pinned"`
}

// ErrManyPins is the error of Inventory.Pin when there is no room.
var ErrManyPins = fmt.Errorf("%d templates are pinned, which is the most there can be: take some back", maxPins)

// ErrDocumented is the error of Inventory.Pin for a documented operation.
var ErrDocumented = errors.New("the route is documented: its template is the document's")

// Pin makes a template stick, or takes it back, in the version and on the host of
// the route with that id, and gives the entry that it stands for: the route itself
// where nothing was seen of it yet. Entries that it holds become one.
func (inv *Inventory) Pin(id string, p Pin) (RouteEntry, error) {
	key, ok := parseRouteID(id)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	e := inv.routes[key]
	if !ok || e == nil || !inv.listed(e) || e == inv.overflow {
		return RouteEntry{}, ErrNoRoute
	}
	if inv.documented(e) {
		return RouteEntry{}, ErrDocumented
	}
	sc, t := e.key.scope(), &inv.templates
	if err := checkPin(p.Template, e.key.path); err != nil {
		return RouteEntry{}, err
	}
	at := slices.IndexFunc(t.pins[sc], func(o *pin) bool { return o.path == p.Template })
	switch {
	case !p.Pinned && at < 0:
		return RouteEntry{}, fmt.Errorf("the template %q is not pinned for this route's version and host", p.Template)
	case !p.Pinned:
		t.pins[sc] = slices.Delete(t.pins[sc], at, at+1)
		inv.remove(bucketPins, pinKey(sc, p.Template))
	case at < 0 && t.pinCount() >= maxPins:
		return RouteEntry{}, ErrManyPins
	case at < 0:
		t.pins[sc] = append(t.pins[sc], &pin{path: p.Template, unsaved: true})
	}
	inv.regroup(sc, nil)
	to := routeKey{api: e.key.api, version: e.key.version, host: e.key.host, method: e.key.method, path: p.Template}
	if found := inv.routes[to.id()]; found != nil && inv.listed(found) {
		e = found
	}
	l := lens{inv: inv, now: inv.now()}
	v := l.look(e)
	return l.routeEntry(&v), nil
}

func (t *templates) pinCount() int {
	n := 0
	for _, pins := range t.pins {
		n += len(pins)
	}
	return n
}

// checkPin says what is wrong with a template for a route.
func checkPin(template, route string) error {
	switch {
	case !strings.HasPrefix(template, "/"):
		return fmt.Errorf("the template %q is no path: write it with its base path, such as /v2/users/{user}", template)
	case len(template) > maxPath || strings.Count(template, "/") > maxSegments:
		return fmt.Errorf("the template has %d bytes and %d segments: write at most %d and %d", len(template), strings.Count(template, "/"), maxPath, maxSegments)
	case strings.ContainsAny(template, "?#"):
		return fmt.Errorf("the template %q has a query or fragment: write the path alone", template)
	}
	for i, segment := range strings.Split(template[1:], "/") {
		if strings.Count(segment, "{") != strings.Count(segment, "}") || strings.Count(segment, "{") > 1 ||
			strings.Index(segment, "}") < strings.Index(segment, "{") || strings.Contains(segment, "{}") || strings.Contains(segment, "**") {
			return fmt.Errorf("segment %d of the template, %q, cannot be read: write a name, or one parameter in braces such as {user}", i+1, segment)
		}
	}
	if clean := string(writeTemplate(template)); clean != template {
		return fmt.Errorf("the template %q has bytes that a path cannot have: write %q", template, clean)
	}
	if !holds(template, route) && !holds(route, template) {
		return fmt.Errorf("the template %q neither stands for the route %q nor is one of those that it stands for: keep the number of segments, and the names that do not change", template, route)
	}
	return nil
}

func writeTemplate(template string) []byte {
	var b []byte
	for segment := range strings.SplitSeq(template[1:], "/") {
		b = append(b, '/')
		open, end := strings.IndexByte(segment, '{'), strings.LastIndexByte(segment, '}')
		if open < 0 {
			b = writeName(b, segment)
			continue
		}
		b = append(writeName(b, segment[:open]), '{')
		b = append(writeName(b, segment[open+1:end]), '}')
		b = writeName(b, segment[end+1:])
	}
	return b
}
