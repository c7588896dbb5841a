package apiguard

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strconv"
	"strings"
)

func isGRPC(h http.Header) bool { return isOf(h, "application/grpc") }

// contentType is the first line of the field, "" for none.
func contentType(h http.Header) string {
	if lines := h["Content-Type"]; len(lines) > 0 {
		return lines[0]
	}
	return ""
}

// isOf reports whether the media type begins so: in whatever letters (RFC 9110, section
// 8.3.1), since clients take it so.
func isOf(h http.Header, kind string) bool {
	value := contentType(h)
	return len(value) >= len(kind) && strings.EqualFold(value[:len(kind)], kind)
}

// call is an answer of gRPC or gRPC-Web. Its HTTP status is 200 whatever came of the
// call: what did is its grpc-status, in the header when there is nothing else, else in
// the trailers, which gRPC-Web writes as the last frame of the body.
//
// Until then, or until a first message, nobody knows whether upstream has let the call
// pass. A message says that it has: what becomes of a stream later is another matter,
// and it may go on for hours.
type call struct {
	meant bool // the answer is one
	open  bool // nothing is known so far
	text  bool // the body is in base64
	group base64Group
	frame firstFrame
}

// callStatus is what an HTTP server would have answered for an answer's grpc-status, and
// whether that is known by its header.
func callStatus(h http.Header) (status int, known bool) {
	if code := h["Grpc-Status"]; len(code) > 0 {
		return statusOfCodes(code), true
	}
	return http.StatusOK, false
}

// statusOfCodes is that of a status that may stand there several times: clients take one
// or another, and a wrong guess is to be one whichever they take.
func statusOfCodes(codes []string) int {
	for _, code := range codes {
		if status := statusOfCode(code); status != http.StatusOK {
			return status
		}
	}
	return http.StatusOK
}

// statusOfCode is the HTTP status with the meaning of a status of gRPC, by the comments
// of google.rpc.Code but for UNIMPLEMENTED: it is what gRPC's clients make of a 404, and
// what a server says of a method that it does not have.
func statusOfCode(code string) int {
	n, err := strconv.ParseUint(code, 10, 8)
	if err != nil || n >= uint64(len(statusesOfCodes)) {
		return http.StatusInternalServerError // a client takes it for UNKNOWN
	}
	return statusesOfCodes[n]
}

var statusesOfCodes = [...]int{
	0:  http.StatusOK,
	1:  statusClientClosed, // CANCELLED
	2:  http.StatusInternalServerError,
	3:  http.StatusBadRequest,          // INVALID_ARGUMENT
	4:  http.StatusGatewayTimeout,      // DEADLINE_EXCEEDED
	5:  http.StatusNotFound,            // NOT_FOUND
	6:  http.StatusConflict,            // ALREADY_EXISTS
	7:  http.StatusForbidden,           // PERMISSION_DENIED
	8:  http.StatusTooManyRequests,     // RESOURCE_EXHAUSTED
	9:  http.StatusBadRequest,          // FAILED_PRECONDITION
	10: http.StatusConflict,            // ABORTED
	11: http.StatusBadRequest,          // OUT_OF_RANGE
	12: http.StatusNotFound,            // UNIMPLEMENTED
	13: http.StatusInternalServerError, // INTERNAL
	14: http.StatusServiceUnavailable,  // UNAVAILABLE
	15: http.StatusInternalServerError, // DATA_LOSS
	16: http.StatusUnauthorized,        // UNAUTHENTICATED
}

// read looks at a piece of the body and returns what it says of the call.
func (c *call) read(p []byte) (status int, known bool) {
	if !c.text {
		return c.frame.read(p)
	}
	for len(p) > 0 && !c.frame.over {
		var decoded []byte
		if decoded, p = c.group.decode(p); decoded == nil {
			c.frame.over = len(p) > 0
			return 0, false
		}
		if status, known = c.frame.read(decoded); known {
			return status, true
		}
	}
	return 0, false
}

// base64Group is a group of base64 that may come in pieces. Each piece that a server
// writes may have padding of its own.
type base64Group struct {
	text [4]byte
	n    int
	out  [3]byte
}

// decode decodes the group that text goes on with, and returns the rest. It decodes
// nothing when the group is not whole, with nothing left, or is none.
func (g *base64Group) decode(text []byte) (decoded, rest []byte) {
	n := copy(g.text[g.n:], text)
	if g.n += n; g.n < len(g.text) {
		return nil, nil
	}
	g.n = 0
	size, err := base64.StdEncoding.Decode(g.out[:], g.text[:])
	if err != nil {
		return nil, text
	}
	return g.out[:size], text[n:]
}

// firstFrame is the first frame of a body of gRPC-Web, as far as it has come. Of trailers
// a line is kept at a time, whatever their length.
type firstFrame struct {
	head   [frameHeader]byte
	heads  int
	left   uint32 // of its bytes
	line   [maxStatusLine]byte
	filled int  // of line; more than it holds: it is longer
	status int  // what its lines say so far, 0 for nothing
	over   bool // nothing more can be said
}

const (
	trailerFrame = 0x80 // in the first byte of a frame of gRPC-Web
	frameHeader  = 5
	// maxStatusLine is more than any line with a status has.
	maxStatusLine = 64
)

// read takes a piece of the body and returns what the frame says when it is whole, or a
// message.
func (f *firstFrame) read(p []byte) (status int, known bool) {
	for _, b := range p {
		switch {
		case f.over:
			return 0, false
		case f.heads < frameHeader:
			f.head[f.heads] = b
			f.heads++
			if b&trailerFrame == 0 && f.heads == 1 {
				return http.StatusOK, true // most of them
			}
			if f.heads == frameHeader {
				f.left = binary.BigEndian.Uint32(f.head[1:])
				f.over = f.left == 0
			}
			continue
		case b == '\n':
			f.endLine()
		default:
			if f.filled < len(f.line) {
				f.line[f.filled] = b
			}
			f.filled = min(f.filled, len(f.line)) + 1
		}
		if f.left--; f.left == 0 {
			f.endLine()
			f.over = true
			return f.status, f.status != 0
		}
	}
	return 0, false
}

// endLine reads a line of trailers. Of several statuses a bad one counts; one that is too
// long to be any leaves open what came of the call.
func (f *firstFrame) endLine() {
	line := string(f.line[:min(f.filled, len(f.line))])
	whole := f.filled <= len(f.line)
	f.filled = 0
	name, value, _ := strings.Cut(line, ":")
	if !strings.EqualFold(strings.TrimSpace(name), "grpc-status") || f.status != 0 && f.status != http.StatusOK {
		return
	}
	if !whole {
		f.status, f.over = 0, true
		return
	}
	f.status = statusOfCode(strings.TrimSpace(value))
}

// beginCall takes an answer of gRPC for one whose status is not known yet, unless its
// header says it. What is coded on the way says nothing before its trailers.
func (w *response) beginCall(h http.Header) (status int) {
	status, known := callStatus(h)
	w.call.meant = true
	if !known {
		w.call.open = true
		w.call.text = isOf(h, "application/grpc-web-text")
	}
	return status
}

// onCall takes a piece of the body of a call of which nothing is known so far.
func (w *response) onCall(p []byte) {
	if isCoded(w.ResponseWriter.Header()) {
		return
	}
	if status, known := w.call.read(p); known {
		w.settleCall(status)
	}
}

// endCall settles a call by its trailers, which the client has not got yet. One that
// ends without a status was not answered, and its HTTP status says nothing of what there
// is, unless there is something that cannot be read, or that nobody wanted.
func (w *response) endCall() {
	h := w.ResponseWriter.Header()
	code := h["Grpc-Status"]
	if len(code) == 0 {
		code = h[http.TrailerPrefix+"Grpc-Status"]
	}
	if len(code) > 0 {
		w.settleCall(statusOfCodes(code))
		return
	}
	w.call.open = false
	if w.tap.state == tapOff && !isCoded(h) {
		w.status = 0
	}
	w.exchange.verdict.Unanswered()
}

func (w *response) settleCall(status int) {
	x := w.exchange
	w.call.open, w.status = false, status
	x.settleAnswered(status)
	if w.tap.state == tapOff && !x.judging() {
		x.observe(status)
		x.submitOpen()
	}
}
