package apiguard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// spoil writes over what lies in the pools, as other requests' bodies would.
func spoil() {
	for size := int64(leastBuffer); size <= 16<<10; size *= 2 {
		var taken []*buffer
		for range 2 {
			b := newBuffer(size)
			for i := range b.room {
				b.room[i] = '#'
			}
			taken = append(taken, b)
		}
		for _, b := range taken {
			b.put()
		}
	}
}

// closing is a body that says when it was closed.
type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error { c.closed++; return nil }

// Whatever is done with a body in whatever order, it reads as the body itself
// would, its buffer is another's exactly when it can no longer be read, and what
// was counted for it is given back once.
func TestAHeldBodyReadsAsTheBodyItselfAndGivesItsBufferAwayWhenItCannotBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 10_000)).Draw(t, "size")
		text := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		x := holder(defaultBodyMemory)
		limit := int64(rapid.SampledFrom([]int{100, 5_000, 20_000}).Draw(t, "limit"))
		length := rapid.SampledFrom([]int64{-1, int64(size)}).Draw(t, "length")
		if length > limit {
			length = -1 // what announces too much is not read
		}
		from := &closing{Reader: iotest.HalfReader(bytes.NewReader(text))}
		x.r = &http.Request{Body: from, ContentLength: length}
		b := x.holding()
		err := x.readWhole(b, b.from, limit)
		if whole := int64(size) <= limit; whole != b.whole || whole != (err == nil) {
			t.Fatalf("%d bytes under %d: whole %v, %v", size, limit, b.whole, err)
		}
		read, had := b.read.n, b.read.buffer != nil
		loose, closed, at := false, false, 0
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"read", "read", "pass on", "close", "end"}).Draw(t, "step") {
			case "read":
				p := make([]byte, rapid.IntRange(1, 8_000).Draw(t, "room"))
				n, err := b.Read(p)
				switch {
				case closed && size == 0:
					if n != 0 || !errors.Is(err, io.EOF) {
						t.Fatalf("when closed and empty: %d, %v", n, err)
					}
				case closed:
					if n != 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
						t.Fatalf("when closed: %d, %v", n, err)
					}
				case !bytes.Equal(p[:n], text[at:min(at+n, size)]):
					t.Fatalf("at %d it reads %q", at, p[:n])
				case errors.Is(err, io.EOF) != (n == 0 && at == size):
					t.Fatalf("at %d of %d: %d, %v", at, size, n, err)
				}
				at += n
			case "pass on":
				if !loose {
					loose = true
					x.passOn()
				}
			case "close":
				closed = true
				_ = b.Close()
			case "end": // of the exchange
				if loose {
					b.settle()
				}
			}
			spoil()
			if given := b.read.buffer == nil; had && given != (loose && (closed || at >= read)) {
				t.Fatalf("loose %v, closed %v, %d of %d read: given away %v", loose, closed, at, read, given)
			}
		}
		x.passOn()
		b.settle()
		if held := x.app.shared.bodies.held.Load(); held != 0 {
			t.Fatalf("%d bytes are still counted", held)
		}
	})
}

// A transport may still read when the answer is there, the exchange is over and
// another request has begun.
func TestABodyThatIsReadAfterItsExchangeIsStillItsOwn(t *testing.T) {
	app := smallApp(t)
	app.Policy = &Policy{Rules: Rules{Request: &RequestRule{MaxBody: 1 << 20}}}
	app = mustProvision(t, app)
	var readers sync.WaitGroup
	for client := range 8 {
		readers.Go(func() {
			for i := range 40 {
				text := fmt.Sprintf(`{"n":%d}`, client*1000+i) + strings.Repeat(" ", (client*37+i*811)%200_000)
				r := put("/v1/things/7", text)
				if i%3 == 0 {
					r.ContentLength = -1
				}
				_ = serve(app, httptest.NewRecorder(), r, func(w http.ResponseWriter, r *http.Request) error {
					body := r.Body
					w.WriteHeader(200)
					readers.Go(func() {
						if i%4 == 1 {
							readers.Go(func() { _ = body.Close() }) // the client went away
						}
						got, err := io.ReadAll(iotest.HalfReader(body))
						if !strings.HasPrefix(text, string(got)) || err == nil && len(got) != len(text) {
							t.Errorf("of %q it reads %q, %v", text[:9], got[:min(len(got), 20)], err)
						}
					})
					return nil
				})
			}
		})
	}
	readers.Wait()
	if held := app.shared.bodies.held.Load(); held != 0 {
		t.Errorf("%d bytes are still counted", held)
	}
}

// Upstream has the body when its last byte was read, and may take its time to answer.
func TestABodyThatUpstreamHasIsHeldNoMore(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	_ = serve(app, httptest.NewRecorder(), put("/v1/things/7", `{"n":1}`), func(w http.ResponseWriter, r *http.Request) error {
		if held := app.shared.bodies.held.Load(); held != leastBuffer {
			t.Errorf("%d bytes are held before it is read", held)
		}
		_, err := io.ReadFull(r.Body, make([]byte, 7))
		if held := app.shared.bodies.held.Load(); held != 0 {
			t.Errorf("%d bytes are held when it was read", held)
		}
		return err
	})
}

func TestABufferIsOfASizeThatFits(t *testing.T) {
	for n, want := range map[int64]int64{
		0: leastBuffer, 1: leastBuffer, leastBuffer: leastBuffer, leastBuffer + 1: 2 * leastBuffer, 100_000: 128 << 10,
		mostBuffer: mostBuffer, mostBuffer + 1: mostBuffer + 1,
	} {
		if got := roomOf(n); got != want {
			t.Errorf("%d bytes get room for %d, want %d", n, got, want)
		}
		b := newBuffer(roomOf(n))
		if int64(len(b.room)) != want {
			t.Errorf("a buffer for %d bytes has %d", n, len(b.room))
		}
		b.put()
	}
}
