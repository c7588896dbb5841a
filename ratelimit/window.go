package ratelimit

import (
	"encoding/binary"
	"math/bits"
	"time"
	"unsafe"
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

// window is what a window cell says at a time: the number of the running
// sub-window, the sum of what has not been forgotten, and by how many sub-windows
// the cell was last charged before that, counters when that no longer matters.
type window struct {
	epoch int64
	total uint32
	age   uint32
}

// windowAt reads a cell. An event of sub-window e is forgotten at (e+16)*sub: at
// least 15*sub, at most 16*sub after it happened.
//
// A clock behind the cell reads as the cell's latest sub-window: nothing is
// forgotten twice. Epochs compare modulo 2^32, which wraps after nine years at
// the shortest window.
func (c *small) windowAt(now, sub int64) window {
	if c.running(now, sub) {
		return c.latest()
	}
	return c.laterAt(now, sub)
}

// running tells whether the sub-window of the last charge is still the running
// one. Most charges come to such a cell, and save a division.
func (c *small) running(now, sub int64) bool {
	return uint64(now-int64(c.epoch)*sub) < uint64(sub)
}

func (c *small) latest() window { return window{epoch: int64(c.epoch), total: c.total()} }

func (c *small) laterAt(now, sub int64) window {
	epoch := now / sub
	age, total := uint32(epoch)-c.epoch, c.total()
	switch {
	case total == 0:
		return window{epoch: epoch, age: counters} // the cell's epoch may mean nothing
	case int32(age) < 0:
		return window{epoch: epoch + int64(-age), total: total}
	case age >= counters:
		return window{epoch: epoch, age: counters}
	}
	return window{epoch, total - c.before(counters-int(age)), age}
}

// total is the sum of a window's numbers, or what is used of a quota.
func (c *small) total() uint32 {
	if c.large() {
		return c.all().number(0)
	}
	return uint32(c.data[0] & maxSmall)
}

func (c *small) setTotal(n uint32) {
	if c.large() {
		c.all().setNumber(0, n)
		return
	}
	c.data[0] = c.data[0]&^maxSmall | uint64(n)
}

// count is what was charged k sub-windows before the cell's own, which is the latest.
func (c *small) count(k int) uint32 {
	switch {
	case k == 0:
		return c.total() - c.before(1)
	case c.large():
		return c.all().number(k)
	}
	return uint32(c.data[k/8] >> (k % 8 * 8) & maxSmall)
}

// before is what was charged k sub-windows before the cell's own, and earlier; k is not 0.
func (c *small) before(k int) (n uint32) {
	if c.large() {
		for ; k < counters; k++ {
			n += c.all().number(k)
		}
		return n
	}
	// The numbers add up to less than 256, so the highest byte of the product is their sum.
	const ones = 0x0101010101010101
	low, high := c.data[0], c.data[1]
	if k < 8 {
		low = low >> (8 * k) << (8 * k)
	} else {
		low, high = 0, high>>(8*(k-8))
	}
	return uint32(low*ones>>56 + high*ones>>56)
}

// oldest is how many sub-windows before the cell's own that is of which the first charge
// is remembered, so many sub-windows later. Something is.
func (c *small) oldest(age uint32) int {
	if c.large() {
		return c.all().oldest(age)
	}
	low, high := c.data[0]&^maxSmall, c.data[1]
	if age < 8 {
		high = high << (8 * age) >> (8 * age)
	} else {
		low, high = low<<(8*(age-8))>>(8*(age-8)), 0
	}
	switch {
	case high != 0:
		return 8 + (bits.Len64(high)-1)/8
	case low != 0:
		return (bits.Len64(low) - 1) / 8
	}
	return 0
}

// leaves is the time at which is forgotten what was charged k sub-windows before the
// cell's own.
func (v window) leaves(k int, sub int64) int64 {
	return (v.epoch - int64(v.age) - int64(k) + counters) * sub
}

// resets is the time at which something is first forgotten, of a charge that is now made
// if there is nothing else.
func (v window) resets(c *small, sub int64) int64 {
	if v.total == 0 || v.age == 0 && c.alone() {
		return (v.epoch + counters) * sub
	}
	return v.leaves(c.oldest(v.age), sub)
}

// alone tells whether nothing was charged before the cell's sub-window.
func (c *small) alone() bool {
	if !c.large() {
		return c.data[0]>>8|c.data[1] == 0
	}
	w := c.all().words()
	return w[1]|w[2]|w[3]|w[4]|w[5] == 0 && binary.LittleEndian.Uint64(c.all().bytes()[:])>>24 == 0
}

// check judges a cost, read only. c is the cell that v was read from; pending is what
// earlier charges of the same call will add.
func (v window) check(d *Decision, c *small, sub int64, capacity, pending, cost uint64, now int64) {
	used := uint64(v.total) + pending
	if used+cost > capacity {
		v.refuse(d, c, sub, capacity, pending, cost, now)
		return
	}
	*d = Decision{Admitted: true, Remaining: int(capacity - used - cost), Reset: time.Duration(v.resets(c, sub) - now)}
}

func (v window) refuse(d *Decision, c *small, sub int64, capacity, pending, cost uint64, now int64) {
	used := uint64(v.total) + pending
	*d = Decision{RetryAfter: Never}
	if used < capacity {
		d.Remaining = int(capacity - used)
	}
	if v.total != 0 {
		d.Reset = time.Duration(v.resets(c, sub) - now)
	}
	if pending+cost > capacity {
		return // not even with an empty window
	}
	k := c.oldest(v.age)
	for missing := used + cost - capacity; k > 0; k-- { // no more than there is
		n := uint64(c.count(k))
		if n >= missing {
			break
		}
		missing -= n
	}
	d.RetryAfter = time.Duration(v.leaves(k, sub) - now)
}

// holds tells whether a cell has room for a number.
func (c *small) holds(n uint64) bool { return n <= maxSmall || c.large() }

// chargeWindow adds a cost that was admitted to a large cell.
func (c *large) chargeWindow(ms uint32, cost uint64, now int64) {
	c.keepIn(ms, now)
	c.add(c.windowAt(now, subWindow(ms)), cost)
}

// keepIn keeps a cell in sub-windows of another length from now on.
func (c *small) keepIn(ms uint32, now int64) {
	if c.window != ms {
		moved := c.inWindow(ms, now)
		c.become(&moved)
	}
}

// add adds a cost, which the cell holds, to one that has been read as v. A total that is
// full refuses everything as long as any of it counts, so of what does not fit the
// youngest is kept.
func (c *small) add(v window, cost uint64) {
	if v.age != 0 {
		c.advance(v)
	}
	if v.total == 0 {
		c.setMark(0) // whoever starts afresh has his capacity noted again
	}
	total := uint64(v.total) + cost
	if total > maxCount {
		c.all().drop(total - maxCount)
		total = maxCount
	}
	c.setTotal(uint32(total))
}

// advance moves a cell on to the sub-window of v.
func (c *small) advance(v window) {
	switch {
	case c.large():
		c.all().advance(v)
	case v.age == counters:
		c.data = [2]uint64{}
	default:
		last, by := uint64(c.count(0)), 8*v.age
		low, high := c.data[0]&^maxSmall, c.data[1]
		if v.age < 8 {
			c.data[0], c.data[1] = low<<by|last<<by, high<<by|low>>(64-by)
		} else {
			c.data[0], c.data[1] = 0, low<<(by-64)|last<<(by-64)
		}
	}
	c.epoch = uint32(v.epoch)
	c.setTotal(v.total)
}

// inWindow is the cell as it stands in sub-windows of another length: after a
// reload that changed the window, or for a limit that looks at a cell it shares
// with others. Each count moves to the sub-window of the last moment at which it
// can have happened, so nothing is forgotten early. What the old window had
// already forgotten stays forgotten.
func (c *small) inWindow(ms uint32, now int64) (n large) {
	n.meta, n.window = c.meta|isLarge, ms
	old, sub := subWindow(c.window), subWindow(ms)
	if c.total() == 0 {
		return n
	}
	v := c.windowAt(now, old)
	now = max(now, v.epoch*old)
	running := now / sub
	n.epoch = uint32(running)
	if v.total == 0 {
		return n
	}
	var total uint32
	for k := c.oldest(v.age); k >= 0; k-- {
		latest := min(v.leaves(k, old)-(counters-1)*old-1, now) / sub
		ago := int(running - latest)
		if ago >= counters {
			continue
		}
		count := c.count(k)
		if ago > 0 {
			n.setNumber(ago, n.number(ago)+count)
		}
		total += count // of the old total, so it fits
	}
	n.setTotal(total)
	return n
}

// grown is a cell as a large one, which a small one can be that is a window.
func (c *small) grown() (n large) {
	if c.large() {
		return *c.all()
	}
	n.meta, n.window, n.epoch = c.meta|isLarge, c.window, c.epoch
	n.setTotal(c.total())
	for k := 1; k < counters; k++ {
		n.setNumber(k, c.count(k))
	}
	return n
}

// squeezed is a large window as a small one, which must hold it.
func (c *large) squeezed() (n small) {
	n.meta, n.window, n.epoch = c.meta&^isLarge, c.window, c.epoch
	for k := range counters {
		n.data[k/8] |= uint64(c.number(k)) << (k % 8 * 8)
	}
	return n
}

// words is the data of a large cell, and bytes the same where numbers have 24 bits.
func (c *large) words() *[6]uint64 { return (*[6]uint64)(unsafe.Pointer(&c.data)) }
func (c *large) bytes() *[48]byte  { return (*[48]byte)(unsafe.Pointer(&c.data)) }

// number reads the k-th of the 16 numbers; see small.data.
func (c *large) number(k int) uint32       { return number24(c.bytes()[3*(k&(counters-1)):]) }
func (c *large) setNumber(k int, n uint32) { putNumber24(c.bytes()[3*(k&(counters-1)):], n) }

func (c *large) oldest(age uint32) int {
	keep := 24 * (counters - int(age)) // bits, of those that are not forgotten
	for w := 5; w >= 0; w-- {
		n := binary.LittleEndian.Uint64(c.bytes()[8*w:])
		if w == 0 {
			n &^= maxCount // the total
		}
		if over := 64*(w+1) - keep; over > 0 {
			n = n << over >> over
		}
		if n != 0 {
			return (64*w + bits.Len64(n) - 1) / 24
		}
	}
	return 0
}

// advance moves the numbers of a large cell.
func (c *large) advance(v window) {
	b := c.bytes()
	age := int(v.age)
	if age == counters {
		clear(b[3:])
		return
	}
	last := c.count(0)
	copy(b[3*(age+1):], b[3:])
	clear(b[3 : 3*age])
	c.setNumber(age, last)
}

// drop takes off the oldest numbers.
func (c *large) drop(n uint64) {
	for k := counters - 1; k > 0 && n > 0; k-- {
		less := min(n, uint64(c.number(k)))
		c.setNumber(k, c.number(k)-uint32(less))
		n -= less
	}
}
