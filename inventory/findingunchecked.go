package inventory

import (
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// DeclareUnchecked gives what is not checked of requests to a route, and whether that
// is known yet: schemas are looked at when the first request needs them. Call it
// before Activate. It must not wait: it is asked again and again.
func (r *Recorder) DeclareUnchecked(of func(*catalogue.Route) (what []string, known bool)) {
	r.unchecked = of
}

// findUnchecked looks at an operation of whose requests something is not checked.
func (inv *Inventory) findUnchecked(now time.Time, e *entry) {
	of, t := inv.active.unchecked, e.totals()
	if of == nil || !recent(now, t.last) {
		return
	}
	what, known := of(e.slot.route)
	p := proof{count: t.count, at: t.last, best: t.best, detail: enumerate(what)}
	k := routeFinding(findUnchecked, e)
	if !known {
		// After a start or a reload: as it was, until a request says otherwise.
		f := inv.findings.byKey[k]
		if f == nil || f.closed != 0 {
			return
		}
		p.detail = f.proof.detail
	} else if len(what) == 0 {
		return
	}
	inv.hold(now, k, e, p, 0, t.last)
}
