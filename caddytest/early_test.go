package caddytest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// deafConn loses what arrives while it is deaf, as it would be lost to a client that
// sends from another's address.
type deafConn struct {
	net.PacketConn
	deaf atomic.Bool
}

func (c *deafConn) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, addr, err := c.PacketConn.ReadFrom(p)
		if err != nil || !c.deaf.Load() {
			return n, addr, err
		}
	}
}

// A request in early data may be a copy of one that was recorded, and nobody knows yet
// that it comes from the address that it bears (RFC 8470, RFC 9001 section 9.2).
func TestWhatComesInEarlyDataReachesTheUpstreamAfterTheHandshakeAlone(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]int{"enforce": http.StatusTooEarly, "monitor": http.StatusOK} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			caddy, up := startFleet(t, "policy {", "mode "+mode+"\npolicy {")
			caddy.Do3(t, get("api.example.com", "/v2/orders"))
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			socket, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			lossy := &deafConn{PacketConn: socket}
			wire := &quic.Transport{Conn: lossy}
			defer func() { _, _ = wire.Close(), socket.Close() }()
			server, err := net.ResolveUDPAddr("udp", caddy.HTTPS)
			if err != nil {
				t.Fatal(err)
			}
			tickets := tls.NewLRUClientSessionCache(4)
			config := &tls.Config{ServerName: caddy.ServerName, InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}, ClientSessionCache: tickets}
			transport := &http3.Transport{}
			ask := func(on *http3.ClientConn, method, trace string) (int, map[string]any, error) {
				r, err := http.NewRequestWithContext(ctx, method, "https://api.example.com/v2/orders", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("X-Trace", trace)
				answer, err := on.RoundTrip(r)
				if err != nil {
					return 0, nil, err
				}
				defer answer.Body.Close()
				body, _ := io.ReadAll(answer.Body)
				var problem map[string]any
				_ = json.Unmarshal(body, &problem)
				return answer.StatusCode, problem, nil
			}

			patient := &quic.Config{HandshakeIdleTimeout: time.Minute, MaxIdleTimeout: time.Minute}
			first, err := wire.DialEarly(ctx, server, config, patient)
			if err != nil {
				t.Fatal(err)
			}
			if status, _, err := ask(transport.NewClientConn(first), "GET", "first"); status != 200 {
				t.Fatalf("the first connection: %d %v", status, err)
			}
			harness.Await(t, "a session ticket", func() (string, bool) {
				ticket, ok := tickets.Get(caddy.ServerName)
				return "none", ok && ticket != nil
			})
			_ = first.CloseWithError(0, "")

			var second *quic.Conn
			var early *http3.ClientConn
			for try := 1; ; try++ {
				trace := fmt.Sprint("early", try)
				lossy.deaf.Store(true)
				began := time.Now()
				if second, err = wire.DialEarly(ctx, server, config, patient); err != nil {
					t.Fatal(err)
				}
				early = transport.NewClientConn(second)
				var status int
				var problem map[string]any
				done := make(chan error)
				go func() {
					var err error
					status, problem, err = ask(early, http3.MethodGet0RTT, trace)
					done <- err
				}()
				entry := caddy.Logged(t, "X-Trace", trace)
				if seen := len(up.Requests("X-Trace", trace)); (seen > 0) != (want == 200) {
					t.Errorf("the upstream got %d, the log says %v", seen, entry)
				}
				took := time.Since(began)
				lossy.deaf.Store(false)
				// Caddy gives a handshake up after five seconds, which a machine that does
				// much else may take to log the request.
				if took > 4*time.Second && try < 5 {
					_ = second.CloseWithError(0, "")
					<-done
					continue
				}
				if err := <-done; err != nil {
					t.Fatalf("in early data: %v", err)
				}
				if !second.ConnectionState().Used0RTT {
					t.Error("it did not go in early data")
				}
				if status != want || want != 200 && problem["type"] != "urn:api-guard:too-early" {
					t.Errorf("in early data: %d %v, want %d", status, problem, want)
				}
				break
			}
			if status, _, err := ask(early, "GET", "late"); status != 200 {
				t.Errorf("after the handshake: %d %v", status, err)
			}
			if seen := len(up.Requests("X-Trace", "late")); seen != 1 {
				t.Errorf("after the handshake the upstream got %d", seen)
			}
		})
	}
}
