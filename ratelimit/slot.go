package ratelimit

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	ways     = 8  // slots of a set
	counters = 16 // of a window: the running sub-window and 15 whole ones
	maxCount = 1<<24 - 1
)

// kind is what a slot holds. Another kind is another cell: a limit whose
// algorithm changes starts afresh, and never reads bytes that mean something
// else. The top bit marks the shadow of a cell, which monitored limits charge.
type kind uint32

const (
	kindWindow kind = 1
	kindBucket kind = 2
	kindBlock  kind = 3
	kindQuota  kind = 4
	kindShadow kind = 8
	kindMask   kind = 15
)

// algorithms is how many there are.
const algorithms = 4

// kinds is what the cells of limits hold. That of a limit on concurrency is never made.
var kinds = [algorithms]kind{Window: kindWindow, Bucket: kindBucket, Concurrency: kindWindow, Quota: kindQuota}

// slot is one client's debt to one limit: a cache line. It says all that is
// needed to judge it without knowing the limit, since whoever looks for a victim
// knows only his own.
type slot struct {
	// meta: bits 0-15 mark the counters in use, 16-19 are the kind, 20-31 bits of
	// the key that are not in the set's tag.
	meta uint32
	// window: W in milliseconds. Written with atomic stores, because Take touches
	// it before it holds the lock, to have the line in the cache by then.
	window uint32
	// epoch: for a window the number of the running sub-window when it was last
	// charged, modulo 2^32; for a bucket the rate.
	epoch uint32
	// total: for a window the sum of the counters in use; for a bucket the
	// fraction of a nanosecond of its arrival time, in 1/rate.
	total uint32
	// data: for a window 16 counters, the low 16 bits of each in words 0-3, the
	// high 8 in words 4-5. A counter that is not in use is not zeroed. For a block
	// word 0 is when it ends; for a bucket and a quota see there.
	data [6]uint64
}

// set is what one lock guards. Eight tags, eight capacities and the mutex fill
// the first cache line, so that a client that is not there costs one miss.
type set struct {
	mu  sync.Mutex
	tag [ways]uint32    // 0: empty. Stored atomically, as slot.window.
	fit [3 * ways]uint8 // 24 bits a way: the limit's capacity, to tell who is at it
	way [ways]slot
}

func (s *set) capacity(w int8) uint32 {
	c := s.fit[3*int(w):][:3]
	return uint32(c[0]) | uint32(c[1])<<8 | uint32(c[2])<<16
}

func (s *set) setCapacity(w int8, n uint32) {
	c := s.fit[3*int(w):][:3]
	c[0], c[1], c[2] = uint8(n), uint8(n>>8), uint8(n>>16)
}

// find returns the way of a cell, or -1. mark is meta's upper half.
func (s *set) find(tag, mark uint32) int8 {
	for w := range s.tag {
		if s.tag[w] == tag && s.way[w].meta>>16 == mark {
			return int8(w)
		}
	}
	return -1
}

// home is the way that a cell takes if it can, so that whoever looks for it knows
// its cache line before it has read the tags.
func home(tag uint32) int8 { return int8(tag % ways) }

// claim makes a way a cell without debt.
func (s *set) claim(w int8, tag, mark uint32) *slot {
	c := &s.way[w]
	atomic.StoreUint32(&s.tag[w], tag)
	c.meta, c.epoch, c.total, c.data[0] = mark<<16, 0, 0, 0
	return c
}

func (c *slot) kind() kind { return kind(c.meta>>16) & kindMask }

func (c *slot) used() uint16 { return uint16(c.meta) }

func (c *slot) setUsed(m uint16) { c.meta = c.meta&^0xffff | uint32(m) }

// become overwrites a cell, window atomically.
func (c *slot) become(n slot) {
	atomic.StoreUint32(&c.window, n.window)
	c.meta, c.epoch, c.total, c.data = n.meta, n.epoch, n.total, n.data
}

func (c *slot) count(i int) uint32 {
	i &= counters - 1
	low := uint16(c.data[i>>2] >> (i & 3 << 4))
	high := uint8(c.data[4+i>>3] >> (i & 7 << 3))
	return uint32(low) | uint32(high)<<16
}

func (c *slot) setCount(i int, n uint32) {
	i &= counters - 1
	low, at := &c.data[i>>2], i&3<<4
	*low = *low&^(0xffff<<at) | uint64(uint16(n))<<at
	high, at := &c.data[4+i>>3], i&7<<3
	*high = *high&^(0xff<<at) | uint64(uint8(n>>16))<<at
}

// sum adds the counters of a mask.
func (c *slot) sum(mask uint16) uint32 {
	var n uint32
	for ; mask != 0; mask &= mask - 1 {
		n += c.count(bits.TrailingZeros16(mask))
	}
	return n
}

// debt is what the cell still owes at a time, in tokens rounded up. Without debt
// it is no different from one that was never charged.
func (c *slot) debt(now int64) uint32 {
	switch c.kind() &^ kindShadow {
	case kindBucket:
		return c.bucketDebt(now)
	case kindBlock:
		if int64(c.data[0]) > now {
			return 1
		}
		return 0
	case kindQuota:
		return c.quotaDebt(now)
	}
	return c.windowAt(now, subWindow(c.window)).total
}
