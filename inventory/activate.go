package inventory

import (
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Activate makes r's configuration the one that queries answer for. The one
// before it may go on recording what is still under way.
//
// An operation that the new documents do not have any more is not listed until
// it is called again: then it is a shadow with the counts it had. A route that
// was undocumented and is covered by the new documents is not listed while they
// are active; its counts are kept.
func (inv *Inventory) Activate(r *Recorder) {
	now := inv.now()
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.active = r
	inv.gen++
	for i := range r.slots {
		s := &r.slots[i]
		s.entry.gen, s.entry.slot = inv.gen, s
		if s.entry.since == 0 {
			s.entry.since, s.entry.unsaved = now.UnixNano(), true
		}
	}
	for i, e := range r.passes {
		e.passGen, e.pass = inv.gen, r.cat.Passes[i]
	}
	inv.align(r)
	inv.watchDates(now)
}

// align brings what no document of r has in line with r.
func (inv *Inventory) align(r *Recorder) {
	inv.gone = make(shapes)
	for _, e := range inv.routes {
		if e.passGen != inv.gen {
			e.pass = nil
		}
		if e.gen == inv.gen {
			continue
		}
		e.slot = nil
		e.covered = r.covers(&e.key)
		if e.since != 0 {
			inv.gone.add(e)
		}
	}
	inv.declareHosts(r)
}

// declareHosts brings the hosts' records in line with the configuration.
func (inv *Inventory) declareHosts(r *Recorder) {
	declare := func(name string) {
		if inv.hosts[name] == nil {
			inv.hosts[name] = newHostRecord(name)
			inv.strangers++
		}
	}
	for name := range r.hosts {
		declare(name)
	}
	named := make(map[string]bool)
	for _, p := range r.cat.Passes {
		if p.Host != catalogue.AnyHost {
			named[p.Host] = true
			declare(p.Host)
		}
	}
	for name, h := range inv.hosts {
		h.declared = named[name] || r.declares(name) != nil
		if h.declared && !h.permanent {
			h.permanent, h.unsaved = true, true
			inv.strangers--
		}
	}
}

// watchedSince is since when requests to a documented operation would have been
// seen.
func (inv *Inventory) watchedSince(e *entry) time.Time {
	return time.Unix(0, max(inv.start, e.since))
}
