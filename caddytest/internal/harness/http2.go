package harness

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// HTTP2 is one HTTP/2 connection over TLS whose header blocks are written as
// they are given: any pseudo-field may be missing, doubled or malformed. It is
// for one goroutine; streams may overlap.
type HTTP2 struct {
	conn    *tls.Conn
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder

	begun   bool   // the peer has our settings
	last    uint32 // the stream opened last
	window  uint32 // what the peer lets us send yet, over all streams
	initial uint32 // and on a new one
	opened  map[uint32]*stream
}

// stream is an answer in the making.
type stream struct {
	answer Answer
	done   bool
	reset  error
	window uint32
}

// initialWindow is what RFC 9113 section 6.9.2 lets a client send at first.
const initialWindow = 65535

// Dial2 opens an HTTP/2 connection to the TLS listener and names sni in the
// handshake. The certificate is not checked: Caddy has just made it up. A connection on
// which nothing was asked for yet is opened again when it ends: Go's server waits two
// seconds for its settings, which a machine may stand still for.
func (c *Caddy) Dial2(t testing.TB, sni string) *HTTP2 {
	t.Helper()
	var h *HTTP2
	Await(t, "an HTTP/2 connection for "+sni, func() (string, bool) { // Caddy serves before its certificates are made
		conn, err := tls.Dial("tcp", c.HTTPS, &tls.Config{ServerName: sni, NextProtos: []string{"h2"}, InsecureSkipVerify: true})
		if err != nil {
			return err.Error(), false
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
			t.Fatalf("dialling Caddy over TLS for %s: it chose %q, not h2", sni, got)
		}
		h = &HTTP2{conn: conn, framer: http2.NewFramer(conn, conn), window: initialWindow, initial: initialWindow, opened: make(map[uint32]*stream)}
		h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		h.encoder = hpack.NewEncoder(&h.block)
		if err := h.begin(); err != nil {
			h.Close()
			return err.Error(), false
		}
		return "", true
	})
	t.Cleanup(h.Close)
	return h
}

// begin sends the preface and settings, and waits until the peer has these.
func (h *HTTP2) begin() error {
	h.deadline()
	if _, err := h.conn.Write([]byte(http2.ClientPreface)); err != nil {
		return fmt.Errorf("sending the preface: %w", err)
	}
	if err := h.framer.WriteSettings(); err != nil {
		return fmt.Errorf("sending settings: %w", err)
	}
	for !h.begun {
		if err := h.step(); err != nil {
			return err
		}
	}
	return nil
}

// Do2 sends the call over HTTP/2 on a connection of its own. A stream that was
// reset without an answer fails the test.
func (c *Caddy) Do2(t testing.TB, call Call) Answer {
	t.Helper()
	h := c.Dial2(t, c.ServerName)
	defer h.Close()
	answer, err := h.Await(t, h.Send(t, call))
	if err != nil {
		t.Fatalf("%v: %v", call, err)
	}
	return answer
}

// Close closes the connection.
func (h *HTTP2) Close() { _ = h.conn.Close() }

// Send opens a stream with the call and returns its number.
func (h *HTTP2) Send(t testing.TB, call Call) uint32 {
	t.Helper()
	fields := []hpack.HeaderField{
		{Name: ":method", Value: call.method()},
		{Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: call.Host},
		{Name: ":path", Value: call.Target},
	}
	for _, f := range call.Fields {
		fields = append(fields, hpack.HeaderField{Name: strings.ToLower(f.Name), Value: f.Value})
	}
	if call.Body != nil && !call.Chunked {
		fields = append(fields, hpack.HeaderField{Name: "content-length", Value: strconv.Itoa(len(call.Body))})
	}
	return h.SendFields(t, fields, call.Body)
}

// SendFields opens a stream with exactly these fields and returns its number.
func (h *HTTP2) SendFields(t testing.TB, fields []hpack.HeaderField, body []byte) uint32 {
	t.Helper()
	id := h.SendHead(t, fields, len(body) == 0)
	h.sendBody(t, id, h.opened[id], body)
	return id
}

// SendAll opens a stream with exactly these fields, the body and trailers behind it, and
// returns its number.
func (h *HTTP2) SendAll(t testing.TB, fields []hpack.HeaderField, body []byte, trailers ...hpack.HeaderField) uint32 {
	t.Helper()
	id := h.SendHead(t, fields, false)
	if len(body) > 0 {
		if err := h.framer.WriteData(id, false, body); err != nil {
			t.Fatalf("sending a body: %v", err)
		}
	}
	h.encode(t, trailers)
	err := h.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: h.block.Bytes(), EndHeaders: true, EndStream: true,
	})
	if err != nil {
		t.Fatalf("sending trailers: %v", err)
	}
	return id
}

// encode makes a block of the fields.
func (h *HTTP2) encode(t testing.TB, fields []hpack.HeaderField) {
	t.Helper()
	h.block.Reset()
	for _, f := range fields {
		if err := h.encoder.WriteField(f); err != nil {
			t.Fatalf("encoding %v: %v", f, err)
		}
	}
}

// SendHead opens a stream with exactly these fields, and with no more to come
// when end is set, and returns its number.
func (h *HTTP2) SendHead(t testing.TB, fields []hpack.HeaderField, end bool) uint32 {
	t.Helper()
	h.deadline()
	h.encode(t, fields)
	id := h.last + 2
	if h.last == 0 {
		id = 1
	}
	h.last = id
	h.opened[id] = &stream{window: h.initial}
	err := h.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: h.block.Bytes(), EndHeaders: true, EndStream: end,
	})
	if err != nil {
		t.Fatalf("sending headers: %v", err)
	}
	return id
}

// Cut sends the beginning of a stream's body, if there is any, and resets the stream.
func (h *HTTP2) Cut(t testing.TB, id uint32, begin []byte) {
	t.Helper()
	if len(begin) > 0 {
		if err := h.framer.WriteData(id, false, begin); err != nil {
			t.Fatalf("sending a body: %v", err)
		}
	}
	if err := h.framer.WriteRSTStream(id, http2.ErrCodeCancel); err != nil {
		t.Fatalf("resetting a stream: %v", err)
	}
}

// sendBody sends what the peer's windows allow and waits for more of them. It
// stops when the answer is complete or the stream reset: nobody wants the rest.
func (h *HTTP2) sendBody(t testing.TB, id uint32, s *stream, body []byte) {
	t.Helper()
	const frame = 16384
	for len(body) > 0 && !s.done {
		n := min(uint32(len(body)), frame, h.window, s.window)
		if n == 0 {
			if err := h.step(); err != nil {
				t.Fatalf("sending a body: %v", err)
			}
			continue
		}
		if err := h.framer.WriteData(id, int(n) == len(body), body[:n]); err != nil {
			t.Fatalf("sending a body: %v", err)
		}
		h.window, s.window, body = h.window-n, s.window-n, body[n:]
	}
}

// Await reads frames until the stream has its answer, or an error when it was
// reset or the connection ended.
func (h *HTTP2) Await(t testing.TB, id uint32) (Answer, error) {
	t.Helper()
	h.deadline()
	s := h.opened[id]
	for !s.done {
		if err := h.step(); err != nil {
			return s.answer, err
		}
	}
	return s.answer, s.reset
}

// Talk reads the head of an answer and, when it is a 200, sends the word on its stream
// and reads n bytes. The stream stays open.
func (h *HTTP2) Talk(t testing.TB, id uint32, word []byte, n int) Answer {
	t.Helper()
	h.deadline()
	s := h.opened[id]
	until := func(enough func() bool) {
		for !s.done && !enough() {
			if err := h.step(); err != nil {
				t.Fatalf("talking on a stream: %v", err)
			}
		}
	}
	until(func() bool { return s.answer.Status != 0 })
	if s.answer.Status == http.StatusOK {
		if err := h.framer.WriteData(id, false, word); err != nil {
			t.Fatalf("talking on a stream: %v", err)
		}
		until(func() bool { return len(s.answer.Body) >= n })
	}
	return s.answer
}

// step reads one frame and does what it asks for.
func (h *HTTP2) step() error {
	frame, err := h.framer.ReadFrame()
	if err != nil {
		return fmt.Errorf("reading a frame: %w", err)
	}
	id := frame.Header().StreamID
	s := h.opened[id]
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return h.settings(f)
		}
		h.begun = true
	case *http2.PingFrame:
		if !f.IsAck() {
			return h.framer.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame:
		if f.ErrCode != http2.ErrCodeNo {
			return fmt.Errorf("the connection was given up: %v %q", f.ErrCode, f.DebugData())
		}
	case *http2.WindowUpdateFrame:
		if id == 0 {
			h.window += f.Increment
		} else if s != nil {
			s.window += f.Increment
		}
	case *http2.MetaHeadersFrame:
		if s != nil {
			s.headers(f)
		}
	case *http2.DataFrame:
		if s == nil {
			return nil
		}
		s.answer.Body = append(s.answer.Body, f.Data()...)
		s.done = s.done || f.StreamEnded()
		if n := uint32(len(f.Data())); n > 0 {
			if !s.done {
				if err := h.framer.WriteWindowUpdate(id, n); err != nil {
					return err
				}
			}
			return h.framer.WriteWindowUpdate(0, n)
		}
	case *http2.RSTStreamFrame:
		if s == nil {
			return nil
		}
		if !s.done || s.answer.Status == 0 {
			s.reset = fmt.Errorf("the stream was reset: %v", f.ErrCode)
		}
		s.done = true
	}
	return nil
}

// settings takes over the initial window and acknowledges.
func (h *HTTP2) settings(f *http2.SettingsFrame) error {
	if size, ok := f.Value(http2.SettingInitialWindowSize); ok {
		for _, s := range h.opened {
			s.window += size - h.initial
		}
		h.initial = size
	}
	return h.framer.WriteSettingsAck()
}

// headers takes over a header block. One without a status has trailers.
func (s *stream) headers(f *http2.MetaHeadersFrame) {
	fields := make(http.Header)
	for _, field := range f.RegularFields() {
		fields.Add(field.Name, field.Value)
	}
	switch status, err := strconv.Atoi(f.PseudoValue("status")); {
	case err != nil:
		s.answer.Trailer = fields
	case status < 200:
		s.answer.Interim = append(s.answer.Interim, status)
	default:
		s.answer.Status, s.answer.Header = status, fields
	}
	s.done = s.done || f.StreamEnded()
}

func (h *HTTP2) deadline() { _ = h.conn.SetDeadline(time.Now().Add(exchangeTimeout)) }
