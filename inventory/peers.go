package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// noisePrefix is how a refused or scanned route begins in the store. Those stay on
// their node: the sums by the hour of each host tell of them.
var noisePrefix = []byte(`{"noise":true`)

func shareRoute(value []byte) bool { return !bytes.HasPrefix(value, noisePrefix) }

// peerRoute takes in what another node has of a route.
func (inv *Inventory) peerRoute(node string, key, value []byte) error {
	if value == nil {
		inv.dropShare(node, key)
		return nil
	}
	var s savedRoute
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	k := routeKey{api: s.API, version: s.Version, host: s.Host, method: s.Method, path: s.Path}
	id := k.id()
	if string(key) != string(id[:]) {
		return errKey
	}
	from := inv.fleet.peerOf(node)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	e := inv.routes[id]
	if e == nil {
		if e = inv.admitPeers(k, id, &s); e == nil {
			return nil
		}
	}
	before := e.seen.best
	epoch := inv.epoch.Load()
	if s.Hits != nil {
		e.since = earlier(e.since, s.Since)
		if e.hits != nil {
			e.hits.shares.raise(from, true, s.Hits, s.HitCallers)
			e.hits.merge(s.Hits.withoutCounts(), s.HitCallers.withoutCounts())
			e.hits.moved = epoch
		} else {
			// Documented there and not here: two configurations.
			e.seen.shares.raise(from, true, s.Hits, s.HitCallers)
			e.seen.merge(s.Hits.withoutCounts())
			e.learnCallers(s.HitCallers)
			e.seen.moved = epoch
		}
	}
	if s.Seen != nil {
		if !e.seen.any() || rankOf(s.Seen.Best) > e.seen.best {
			e.why = s.Why
		}
		e.seen.shares.raise(from, false, s.Seen, s.SeenCallers)
		e.seen.merge(s.Seen.withoutCounts())
		e.learnCallers(s.SeenCallers)
		e.seen.moved = epoch
	}
	e.raiseExposure(from, s.Exposure)
	inv.reshelve(e, before)
	return nil
}

func (e *entry) learnCallers(c *savedCallers) {
	if c != nil {
		e.traits |= traits(c.Traits)
		e.crowd.merge(c)
	}
}

// dropShare takes back what another node counted of a route that it has no more: it
// has moved it to another template, or forgotten it.
func (inv *Inventory) dropShare(node string, key []byte) {
	if len(key) != len(routeID{}) {
		return
	}
	from := inv.fleet.peerOf(node)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	e := inv.routes[routeID(key)]
	if e == nil {
		return
	}
	e.seen.shares = e.seen.shares.without(from)
	delete(e.elsewhere, from)
	e.whole.Store(nil)
	if e.hits != nil {
		e.hits.shares = e.hits.shares.without(from)
	} else if !e.seen.any() {
		inv.forget(e)
	}
}

// admitPeers makes the entry of a route that only other nodes have seen, nil when
// there is no room or nothing to tell.
func (inv *Inventory) admitPeers(k routeKey, id routeID, s *savedRoute) *entry {
	best := rankNone
	for _, counts := range []*savedCounts{s.Hits, s.Seen} {
		if counts != nil {
			best = max(best, rankOf(counts.Best))
		}
	}
	if best < rankProbable {
		return nil
	}
	host := inv.admitHost(k.host, best)
	if host.name != k.host || !inv.makeRoom(best) {
		inv.gaps.routes++
		return nil
	}
	e := &entry{key: k, id: id, host: host}
	e.seen.best = best
	inv.shelveKnown(e)
	if best == rankProbable {
		inv.probable++
	}
	inv.routes[id] = e
	if inv.active != nil {
		e.covered = inv.active.covers(&k)
	}
	return e
}

// leaveShares keeps what other nodes counted of a route where it was, when what this
// one counted moves to another: they move theirs by themselves, and say so.
func (inv *Inventory) leaveShares(e *entry) {
	if len(e.seen.shares) == 0 {
		return
	}
	left := &entry{key: e.key, id: e.id, host: e.host, why: e.why, covered: e.covered, traits: e.traits}
	left.seen = tally{first: e.seen.first, last: e.seen.last, best: e.seen.best, good: e.seen.good, closed: e.seen.closed, shares: e.seen.shares, moved: e.seen.moved}
	left.elsewhere = e.elsewhere
	e.seen.shares, e.elsewhere = nil, nil
	e.whole.Store(nil)
	inv.shelveKnown(left)
	if left.seen.best == rankProbable {
		inv.probable++
	}
	inv.routes[left.id] = left
}

// peerHost takes in what another node has of a host.
func (inv *Inventory) peerHost(node string, key, value []byte) error {
	if value == nil {
		return nil // what it counted stays
	}
	var s savedHost
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	if s.Seen == nil {
		return nil
	}
	from := inv.fleet.peerOf(node)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	h := inv.admitHost(string(key), rankOf(s.Seen.Best))
	if h.name != string(key) {
		return nil
	}
	h.seen.shares.raise(from, false, s.Seen, nil)
	h.seen.merge(s.Seen.withoutCounts())
	h.seen.moved = inv.epoch.Load()
	if h.peerHours == nil {
		h.peerHours = make(map[*peer][]savedHour)
	}
	h.peerHours[from] = s.Hours
	return nil
}

// scans are a host's hourly records, of all nodes.
func (h *hostRecord) scans() []hour {
	list := slices.Clone(h.hours)
	for _, hours := range h.peerHours {
		for _, x := range hours {
			i, found := slices.BinarySearchFunc(list, x.Start, func(a hour, start int64) int {
				switch {
				case a.start < start:
					return -1
				case a.start > start:
					return 1
				}
				return 0
			})
			if !found {
				list = slices.Insert(list, i, hour{start: x.Start})
			}
			list[i].add(&x)
		}
	}
	return list[max(len(list)-maxHours, 0):]
}

// peerVersion takes in what another node has of a version.
func (inv *Inventory) peerVersion(node string, key, value []byte) error {
	if value == nil {
		return nil // what it counted stays
	}
	var s savedVersion
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	k := versionKey{s.API, s.Version}
	if !bytes.Equal(key, k.bytes()) {
		return errKey
	}
	from := inv.fleet.peerOf(node)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	v := inv.versions[k]
	if v == nil || s.Seen == nil {
		return nil // not declared here
	}
	v.seen.shares.raise(from, false, s.Seen, nil)
	v.seen.merge(s.Seen.withoutCounts())
	v.seen.moved = inv.epoch.Load()
	return nil
}

// consumerShare is what another node counted of a consumer.
type consumerShare struct {
	node       *peer
	count      uint64
	last       int64
	objections []savedObjection
}

// peerConsumer takes in what another node has of a consumer.
func (inv *Inventory) peerConsumer(node string, key, value []byte) error {
	if value == nil {
		return nil // what it counted stays
	}
	var s savedConsumer
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	kind := slices.Index(consumerKinds[:], s.Kind)
	if kind < 0 {
		return fmt.Errorf("unknown kind of consumer %q", s.Kind)
	}
	from := inv.fleet.peerOf(node)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	v := inv.versions[versionKey{s.API, s.Version}]
	if v == nil {
		return nil // not declared here
	}
	c := inv.consumers
	r := consumerRecord{kind: consumerKind(kind), slot: noSlot, first: s.First, version: v}
	_, rest, _ := bytes.Cut(key, []byte(":"))
	copy(r.id[:], rest)
	if !bytes.Equal(key, r.storeKey()) {
		return errKey
	}
	id := consumerID{r.id, r.kind, v}
	if !c.know(id) {
		if len(c.records) >= c.max {
			c.refused.Add(1)
			return nil
		}
		if c.absent == nil {
			c.absent = make(map[consumerID]uint32)
		}
		c.absent[id] = uint32(len(c.records))
		c.records = append(c.records, r)
		c.known[id] = true
		v.consumers++
	}
	if c.shares == nil {
		c.shares = make(map[consumerID][]consumerShare)
	}
	list := c.shares[id]
	i := slices.IndexFunc(list, func(x consumerShare) bool { return x.node == from })
	if i < 0 {
		i = len(list)
		list = append(list, consumerShare{node: from})
		c.shares[id] = list
	}
	if s.Count >= list[i].count { // all of them only grow, and together
		list[i].objections = s.Objections[:min(len(s.Objections), maxApart+2*numRules)]
	}
	list[i].count, list[i].last = max(list[i].count, s.Count), max(list[i].last, s.Last)
	return nil
}

// know reports whether there is a record of a consumer. Only nodes of a fleet need
// to find records by it, so the index is made when it is first asked for.
func (c *consumers) know(id consumerID) bool {
	if c.known == nil {
		c.known = make(map[consumerID]bool, len(c.records))
	}
	for ; c.indexed < len(c.records); c.indexed++ {
		r := &c.records[c.indexed]
		c.known[consumerID{r.id, r.kind, r.version}] = true
	}
	return c.known[id]
}

// elsewhere is what other nodes counted of a consumer.
func (c *consumers) elsewhere(r *consumerRecord) (count uint64, last int64) {
	if c.shares == nil {
		return 0, 0
	}
	for _, x := range c.shares[consumerID{r.id, r.kind, r.version}] {
		count, last = count+x.count, max(last, x.last)
	}
	return count, last
}

// peerReview takes over another node's review when it is newer.
func (inv *Inventory) peerReview(_ string, key, value []byte) error {
	if value == nil {
		return nil // what it counted stays
	}
	var s savedReview
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	r := &review{Review: Review{Review: s.Review, Note: s.Note}, at: s.At, unsaved: true}
	if err := r.check(); err != nil {
		return err
	}
	if len(key) != len(routeID{}) {
		return errKey
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if had := inv.reviews[routeID(key)]; had == nil && len(inv.reviews) < maxReviews || had != nil && had.at < s.At {
		inv.reviews[routeID(key)] = r
	}
	return nil
}

// peerFinding takes over since when another node knows of a finding, and that it
// told of it.
func (inv *Inventory) peerFinding(_ string, key, value []byte) error {
	if value == nil {
		return nil // what it counted stays
	}
	var s savedFinding
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for _, f := range inv.findings.byKey {
		if f.key.kind.String() != s.Kind || f.key.host != s.Host || f.key.version != s.Version {
			continue
		}
		if id := f.key.id(); string(id[:]) == string(key) {
			f.first = min(f.first, s.First)
			if s.Told == (f.closed == 0) {
				f.told = s.Told
			}
			return nil
		}
	}
	return nil
}
