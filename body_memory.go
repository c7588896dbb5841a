package apiguard

import (
	"errors"
	"io"
	"sync/atomic"
)

// The ceiling on all bodies that are held to be judged, unless body_memory says
// otherwise, and the least that it may be.
const (
	defaultBodyMemory = 256 << 20
	leastBodyMemory   = 2 << 20
)

// smallBody is how much memory a body gets when the first buffer is full.
const smallBody = 64 << 10

// bodyMemory counts the bytes of bodies that the guard holds at this moment, of all
// sites and configurations of the process.
type bodyMemory struct{ held atomic.Int64 }

// bodyCeiling is how much all bodies may hold.
func (app *App) bodyCeiling() int64 {
	if app.BodyMemory > 0 {
		return int64(app.BodyMemory)
	}
	return defaultBodyMemory
}

// shareOf is the part of a ceiling that a body of size bytes may fill. The last
// quarter is for small ones: many clients that send large bodies slowly keep out
// each other, not the rest.
func shareOf(size, ceiling int64) int64 {
	if size > smallBody {
		return ceiling - ceiling/4
	}
	return ceiling
}

// take adds n bytes if no more than most are held then.
func (m *bodyMemory) take(n, most int64) bool {
	for {
		held := m.held.Load()
		if held+n > most {
			return false
		}
		if m.held.CompareAndSwap(held, held+n) {
			return true
		}
	}
}

// give gives back n bytes.
func (m *bodyMemory) give(n int64) { m.held.Add(-n) }

// hold takes n more bytes for this exchange, or says that there is no room. They
// are given back when the exchange ends: upstream is sent what is held.
func (x *exchange) hold(n int64) bool {
	if !x.app.shared.bodies.take(n, shareOf(x.held+n, x.app.bodyCeiling())) {
		return false
	}
	x.held += n
	return true
}

// letGo gives back n bytes of what the exchange holds.
func (x *exchange) letGo(n int64) {
	x.held -= n
	x.app.shared.bodies.give(n)
}

var (
	errTooLarge = errors.New("body over the limit")
	errNoRoom   = errors.New("bodies over the ceiling")
)

// readWhole reads on until all of a body is there, which may have limit bytes.
// from is b.from, or what reads it on a clock.
// Memory follows what arrives: many clients that announce a lot and send nothing
// must not hold the limit each. What was read stays in the body with an error too.
func (x *exchange) readWhole(b *heldBody, from io.Reader, limit int64) error {
	length := x.r.ContentLength
	most := length
	if most < 0 {
		most = limit + 1
	}
	for !b.whole && b.err == nil {
		read := int64(b.read.n)
		switch {
		case read >= most && length < 0:
			return errTooLarge
		case read >= most:
			b.whole = true
		case !x.roomFor(&b.read, most):
			return errNoRoom
		default:
			x.readOn(b, from, most)
		}
	}
	return b.err
}

// readOn reads what comes next, at most up to most bytes in all.
func (x *exchange) readOn(b *heldBody, from io.Reader, most int64) {
	free := b.read.free()
	n, err := from.Read(free[:min(int64(len(free)), most-int64(b.read.n))])
	b.read.n += n
	switch {
	case int64(b.read.n) == x.r.ContentLength:
		b.whole = true
	case errors.Is(err, io.EOF) && x.r.ContentLength < 0:
		b.whole = true
	case errors.Is(err, io.EOF):
		b.err = io.ErrUnexpectedEOF
	default:
		b.err = err
	}
}

// roomFor makes room for a body that may have most bytes. It does so before the
// buffer is full: what is left of it would take a read of its own.
func (x *exchange) roomFor(g *pieces, most int64) bool {
	have := g.size()
	left := have - int64(g.n)
	if have >= most || left > have/4 {
		return true
	}
	size := int64(leastBuffer)
	if have > 0 {
		size = max(smallBody, 2*have)
	}
	return g.grow(min(size, most), x) || left > 0
}

// refuseFull refuses a request whose body found no room.
func (x *exchange) refuseFull() {
	x.verdict.TooManyBodies()
	x.leaveBody()
}

// leaveBody sees to it that net/http does not wait for the rest of a body that
// nobody reads.
func (x *exchange) leaveBody() {
	if x.r.ProtoMajor == 1 {
		// What comes on this connection after it could be the rest of the body
		// (RFC 9110, section 15.5.9). HTTP/2 would give up all other streams with it.
		x.w.Header()["Connection"] = []string{"close"}
	}
}
