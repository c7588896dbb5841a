package apiguard

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/policy"
)

// leftVar is Caddy's variable with what is left of a request for a guard in the routes on
// an answer that an intercept has taken.
const leftVar = "api_guard.left"

// answerIntercepted answers the request where an intercept around the guard may take the
// answer, and a guard in its routes go on with the request. These have no error that could
// say what came of it. The variable is set before the request is passed on, see leftError.
func (x *exchange) answerIntercepted(next caddyhttp.Handler) error {
	l := new(left)
	x.vars[leftVar] = l
	err := x.answer(next)
	if err != nil || !taken(x.w) {
		return err
	}
	if v := &x.verdict; v.Outcome == policy.Refuse {
		l.line = lineOf(x.r)
		l.status, l.problem = v.Status, v.AppendProblem(nil, x.app.typeBase(), x.instance())
	} else if x.response.wroteHeader {
		l.line, l.passed = x.passed, x
		x.keepFor(x.response.status)
	} else if x.request.Own {
		l.line, l.passed = lineOf(x.r), x
		x.keepFor(0)
	}
	l.came = x.came
	x.tell(l)
	return nil
}

// leftIntercepted is what a guard has left of r, nil if none did.
func leftIntercepted(r *http.Request) *left {
	l, _ := caddyhttp.GetVar(r.Context(), leftVar).(*left)
	if l == nil || l.passed == nil && l.status == 0 {
		return nil
	}
	return l
}

// taken reports whether a handler around has kept the answer.
func taken(w http.ResponseWriter) bool {
	for {
		if b, ok := w.(interface{ Buffered() bool }); ok && b.Buffered() {
			return true
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = inner.Unwrap()
	}
}
