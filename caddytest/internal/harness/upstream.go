package harness

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Recorded is one request as the upstream's socket delivered it.
type Recorded struct {
	Line string // the request line, without line end
	Head []byte // request line and header section, with the empty line
	Body []byte // the content, with chunked coding removed
	Raw  []byte // every byte of it
}

// Method is the request line's first word.
func (r Recorded) Method() string { return r.part(0) }

// Target is the request target exactly as it was sent.
func (r Recorded) Target() string { return r.part(1) }

func (r Recorded) part(n int) string {
	parts := strings.SplitN(r.Line, " ", 3)
	if n >= len(parts) {
		return ""
	}
	return parts[n]
}

// Values are the field values under name, one for each line.
func (r Recorded) Values(name string) []string {
	var values []string
	for line := range strings.SplitSeq(string(r.Head), "\r\n") {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(key, name) {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}

// Upstream is a server on a bare socket: it parses as little as framing needs,
// records what arrives and answers from a script. It keeps connections alive.
type Upstream struct {
	listener net.Listener

	mu       sync.Mutex
	requests []Recorded
	broken   []error
	conns    map[net.Conn]struct{}
	answer   func(Recorded) string
}

// HangUp at the end of an answer has the upstream close the connection behind it.
const HangUp = "\x00(hang up)"

// plainAnswer is what an upstream says that was not told otherwise.
const plainAnswer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

// NewUpstream starts an upstream that lives as long as the test. Requests that
// it could not read fail the test at its end: nothing that Caddy sends may be
// malformed.
func NewUpstream(t testing.TB) *Upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("starting the upstream: %v", err)
	}
	u := &Upstream{listener: l, conns: make(map[net.Conn]struct{})}
	var serving sync.WaitGroup
	serving.Go(func() { u.accept(&serving) })
	t.Cleanup(func() {
		_ = l.Close()
		u.mu.Lock()
		for conn := range u.conns {
			_ = conn.Close()
		}
		u.mu.Unlock()
		serving.Wait()
		for _, err := range u.broken {
			t.Errorf("upstream: %v", err)
		}
	})
	return u
}

// Port is where it listens on the loopback address.
func (u *Upstream) Port() string {
	return strconv.Itoa(u.listener.Addr().(*net.TCPAddr).Port)
}

// Answer makes f the script: it gets each request and returns the bytes of a
// whole response.
func (u *Upstream) Answer(f func(Recorded) string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer = f
}

// Requests are all requests so far that carry the field name: value, or all of
// them when name is empty.
func (u *Upstream) Requests(name, value string) []Recorded {
	u.mu.Lock()
	defer u.mu.Unlock()
	var found []Recorded
	for _, r := range u.requests {
		if name == "" {
			found = append(found, r)
			continue
		}
		for _, v := range r.Values(name) {
			if v == value {
				found = append(found, r)
				break
			}
		}
	}
	return found
}

// Forget drops what was recorded.
func (u *Upstream) Forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests = nil
}

func (u *Upstream) accept(serving *sync.WaitGroup) {
	for {
		conn, err := u.listener.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		u.conns[conn] = struct{}{}
		u.mu.Unlock()
		serving.Go(func() {
			u.serve(conn)
			u.mu.Lock()
			delete(u.conns, conn)
			u.mu.Unlock()
		})
	}
}

func (u *Upstream) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		if _, err := in.Peek(1); err != nil {
			return
		}
		r, err := readRequest(in)
		if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF) || isReset(err) {
			return // the client went away in the middle, as a refused body makes a proxy do
		}
		u.mu.Lock()
		if err != nil {
			u.broken = append(u.broken, err)
			u.mu.Unlock()
			return
		}
		u.requests = append(u.requests, r)
		answer := u.answer
		u.mu.Unlock()
		text := plainAnswer
		if answer != nil {
			text = answer(r)
		}
		text, last := strings.CutSuffix(text, HangUp)
		if r.Method() == "HEAD" {
			text = headOf(text)
		}
		if _, err := io.WriteString(conn, text); err != nil || last {
			return
		}
	}
}

// headOf is an answer without its content, and with the interim ones before it.
func headOf(text string) string {
	head := ""
	for {
		part, rest, _ := strings.Cut(text, "\r\n\r\n")
		head += part + "\r\n\r\n"
		if !strings.HasPrefix(part, "HTTP/1.1 1") {
			return head
		}
		text = rest
	}
}

// isReset says whether the connection broke rather than the message.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// readRequest reads one message by RFC 9112 section 6: chunked first, then
// Content-Length, else no content.
func readRequest(in *bufio.Reader) (Recorded, error) {
	tee := &recorder{in: in}
	var r Recorded
	for {
		line, err := tee.line()
		if err != nil {
			return r, err
		}
		if r.Line == "" {
			r.Line = strings.TrimRight(line, "\r\n")
		}
		if line == "\r\n" {
			break
		}
	}
	r.Head = bytes.Clone(tee.raw)
	length := 0
	switch lengths := r.Values("Content-Length"); {
	case len(r.Values("Transfer-Encoding")) > 0:
		body, err := tee.chunks()
		r.Body, r.Raw = body, tee.raw
		return r, err
	case len(lengths) == 1:
		n, err := strconv.Atoi(lengths[0])
		if err != nil {
			return r, err
		}
		length = n
	case len(lengths) > 1:
		return r, errors.New("more than one Content-Length: " + r.Line)
	}
	body, err := tee.take(length)
	r.Body, r.Raw = body, tee.raw
	return r, err
}

// recorder keeps every byte that it hands out.
type recorder struct {
	in  *bufio.Reader
	raw []byte
}

func (t *recorder) line() (string, error) {
	line, err := t.in.ReadString('\n')
	t.raw = append(t.raw, line...)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return line, err
}

func (t *recorder) take(n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := io.ReadFull(t.in, b)
	t.raw = append(t.raw, b[:got]...)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b[:got], err
}

func (t *recorder) chunks() ([]byte, error) {
	var body []byte
	for {
		line, err := t.line()
		if err != nil {
			return body, err
		}
		size, err := strconv.ParseUint(strings.TrimRight(line, "\r\n"), 16, 31)
		if err != nil {
			return body, err
		}
		if size == 0 {
			break
		}
		part, err := t.take(int(size))
		if err != nil {
			return body, err
		}
		body = append(body, part...)
		if _, err := t.line(); err != nil {
			return body, err
		}
	}
	for { // the trailer section
		line, err := t.line()
		if err != nil || line == "\r\n" {
			return body, err
		}
	}
}
