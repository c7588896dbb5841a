package inventory

import (
	"cmp"
	"slices"
	"time"
)

const (
	// loneSpan is over how long a consumer must have called a route that nobody else
	// calls, so that it was more than one pass of a scan.
	loneSpan = int64(time.Hour)
	// maxLone is how many such routes of one host a consumer confirms, and maxLoneHost
	// how many all of its consumers do.
	maxLone     = 400
	maxLoneHost = 2000
)

// isLone reports whether one consumer alone called an undocumented route that
// answered, within an hour, and nobody said that it is right. Where nothing is known of
// callers no route is.
func (inv *Inventory) isLone(e *entry) bool {
	return e.shelf == shelfKnown && e.seen.best == rankConfirmed && e.crowd.first != 0 && e.crowd.sketch == nil &&
		e.seen.last-e.seen.first < loneSpan && e.host != nil && !inv.reviewed(e)
}

// weighLone finds the routes that only a scan may have called: a scan of a host that
// answers everything well, each time with another page, is no baseline, and each of its
// paths looks like a route. What tells them from routes is that they have one consumer,
// once, and that it has very many of them. They stay, and are marked: a route that
// answered is one until somebody looks, whoever found it.
func (inv *Inventory) weighLone() {
	type caller struct {
		host *hostRecord
		who  uint64
	}
	var lone []*entry
	by := make(map[caller]int)
	for _, h := range inv.hosts {
		h.lone, h.loud = 0, nil
	}
	for _, e := range inv.routes {
		if !inv.isLone(e) {
			inv.prove(e)
			continue
		}
		lone = append(lone, e)
		e.host.lone++
		by[caller{e.host, e.crowd.first}]++
	}
	for c, n := range by {
		if n > maxLone {
			if c.host.loud == nil {
				c.host.loud = make(map[uint64]bool)
			}
			c.host.loud[c.who] = true
		}
	}
	for _, e := range lone {
		if e.host.scannedBy(e.crowd.first) {
			inv.doubt(e)
		} else {
			inv.prove(e)
		}
	}
}

// scannedBy reports whether what nobody but that consumer calls is likelier a scan's
// than a route, as of the latest look.
func (h *hostRecord) scannedBy(who uint64) bool {
	return h.lone > maxLoneHost || h.loud[who]
}

// reweigh brings an entry's mark up to date after a request of a consumer. first: it
// was just made. Others are marked at the next look.
func (inv *Inventory) reweigh(e *entry, first bool) {
	switch lone := inv.isLone(e); {
	case !lone:
		inv.prove(e)
	case first && e.host.scannedBy(e.crowd.first):
		inv.doubt(e)
	}
}

func (inv *Inventory) doubt(e *entry) {
	if !e.unproven {
		e.unproven = true
		inv.unproven++
	}
}

func (inv *Inventory) prove(e *entry) {
	if e.unproven {
		e.unproven = false
		inv.unproven--
	}
}

// rank is how sure it is that e is a route, of what it was seen to answer.
func (e *entry) rank() rank {
	if e.unproven && e.seen.best == rankConfirmed {
		return rankUnproven
	}
	return e.seen.best
}

// dismissUnproven makes room for confirmed routes among those that a scan may have
// made, the ones seen longest ago first: a sixteenth of them at once, so that not every
// new route has to look for one. It reports whether there is room now.
func (inv *Inventory) dismissUnproven() bool {
	if inv.unproven == 0 {
		return false
	}
	var list []*entry
	for _, e := range inv.routes {
		if e.unproven {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.seen.last, b.seen.last), slices.Compare(a.id[:], b.id[:]))
	})
	for i, e := range list {
		if i > len(list)/16 && !inv.known.full(inv.maxRoutes) {
			break
		}
		inv.forget(e)
		inv.gaps.routes++
	}
	return !inv.known.full(inv.maxRoutes)
}
