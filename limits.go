package apiguard

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// statusClientClosed is what reverse_proxy says when the client went away.
const statusClientClosed = 499

// settleAnswered settles what limits count by the answer. Nobody answers 499 but
// reverse_proxy, to a client that went away before upstream spoke.
func (x *exchange) settleAnswered(status int) {
	if status == statusClientClosed {
		x.verdict.Unanswered()
		return
	}
	x.verdict.Answered(status)
}

// settleUnanswered settles what limits count by the answer when the next handler
// has written none. It may have said a status with its error, which Caddy's error
// routes answer with; one that says that upstream did not answer, or that the
// client went away, is a failure: nobody knows what upstream would have said.
func (x *exchange) settleUnanswered(status int) {
	if x.r.Context().Err() != nil || status == statusClientClosed || status >= 500 {
		x.verdict.Unanswered()
		return
	}
	x.verdict.Answered(status)
}

// keyBody is the body as a limit's key has read it.
type keyBody struct {
	asked, whole bool
	bytes        []byte
}

// readBody reads the body, at most limit bytes of it, for a limit that counts by
// what is in it, and puts back what it read, errors included: who reads it next
// finds it as it came.
func (x *exchange) readBody(limit int64) ([]byte, bool) {
	k, r := &x.keyBody, x.r
	if k.asked {
		return k.bytes, k.whole
	}
	k.asked = true
	if x.request.Tunnel != "" || r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || r.ContentLength > limit || isGRPC(r.Header) {
		return nil, false
	}
	read, err := x.readWhole(x.time(r.Body), r.ContentLength, limit)
	x.untime()
	rest := io.Reader(http.NoBody)
	switch {
	case errors.Is(err, errTooLarge) || errors.Is(err, errNoRoom):
		rest = r.Body
	case err != nil:
		rest = failing{err}
	default:
		k.bytes, k.whole = read, true
	}
	r.Body = replay{Reader: io.MultiReader(bytes.NewReader(read), rest), Closer: r.Body}
	return k.bytes, k.whole
}
