package apiguard

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// response sees the status and adds the guard's fields to the header, as late as
// it can: what upstream sends is already there then. What of the body is judged or
// sampled goes through its tap; nothing else is kept. Flushing, hijacking and
// deadlines reach the writer below through Unwrap.
type response struct {
	caddyhttp.ResponseWriterWrapper
	exchange    *exchange
	status      int
	wroteHeader bool // the next handler has; the client may have seen nothing yet
	tap         tap
	copy        *inventory.Message // of the body, for a sample; nil: nobody looks
	cut         bool               // the client did not take all of it
	call        call               // of gRPC
}

func (w *response) reset(x *exchange) {
	w.tap.before.clear()
	w.tap.head.clear()
	*w = response{exchange: x, tap: tap{before: w.tap.before, head: w.tap.head}}
}

// WriteHeader implements http.ResponseWriter. Informational answers pass as they
// are, but for 101, which is final.
func (w *response) WriteHeader(status int) {
	if !w.wroteHeader && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.head(status)
	}
	if !w.tap.holds() {
		w.ResponseWriter.WriteHeader(status)
	}
}

// head judges the final status and header, and says what becomes of the body.
func (w *response) head(status int) {
	x := w.exchange
	w.wroteHeader, w.status = true, status
	h := w.ResponseWriter.Header()
	if status == http.StatusOK && isGRPC(h) {
		status = w.beginCall(h)
	}
	if !w.call.open {
		// Before the client sees anything, since it may guess again as soon as it does.
		x.settleAnswered(status)
	}
	if !x.judging() {
		x.verdict.Judged()
	}
	w.open()
	if w.tap.holds() {
		return
	}
	w.status = status
	x.decorate(h)
	if !x.judging() && w.tap.state == tapOff && !w.call.open {
		// Now, not when the answer ends: a stream may go on for hours.
		x.observe(status)
		x.submitOpen()
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
	if w.copy != nil && !w.copy.Add(p) { // what upstream said, whether the client gets it or not
		w.exchange.submitLong()
	}
	if w.call.open {
		w.onCall(p)
	}
	if w.tap.state != tapOff {
		return w.tapped(p)
	}
	return w.pass(p)
}

// pass writes to the client.
func (w *response) pass(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.cut = w.cut || err != nil || n < len(p)
	return n, err
}

// ReadFrom implements io.ReaderFrom, so that a file server can still use sendfile
// for what is not looked at.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
	if w.copy != nil || w.call.open {
		return io.Copy(struct{ io.Writer }{w}, r)
	}
	var n int64
	if t := &w.tap; t.state != tapOff {
		all := t.limit - int64(t.kept.n) + 1 // so that the tap notices
		var err error
		n, err = io.Copy(struct{ io.Writer }{w}, io.LimitReader(r, all))
		if err != nil || n < all {
			return n, err
		}
	}
	rest, err := w.ResponseWriterWrapper.ReadFrom(r)
	return n + rest, err
}

// FlushError implements the method that http.ResponseController looks for: a
// flush sends the header, unless the answer is held.
func (w *response) FlushError() error {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
	if w.tap.holds() {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// leadsElsewhere reports whether a redirect says that there is something at path:
// one to another scheme or host, to the same path with or without a slash, or to
// a login page is sent for whatever was asked.
func leadsElsewhere(location, path string) bool {
	u, err := url.Parse(location)
	if err != nil || u.Host != "" || u.Path == "" {
		return false
	}
	if strings.TrimSuffix(u.Path, "/") == strings.TrimSuffix(path, "/") {
		return false
	}
	lower := strings.ToLower(u.Path)
	for _, word := range []string{"login", "signin", "sign-in", "sign_in", "/auth", "sso"} {
		if strings.Contains(lower, word) {
			return false
		}
	}
	return true
}

var (
	_ http.ResponseWriter = (*response)(nil)
	_ io.ReaderFrom       = (*response)(nil)
)
