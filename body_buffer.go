package apiguard

import (
	"math/bits"
	"sync"
)

const (
	// leastBuffer is the smallest room for a body, whatever length it announces;
	// those above it are powers of two, so that half of the room is in use.
	leastBuffer = 4 << 10
	// mostBuffer is the largest that is kept for another body. A larger one is made
	// as it is asked for and left to the garbage collector.
	mostBuffer = 1 << 20
)

// buffers are those that nobody uses, by size. A fresh one would be cleared, and
// brought in page by page, before a byte of a body is in it: for 100 KB that took
// as long as two thirds of the reading.
var buffers [9]sync.Pool // 4, 8, 16 and so on to 1,024 KiB

// buffer is room for a body. What stands in it that nobody has written is of
// another body.
type buffer struct{ room []byte }

// roomOf is how large the buffer is that has room for n bytes.
func roomOf(n int64) int64 {
	if n > mostBuffer {
		return n
	}
	return max(leastBuffer, int64(1)<<bits.Len64(uint64(n-1)))
}

func poolOf(size int64) *sync.Pool {
	return &buffers[bits.TrailingZeros64(uint64(size/leastBuffer))]
}

// newBuffer takes size from roomOf.
func newBuffer(size int64) *buffer {
	if size <= mostBuffer {
		if b, ok := poolOf(size).Get().(*buffer); ok {
			return b
		}
	}
	return &buffer{room: make([]byte, size)}
}

// put gives the buffer to whoever needs one next: nobody may read it any more.
func (b *buffer) put() {
	if size := int64(len(b.room)); size <= mostBuffer {
		poolOf(size).Put(b)
	}
}

// account counts the memory that is held.
type account interface {
	// hold takes n more bytes, or says that there is no room.
	hold(n int64) bool
	letGo(n int64)
}

// pieces is what of a body has come, in one buffer that grows with it.
type pieces struct {
	buffer *buffer // nil: none
	n      int     // bytes that have come
}

// bytes are valid until the buffer is given away.
func (g *pieces) bytes() []byte {
	if g.buffer == nil {
		return nil
	}
	return g.buffer.room[:g.n:g.n]
}

// size is the memory that it takes.
func (g *pieces) size() int64 {
	if g.buffer == nil {
		return 0
	}
	return int64(len(g.buffer.room))
}

// free is the room for what comes next.
func (g *pieces) free() []byte { return g.buffer.room[g.n:] }

// grow makes room for size bytes in all.
func (g *pieces) grow(size int64, a account) bool {
	have, size := g.size(), roomOf(size)
	if size <= have {
		return true
	}
	if !a.hold(size - have) {
		return false
	}
	larger := newBuffer(size)
	if g.buffer != nil {
		copy(larger.room, g.buffer.room[:g.n])
		g.buffer.put()
	}
	g.buffer = larger
	return true
}

// add appends p; there may be limit bytes in all.
func (g *pieces) add(p []byte, limit int64, a account) bool {
	need := int64(g.n + len(p))
	if need > g.size() && !g.grow(max(need, min(2*g.size(), limit)), a) {
		return false
	}
	if len(p) > 0 {
		g.n += copy(g.free(), p)
	}
	return true
}

// drop gives the buffer away and its memory back.
func (g *pieces) drop(a account) {
	if g.buffer != nil {
		a.letGo(g.size())
		g.buffer.put()
	}
	*g = pieces{}
}
