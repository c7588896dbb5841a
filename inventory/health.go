package inventory

// Health says how far the inventory can be trusted.
func (inv *Inventory) Health() Health {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	gaps := inv.sampler.gap(inv.gapsNow(true))
	if n := inv.findings.open()[findUnchecked]; n > 0 {
		gaps = append(gaps, Gap{Kind: GapUnchecked, Count: n, Detail: "Something of requests to documented operations cannot be checked; the count says of how many that are called. The findings of the kind operation-unchecked say what and why."})
	}
	return Health{
		Store:        inv.keeper.condition(),
		Cluster:      inv.fleet.condition(),
		Gaps:         gaps,
		Since:        instant(inv.start),
		Running:      inv.running.Load(),
		Queued:       len(inv.queue),
		Dropped:      inv.dropped.Load(),
		Unsampled:    inv.Unsampled(),
		FeedDropped:  inv.feed.dropped.Load(),
		Routes:       inv.known.entries,
		RefusedScans: inv.noise.entries,
		Hosts:        inv.strangers,
	}
}

// Unsampled counts requests that were chosen to be looked at in full and were not, for
// want of room.
func (inv *Inventory) Unsampled() uint64 { return inv.sampler.dropped.Load() }

// StoreFailures counts what failed of the store since the process began: opening it,
// writing to it, and files that were damaged.
func (inv *Inventory) StoreFailures() uint64 { return inv.keeper.failures.Load() }
