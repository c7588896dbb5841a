package apiguard

import (
	"errors"
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

// readBody reads the body, at most limit bytes of it, for a limit that counts by
// what is in it. Who reads the body next finds it as it came, errors included.
func (x *exchange) readBody(limit int64) ([]byte, bool) {
	r := x.r
	if !x.askedBody {
		x.askedBody = true
		if x.request.Tunnel != "" || r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || r.ContentLength > limit || isGRPC(r.Header) {
			return nil, false
		}
		b := x.holding()
		_ = x.readWhole(b, x.time(b.from), limit) // b.whole says what came of it
		x.untime()
	}
	if b := x.kept; b != nil && b.whole && int64(b.read.n) <= limit {
		return b.read.bytes(), true
	}
	return nil, false
}

// keepForKeys keeps the body while it passes, for limits in monitor that count by
// what is in it.
func (x *exchange) keepForKeys() {
	r := x.r
	if x.verdict.Outcome == policy.Refuse || x.request.Tunnel != "" || r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || isGRPC(r.Header) {
		return
	}
	x.keyTee = x.teeTo(x.verdict.Rules().MaxBody)
}

// chargesLater reports whether nobody has read the body that limits in monitor count by,
// since the request has got no answer but an error: a guard in the error routes may see it
// pass. Where none does the request is not counted, in monitor, by a body that nobody has.
func (x *exchange) chargesLater(err error) bool {
	return err != nil && !errors.Is(err, errRefused) && x.others.again && !x.response.wroteHeader && x.keyTee != nil && x.keyTee.unread()
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
