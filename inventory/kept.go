package inventory

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
)

// Buckets of the inventory's own.
const (
	bucketMeta      = "inventory"
	bucketRoutes    = "routes"
	bucketHosts     = "hosts"
	bucketVersions  = "versions"
	bucketConsumers = "consumers"
	bucketFindings  = "findings"
	bucketReviews   = "reviews"
	bucketFeed      = "feed"
	bucketFlows     = "flows"
)

// ownParts are what the inventory keeps of itself. Values are JSON: a field more or
// less is no new schema.
func (inv *Inventory) ownParts() []Kept {
	return []Kept{
		{Bucket: bucketMeta, Load: inv.loadMeta, Save: inv.saveMeta},
		{Bucket: bucketVersions, Load: inv.loadVersion, Save: inv.saveVersions, Peer: inv.peerVersion},
		{Bucket: bucketHosts, Load: inv.loadHost, Save: inv.saveHosts, Peer: inv.peerHost},
		{Bucket: bucketRoutes, Load: inv.loadRoute, Save: inv.saveRoutes, Loaded: inv.loaded, Peer: inv.peerRoute, Share: shareRoute},
		{Bucket: bucketConsumers, Load: inv.loadConsumer, Save: inv.saveConsumers, Peer: inv.peerConsumer, slices: inv.consumerSlices, saveSlice: inv.saveConsumerSlice},
		{Bucket: bucketReviews, Load: inv.loadReview, Save: inv.saveReviews, Peer: inv.peerReview},
		{Bucket: bucketFeed, Load: inv.feed.log.load, Save: inv.feed.log.save, Loaded: inv.feed.log.loaded},
		{Bucket: bucketFolds, Load: inv.loadFold, Save: inv.saveFolds},
		{Bucket: bucketLearned, Load: inv.loadLearned, Save: inv.saveLearned},
		{Bucket: bucketPins, Load: inv.loadPin, Save: inv.savePins},
		{Bucket: bucketFlows, Load: inv.loadFlow, Save: inv.saveFlows, Peer: inv.peerFlow},
		{Bucket: bucketFindings, Load: inv.loadFinding, Save: inv.saveFindings, Peer: inv.peerFinding},
	}
}

// removal is a key that is to be removed from the store.
type removal struct {
	bucket string
	key    []byte
}

// remove has the store forget a key. Inventory.mu is held for writing.
func (inv *Inventory) remove(bucket string, key []byte) {
	if inv.keeping && len(inv.removed) <= maxRemoved {
		inv.removed = append(inv.removed, removal{bucket, slices.Clone(key)})
	}
}

func (inv *Inventory) removedTooMany() bool {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	return len(inv.removed) > maxRemoved
}

// beginSave opens an epoch: what is touched from now on will be written again. It
// gives back what was removed.
func (inv *Inventory) beginSave() []removal {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.saveEpoch, inv.keptEpoch = inv.keptEpoch, inv.epoch.Add(1)
	removed := inv.removed
	inv.removed = nil
	return removed
}

// changed reports whether something that requests touch may have changed since it
// was written. A request adds to the counts first and reads the epoch then, see
// counters.add. So what is touched with an epoch that had begun before the last
// save may have been written without it. In between a query may show what it added
// already: counters.sum tells that.
func (inv *Inventory) changed(touched, mark uint64) bool {
	return touched != mark || touched >= inv.saveEpoch
}

// saved spells a value.
func saved(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		// All that is kept are strings and numbers.
		panic(fmt.Sprintf("inventory: encoding %T: %v", v, err))
	}
	return b
}

// savedCounts are a tally or counters.
type savedCounts struct {
	First       int64              `json:"first,omitempty"`
	Last        int64              `json:"last,omitempty"`
	Touched     uint64             `json:"touched,omitempty"`
	Best        Evidence           `json:"best,omitempty"`
	Classes     [numClasses]uint64 `json:"classes"`
	Refused     map[string]uint64  `json:"refused,omitempty"`
	WouldRefuse map[string]uint64  `json:"would_refuse,omitempty"`
	Good        int64              `json:"good,omitempty"`
	Closed      int64              `json:"closed,omitempty"`
}

// savedCallers are what is known of callers.
type savedCallers struct {
	Traits          uint32 `json:"traits,omitempty"` // bits, see traits
	Unauthenticated uint64 `json:"unauthenticated,omitempty"`
	Unguarded       int64  `json:"unguarded,omitempty"`
	Reached         int64  `json:"reached,omitempty"`
	Crowd           []byte `json:"crowd,omitempty"`
	One             uint64 `json:"one,omitempty"`
}

func (t *tally) save() *savedCounts {
	s := &savedCounts{First: t.first, Last: t.last, Touched: t.touched, Best: evidenceOf[t.best], Classes: t.classes, Good: t.good, Closed: t.closed}
	if v := t.verdicts; v != nil {
		s.Refused, s.WouldRefuse = byRule(&v.refused), byRule(&v.would)
	}
	return s
}

// merge adds what an earlier process counted.
func (t *tally) merge(s *savedCounts) {
	t.first, t.last = earlier(t.first, s.First), max(t.last, s.Last)
	t.touched, t.best = max(t.touched, s.Touched), max(t.best, rankOf(s.Best))
	for i, n := range s.Classes {
		t.classes[i] += n
	}
	if len(s.Refused)+len(s.WouldRefuse) > 0 {
		if t.verdicts == nil {
			t.verdicts = new(verdicts)
		}
		for rule, n := range s.Refused {
			t.verdicts.refused[ruleIndex(rule)] += n
		}
		for rule, n := range s.WouldRefuse {
			t.verdicts.would[ruleIndex(rule)] += n
		}
	}
	t.good, t.closed = max(t.good, s.Good), max(t.closed, s.Closed)
}

func (c *counters) save() (*savedCounts, *savedCallers) {
	// In the opposite order of counters.add, touched first.
	s := &savedCounts{Touched: c.touched.Load()}
	s.First, s.Last, s.Best = c.first.Load(), c.last.Load(), evidenceOf[c.best.Load()]
	var v verdicts
	for i := range v.refused {
		v.refused[i], v.would[i] = c.refused[i].Load(), c.would[i].Load()
	}
	s.Refused, s.WouldRefuse = byRule(&v.refused), byRule(&v.would)
	for i := range s.Classes {
		s.Classes[i] = c.classes[i].Load()
	}
	return s, &savedCallers{
		Traits: c.traits.Load(), Unauthenticated: c.unauthenticated.Load(), Unguarded: c.unguarded.Load(), Reached: c.reached.Load(),
		Crowd: c.crowd.Load().save(),
	}
}

// sum is another one after anything that save writes of c has changed, but for one time
// in 2^64 (FNV-1a over words). Of a request that was held up before it could say that it
// touched c nothing else tells. A nil c has none.
func (c *counters) sum() uint64 {
	if c == nil {
		return 0
	}
	sum := uint64(0xcbf29ce484222325)
	add := func(word uint64) { sum = (sum ^ word) * 0x100000001b3 }
	for i := range c.classes {
		add(c.classes[i].Load())
	}
	for i := range c.refused {
		add(c.refused[i].Load())
		add(c.would[i].Load())
	}
	add(uint64(c.first.Load()))
	add(uint64(c.last.Load()))
	add(uint64(c.best.Load()))
	add(uint64(c.traits.Load()))
	add(c.unauthenticated.Load())
	add(uint64(c.unguarded.Load()))
	add(uint64(c.reached.Load()))
	if s := c.crowd.Load(); s != nil {
		for i := range s {
			add(s[i].Load())
		}
	}
	return sum
}

// merge adds what an earlier process counted, while requests count on.
func (c *counters) merge(s *savedCounts, from *savedCallers) {
	for i, n := range s.Classes {
		c.classes[i].Add(n)
	}
	for rule, n := range s.Refused {
		c.refused[ruleIndex(rule)].Add(n)
	}
	for rule, n := range s.WouldRefuse {
		c.would[ruleIndex(rule)].Add(n)
	}
	for first := c.first.Load(); s.First != 0 && (first == 0 || s.First < first); first = c.first.Load() {
		c.first.CompareAndSwap(first, s.First)
	}
	for last := c.last.Load(); s.Last > last; last = c.last.Load() {
		c.last.CompareAndSwap(last, s.Last)
	}
	for best := c.best.Load(); uint32(rankOf(s.Best)) > best; best = c.best.Load() {
		c.best.CompareAndSwap(best, uint32(rankOf(s.Best)))
	}
	if from != nil {
		c.traits.Or(from.Traits)
		c.unauthenticated.Add(from.Unauthenticated)
		for last := c.unguarded.Load(); from.Unguarded > last; last = c.unguarded.Load() {
			c.unguarded.CompareAndSwap(last, from.Unguarded)
		}
		for last := c.reached.Load(); from.Reached > last; last = c.reached.Load() {
			c.reached.CompareAndSwap(last, from.Reached)
		}
		if len(from.Crowd) > 0 {
			c.consumers().merge(from.Crowd)
		}
	}
	for touched := c.touched.Load(); s.Touched > touched; touched = c.touched.Load() {
		c.touched.CompareAndSwap(touched, s.Touched)
	}
}

// passEpoch keeps epochs growing when the clock went back between two processes.
func (inv *Inventory) passEpoch(touched uint64) {
	for e := inv.epoch.Load(); e <= touched; e = inv.epoch.Load() {
		inv.epoch.CompareAndSwap(e, touched+1)
	}
}

func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func rankOf(e Evidence) rank {
	return rank(max(slices.Index(evidenceOf[:], e), 0))
}

// save spells the registers that have something: a pair of bytes each, or all of
// them when that is shorter.
func (s *sketch) save() []byte {
	if s == nil {
		return nil
	}
	var pairs, whole []byte
	for i := range sketchSize {
		r := byte(s[i/8].Load() >> (i % 8 * 8))
		whole = append(whole, r)
		if r > 0 {
			pairs = append(pairs, byte(i), r)
		}
	}
	if len(pairs) < sketchSize {
		return pairs
	}
	return whole
}

func (s *sketch) merge(b []byte) {
	if len(b) == sketchSize {
		for i, r := range b {
			s.raise(uint64(i), uint64(r))
		}
		return
	}
	for i := 0; i+1 < len(b); i += 2 {
		s.raise(uint64(b[i]), uint64(b[i+1]))
	}
}

// versionID is a short key for a version in the store.
func (k versionKey) bytes() []byte {
	b := binary.AppendUvarint(nil, uint64(len(k.api)))
	b = append(b, k.api...)
	return append(b, k.version...)
}
