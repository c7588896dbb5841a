package harness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// exchangeTimeout is how long an answer may take. Nothing here should take long;
// it turns a hang into a failure that names the request.
const exchangeTimeout = time.Minute

// Call is one request, spelled exactly as it goes out in either protocol.
type Call struct {
	Method string // GET when empty
	Host   string // the Host field or the :authority
	Target string // request target or :path
	Fields []Field
	Body   []byte
	// Chunked sends the body without saying how long it is: in chunks, or
	// without content-length.
	Chunked bool
}

// Field is one header field line.
type Field struct{ Name, Value string }

// With is the call with one more field.
func (c Call) With(name, value string) Call {
	c.Fields = append(c.Fields[:len(c.Fields):len(c.Fields)], Field{name, value})
	return c
}

// method is the method, GET unless given.
func (c Call) method() string {
	if c.Method == "" {
		return "GET"
	}
	return c.Method
}

// String is the call in short, for messages.
func (c Call) String() string { return c.method() + " " + c.Host + " " + c.Target }

// Answer is what came back.
type Answer struct {
	Interim []int // statuses (1xx) that came before
	Status  int
	Header  http.Header
	Body    []byte
	Trailer http.Header // nil for none
}

// String is the answer in short, for messages.
func (a Answer) String() string {
	body := a.Body
	if len(body) > 400 {
		body = body[:400]
	}
	text := fmt.Sprintf("%d %v %s", a.Status, a.Header, body)
	if len(a.Trailer) > 0 {
		text += fmt.Sprintf(" trailers %v", a.Trailer)
	}
	return text
}

// Do sends a call in some protocol. [Caddy.Do1], [Caddy.Do2] and [Caddy.Do3]
// are the three.
type Do func(testing.TB, Call) Answer

// clients counts the client addresses that were given out.
var clients atomic.Uint32

// NewClient is a client address that nothing used yet in this process, from the
// block for benchmarks (RFC 2544), to be sent as X-Forwarded-For.
func NewClient() string {
	n := clients.Add(1)
	return net.IPv4(198, 18|byte(n>>16)&1, byte(n>>8), byte(n)).String()
}

// Do1 sends the call over HTTP/1.1 on a connection of its own.
func (c *Caddy) Do1(t testing.TB, call Call) Answer {
	t.Helper()
	return c.Raw(t, call.Wire(), call.method())
}

// Wire is the call as HTTP/1.1 bytes. Nothing is escaped or checked.
func (c Call) Wire() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", c.method(), c.Target, c.Host)
	for _, f := range c.Fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	switch {
	case c.Chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		if len(c.Body) > 0 {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(c.Body), c.Body)
		}
		b.WriteString("0\r\n\r\n")
	case c.Body != nil:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(c.Body), c.Body)
	default:
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

// Raw writes bytes to the plain listener and reads one response. method is the
// request's, which decides whether the response has content.
func (c *Caddy) Raw(t testing.TB, request []byte, method string) Answer {
	t.Helper()
	answer, err := c.raw(request, method)
	// When listeners change hands, the kernel resets connections that the old one
	// had not accepted yet, and Caddy closes those that it had not begun to read; no
	// handler has seen them.
	for range 3 {
		cut := errors.Is(err, syscall.ECONNRESET) || answer.Status == 0 && errors.Is(err, io.ErrUnexpectedEOF)
		if !c.reloaded.Load() || !cut {
			break
		}
		answer, err = c.raw(request, method)
	}
	if err != nil {
		t.Fatalf("reading the answer to %q: %v", firstLine(request), err)
	}
	return answer
}

func (c *Caddy) raw(request []byte, method string) (Answer, error) {
	conn, err := net.Dial("tcp", c.HTTP)
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(exchangeTimeout))
	// A large body may be refused before it is read whole, so the answer is
	// awaited while it is sent; that the rest could not be sent is then no fault.
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = conn.Write(request)
	}()
	answer, err := readAnswer(bufio.NewReader(conn), method)
	_ = conn.Close()
	<-sent
	return answer, err
}

func readAnswer(in *bufio.Reader, method string) (Answer, error) {
	var interim []int
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return Answer{Interim: interim}, err
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			interim = append(interim, resp.StatusCode)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		return Answer{Interim: interim, Status: resp.StatusCode, Header: resp.Header, Body: body, Trailer: carried(resp.Trailer)}, err
	}
}

// carried are the trailers that came: those that were announced alone have no value.
func carried(trailer http.Header) http.Header {
	var came http.Header
	for name, values := range trailer {
		if len(values) == 0 {
			continue
		}
		if came == nil {
			came = make(http.Header)
		}
		came[name] = values
	}
	return came
}

// KeepAlive sends many requests over one connection, one after another, and
// hands each answer's status to seen.
func (c *Caddy) KeepAlive(t testing.TB, calls func(yield func(Call) bool), seen func(Call, int)) {
	t.Helper()
	conn, err := net.Dial("tcp", c.HTTP)
	if err != nil {
		t.Errorf("dialling Caddy: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for call := range calls {
		_ = conn.SetDeadline(time.Now().Add(exchangeTimeout))
		request := strings.Replace(string(call.Wire()), "Connection: close\r\n", "", 1)
		if _, err := io.WriteString(conn, request); err != nil {
			t.Errorf("sending %v: %v", call, err)
			return
		}
		answer, err := readAnswer(in, call.method())
		if err != nil {
			t.Errorf("reading the answer to %v: %v", call, err)
			return
		}
		seen(call, answer.Status)
		if answer.Header.Get("Connection") != "close" {
			continue
		}
		_ = conn.Close()
		if conn, err = net.Dial("tcp", c.HTTP); err != nil {
			t.Errorf("dialling Caddy: %v", err)
			return
		}
		in.Reset(conn)
	}
}

func firstLine(request []byte) string {
	line, _, _ := bytes.Cut(request, []byte("\r\n"))
	if len(line) > 200 {
		return string(line[:200]) + "… (" + strconv.Itoa(len(line)) + " bytes)"
	}
	return string(line)
}
