package coverage

import (
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// subroute follows requests through routes that may have error routes of their own.
// What fails in the former gets to the latter as it is by then, and goes on behind the
// subroute where they do not answer it.
func (w *walker) subroute(value *caddyhttp.Subroute, p point) {
	before, entered := w.trail.clip(), w.clock
	w.walk(value.Routes, p.route+".routes", p.conditions)
	if value.Errors == nil {
		return
	}
	after, inError := w.trail.clip(), w.inError
	w.trail, w.inError = failing(before, after, entered), true
	w.walk(value.Errors.Routes, p.route+".errors.routes", p.conditions)
	_, ended := w.unreachable(p.conditions)
	judged := w.passed(p.conditions)
	w.inError = inError
	if w.trail = after; ended {
		return
	}
	w.trail.ends = before.ends // what failed goes on
	if !judged {
		// What was refused does, too.
		w.trail.guards, w.trail.refusing = before.guards, after.guards
	}
}

// failing is what requests came by that fail in a subroute: the guards before it, unless
// one within judges them once more, and not as these did.
func failing(before, after trail, entered int) trail {
	t := trail{guards: before.guards, refusing: after.refusing, opaque: after.opaque, ends: before.ends}
	for _, r := range after.rewrites {
		if r.at <= entered {
			t.rewrites = append(t.rewrites, r)
			continue
		}
		if slices.ContainsFunc(after.guards, func(g mark) bool { return g.at > r.at }) {
			t.guards = nil
		}
		if r.change == changeFixed {
			r.change = changeBends // it may have failed before
		}
		t.rewrites = append(t.rewrites, r)
	}
	return t
}
