package apiguard

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/apiguard/caddy-api-guard/policy"
)

// timedBody reads a body that the guard waits for, so that a client which sends a
// byte now and then holds neither a connection nor memory for longer than the
// policy says. Deadlines are the connection's own (in HTTP/2 and HTTP/3 the
// stream's), set through http.ResponseController: no goroutine, no timer.
type timedBody struct {
	from    io.Reader
	w       http.ResponseWriter
	idle    time.Duration
	end     time.Time // when the whole body must be there
	until   time.Time // the deadline that is set; zero for none
	late    bool
	unbound bool // the writer knows no deadlines
}

// time sets the clock for reading this request's body. The guard may read twice,
// for the first byte and for the rest: the second goes on with the first's clock.
func (x *exchange) time(body io.Reader) *timedBody {
	t := &x.body
	if t.end.IsZero() {
		rules := x.verdict.Rules()
		*t = timedBody{w: x.w, idle: rules.BodyIdleTimeout, end: time.Now().Add(rules.BodyTimeout)}
	}
	t.from = body
	return t
}

// Read implements io.Reader.
func (t *timedBody) Read(p []byte) (int, error) {
	t.extend()
	n, err := t.from.Read(p)
	t.late = t.late || errors.Is(err, os.ErrDeadlineExceeded)
	return n, err
}

// extend moves the deadline when an eighth of the idle time has gone: what comes
// in many pieces would otherwise set one for each of them.
func (t *timedBody) extend() {
	next := time.Now().Add(t.idle)
	if next.After(t.end) {
		next = t.end
	}
	if t.unbound || !t.until.IsZero() && next.Sub(t.until) < t.idle/8 {
		return
	}
	t.unbound = http.NewResponseController(t.w).SetReadDeadline(next) != nil
	t.until = next
}

// untime takes the deadline back, so that what reads on, and the next request on
// the connection, has only the server's own. After a body that was late it stays:
// net/http would else wait for the rest of it before it sends the refusal.
func (x *exchange) untime() {
	t := &x.body
	if t.until.IsZero() || t.late || t.unbound {
		return
	}
	var own time.Time
	if x.readTimeout > 0 {
		own = x.request.Now.Add(x.readTimeout)
	}
	_ = http.NewResponseController(t.w).SetReadDeadline(own) // it could be set before
	t.until = time.Time{}
}

// refuseLate refuses a request whose body did not arrive in time.
func (x *exchange) refuseLate() {
	if x.verdict.Outcome == policy.Refuse {
		return
	}
	x.verdict.BodyTimedOut()
	x.leaveBody()
}
