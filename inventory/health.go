package inventory

// Health says how far the inventory can be trusted.
func (inv *Inventory) Health() Health {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	return Health{
		Store:        Part{Status: "memory", Why: "the inventory is kept in memory and begins anew with the process"},
		Cluster:      Part{Status: "off", Why: ""},
		Gaps:         inv.gapsNow(true),
		Since:        instant(inv.start),
		Running:      inv.running.Load(),
		Queued:       len(inv.queue),
		Dropped:      inv.dropped.Load(),
		FeedDropped:  inv.feed.dropped.Load(),
		Routes:       inv.known.entries,
		RefusedScans: inv.noise.entries,
		Hosts:        inv.strangers,
	}
}
