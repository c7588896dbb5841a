package inventory

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// arrivalQueue is how many first sights of consumers may wait.
const arrivalQueue = 1024

// consumerKind says what a consumer is known by.
type consumerKind uint8

const (
	consumerNetwork consumerKind = iota // the client's address; IPv6 by /64
	consumerUser                        // whom Caddy authenticated
	consumerOther                       // those that the table had no room for
)

// identity is a consumer on its way: the hash that the table finds it by, and
// what its published name is made from. The hash is fast, seeded anew in each
// process and never shown.
type identity struct {
	hash     uint64 // 0: nobody is known
	kind     consumerKind
	material [sha256.Size]byte
}

// consumers counts requests by consumer and version, in a table of fixed size.
// Requests find and count without a lock; only the inventory's goroutine adds.
type consumers struct {
	networkSeed, userSeed maphash.Seed
	key                   [sha256.Size]byte // of the names that are shown

	slots    []consumerSlot // a power of two, open addressing; none is taken back
	max      int
	full     atomic.Bool
	refused  atomic.Uint64 // requests of consumers that found no room
	dropped  atomic.Uint64 // first sights that found the queue full
	arrivals chan arrival

	records []consumerRecord // Inventory.mu guards it
}

// consumerSlot is written before its key is, and found by it.
type consumerSlot struct {
	key   atomic.Uint64 // 0: free
	count atomic.Uint64
	last  atomic.Int64
}

// consumerRecord is what does not change about a consumer of a version.
type consumerRecord struct {
	id      routeID // of its keyed hash the first 80 bits
	kind    consumerKind
	slot    uint32
	first   int64
	version *versionRecord
}

// arrival is a consumer that the table did not have when it called.
type arrival struct {
	identity
	version *versionRecord
	time    int64
}

func newConsumers(limit int) *consumers {
	c := &consumers{
		networkSeed: maphash.MakeSeed(), userSeed: maphash.MakeSeed(), max: limit,
		// A third of it stays free, so that a search ends soon.
		slots:    make([]consumerSlot, 1<<bits.Len(uint(limit+limit/4))),
		arrivals: make(chan arrival, arrivalQueue),
	}
	_, _ = rand.Read(c.key[:]) // never fails, see its documentation
	return c
}

// hash is the caller's fast hash, 0 when nothing is known about it.
func (c *consumers) hash(from *Caller) uint64 {
	if from.User != "" {
		return max(maphash.String(c.userSeed, from.User), 1)
	}
	if !from.Addr.IsValid() {
		return 0
	}
	network := networkBytes(from)
	return max(maphash.Bytes(c.networkSeed, network[:]), 1)
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
	return max(hash^v.index*0x9e3779b97f4a7c15, 1)
}

// find is the slot with a key, or else the free one where it would go.
func (c *consumers) find(key uint64) (s *consumerSlot, at uint32, found bool) {
	mask := uint64(len(c.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		s := &c.slots[i]
		switch s.key.Load() {
		case key:
			return s, uint32(i), true
		case 0:
			return s, uint32(i), false
		}
	}
}

// count counts a request of a known consumer, or queues an unknown one. It waits
// for nothing.
func (c *consumers) count(from *Caller, hash uint64, v *versionRecord, time int64) {
	s, _, found := c.find(keyFor(hash, v))
	switch {
	case found:
		s.add(time)
	case c.full.Load():
		c.refused.Add(1)
		v.others.add(time)
		v.othersFirst.CompareAndSwap(0, time)
	default:
		select {
		case c.arrivals <- arrival{identity: from.identify(hash), version: v, time: time}:
		default:
			c.dropped.Add(1)
		}
	}
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
		s.add(a.time)
		return
	}
	if len(c.records) >= c.max {
		c.full.Store(true)
		c.refused.Add(1)
		a.version.others.add(a.time)
		a.version.othersFirst.CompareAndSwap(0, a.time)
		return
	}
	c.records = append(c.records, consumerRecord{
		id: c.name(&a.identity), kind: a.kind, slot: at, first: a.time, version: a.version,
	})
	a.version.consumers++
	s.count.Store(1)
	s.last.Store(a.time)
	s.key.Store(key)
}

// name is the keyed hash that stands for a consumer in answers (HMAC-SHA-256 with
// a key of this process).
func (c *consumers) name(id *identity) routeID {
	mac := hmac.New(sha256.New, c.key[:])
	mac.Write([]byte{byte(id.kind)})
	mac.Write(id.material[:])
	return routeID(mac.Sum(nil)[:len(routeID{})])
}
