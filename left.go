package apiguard

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/policy"
)

// left is what became of a request that goes on to Caddy's error routes. A guard in
// these does with it what was decided: it is judged and charged once, and its body is
// gone by then. One that was rewritten in between is judged as it is now.
type left struct {
	line      // as it was passed on or refused
	came line // as it came to the guard, see is
	// body is what is left of it where that is of a copy, which tracing makes: the error
	// routes have the body that the guard has read from.
	body io.ReadCloser
	told []told // by this guard, and by others that the request met
	// of a refusal, else 0 and nil
	status  int
	problem []byte
	// passed is the exchange of a request that was passed on and got no answer, until a
	// guard goes on with it.
	passed *exchange
}

// told is what a guard said about limits.
type told struct{ policyField, limitField string }

// failed is what came of a request before an error route has it.
type failed struct {
	left    bool // for a guard in the error route
	again   bool // that goes on with it
	status  int  // of the error
	outcome policy.Outcome

	read    bool // somebody has read from the body
	tee     *teeBody
	watched *watchedBody
}

// leftError carries what was left to the error routes, where Caddy has the error in the
// context of the request. Nothing else of a request may be written to by then: a proxy's
// connection to an upstream may still be under way, and reads Caddy's variables.
type leftError struct {
	error
	left *left
}

func (e leftError) Unwrap() error { return e.error }

// leftBy is what a guard left of r, nil if r is in no error route, nor in one on an answer
// that an intercept has taken, or none did.
func leftBy(r *http.Request, intercepts bool) *left {
	err, _ := r.Context().Value(caddyhttp.ErrorCtxKey).(error)
	if err == nil && intercepts {
		return leftIntercepted(r)
	}
	if err == nil {
		return nil // before l, which is on the heap
	}
	var l leftError
	if errors.As(err, &l) {
		return l.left
	}
	return nil
}

// within is err with l in it. Caddy takes no other error than a HandlerError by its type
// for one, so that such a one stays outermost.
func (l *left) within(err error) error {
	h, ok := err.(caddyhttp.HandlerError)
	if !ok {
		return leftError{err, l}
	}
	if h.Err == nil { // which reads as the text of its status
		h.Err = errors.New(http.StatusText(h.StatusCode))
	}
	h.Err = leftError{h.Err, l}
	return h
}

func inErrorRoute(r *http.Request) bool { return r.Context().Value(caddyhttp.ErrorCtxKey) != nil }

// leave has err remember the request as it was passed on or refused, for a guard in the
// error routes, where there may be one.
func (x *exchange) leave(l left, err error) error {
	if !x.others.again {
		return err
	}
	l.line, l.came = x.passed, x.came
	if l.method == "" { // refused before it was passed on
		l.line = lineOf(x.r)
	}
	var behind leftError
	if errors.As(err, &behind) {
		l.told = behind.left.told
	}
	x.tell(&l)
	x.failed.read = x.failed.read || x.kept != nil || x.sent != nil || !x.watched.unread()
	if x.others.traces && x.failed.read {
		l.body = x.r.Body
	}
	return l.within(err)
}

// tell adds to what was left what the guard has said about limits.
func (x *exchange) tell(l *left) {
	if x.verdict.Limited() > 0 && len(x.fields[1]) > 0 {
		l.told = append(l.told, told{x.policyField, string(x.fields[1])})
	}
}

// handOver leaves a request without an answer to a guard in the error routes, where
// there may be one: what these serve is the answer then.
func (x *exchange) handOver(status int, err error) error {
	if x.others.again {
		x.keepFor(status)
	}
	return x.leave(left{passed: x}, err)
}

// keepFor keeps the exchange for a guard that goes on with the request, of which the
// status is what came so far.
func (x *exchange) keepFor(status int) {
	x.failed.left, x.failed.again = true, false
	x.failed.status, x.failed.outcome = status, x.verdict.Outcome
	if x.tee != nil {
		x.failed.tee = x.tee
	}
	if x.watched != nil {
		x.failed.watched = x.watched
	}
}

// is reports whether r is the very request, as Caddy hands it to the error routes: as
// the guard passed it on, or as it came where a handler before the guard, such as
// tracing, hands on a copy. Of one that a handler before the guard had rewritten that
// is the original: what was passed is another one then, but what was refused stays
// refused.
func (l *left) is(r *http.Request) bool {
	if r.Host != l.host && r.Host != l.came.host {
		return false
	}
	if r.Method == l.method && (r.RequestURI == l.uri || r.RequestURI == l.came.uri) {
		return true
	}
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	return l.status != 0 && ok && r.Method == original.Method && r.RequestURI == original.RequestURI
}

// serve lets pass what was passed, and refuses what was refused: with the problem,
// since an error of an error route would be an empty page. The fields of the refusal
// are in the header already. around is the guard around the error route, nil for none.
func (l *left) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, around *exchange) error {
	if x := l.passed; x != nil {
		l.passed = nil
		defer x.release()
		l.undecorate(w.Header())
		return x.resume(w, r, next)
	}
	if l.status == 0 {
		return next.ServeHTTP(w, r)
	}
	h := w.Header()
	h.Set("Content-Type", policy.MediaTypeProblem)
	h.Set("Content-Length", strconv.Itoa(len(l.problem)))
	if around != nil {
		around.verdict.RefusedWithin()
		around.verdict.Answers()
	}
	w.WriteHeader(l.status)
	_, _ = w.Write(l.problem) // a client that is gone is no error of ours
	return nil
}

// resume passes a request on that has got no answer so far. The answer is seen, judged
// and charged for as if it were the first. What the guard itself has answered it answers
// again.
func (x *exchange) resume(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	tee, watched := x.failed.tee, x.failed.watched
	x.w, x.r = w, r
	x.failed.left, x.failed.again, x.observed = false, true, false
	if !x.request.Own && lineOf(r) != x.passed {
		x.rewritten = false
		x.rewrite()
	}
	x.response.reset(x)
	if x.verdict.Resume() {
		return x.refuse()
	}
	if x.request.Own {
		return x.serveCatalog()
	}
	if watched != nil && watched.standAside() || tee != nil && tee.unread() {
		// It passes only now: what was to judge it before has seen nothing of it.
		x.failed.tee, x.failed.watched, x.verdict.Unchecked = nil, nil, ""
		x.judgeBody()
	}
	if x.verdict.AwaitsBody() {
		x.keepForKeys()
	}
	if x.verdict.Outcome == policy.Refuse {
		return x.refuse()
	}
	return x.pass(next)
}

// undecorate takes away what guards said about limits with the error: the guard that
// goes on with the request says what holds then.
func (l *left) undecorate(h http.Header) {
	for _, t := range l.told {
		without(h, "Ratelimit-Policy", t.policyField)
		without(h, "Ratelimit", t.limitField)
	}
}

func without(h http.Header, name, value string) {
	i := slices.Index(h[name], value)
	if i < 0 {
		return
	}
	if h[name] = slices.Concat(h[name][:i], h[name][i+1:]); len(h[name]) == 0 {
		delete(h, name)
	}
}
