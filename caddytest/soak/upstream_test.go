package soak

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// upstream answers everything with 200, echoes on upgraded connections, and remembers
// when guesses reached it.
type upstream struct {
	port string

	mu      sync.Mutex
	guesses []time.Time
}

func startUpstream(t *testing.T) *upstream {
	u := new(upstream)
	server := httptest.NewServer(u)
	t.Cleanup(server.Close)
	_, u.port, _ = net.SplitHostPort(server.Listener.Addr().String())
	return u
}

// guessed are the times of the guesses so far.
func (u *upstream) guessed() []time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.guesses)
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/password-reset") {
		u.mu.Lock()
		u.guesses = append(u.guesses, time.Now())
		u.mu.Unlock()
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
