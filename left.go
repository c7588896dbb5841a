package apiguard

import (
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/policy"
)

// left is what became of a request that goes on to Caddy's error routes. A guard in
// these does with it what was decided: it is judged, counted and charged once, and
// its body is gone by then. One that was rewritten in between is judged as it is now.
type left struct {
	method, uri, host string
	// of a refusal, else 0 and nil
	status  int
	problem []byte
}

// leftVar is the name of the request's *left among Caddy's variables. What a Caddyfile
// sets under that name is text and no *left.
const leftVar = "api_guard.left"

// leave remembers the request as it was passed on or refused, for a guard in the
// error routes.
func (x *exchange) leave(l left) {
	l.method, l.uri, l.host = x.passed.method, x.passed.uri, x.passed.host
	if l.method == "" { // refused before it was passed on
		l.method, l.uri, l.host = x.r.Method, x.r.RequestURI, x.r.Host
	}
	if x.vars != nil {
		x.vars[leftVar] = &l
	}
}

// is reports whether r is the very request, as Caddy hands it to the error routes. Of
// one that a handler before the guard had rewritten that is the original: what was
// passed is another one then, but what was refused stays refused.
func (l *left) is(r *http.Request) bool {
	if r.Host != l.host {
		return false
	}
	if r.Method == l.method && r.RequestURI == l.uri {
		return true
	}
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	return l.status != 0 && ok && r.Method == original.Method && r.RequestURI == original.RequestURI
}

// serve lets pass what was passed, and refuses what was refused: with the problem,
// since an error of an error route would be an empty page. The fields of the refusal
// are in the header already.
func (l *left) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if l.status == 0 {
		return next.ServeHTTP(w, r)
	}
	h := w.Header()
	h.Set("Content-Type", policy.MediaTypeProblem)
	h.Set("Content-Length", strconv.Itoa(len(l.problem)))
	w.WriteHeader(l.status)
	_, _ = w.Write(l.problem) // a client that is gone is no error of ours
	return nil
}
