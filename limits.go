package apiguard

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/apiguard/caddy-api-guard/policy"
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

// keepForKeys keeps the body while it passes, for limits in monitor that count by
// what is in it.
func (x *exchange) keepForKeys() {
	r := x.r
	if x.verdict.Outcome == policy.Refuse || x.request.Tunnel != "" || r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || isGRPC(r.Header) {
		return
	}
	x.keyTee = &teeBody{ReadCloser: r.Body, limit: int(x.verdict.Rules().MaxBody), memory: &x.app.shared.bodies, ceiling: x.app.bodyCeiling()}
	r.Body = x.keyTee
}

// chargePassed asks those limits when the body has passed and upstream has answered.
func (x *exchange) chargePassed(err error) {
	status := x.response.status
	if !x.response.wroteHeader {
		if status = unansweredStatus(err); status >= 500 || x.r.Context().Err() != nil {
			status = 0
		}
	}
	if status == statusClientClosed {
		status = 0
	}
	refuses := false
	charge := func(kept []byte, complete bool, over string) {
		whole := over == "" && (complete || int64(len(kept)) == x.r.ContentLength)
		refuses = x.app.policy.ChargePassed(&x.request, &x.verdict, kept, whole, status)
	}
	if x.keyTee != nil {
		x.keyTee.end(charge)
	} else {
		charge(nil, false, "")
	}
	if refuses {
		x.amend()
	}
}
