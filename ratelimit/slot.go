package ratelimit

import (
	"math/bits"
	"unsafe"
)

const (
	lines    = 8         // of a set, as many as it has slots
	ways     = 2 * lines // halves of slots
	counters = 16        // of a window: the running sub-window and 15 whole ones
	maxCount = 1<<24 - 1
	maxSmall = 1<<8 - 1 // of a cell in half a slot
)

// kind is what a cell holds. Another kind is another cell: a limit whose
// algorithm changes starts afresh, and never reads bytes that mean something
// else. The top bit marks the shadow of a cell, which monitored limits charge.
type kind uint8

const (
	kindNone   kind = 0 // a way that is free, and the shared cells
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

// identity is what a cell is recognised by in its set: its kind in bits 0-3, and above
// them the lower 43 bits of its key.
type identity uint64

const keyBits = 43

func (d identity) kind() kind { return kind(d) & kindMask }

// home is the line that a cell is in if it can, so that whoever looks for it knows
// where.
func (d identity) home() int8 { return int8(d >> 4 % lines) }

// block is the identity of the penalty beside a cell, a shadow's beside a shadow.
func (d identity) block() identity { return d&^identity(kindMask&^kindShadow) | identity(kindBlock) }

// small is one client's debt to one limit, in 32 bytes: a block, or a window of which
// not more than maxSmall is used. It says all that is needed to judge it without
// knowing the limit, since whoever looks for a victim knows only his own.
type small struct {
	// meta: bits 0-7 belong to the line and not to the cell, are those of its first half,
	// and say which other lines have cells whose home this one is. Bits 8-15 are the mark
	// of the capacity that the set has noted for the cell, 0 for none; bit 16 says that
	// the cell is large; 17-63 are its identity.
	meta uint64
	// window: W in milliseconds; for a quota its period.
	window uint32
	// epoch: for a window the number of the running sub-window when it was last
	// charged, modulo 2^32; for a bucket the rate; for a quota the number of the period.
	epoch uint32
	// data: for a window 16 numbers, the lowest first, of 8 bits each: the sum of all that
	// counted when it was last charged, and of that, youngest first, what was charged in
	// each of the 15 sub-windows before the one of epoch. The rest of the sum was charged
	// in that one. For a block word 1 is when it ends.
	data [2]uint64
}

// large is a cell that has a slot to itself: any kind, and windows with numbers of 24 bits.
type large struct {
	small
	more [4]uint64
}

const (
	largeBit = 16
	isLarge  = 1 << largeBit
	identBit = 17 // the lowest of a cell's identity
)

// set is the cells among which a client's is, if it is anywhere. A slot is a cache line
// and has one large cell or two small ones. Those at home cost that line to find, others
// one more; and so costs a client who is not there, mostly.
type set [ways]small

// fit is 24 bits for each way of a set: the limit's capacity, to tell who is at it. Only
// those who look for a victim read it.
type fit [3 * ways]byte

func (f *fit) capacity(w int8) uint32       { return number24(f[3*int(w):]) }
func (f *fit) setCapacity(w int8, n uint32) { putNumber24(f[3*int(w):], n) }

// number24 reads a number of 24 bits, and putNumber24 writes one.
func number24(b []byte) uint32 {
	_ = b[2] // one check of the bounds
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
}

func putNumber24(b []byte, n uint32) {
	_ = b[2]
	b[0], b[1], b[2] = byte(n), byte(n>>8), byte(n>>16)
}

// markOf is a byte by which a cell tells most capacities apart, never 0. It keeps nearly
// all charges from the cache line of the set's fit.
func markOf(capacity uint32) uint8 { return max(1, uint8(capacity^capacity>>8^capacity>>16)) }

// at is &s[w] without a read of the first way, by which Go finds out about a nil set:
// that would be one more line to come from memory.
func (s *set) at(w int8) *small {
	return (*small)(unsafe.Add(unsafe.Pointer(s), uintptr(w)%ways*unsafe.Sizeof(small{})))
}

// span is how many ways the cell of a way takes, also when there is none.
func (s *set) span(w int8) int8 { return s.at(w).span() }

// in returns the way of a cell in a line, or -1. In which half it is nobody can foresee,
// the processor neither, so that is computed and not branched by.
func (s *set) in(line int8, d identity) int8 {
	pair := (*[2]small)(unsafe.Pointer(s.at(2 * line)))
	first, second := pair[0].meta>>identBit^uint64(d), pair[1].meta>>identBit^uint64(d)
	first, second = first|-first, second|-second|pair[0].meta<<(63-largeBit) // the top bit: it is not there
	if int64(first&second) < 0 {
		return -1
	}
	return 2*line + int8(first>>63)
}

// find returns the way of a cell, or -1.
func (s *set) find(d identity) int8 {
	home := d.home()
	if w := s.in(home, d); w >= 0 {
		return w
	}
	for away := s.away(home); away != 0; away &= away - 1 {
		if w := s.in(int8(bits.TrailingZeros8(away)), d); w >= 0 {
			return w
		}
	}
	return -1
}

// away is the lines that have cells whose home another one is.
func (s *set) away(line int8) uint8 { return uint8(s.at(2 * line).meta) }

// claim makes a way a small cell without debt.
func (s *set) claim(w int8, d identity) *small {
	s.clear(w)
	c := s.at(w)
	c.meta |= uint64(d) << identBit
	s.refer(d.home(), w/2)
	return c
}

// claimAll makes a line, that of an even way, a large cell without debt.
func (s *set) claimAll(w int8, d identity) *small {
	s.clear(w)
	s.clear(w + 1)
	c := s.claim(w, d)
	c.meta |= isLarge
	return c
}

// clear makes a way free, and that of a large cell its neighbour too.
func (s *set) clear(w int8) {
	c := s.at(w)
	d, n := c.identity(), c.span()
	*c = small{meta: c.meta & 0xff}
	if n == 2 {
		*s.at(w + 1) = small{}
	}
	if d.kind() != kindNone {
		s.refer(d.home(), w/2)
	}
}

// refer notes at home whether a line has cells from there.
func (s *set) refer(home, line int8) {
	if home == line {
		return
	}
	bit := uint64(1) << line
	c := s.at(2 * home)
	c.meta &^= bit
	for w := 2 * line; w < 2*line+2; w += s.span(w) {
		if !s[w].free() && s[w].identity().home() == home {
			c.meta |= bit
		}
	}
}

func (c *small) identity() identity { return identity(c.meta >> identBit) }
func (c *small) kind() kind         { return c.identity().kind() }
func (c *small) free() bool         { return c.kind() == kindNone }
func (c *small) large() bool        { return c.meta&isLarge != 0 }
func (c *small) mark() uint8        { return uint8(c.meta >> 8) }
func (c *small) setMark(m uint8)    { c.meta = c.meta&^0xff00 | uint64(m)<<8 }

func (c *small) span() int8 {
	if c.large() {
		return 2
	}
	return 1
}

// all is a large cell with what it has more than a small one.
func (c *small) all() *large { return (*large)(unsafe.Pointer(c)) }

// become takes over the contents of a cell, which fit, and leaves what belongs to the line.
func (c *small) become(n *large) {
	line, size := c.meta&0xff, c.meta&isLarge
	if size != 0 {
		*c.all() = *n
	} else {
		*c = n.squeezed()
	}
	c.meta = c.meta&^(0xff|isLarge) | line | size
}

// debt is what the cell still owes at a time, in tokens rounded up. Without debt
// it is no different from one that was never charged.
func (c *small) debt(now int64) uint32 {
	switch c.kind() &^ kindShadow {
	case kindBucket:
		return c.all().bucketDebt(now)
	case kindBlock:
		if c.ends() > now {
			return 1
		}
		return 0
	case kindQuota:
		return c.all().quotaDebt(now)
	}
	return c.windowAt(now, subWindow(c.window)).total
}

// ends is when a block or the period of a quota is over, on the table's clock.
func (c *small) ends() int64 { return int64(c.data[1]) }

func (c *small) setEnds(at int64) { c.data[1] = uint64(at) }
