package caddytest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// clientsOf are HTTP clients for all three versions, by the URL scheme and host
// under which they reach the fleet's v2.
func clientsOf(t *testing.T, caddy *harness.Caddy) map[string]*http.Client {
	t.Helper()
	to := func(address string) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		}
	}
	security := &tls.Config{ServerName: "api.example.com", InsecureSkipVerify: true}
	one := &http.Transport{DialContext: to(caddy.HTTP)}
	two := &http.Transport{DialContext: to(caddy.HTTPS), TLSClientConfig: security, ForceAttemptHTTP2: true}
	three := &http3.Transport{
		TLSClientConfig: security,
		QUICConfig:      &quic.Config{HandshakeIdleTimeout: time.Minute, KeepAlivePeriod: 5 * time.Second},
		Dial: func(ctx context.Context, _ string, security *tls.Config, config *quic.Config) (*quic.Conn, error) {
			return quic.DialAddrEarly(ctx, caddy.HTTPS, security, config)
		},
	}
	t.Cleanup(func() {
		one.CloseIdleConnections()
		two.CloseIdleConnections()
		_ = three.Close()
	})
	clients := map[string]*http.Client{}
	for proto, transport := range map[string]http.RoundTripper{"HTTP/1.1": one, "HTTP/2.0": two, "HTTP/3.0": three} {
		clients[proto] = &http.Client{Transport: transport, Timeout: time.Minute}
	}
	harness.Await(t, "TLS", func() (string, bool) { // Caddy serves before its certificates are made
		conn, err := tls.Dial("tcp", caddy.HTTPS, security)
		if err != nil {
			return err.Error(), false
		}
		return "", conn.Close() == nil
	})
	return clients
}

// base is where a protocol's client finds the fleet's v2.
func base(proto string) string {
	if proto == "HTTP/1.1" {
		return "http://api.example.com/v2"
	}
	return "https://api.example.com/v2"
}

// download is how many bytes the long answer has.
const download = 24 << 20

// streamer is an upstream whose answers take their time.
func streamer(t *testing.T, released <-chan struct{}) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/v2/orders", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("status") {
		case "open": // events
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: first\n\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-released:
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, "data: second\n\n")
		case "paid": // interim answers, and trailers
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set("Trailer", "X-Checksum")
			_, _ = io.WriteString(w, "body")
			w.Header().Set("X-Checksum", "42")
		default: // much
			piece := []byte(strings.Repeat("0123456789abcdef", 4096))
			for n := 0; n < download; n += len(piece) {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func startStreaming(t *testing.T, released <-chan struct{}) *harness.Caddy {
	t.Helper()
	_, port, _ := net.SplitHostPort(streamer(t, released).Listener.Addr().String())
	cfg := fleetConfig(nil)
	cfg.Sites = strings.ReplaceAll(sites, "import guarded", "log\napi_guard\nreverse_proxy 127.0.0.1:"+port)
	return harness.Start(t, cfg)
}

func TestAnswersStreamThroughTheGuardAsTheyCome(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release()
	caddy := startStreaming(t, released)
	clients := clientsOf(t, caddy)

	var streams []*bufio.Reader
	for proto, client := range clients {
		resp, err := client.Get(base(proto) + "/orders?status=open")
		if err != nil {
			t.Fatalf("%s: %v", proto, err)
		}
		defer resp.Body.Close()
		if resp.Proto != proto {
			t.Errorf("answered in %s, want %s", resp.Proto, proto)
		}
		in := bufio.NewReader(resp.Body)
		// Upstream is still waiting: this arrives because nothing keeps it back.
		if line, err := in.ReadString('\n'); line != "data: first\n" {
			t.Errorf("%s: the first event is %q, %v", proto, line, err)
		}
		streams = append(streams, in)
	}
	release()
	for _, in := range streams {
		if rest, err := io.ReadAll(in); string(rest) != "\ndata: second\n\n" {
			t.Errorf("the rest is %q, %v", rest, err)
		}
	}

	for proto, client := range clients {
		var interim []int
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
				interim = append(interim, code)
				return nil
			},
		})
		req, _ := http.NewRequestWithContext(ctx, "GET", base(proto)+"/orders?status=paid", nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", proto, err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != "body" || resp.Trailer.Get("X-Checksum") != "42" {
			t.Errorf("%s: body %q, %v, trailer %v", proto, body, err, resp.Trailer)
		}
		if len(interim) != 1 || interim[0] != http.StatusEarlyHints {
			t.Errorf("%s: interim answers %v, want 103", proto, interim)
		}
	}

	want := sha256.Sum256([]byte(strings.Repeat("0123456789abcdef", download/16)))
	before := caddy.Heap(t)
	for proto, client := range clients {
		resp, err := client.Get(base(proto) + "/orders")
		if err != nil {
			t.Fatalf("%s: %v", proto, err)
		}
		sum := sha256.New()
		n, err := io.Copy(sum, resp.Body)
		_ = resp.Body.Close()
		if err != nil || n != download || [32]byte(sum.Sum(nil)) != want {
			t.Errorf("%s: %d bytes of %d arrived, %v", proto, n, download, err)
		}
	}
	if grown := caddy.Heap(t) - before; grown > download/2 {
		t.Errorf("the heap grew by %d bytes: something kept the download", grown)
	}
}

func TestAuthoritiesMeanTheSameInAllProtocols(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	for proto, client := range clientsOf(t, caddy) {
		port := ":80"
		if proto != "HTTP/1.1" {
			port = ":443"
		}
		for i, row := range []struct {
			authority, path string
			status          int
			host, target    string // what the upstream sees
		}{
			{"api.example.com", "/v2/orders", 200, "api.example.com", "/v2/orders"},
			{"API.Example.COM", "/v2/orders", 200, "api.example.com", "/v2/orders"},
			{"api.example.com" + port, "/v2/orders", 200, "api.example.com", "/v2/orders"},
			{"api.example.com:8443", "/v2/orders", 200, "api.example.com:8443", "/v2/orders"},
			{"api.example.com.", "/v2/orders", 200, "api.example.com", "/v2/orders"},
			{"api.example.com", "/v2/%6Frders", 200, "api.example.com", "/v2/orders"},
			{"beta.example.com", "/v3/orders", 200, "beta.example.com", "/v3/orders"},
			{"beta.example.com", "/v2/orders", 404, "", ""},
			{"shadow.example.net", "/v2/orders", 421, "", ""},
			{"127.0.0.1", "/v2/orders", 421, "", ""},
			{"[::1]", "/v2/orders", 421, "", ""},
			{"api.example.com..", "/v2/orders", 400, "", ""},
			{"api.example.com:0", "/v2/orders", 400, "", ""},
			{"api.example.com", "/v2/%2e%2e/v3/orders", 400, "", ""},
			{"api.example.com", "/v2/x/../orders", 400, "", ""},
			{"api.example.com", "//v2/orders", 400, "", ""},
			{"api.example.com", "/v2%2Forders", 400, "", ""},
			{"api.example.com", "/v2/Orders", 400, "", ""},
		} {
			trace := fmt.Sprint(proto, i)
			u, err := url.Parse(base(proto))
			if err != nil {
				t.Fatal(err)
			}
			u.RawPath = row.path
			if u.Path, err = url.PathUnescape(row.path); err != nil {
				t.Fatal(err)
			}
			req := &http.Request{Method: "GET", URL: u, Host: row.authority, Header: http.Header{"X-Trace": {trace}}}
			resp, err := client.Do(req)
			if err != nil {
				t.Errorf("%s %s %s: %v", proto, row.authority, row.path, err)
				continue
			}
			_ = resp.Body.Close()
			seen := up.Requests("X-Trace", trace)
			switch {
			case resp.StatusCode != row.status:
				t.Errorf("%s %s %s: status %d, want %d", proto, row.authority, row.path, resp.StatusCode, row.status)
			case row.host == "" && len(seen) > 0:
				t.Errorf("%s %s %s: the upstream got %q", proto, row.authority, row.path, seen[0].Line)
			case row.host != "" && (len(seen) != 1 || seen[0].Target() != row.target || seen[0].Values("Host")[0] != row.host):
				t.Errorf("%s %s %s: the upstream got %q", proto, row.authority, row.path, seen)
			}
		}
	}
}
