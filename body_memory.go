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

const (
	// firstRead is how much memory a body gets before any of it came, whatever
	// length it announces; smallBody how much when that is full.
	firstRead = 4 << 10
	smallBody = 64 << 10
)

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

// roomFor is the part of a ceiling that a body of size bytes may fill. The last
// quarter is for small ones: many clients that send large bodies slowly keep out
// each other, not the rest.
func roomFor(size, ceiling int64) int64 {
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
	if !x.app.shared.bodies.take(n, roomFor(x.held+n, x.app.bodyCeiling())) {
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

// readWhole reads a whole body of length bytes (-1: unknown) and at most limit.
// Memory follows what arrives: many clients that announce a lot and send nothing
// must not hold the limit each. What was read is returned with an error too.
func (x *exchange) readWhole(body io.Reader, length, limit int64) ([]byte, error) {
	most := length
	if most < 0 {
		most = limit + 1
	}
	size := min(most, firstRead)
	if !x.hold(size) {
		return nil, errNoRoom
	}
	buf, read := make([]byte, size), 0
	for {
		n, err := body.Read(buf[read:])
		read += n
		switch {
		case int64(read) == length:
			return buf, nil
		case errors.Is(err, io.EOF) && length < 0:
			return buf[:read], nil
		case errors.Is(err, io.EOF):
			return buf[:read], io.ErrUnexpectedEOF
		case err != nil:
			return buf[:read], err
		case read < len(buf):
			continue
		case int64(read) == most:
			return buf, errTooLarge
		}
		size := min(most, max(smallBody, 2*int64(read)))
		if !x.hold(size - int64(read)) {
			return buf, errNoRoom
		}
		grown := make([]byte, size)
		copy(grown, buf)
		buf = grown
	}
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
