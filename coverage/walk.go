package coverage

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// maxDepth bounds how deep routes may nest, named routes that invoke each other
// included.
const maxDepth = 32

// maxRoutes bounds how many routes are followed for a host by a listener. A named
// route counts as often as it is invoked: a few that invoke each other twice would
// be followed for days.
const maxRoutes = 20_000

// walker follows the requests for one host by one listener through a server's
// routes, in the order in which Caddy runs them.
type walker struct {
	server   *caddyhttp.Server
	listener string
	host     string
	declared bool // the host is one of the catalogue

	clock    int
	depth    int
	routes   int      // that were followed
	invoking []string // named routes
	inError  bool     // the routes are those that run after an error
	trail    trail
	entries  []Entry
}

// trail is what requests came by on the way to a point, each under the conditions
// of the place where it stands.
type trail struct {
	guards   []mark
	refusing []mark // guards whose refusals go on
	rewrites []mark
	opaque   []mark
	ends     []mark // places from which no request goes on
}

type mark struct {
	at         int
	conditions []condition
	rewritten  bool   // of a guard: what it judges is not the client's own target
	judged     bool   // of an end: the guard, or an answer, came before it
	change     change // of a rewrite
	host       bool   // of a rewrite, or of all before a guard: it is one of the host alone
	name       string
}

// point is where a handler stands.
type point struct {
	route      string
	conditions []condition
}

func (t *trail) clip() trail {
	return trail{guards: slices.Clip(t.guards), refusing: slices.Clip(t.refusing), rewrites: slices.Clip(t.rewrites), opaque: slices.Clip(t.opaque), ends: slices.Clip(t.ends)}
}

func (w *walker) walkServer(at string) {
	w.walk(w.server.Routes, at+".routes", nil)
	if w.host == OtherHosts && !w.settled(nil) && !w.implied(w.trail.refusing, nil) && !onlyStatic(w.server.Routes, w.server) {
		w.entries = append(w.entries, Entry{Listener: w.listener, Host: w.host, Route: at, Status: NoCatchAll, Open: true,
			Why: "a host that no site of the listener has gets an empty 200, is not refused and not recorded: " + w.advice()})
	}
	if w.server.Errors == nil {
		return
	}
	w.trail, w.inError = trail{}, true
	w.walk(w.server.Errors.Routes, at+".errors.routes", nil)
}

// walk follows a list of routes that requests with the conditions get to.
func (w *walker) walk(routes caddyhttp.RouteList, at string, conditions []condition) {
	if w.depth++; w.depth > maxDepth {
		w.report(point{at, conditions}, "", Opaque, "routes nest deeper than is looked at", true)
		w.depth--
		return
	}
	defer func() { w.depth-- }()
	groups := map[string]*group{}
	for i := range routes {
		w.walkRoute(&routes[i], fmt.Sprintf("%s[%d]", at, i), conditions, groups)
	}
}

// group are routes of which the first that matches is the only one.
type group struct {
	members []mark
	// of all members so far: requests came by a guard, or ended
	judged, ended, rewritten bool
	host                     bool // nothing but the host was
}

func (w *walker) walkRoute(route *caddyhttp.Route, at string, conditions []condition, groups map[string]*group) {
	remaining, impossible := evaluate(matchers(route.MatcherSets, route.MatcherSetsRaw), w.host)
	if impossible {
		return
	}
	if w.routes++; w.routes >= maxRoutes {
		if w.routes == maxRoutes {
			w.report(point{at, conditions}, "", Opaque, "the routes from here on are more than are looked at", true)
		}
		return
	}
	w.clock++
	own := slices.Clip(conditions)
	if len(remaining) > 0 {
		own = append(own, condition{at: w.clock, sets: remaining})
	}
	g := groups[route.Group]
	if route.Group != "" {
		if g == nil {
			g = &group{judged: true, ended: true, host: true}
			groups[route.Group] = g
		}
		if w.implied(g.members, own) {
			return // an earlier route of the group takes all
		}
		first := len(g.members) == 0
		g.members = append(g.members, mark{at: w.clock, conditions: own})
		if !first || len(remaining) > 0 {
			own = append(slices.Clip(own), condition{at: w.clock, group: route.Group, route: at})
		}
	}
	if _, ended := w.unreachable(own); ended {
		return
	}
	before := w.trail.clip()
	for i, h := range handlers(route) {
		if _, ended := w.unreachable(own); ended {
			break
		}
		w.clock++
		w.handle(&h, point{fmt.Sprintf("%s.handle[%d]", at, i), own})
	}
	w.clock++
	end := mark{at: w.clock, conditions: own, judged: w.settled(own)}
	guard := w.guard(own)
	_, ended := w.unreachable(own)
	if route.Terminal {
		// What comes after it is met by other requests only.
		ended = true
		before.ends = append(before.ends, end)
		w.trail = before
	}
	if g == nil {
		return
	}
	g.judged, g.ended = g.judged && end.judged, g.ended && ended
	if guard != nil && guard.rewritten {
		g.rewritten, g.host = true, g.host && guard.host
	}
	if len(remaining) > 0 {
		return
	}
	// The group leaves nobody out: what holds after each of its routes holds after
	// it.
	if g.judged {
		w.trail.guards = append(w.trail.guards, mark{at: w.clock, conditions: conditions, rewritten: g.rewritten, host: g.rewritten && g.host})
	}
	if g.ended {
		w.trail.ends = append(w.trail.ends, mark{at: w.clock, conditions: conditions, judged: g.judged})
	}
}

// settled reports whether each request that meets the conditions came by a guard,
// or was answered.
func (w *walker) settled(conditions []condition) bool {
	if end, ended := w.unreachable(conditions); ended {
		return end.judged
	}
	return w.passed(conditions)
}

// guard is a guard that each request with the conditions came by; if there is one
// that judges the client's own target, then that.
func (w *walker) guard(conditions []condition) *mark {
	var best *mark
	for i := range w.trail.guards {
		if g := &w.trail.guards[i]; (best == nil || best.rewritten) && w.within(conditions, *g) {
			best = g
		}
	}
	return best
}

// unreachable reports whether no request that meets the conditions is left.
func (w *walker) unreachable(conditions []condition) (at mark, ended bool) {
	for _, end := range w.trail.ends {
		if w.within(conditions, end) {
			return end, true
		}
	}
	return mark{}, false
}

// passed reports whether each request that meets the conditions came by a guard.
func (w *walker) passed(conditions []condition) bool { return w.implied(w.trail.guards, conditions) }

func (w *walker) implied(marks []mark, conditions []condition) bool {
	return slices.ContainsFunc(marks, func(m mark) bool { return w.within(conditions, m) })
}

// within reports whether each request that meets the conditions also met those of
// an earlier mark. Tests before and after a rewrite say nothing of each other.
func (w *walker) within(conditions []condition, m mark) bool {
	for i := range m.conditions {
		d := &m.conditions[i]
		if !slices.ContainsFunc(conditions, func(c condition) bool {
			return c.implies(d) && (c.group != "" || !w.changedBetween(c.at, d.at, conditions))
		}) {
			return false
		}
	}
	return true
}

func (w *walker) changedBetween(a, b int, conditions []condition) bool {
	if a > b {
		a, b = b, a
	}
	return slices.ContainsFunc(w.trail.rewrites, func(r mark) bool {
		return a < r.at && r.at < b && !w.apart(r.conditions, conditions)
	})
}

// apart reports whether no request meets both. Tests before and after a rewrite
// say nothing of each other.
func (w *walker) apart(a, b []condition) bool {
	for i := range a {
		for j := range b {
			if a[i].excludes(&b[j]) && (a[i].group != "" || !w.rewriteBetween(a[i].at, b[j].at)) {
				return true
			}
		}
	}
	return false
}

func (w *walker) rewriteBetween(a, b int) bool {
	return slices.ContainsFunc(w.trail.rewrites, func(r mark) bool { return min(a, b) < r.at && r.at < max(a, b) })
}

// advice is what to do about hosts that nobody named.
func (w *walker) advice() string {
	return "add a catch-all site with api_guard, " + catchAll(w.server, w.listener)
}

func (w *walker) report(p point, handler string, status Status, why string, open bool) {
	if w.host == OtherHosts && (status == NotGuarded || status == Partial) {
		why += ": " + w.advice()
	}
	w.entries = append(w.entries, Entry{
		Listener: w.listener, Host: w.host, Route: p.route, Handler: handler, Status: status, Why: why,
		Catalogue: w.declared, Open: open,
	})
}

const (
	// whyRewritten: in a site and in handle api_guard comes before uri and rewrite by
	// itself. handle_path strips before anything in it, and a route keeps its order.
	whyRewritten = "a handler before api_guard changes the request, so that the client's own target is not judged: " +
		"let api_guard come first, in place of handle_path by handle with api_guard and uri strip_prefix in it"
	whyRehosted = "a handler before api_guard changes the host, so that the request is judged as one for another host than the client asked for: " +
		"let api_guard come first, or change the host with header_up of reverse_proxy"
	whyBent = "the request is rewritten after api_guard: upstream gets another target than the one that was judged"
)

// whyRewritten says what is wrong with a guard that judges another target than the
// client's.
func (m *mark) whyRewritten() string {
	if m.host {
		return whyRehosted
	}
	return whyRewritten
}

// judge says whether the guard stands before what a request gets to, which the
// handler itself may change by `own`.
func (w *walker) judge(p point, handler string, own change) {
	if w.inError && !w.passed(p.conditions) {
		if w.fixed(p.conditions) || own == changeFixed {
			w.report(p, handler, NoBackend, "an error page: the client's own target does not get there", false)
			return
		}
		w.report(p, handler, NotGuarded, "it stands in error routes, and these get the requests that were refused", true)
		return
	}
	best, near := w.guard(p.conditions), false
	for _, g := range w.trail.guards {
		near = near || !w.apart(g.conditions, p.conditions)
	}
	switch {
	case best == nil && near:
		w.report(p, handler, Partial, w.missing(p), true)
	case best == nil:
		w.report(p, handler, NotGuarded, "no api_guard stands before it"+under(p.conditions), true)
	case best.rewritten:
		w.report(p, handler, Rewritten, best.whyRewritten(), true)
	case w.bent(best.at, p.conditions) || own.bends():
		w.report(p, handler, Partial, whyBent, true)
	default:
		why := "api_guard stands before it"
		if before := w.before(best.at, p.conditions); before != "" {
			why += ", and " + before + " before that, which is not known here"
		}
		w.report(p, handler, Guarded, why, false)
	}
}

// missing says which requests the guard sees of those that get to a point.
func (w *walker) missing(p point) string {
	for _, g := range w.trail.guards {
		if w.apart(g.conditions, p.conditions) {
			continue
		}
		if sees := describe(g.conditions); sees != "" {
			return "api_guard sees only requests with " + sees
		}
	}
	return "api_guard sees only some of its requests"
}

func under(conditions []condition) string {
	if text := describe(conditions); text != "" {
		return ", for requests with " + text
	}
	return ""
}

// bent reports whether a rewrite after the guard changes what the target means.
func (w *walker) bent(guard int, conditions []condition) bool {
	return slices.ContainsFunc(w.trail.rewrites, func(r mark) bool {
		return r.at > guard && r.change.bends() && !w.apart(r.conditions, conditions)
	})
}

// fixed reports whether a rewrite leaves nothing of the client's target.
func (w *walker) fixed(conditions []condition) bool {
	return slices.ContainsFunc(w.trail.rewrites, func(r mark) bool {
		return r.change == changeFixed && w.within(conditions, r)
	})
}

func (w *walker) before(guard int, conditions []condition) string {
	for _, o := range w.trail.opaque {
		if o.at < guard && !w.apart(o.conditions, conditions) {
			return o.name
		}
	}
	return ""
}
