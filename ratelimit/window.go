package ratelimit

import (
	"math/bits"
	"time"
)

// subWindow is the length in nanoseconds of one of the 15 parts of a window of
// ms milliseconds, rounded up so that 15 of them cover it.
func subWindow(ms uint32) int64 {
	return int64((uint64(ms)*200_000 + 2) / 3) // ms * 1e6 / 15
}

// milliseconds is the window that a limit's cell is kept in, rounded up.
func (l *Limit) milliseconds() uint32 {
	return uint32(uint64(l.Window+time.Millisecond-1) / uint64(time.Millisecond))
}

// ring is the mask of n counters from the one of an epoch on.
func ring(epoch uint32, n uint32) uint16 {
	return bits.RotateLeft16(1<<n-1, int(epoch&(counters-1)))
}

// window is what a window cell says at a time: the number of the running
// sub-window, the sum of what has not been forgotten, and the counters that it
// is in.
type window struct {
	epoch int64
	total uint32
	live  uint16
}

// windowAt reads a cell. An event of sub-window e is forgotten at (e+16)*sub: at
// least 15*sub, at most 16*sub after it happened.
//
// A clock behind the cell reads as the cell's latest sub-window: nothing is
// forgotten twice. Epochs compare modulo 2^32, which wraps after nine years at
// the shortest window.
func (c *slot) windowAt(now, sub int64) window {
	if c.running(now, sub) {
		return c.latest()
	}
	return c.laterAt(now, sub)
}

// running tells whether the sub-window of the last charge is still the running
// one. Most charges come to such a cell, and save a division.
func (c *slot) running(now, sub int64) bool {
	return uint64(now-int64(c.epoch)*sub) < uint64(sub)
}

func (c *slot) latest() window {
	return window{int64(c.epoch), c.total, c.used()}
}

func (c *slot) laterAt(now, sub int64) window {
	epoch := now / sub
	age := uint32(epoch) - c.epoch
	switch {
	case c.used() == 0:
		return window{epoch: epoch} // never charged: the cell's epoch means nothing
	case age == 0:
		return window{epoch, c.total, c.used()}
	case int32(age) < 0:
		return window{epoch + int64(-age), c.total, c.used()}
	case age >= counters:
		return window{epoch: epoch}
	}
	gone := ring(c.epoch+1, age) & c.used()
	return window{epoch, c.total - c.sum(gone), c.used() &^ gone}
}

// leaves is the time at which the oldest of the live counters is forgotten, and
// its index. Some counter is live.
func (v window) leaves(sub int64) (at int64, index int) {
	// Bit 0 of the rotated mask is sub-window epoch-15, the oldest that counts.
	young := bits.TrailingZeros16(bits.RotateLeft16(v.live, -int((v.epoch+1)&(counters-1))))
	oldest := v.epoch - (counters - 1) + int64(young)
	return (oldest + counters) * sub, int(oldest & (counters - 1))
}

// check judges a cost, read only. c is the cell that v was read from, nil when
// there is none; pending is what earlier charges of the same call will add.
func (v window) check(d *Decision, c *slot, sub int64, capacity, pending, cost uint64, now int64) {
	used := uint64(v.total) + pending
	if used+cost > capacity {
		v.refuse(d, c, sub, capacity, pending, cost, now)
		return
	}
	if v.live == 0 {
		v.live = 1 << (v.epoch & (counters - 1)) // where this charge goes
	}
	at, _ := v.leaves(sub)
	*d = Decision{Admitted: true, Remaining: int(capacity - used - cost), Reset: time.Duration(at - now)}
}

func (v window) refuse(d *Decision, c *slot, sub int64, capacity, pending, cost uint64, now int64) {
	used := uint64(v.total) + pending
	*d = Decision{RetryAfter: Never}
	if used < capacity {
		d.Remaining = int(capacity - used)
	}
	if v.live != 0 {
		at, _ := v.leaves(sub)
		d.Reset = time.Duration(at - now)
	}
	if pending+cost > capacity {
		return // not even with an empty window
	}
	for missing := used + cost - capacity; v.live != 0; {
		at, i := v.leaves(sub)
		n := uint64(c.count(i))
		if n >= missing {
			d.RetryAfter = time.Duration(at - now)
			return
		}
		missing -= n
		v.live &^= 1 << i
	}
}

// chargeWindow adds a cost that was admitted.
func (c *slot) chargeWindow(ms uint32, cost uint64, now int64) {
	if c.window != ms {
		c.become(c.inWindow(ms, now))
	}
	c.add(c.windowAt(now, subWindow(ms)), cost)
}

// add adds a cost to a cell that has been read as v, and tells whether it was
// charged in this sub-window before. The counter saturates, which refuses
// everything as long as it counts.
func (c *slot) add(v window, cost uint64) (again bool) {
	i := int(v.epoch & (counters - 1))
	var before uint32
	if again = v.live>>i&1 == 1; again {
		before = c.count(i)
	}
	after := uint32(min(uint64(before)+cost, maxCount))
	c.setCount(i, after)
	c.setUsed(v.live | 1<<i)
	c.epoch, c.total = uint32(v.epoch), v.total+after-before
	return again
}

// inWindow is the cell as it stands in sub-windows of another length: after a
// reload that changed the window, or for a limit that looks at a cell it shares
// with others. Each count moves to the sub-window of the last moment at which it
// can have happened, so nothing is forgotten early. What the old window had
// already forgotten stays forgotten.
func (c *slot) inWindow(ms uint32, now int64) slot {
	n := slot{meta: c.meta &^ 0xffff, window: ms}
	old, sub := subWindow(c.window), subWindow(ms)
	if c.used() == 0 {
		return n
	}
	v := c.windowAt(now, old)
	now = max(now, v.epoch*old)
	running := now / sub
	n.epoch = uint32(running)
	for v.live != 0 {
		at, i := v.leaves(old)
		v.live &^= 1 << i
		latest := min(at-(counters-1)*old-1, now) / sub
		if running-latest >= counters {
			continue
		}
		j := int(latest & (counters - 1))
		var before uint32
		if n.used()>>j&1 == 1 {
			before = n.count(j)
		}
		after := min(before+c.count(i), maxCount)
		n.setCount(j, after)
		n.setUsed(n.used() | 1<<j)
		n.total += after - before
	}
	return n
}
