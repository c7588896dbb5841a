package apiguard

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// heldBody is a request's body of which the guard has read all, or the beginning.
// It stands in the request's place for it, and whoever comes next reads the very
// bytes from it, and what is left from the body itself.
//
// Its buffer goes to another request's body as soon as nobody can read from it any
// more. A transport may read on when the answer is there and the exchange is over,
// and a handler may keep the body without a word; so that is not when the exchange
// ends, but when the last byte was read or the body was closed, of which either is
// final here as it is in net/http. Bytes leave it as copies only, under the lock.
// A body that is neither read nor closed keeps its buffer, for the garbage
// collector.
type heldBody struct {
	from   io.ReadCloser
	memory *bodyMemory

	// What the guard reads, before anybody else has the body.
	whole bool // there is no more
	// with trailers behind it: net/http has their values where the body's end is read,
	// which the guard does not do where a length says where it is
	trailed bool
	err     error // why there is no more that could be read

	mu      sync.Mutex
	read    pieces
	passed  int  // how many of its bytes were read from here
	loose   bool // the guard needs it no more
	closed  bool
	some    bool  // of it was read
	empty   bool  // it was closed, and there never was anything in it
	counted int64 // in memory, since it is loose
}

// Read implements io.Reader.
func (b *heldBody) Read(p []byte) (int, error) {
	n, ok, err := b.next(p)
	if ok {
		return n, err
	}
	n, err = b.from.Read(p) // without the lock: a Close from elsewhere may have to end it
	if b.whole && n > 0 {
		return 0, errBodyLonger // what was judged is all that passes
	}
	return n, err
}

var errBodyLonger = errors.New("the body is longer than its length says")

// next reads from the buffer. It reports false when from is to be asked.
func (b *heldBody) next(p []byte) (n int, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed && b.empty:
		return 0, true, io.EOF
	case b.closed:
		return 0, true, http.ErrBodyReadAfterClose
	case b.passed < b.read.n:
		n = copy(p, b.read.bytes()[b.passed:])
		b.passed += n
		b.some = true
		b.dropRead()
		return n, true, nil
	case b.whole && !b.trailed:
		return 0, true, io.EOF
	default:
		return 0, b.err != nil, b.err
	}
}

// Close implements io.Closer. Nothing can be read afterwards, which of an empty body is no
// error: a second proxy sends what is a GET with no body as the first one did.
func (b *heldBody) Close() error {
	b.mu.Lock()
	if !b.closed {
		b.closed, b.empty = true, b.whole && !b.trailed && b.err == nil && !b.some && b.read.n == 0
	}
	b.dropRead()
	b.mu.Unlock()
	return b.from.Close()
}

// dropRead gives the buffer away when nobody can read from it any more.
func (b *heldBody) dropRead() {
	if !b.loose || !b.closed && b.passed < b.read.n || b.read.buffer == nil {
		return
	}
	b.read.buffer.put()
	b.read = pieces{}
	b.passed = 0
	b.uncount()
}

// again makes it as if nobody had read from it yet. The guard calls it while the
// body is its own: a placeholder of a limit's key may have read it.
func (b *heldBody) again() { b.passed, b.closed = 0, false }

// loosen says that the guard needs the body no more; counted is the memory that it
// takes.
func (b *heldBody) loosen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loose, b.counted = true, b.read.size()
	b.dropRead()
}

// settle gives the memory back that is still counted for it. The exchange is over,
// and whether anybody reads on cannot be told.
func (b *heldBody) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uncount()
}

func (b *heldBody) uncount() {
	b.memory.give(b.counted)
	b.counted = 0
}

// holding is the request's body as one that the guard reads: the one that stands
// there already, unless somebody has put another in its place, as Caddy's
// {http.request.body} does.
func (x *exchange) holding() *heldBody {
	if b := x.kept; b != nil {
		if x.r.Body == io.ReadCloser(b) {
			return b
		}
		x.held -= b.read.size()
		b.loosen()
		b.settle()
	}
	x.kept = &heldBody{from: x.r.Body, memory: &x.app.shared.bodies, trailed: len(x.r.Trailer) > 0}
	x.r.Body = x.kept
	return x.kept
}

// passOn lets go of the body that the guard has read: from now on it belongs to
// whoever reads it.
func (x *exchange) passOn() {
	x.askedBody = true // and has it no more
	b := x.kept
	if b == nil {
		return
	}
	x.kept, x.sent = nil, b
	x.held -= b.read.size()
	b.loosen()
}
