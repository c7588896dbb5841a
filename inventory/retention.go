package inventory

import (
	"slices"
	"time"
)

const (
	defaultRetention = 90 * 24 * time.Hour
	// sweepEvery is how often old entries are looked for.
	sweepEvery = 10 * time.Minute
)

const (
	// setAhead is how much more the wall clock may gain than time has passed before it
	// was set, and not slow: a clock that is a year ahead for a minute must not cost
	// what was seen within the year.
	setAhead = time.Hour
	// mistrust is how long nothing is forgotten then, for somebody to set it right.
	mistrust = 24 * time.Hour
)

// steadiness tells time that has passed from a clock that was set. A machine that slept
// looks as if its clock had been set.
type steadiness struct {
	wall          time.Time // zero before the first look
	steady, until time.Duration
}

// trusts takes what the wall clock says, and how much time has passed, and reports
// whether to forget by it.
func (s *steadiness) trusts(wall time.Time, steady time.Duration) bool {
	wall = wall.Round(0)
	if !s.wall.IsZero() {
		switch gained := wall.Sub(s.wall) - (steady - s.steady); {
		case gained > setAhead:
			s.until = steady + mistrust
		case gained < -setAhead:
			s.until = 0 // it is right again
		}
	}
	s.wall, s.steady = wall, steady
	return steady >= s.until
}

// Retain sets how long an entry is kept that is not seen any more; 0: 90 days. What
// the active configuration declares stays.
func (inv *Inventory) Retain(d time.Duration) {
	if d <= 0 {
		d = defaultRetention
	}
	inv.retention.Store(int64(d))
}

// forgetOld lets go of what was not seen for the retention. Inventory.mu is held for
// writing.
func (inv *Inventory) forgetOld(now time.Time) {
	if inv.active == nil || inv.keeper.loading() {
		return
	}
	before := now.UnixNano() - inv.retention.Load()
	inUse := make(map[string]bool) // hosts of routes
	for _, e := range inv.routes {
		t := e.totals()
		if inv.documented(e) || e.pass != nil || max(t.last, e.bound) >= before {
			inUse[e.key.host] = true
			continue
		}
		inv.forget(e)
		if e == inv.overflow {
			inv.overflow = nil
		}
	}
	for _, h := range inv.hosts {
		if !h.declared && h.seen.last < before && !inUse[h.name] {
			inv.forgetHost(h)
		}
	}
	for _, f := range inv.findings.byKey {
		if f.closed != 0 && f.closed < before {
			inv.forgetFinding(f)
		}
	}
	for id, r := range inv.reviews {
		if r.at < before && inv.routes[id] == nil {
			delete(inv.reviews, id)
			inv.remove(bucketReviews, id[:])
		}
	}
	inv.forgetConsumers(before)
	inv.forgetCarried(before)
	inv.feed.log.forgetBefore(before)
}

// forgetConsumers lets go of those that were last seen before a time.
func (inv *Inventory) forgetConsumers(before int64) {
	c := inv.consumers
	kept := c.records[:0]
	for i := range c.records {
		r := &c.records[i]
		last := r.keptLast
		if r.slot != noSlot {
			last = c.slots[r.slot].last.Load()
		}
		_, lately := c.elsewhere(r)
		if max(last, lately, r.first) >= before {
			kept = append(kept, *r)
			continue
		}
		gone := r.objections
		if r.slot != noSlot {
			c.slots[r.slot].key.Store(vacant)
			gone = c.slots[r.slot].objections.Swap(nil)
		}
		c.dismissObjections(gone)
		r.version.consumers--
		delete(c.shares, consumerID{r.id, r.kind, r.version})
		inv.remove(bucketConsumers, r.storeKey())
	}
	if len(kept) == len(c.records) {
		return
	}
	clear(c.records[len(kept):])
	c.records = slices.Clip(kept)
	c.known, c.indexed = nil, 0
	clear(c.absent)
	for i := range c.records {
		if r := &c.records[i]; r.slot == noSlot {
			c.absent[consumerID{r.id, r.kind, r.version}] = uint32(i)
		}
	}
	c.clearVacant()
	c.full.Store(len(c.records) >= c.max)
}

// clearVacant frees the vacant slots after which a search would end anyway, so that
// searches stay short.
func (c *consumers) clearVacant() {
	for range 2 { // the second time for those around the end
		next := c.slots[0].key.Load()
		for i := len(c.slots) - 1; i >= 0; i-- {
			key := c.slots[i].key.Load()
			if key == vacant && next == 0 {
				c.slots[i].key.Store(0)
				key = 0
			}
			next = key
		}
	}
}
