package apiguard

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// holder is an exchange that holds bodies under a ceiling.
func holder(ceiling int64) *exchange {
	app := &App{BodyMemory: Size(ceiling), shared: new(shared)}
	return &exchange{course: course{app: &inForce{App: app}}}
}

// readAll reads a body that announces length bytes.
func (x *exchange) readAll(body io.Reader, length, limit int64) (pieces, error) {
	x.r = &http.Request{Body: io.NopCloser(body), ContentLength: length}
	b := x.holding()
	err := x.readWhole(b, b.from, limit)
	return b.read, err
}

func TestABodyIsReadWholeOrNotAtAll(t *testing.T) {
	const limit = 200_000
	cut := io.MultiReader(strings.NewReader("{}"), iotest.ErrReader(io.ErrUnexpectedEOF)) // as net/http tells of missing chunks
	for _, row := range []struct {
		name   string
		body   io.Reader
		length int64
		read   int
		want   error
	}{
		{"nothing of unknown length", strings.NewReader(""), -1, 0, nil},
		{"a small one of known length", strings.NewReader("{}"), 2, 2, nil},
		{"a small one of unknown length", strings.NewReader("{}"), -1, 2, nil},
		{"one in single bytes", iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 10_000))), -1, 10_000, nil},
		{"one whose end comes with its last byte", iotest.DataErrReader(strings.NewReader(strings.Repeat("x", 10_000))), -1, 10_000, nil},
		{"as large as allowed, of known length", strings.NewReader(strings.Repeat("x", limit)), limit, limit, nil},
		{"as large as allowed, of unknown length", strings.NewReader(strings.Repeat("x", limit)), -1, limit, nil},
		{"a byte more", strings.NewReader(strings.Repeat("x", limit+1)), -1, limit + 1, errTooLarge},
		{"fewer bytes than announced", strings.NewReader("{"), 2, 1, io.ErrUnexpectedEOF},
		{"chunks that stop", cut, -1, 2, io.ErrUnexpectedEOF},
	} {
		x := holder(defaultBodyMemory)
		got, err := x.readAll(row.body, row.length, limit)
		if got.n != row.read || !errors.Is(err, row.want) || strings.Trim(string(got.bytes()), "x{}") != "" {
			t.Errorf("%s: %d bytes, %v, want %d, %v", row.name, got.n, err, row.read, row.want)
		}
		if got.size() != x.held || x.held > max(leastBuffer, 2*int64(row.read), smallBody) {
			t.Errorf("%s: %d bytes of memory, %d counted", row.name, got.size(), x.held)
		}
	}
}

func TestLargeBodiesLeaveRoomForSmallOnes(t *testing.T) {
	const ceiling = 4 << 20
	all := holder(ceiling)
	next := func() *exchange { return &exchange{course: course{app: all.app}} }
	var large []*exchange
	for {
		x := next()
		if _, err := x.readAll(strings.NewReader(strings.Repeat("x", 1<<20)), 1<<20, 1<<20); err != nil {
			if !errors.Is(err, errNoRoom) {
				t.Fatal(err)
			}
			x.letGo(x.held)
			break
		}
		large = append(large, x)
	}
	if len(large) != 3 {
		t.Errorf("%d large bodies found room, want 3 in three quarters of 4 MiB", len(large))
	}
	for _, size := range []int{2, leastBuffer + 1, smallBody} {
		small := next()
		if _, err := small.readAll(strings.NewReader(strings.Repeat("x", size)), int64(size), 1<<20); err != nil {
			t.Errorf("a body of %d bytes beside the large ones: %v", size, err)
		}
		small.letGo(small.held)
	}
	large[0].letGo(large[0].held)
	if _, err := next().readAll(strings.NewReader(strings.Repeat("x", 1<<20)), 1<<20, 1<<20); err != nil {
		t.Errorf("when a large one is gone: %v", err)
	}
}

func TestWhatBodiesHeldIsGivenBackHoweverTheRequestEnds(t *testing.T) {
	for _, mode := range []string{"enforce", "monitor"} {
		app := smallApp(t)
		app.Mode = mode
		app = mustProvision(t, app)
		before := app.shared.bodies.held.Load()
		for name, next := range map[string]func(http.ResponseWriter, *http.Request) error{
			"read":      func(_ http.ResponseWriter, r *http.Request) error { _, err := io.ReadAll(r.Body); return err },
			"not read":  func(http.ResponseWriter, *http.Request) error { return nil },
			"an error":  func(http.ResponseWriter, *http.Request) error { return errors.New("no upstream") },
			"half read": func(_ http.ResponseWriter, r *http.Request) error { _, err := r.Body.Read(make([]byte, 3)); return err },
			"a panic": func(_ http.ResponseWriter, r *http.Request) error {
				_, _ = io.ReadAll(r.Body)
				panic(http.ErrAbortHandler)
			},
			"never read": func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) },
		} {
			for _, body := range []string{`{ "n":1}`, `{"n":"no number"}`, `{`} {
				func() {
					defer func() { _ = recover() }()
					_ = serve(app, httptest.NewRecorder(), put("/v1/things/7", body), next)
				}()
				if held := app.shared.bodies.held.Load(); held != before {
					t.Fatalf("%s, %s, %s: %d bytes are held when it is over", mode, name, body, held-before)
				}
			}
		}
	}
}

// A transport may go on reading a body when the answer is there and the request
// is over, in a goroutine of its own.
func TestAStreamedBodyThatIsReadTooLateIsNotKept(t *testing.T) {
	var memory bodyMemory
	tee := &teeBody{ReadCloser: io.NopCloser(iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 10_000)))),
		limit: 1 << 20, memory: &memory, ceiling: defaultBodyMemory}
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.ReadAll(tee) })
	tee.end(func([]byte, bool, string) {})
	reading.Wait()
	if held := memory.held.Load(); held != 0 || tee.kept.n != 0 {
		t.Errorf("%d bytes are held, %d kept", held, tee.kept.n)
	}
}

func TestAStreamedBodyWithoutRoomPassesUnchecked(t *testing.T) {
	var memory bodyMemory
	if !memory.take(3<<20, 4<<20) {
		t.Fatal("no room at all")
	}
	tee := &teeBody{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", 100_000))), limit: 1 << 20, memory: &memory, ceiling: 4 << 20}
	if got, err := io.ReadAll(tee); len(got) != 100_000 || err != nil {
		t.Errorf("%d bytes pass, %v", len(got), err)
	}
	tee.end(func(kept []byte, _ bool, over string) {
		if kept != nil || over != "too-many-bodies" {
			t.Errorf("%d bytes kept, %q", len(kept), over)
		}
	})
	if held := memory.held.Load(); held != 3<<20 {
		t.Errorf("%d bytes are held", held)
	}
}
