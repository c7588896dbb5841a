package apiguard

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// response sees the status and adds the guard's fields to the header, as late as
// it can: what upstream sends is already there then. It buffers nothing. Flushing,
// hijacking and deadlines reach the writer below through Unwrap.
type response struct {
	caddyhttp.ResponseWriterWrapper
	exchange    *exchange
	status      int
	wroteHeader bool
}

func (w *response) reset(x *exchange) {
	*w = response{exchange: x}
}

// WriteHeader implements http.ResponseWriter. Informational answers pass as they
// are, but for 101, which is final.
func (w *response) WriteHeader(status int) {
	if w.wroteHeader || status < 200 && status != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) begin(status int) {
	w.wroteHeader, w.status = true, status
	// Before the client sees anything, since it may guess again as soon as it does.
	w.exchange.settleAnswered(status)
	if w.exchange.tee == nil {
		w.exchange.verdict.Judged()
	}
	w.exchange.decorate(w.ResponseWriter.Header())
	if w.exchange.tee == nil {
		// Now, not when the answer ends: a stream may go on for hours.
		w.exchange.observe(status)
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, so that a file server can still use sendfile.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError implements the method that http.ResponseController looks for: a
// flush sends the header.
func (w *response) FlushError() error {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
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
