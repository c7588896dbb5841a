package inventory

import "time"

// StateCounts is how many listed routes are in each state. Every state is there.
func (inv *Inventory) StateCounts() map[State]int {
	counts := map[State]int{StateShadow: 0, StateRetired: 0, StateDeprecated: 0, StateOrphan: 0, StateActive: 0}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	l := lens{inv: inv, now: inv.now()}
	for _, e := range inv.routes {
		if inv.listed(e) {
			v := l.look(e)
			counts[v.state]++
		}
	}
	return counts
}

// Now is the inventory's clock.
func (inv *Inventory) Now() time.Time { return inv.now() }
