package inventory

// bound is the entry of a documented operation, with counters. Inventory.mu is
// held.
func (inv *Inventory) bound(k routeKey) *entry {
	id := k.id()
	e := inv.routes[id]
	if e == nil {
		e = &entry{key: k, id: id}
		e.history.begin(dayOf(inv.now()))
		inv.routes[id] = e
	}
	if e.hits == nil {
		if e.shelf != shelfBound {
			inv.unshelve(e)
			e.shelf = shelfBound
		}
		e.hits = new(counters)
		e.sum = e.hits.sum() // that a configuration has it is no reason to write it: that it is activated is
	}
	e.bound = inv.now().UnixNano()
	return e
}

// admit finds room for a new undocumented route. It reports false when there is
// none.
func (inv *Inventory) admit(e *entry, worth rank) bool {
	if worth < rankProbable {
		inv.shelveNoise(e)
		inv.routes[e.id] = e
		return true
	}
	if !inv.makeRoom(worth) {
		return false
	}
	inv.shelveKnown(e)
	inv.routes[e.id] = e
	return true
}

// makeRoom makes room for one more known route, if need be by pushing out those that
// a scan may have made, or else the one with worse evidence that was seen longest ago.
// Nothing pushes out a confirmed one.
func (inv *Inventory) makeRoom(worth rank) bool {
	if !inv.known.full(inv.maxRoutes) {
		return true
	}
	if worth < rankConfirmed {
		return false
	}
	if inv.dismissUnproven() {
		return true
	}
	if inv.probable == 0 {
		return false
	}
	for inv.known.full(inv.maxRoutes) {
		var oldest *entry
		for _, e := range inv.routes {
			if e.shelf == shelfKnown && e.seen.best < worth && !inv.reviewed(e) && (oldest == nil || e.seen.last < oldest.seen.last) {
				oldest = e
			}
		}
		if oldest == nil {
			return false
		}
		inv.forget(oldest)
		inv.gaps.routes++
	}
	return true
}

// reshelve puts e where its evidence belongs after it got better, and moves a
// refused or scanned route to the front of its host's.
func (inv *Inventory) reshelve(e *entry, before rank) {
	switch e.shelf {
	case shelfNoise:
		if e.seen.best < rankProbable {
			e.host.removeNoise(e)
			e.host.pushNoise(e)
			return
		}
		worth := e.seen.best
		if worth == rankConfirmed && e.crowd.sketch == nil && e.host.scannedBy(e.crowd.first) {
			worth = rankUnproven
		}
		if !inv.makeRoom(worth) {
			inv.gaps.routes++
			return
		}
		inv.unshelve(e)
		inv.shelveKnown(e)
		if e.seen.best == rankProbable {
			inv.probable++
		}
	case shelfKnown:
		wasProbable, isProbable := before == rankProbable, e.seen.best == rankProbable
		if isProbable && !wasProbable {
			inv.probable++
		}
		if wasProbable && !isProbable {
			inv.probable--
		}
	}
}

func (inv *Inventory) shelveKnown(e *entry) {
	inv.ripen(e)
	e.shelf = shelfKnown
	inv.known.add(e)
}

// shelveNoise keeps e among the refused and scanned routes of its host: the
// latest 1,000 of each host, and MaxRoutes of all; then the host that has most of
// them loses its oldest, so that a scan of one host does not hide another's.
func (inv *Inventory) shelveNoise(e *entry) {
	e.shelf = shelfNoise
	e.host.pushNoise(e)
	inv.noise.add(e)
	if e.host.noises > maxNoise {
		inv.trim(e.host)
	}
	for inv.noise.full(inv.maxRoutes + 1) {
		loudest := e.host
		for _, h := range inv.hosts {
			if h.noises > loudest.noises {
				loudest = h
			}
		}
		if loudest.noises <= 1 && loudest == e.host {
			return
		}
		inv.trim(loudest)
	}
}

func (inv *Inventory) trim(h *hostRecord) {
	if oldest := h.oldestNoise(); oldest != nil {
		inv.forget(oldest)
		inv.gaps.trimmed++
	}
}

// unshelve takes e from where it is kept; it stays findable.
func (inv *Inventory) unshelve(e *entry) {
	inv.prove(e)
	switch e.shelf {
	case shelfKnown:
		inv.known.remove(e)
		if e.seen.best == rankProbable {
			inv.probable--
		}
	case shelfNoise:
		e.host.removeNoise(e)
		inv.noise.remove(e)
	}
}

func (inv *Inventory) forget(e *entry) {
	inv.unshelve(e)
	delete(inv.routes, e.id)
	inv.unlearn(e.id)
	if e.kept {
		inv.remove(bucketRoutes, e.id[:])
	}
}

// overflowEntry sums up the routes that found no room.
func (inv *Inventory) overflowEntry() *entry {
	if inv.overflow == nil {
		k := routeKey{host: hostOther, method: methodOther, path: rest}
		inv.overflow = &entry{key: k, id: k.id(), host: newHostRecord(hostOther)}
		inv.routes[inv.overflow.id] = inv.overflow
	}
	inv.gaps.routes++
	return inv.overflow
}

// admitHost is the record of the host with that clean or declared name. Beyond
// MaxHosts undeclared ones it is that of "(other)", unless upstream answered for
// the new one and there is one that the guard has only ever refused.
func (inv *Inventory) admitHost(name string, worth rank) *hostRecord {
	if h := inv.hosts[name]; h != nil {
		return h
	}
	special := name == hostInvalid || name == hostOther
	if !special && inv.strangers >= inv.maxHosts && !inv.dismissHost(worth) {
		inv.gaps.hosts++
		return inv.admitHost(hostOther, worth)
	}
	h := newHostRecord(name)
	inv.hosts[name] = h
	if !special {
		inv.strangers++
	}
	return h
}

func (inv *Inventory) forgetHost(h *hostRecord) {
	delete(inv.hosts, h.name)
	if !h.permanent && h.name != hostInvalid && h.name != hostOther {
		inv.strangers--
	}
	if h.kept {
		inv.remove(bucketHosts, []byte(h.name))
	}
}

// dismissHost forgets the undeclared host with worse evidence that was seen
// longest ago.
func (inv *Inventory) dismissHost(worth rank) bool {
	if worth < rankProbable {
		return false
	}
	var oldest *hostRecord
	for _, h := range inv.hosts {
		if h.permanent || h.seen.best > rankRefused || h.name == hostInvalid || h.name == hostOther {
			continue
		}
		if oldest == nil || h.seen.last < oldest.seen.last {
			oldest = h
		}
	}
	if oldest == nil {
		return false
	}
	for e := oldest.oldestNoise(); e != nil; e = oldest.oldestNoise() {
		inv.forget(e)
		inv.gaps.trimmed++
	}
	inv.forgetHost(oldest)
	inv.gaps.hosts++
	return true
}
