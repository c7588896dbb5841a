package soak

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// upstream answers everything with 200, echoes on upgraded connections, and counts
// the guesses that reach it.
type upstream struct {
	port    string
	guesses atomic.Int64
}

func startUpstream(t *testing.T) *upstream {
	u := new(upstream)
	server := httptest.NewServer(u)
	t.Cleanup(server.Close)
	_, u.port, _ = net.SplitHostPort(server.Listener.Addr().String())
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/password-reset") {
		u.guesses.Add(1)
	}
	if r.Header.Get("Upgrade") == "websocket" {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(conn, bufio.NewReader(buffered))
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"ok"}`)
}
