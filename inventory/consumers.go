package inventory

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dchest/siphash"
)

// arrivalQueue is how many first sights of consumers may wait.
const arrivalQueue = 1024

// consumerKind says what a consumer is known by.
type consumerKind uint8

const (
	consumerNetwork     consumerKind = iota // the client's address; IPv6 by /64
	consumerUser                            // whom Caddy authenticated
	consumerIntegration                     // a declared third party
	consumerOther                           // those that the table had no room for
)

// identity is a consumer on its way: the hash that the table finds it by, and
// what its published name is made from. The hash is fast, keyed and never shown.
type identity struct {
	hash     uint64 // 0: nobody is known
	kind     consumerKind
	material [sha256.Size]byte
	name     string // of an integration
}

// consumers counts requests by consumer and version, in a table of fixed size.
// Requests find and count without a lock; only the inventory's goroutine adds.
type consumers struct {
	key    atomic.Pointer[consumerKey] // nil: not known yet, and nobody is counted
	keyMu  sync.Mutex
	stored []byte       // the key that the store has
	common *consumerKey // the fleet's; nil: none

	slots   []consumerSlot // a power of two, open addressing; a key may be vacant
	max     int
	full    atomic.Bool
	refused atomic.Uint64 // requests of consumers that found no room
	dropped atomic.Uint64 // first sights that found the queue full
	// How many objections tell their route, how many do not, and how many requests
	// were objected to that found no room.
	routesTold, rulesTold atomic.Int64
	untold                atomic.Uint64
	arrivals              chan arrival

	// Inventory.mu guards these.
	records []consumerRecord
	absent  map[consumerID]uint32 // records of earlier processes, or other nodes, that have not called this one
	shares  map[consumerID][]consumerShare
	known   map[consumerID]bool // see know
	indexed int                 // records that are in it
}

// consumerKey is what consumers are hashed with. It is the store's, so that they
// are the same ones in the next process.
type consumerKey struct {
	names       [sha256.Size]byte // of those that are shown
	user, other [2]uint64         // of the table and the sketches: SipHash
}

// newConsumerKey makes the keys of all from one.
func newConsumerKey(key []byte) *consumerKey {
	k := new(consumerKey)
	copy(k.names[:], key)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("api-guard consumers"))
	b := mac.Sum(nil)
	for i := range 2 {
		k.user[i] = binary.BigEndian.Uint64(b[i*8:])
		k.other[i] = binary.BigEndian.Uint64(b[16+i*8:])
	}
	return k
}

// hold has nobody counted until the key is settled.
func (c *consumers) hold() {
	c.keyMu.Lock()
	defer c.keyMu.Unlock()
	c.key.Store(c.common)
}

// share makes the key the fleet's, whatever the store has.
func (c *consumers) share(key []byte) {
	c.keyMu.Lock()
	defer c.keyMu.Unlock()
	sum := sha256.Sum256(key)
	c.common = newConsumerKey(sum[:])
	c.key.Store(c.common)
}

// settle makes the key the one that the store has, or a new one for nil. Once
// there is one it stays while the process lives: what was counted goes by it.
func (c *consumers) settle(stored []byte) {
	c.keyMu.Lock()
	defer c.keyMu.Unlock()
	if len(stored) == sha256.Size {
		c.stored = append([]byte(nil), stored...)
	} else {
		stored = make([]byte, sha256.Size)
		_, _ = rand.Read(stored) // never fails, see its documentation
	}
	c.key.CompareAndSwap(nil, newConsumerKey(stored))
}

// keyToKeep is the key for the store: its own, if it has one.
func (c *consumers) keyToKeep() []byte {
	c.keyMu.Lock()
	defer c.keyMu.Unlock()
	if c.stored == nil {
		if k := c.key.Load(); k != nil {
			c.stored = append([]byte(nil), k.names[:]...)
		}
	}
	return c.stored
}

// vacant is the key of a slot that was taken back: a search goes on after it, and a
// new consumer may have it. No consumer's key is as small.
const vacant = 1

// consumerSlot is written before its key is, and found by it.
type consumerSlot struct {
	key        atomic.Uint64 // 0: free
	count      atomic.Uint64
	last       atomic.Int64
	objections objectionList
}

// consumerRecord is a consumer of a version, apart from what requests count.
type consumerRecord struct {
	id      routeID // of its keyed hash the first 80 bits
	kind    consumerKind
	slot    uint32 // noSlot: it has not called this process
	first   int64
	version *versionRecord
	name    string // of an integration
	days    days

	// What the store has; without a slot that is all there is.
	keptCount  uint64
	keptLast   int64
	objections *objection // without a slot
}

// consumerID tells records apart.
type consumerID struct {
	id      routeID
	kind    consumerKind
	version *versionRecord
}

const noSlot = ^uint32(0)

// arrival is a consumer that the table did not have when it called.
type arrival struct {
	identity
	version    *versionRecord
	time       int64
	objections objections
	route      routeID
}

func newConsumers(limit int) *consumers {
	c := &consumers{
		max: limit,
		// A third of it stays free, so that a search ends soon.
		slots:    make([]consumerSlot, 1<<bits.Len(uint(limit+limit/4))),
		arrivals: make(chan arrival, arrivalQueue),
	}
	c.settle(nil)
	return c
}

// hash is the caller's fast hash, 0 when nothing is known about it.
func (c *consumers) hash(from *Caller) uint64 {
	k := c.key.Load()
	if k == nil {
		return 0
	}
	if from.Integration != "" {
		return max(^siphash.Hash(k.user[0], k.user[1], []byte(from.Integration)), 1)
	}
	if from.User != "" {
		return max(siphash.Hash(k.user[0], k.user[1], []byte(from.User)), 1)
	}
	if !from.Addr.IsValid() {
		return 0
	}
	network := networkBytes(from)
	return max(siphash.Hash(k.other[0], k.other[1], network[:]), 1)
}

// networkBytes is the client's network: an IPv4 address, or the /64 of an IPv6
// one, which is what one customer gets.
func networkBytes(from *Caller) [16]byte {
	addr := from.Addr.Unmap()
	b := addr.As16()
	if addr.Is6() {
		clear(b[8:])
	}
	return b
}

// identify makes what a consumer's name is made from.
func (from *Caller) identify(hash uint64) identity {
	id := identity{hash: hash}
	if from.Integration != "" {
		id.kind, id.material, id.name = consumerIntegration, sha256.Sum256([]byte(from.Integration)), from.Integration
		return id
	}
	if from.User != "" {
		id.kind, id.material = consumerUser, sha256.Sum256([]byte(from.User))
		return id
	}
	network := networkBytes(from)
	copy(id.material[:], network[:])
	return id
}

// keyFor is the table's key of a consumer of a version.
func keyFor(hash uint64, v *versionRecord) uint64 {
	return max(hash^v.index*0x9e3779b97f4a7c15, vacant+1)
}

// find is the slot with a key, or else the one where it would go.
func (c *consumers) find(key uint64) (s *consumerSlot, at uint32, found bool) {
	mask := uint64(len(c.slots) - 1)
	free := noSlot
	for n := range uint64(len(c.slots)) {
		i := uint32((key + n) & mask)
		switch s := &c.slots[i]; s.key.Load() {
		case key:
			return s, i, true
		case vacant:
			free = min(free, i)
			continue
		case 0:
			free = min(free, i)
		default:
			continue
		}
		break
	}
	return &c.slots[free], free, false
}

// count counts a request of a known consumer, or queues an unknown one, with what
// rules had against it at a route. It waits for nothing.
func (c *consumers) count(from *Caller, hash uint64, v *versionRecord, time int64, to objections, at routeID) {
	s, _, found := c.find(keyFor(hash, v))
	switch {
	case found:
		// First, since it is the count that says that there is something to store.
		if to != 0 {
			c.object(&s.objections, to, at)
		}
		s.add(time)
	case c.full.Load():
		c.sumUp(v, time, to, at)
	default:
		select {
		case c.arrivals <- arrival{identity: from.identify(hash), version: v, time: time, objections: to, route: at}:
		default:
			c.dropped.Add(1)
		}
	}
}

// sumUp counts a request of a consumer that has no room.
func (c *consumers) sumUp(v *versionRecord, time int64, to objections, at routeID) {
	c.refused.Add(1)
	c.object(&v.others.objections, to, at)
	v.others.add(time)
	v.othersFirst.CompareAndSwap(0, time)
}

func (s *consumerSlot) add(time int64) {
	s.count.Add(1)
	for {
		last := s.last.Load()
		if time-last < lastGrain || s.last.CompareAndSwap(last, time) {
			return
		}
	}
}

// welcome takes in a consumer that was not in the table when it called.
// Inventory.mu is held.
func (inv *Inventory) welcome(a *arrival) {
	c := inv.consumers
	key := keyFor(a.hash, a.version)
	s, at, found := c.find(key)
	if found {
		c.object(&s.objections, a.objections, a.route)
		s.add(a.time)
		return
	}
	id := consumerID{c.name(&a.identity), a.kind, a.version}
	if i, ok := c.absent[id]; ok {
		delete(c.absent, id)
		r := &c.records[i]
		r.slot = at
		s.objections.Store(r.objections)
		r.objections = nil
		c.object(&s.objections, a.objections, a.route)
		s.count.Store(r.keptCount + 1)
		s.last.Store(a.time)
		s.key.Store(key)
		return
	}
	if len(c.records) >= c.max {
		c.full.Store(true)
		c.sumUp(a.version, a.time, a.objections, a.route)
		return
	}
	c.records = append(c.records, consumerRecord{
		id: id.id, kind: a.kind, slot: at, first: a.time, version: a.version, name: a.name,
		days: days{day: dayOf(time.Unix(0, a.time))},
	})
	a.version.consumers++
	s.objections.Store(nil)
	c.object(&s.objections, a.objections, a.route)
	s.count.Store(1)
	s.last.Store(a.time)
	s.key.Store(key)
}

// name is the keyed hash that stands for a consumer in answers (HMAC-SHA-256).
func (c *consumers) name(id *identity) routeID {
	mac := hmac.New(sha256.New, c.key.Load().names[:])
	mac.Write([]byte{byte(id.kind)})
	mac.Write(id.material[:])
	return routeID(mac.Sum(nil)[:len(routeID{})])
}
