package caddytest

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2/hpack"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// tunnels is an upstream that makes a tunnel of every request that asks for one and
// says "hello" in it; others get a 200. It notes what it got.
type tunnels struct {
	net.Listener
	holds bool // a tunnel goes on until the client ends it; what came is said again
	mu    sync.Mutex
	lines []string
}

func startTunnels(t *testing.T, holds bool) *tunnels {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := &tunnels{Listener: l, holds: holds}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				buffered := bufio.NewReader(conn)
				in := textproto.NewReader(buffered)
				line, err := in.ReadLine()
				if err != nil {
					return
				}
				head, err := in.ReadMIMEHeader()
				if err != nil {
					return
				}
				up.mu.Lock()
				up.lines = append(up.lines, line+" "+head.Get("Upgrade"))
				up.mu.Unlock()
				answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
				switch {
				case head.Get("X-Deny") != "":
					answer = wrongGuess
				case head.Get("Upgrade") != "":
					answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello"
				}
				_, _ = io.WriteString(conn, answer)
				if up.holds && head.Get("Upgrade") != "" && head.Get("X-Deny") == "" {
					_, _ = io.Copy(conn, buffered)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return up
}

// take is what came since the last call.
func (up *tunnels) take() string {
	up.mu.Lock()
	defer up.mu.Unlock()
	lines := strings.Join(up.lines, "\n")
	up.lines = nil
	return lines
}

const tunnelDocument = `openapi: 3.1.0
info: {title: Feeds, version: "1"}
paths:
  /feed:
    get:
      x-api-guard-upgrade: websocket
      responses: {"101": {description: the feed}}
  /page:
    get:
      responses: {"200": {description: a page}}
  /echo:
    trace:
      responses: {"200": {description: what came}}
`

// startTunnelling runs a guard with the defaults, but for what is asked for: unknown
// routes are only recorded.
func startTunnelling(t *testing.T, guard string) (*harness.Caddy, *tunnels) {
	t.Helper()
	up := startTunnels(t, false)
	_, port, _ := net.SplitHostPort(up.Addr().String())
	caddy := harness.Start(t, harness.Config{
		Guard: guard + "\napi feeds {\nversion v1 {\nhosts api.example.com\nspec feeds.yaml\n}\n}\n",
		Sites: strings.ReplaceAll(sites, "import guarded", "api_guard\nreverse_proxy 127.0.0.1:"+port),
		Files: map[string]string{"feeds.yaml": tunnelDocument},
	})
	return caddy, up
}

// connect3 sends an extended CONNECT over HTTP/3 and returns the status and what
// came through the tunnel.
func connect3(t *testing.T, caddy *harness.Caddy, protocol, target string) (status int, text string) {
	t.Helper()
	stream, end := open3(t, caddy, protocol, "https://api.example.com"+target, http.Header{})
	defer end()
	resp, err := stream.ReadResponse()
	if err != nil {
		t.Fatalf("%s %s: %v", protocol, target, err)
	}
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// open3 does so and leaves it open until end is called.
func open3(t *testing.T, caddy *harness.Caddy, protocol, target string, fields http.Header) (stream *http3.RequestStream, end func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	security := &tls.Config{ServerName: caddy.ServerName, InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}
	var conn *quic.Conn
	harness.Await(t, "a QUIC handshake", func() (string, bool) {
		var err error
		if conn, err = quic.DialAddr(ctx, caddy.HTTPS, security, &quic.Config{}); err != nil {
			return err.Error(), false
		}
		return "", true
	})
	transport := &http3.Transport{}
	stream, err := transport.NewClientConn(conn).OpenRequestStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	fields.Set("Sec-Websocket-Version", "13")
	err = stream.SendRequestHeader((&http.Request{Method: http.MethodConnect, Proto: protocol, URL: u, Host: u.Host, Header: fields}).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	return stream, func() {
		_ = conn.CloseWithError(0, "")
		cancel()
	}
}

// connect2 does so over HTTP/2.
func connect2(t *testing.T, caddy *harness.Caddy, protocol, target string) (status int, text string) {
	t.Helper()
	h := caddy.Dial2(t, caddy.ServerName)
	defer h.Close()
	answer, err := h.Await(t, h.SendHead(t, []hpack.HeaderField{
		{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: protocol}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "api.example.com"}, {Name: ":path", Value: target}, {Name: "sec-websocket-version", Value: "13"},
	}, false))
	if err != nil {
		t.Fatalf("%s %s: %v", protocol, target, err)
	}
	return answer.Status, string(answer.Body)
}

func TestAnExtendedCONNECTIsTheGETThatUpstreamGets(t *testing.T) {
	t.Setenv("GODEBUG", "http2xconnect=1") // Go's HTTP/2 refuses them otherwise
	caddy, up := startTunnelling(t, "")
	for protocol, connect := range map[string]func(*testing.T, *harness.Caddy, string, string) (int, string){
		"HTTP/3": connect3, "HTTP/2": connect2,
	} {
		for _, row := range []struct {
			name, protocol, target string
			status                 int
			reason, seen           string
		}{
			{"a declared one", "websocket", "/feed", 200, "", "GET /feed HTTP/1.1 websocket"},
			{"a declared one in another spelling", "websocket", "/%66eed", 200, "", "GET /feed HTTP/1.1 websocket"},
			{"where nothing is declared", "websocket", "/page", 501, "upgrade-refused", ""},
			{"on a path that no document has", "websocket", "/nowhere", 501, "upgrade-refused", ""},
			{"another protocol where a WebSocket is declared", "connect-udp", "/feed", 501, "upgrade-refused", ""},
			{"with dot segments", "websocket", "/x/../feed", 400, "malformed-target", ""},
			{"a near miss", "websocket", "/Feed", 400, "ambiguous-target", ""},
		} {
			t.Run(protocol+" "+row.name, func(t *testing.T) {
				status, text := connect(t, caddy, row.protocol, row.target)
				if status != row.status || row.reason != "" && !strings.Contains(text, "urn:api-guard:"+row.reason) {
					t.Errorf("got %d %s, want %d %s", status, text, row.status, row.reason)
				}
				if row.status == 200 && text != "hello" {
					t.Errorf("through the tunnel came %q", text)
				}
				if seen := up.take(); seen != row.seen {
					t.Errorf("the upstream got %q, want %q", seen, row.seen)
				}
			})
		}
	}
}

// The GET that upstream gets of an extended CONNECT would have the length, and no content.
func TestAnExtendedCONNECTWithALengthIsRefused(t *testing.T) {
	t.Setenv("GODEBUG", "http2xconnect=1") // Go's HTTP/2 refuses them otherwise
	for mode, guard := range map[string]string{"enforce": "", "monitor": "mode monitor"} {
		caddy, up := startTunnelling(t, guard)
		for _, length := range []string{"", "5"} {
			fields := []harness.Field{
				{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: "websocket"}, {Name: ":scheme", Value: "https"},
				{Name: ":authority", Value: "api.example.com"}, {Name: ":path", Value: "/feed"}, {Name: "sec-websocket-version", Value: "13"},
			}
			if length != "" {
				fields = append(fields, harness.Field{Name: "content-length", Value: length})
			}
			for protocol, send := range map[string]func() (harness.Answer, error){
				"HTTP/2": func() (harness.Answer, error) {
					h := caddy.Dial2(t, caddy.ServerName)
					defer h.Close()
					var head []hpack.HeaderField
					for _, f := range fields {
						head = append(head, hpack.HeaderField{Name: f.Name, Value: f.Value})
					}
					return h.Await(t, h.SendHead(t, head, false))
				},
				"HTTP/3": func() (harness.Answer, error) {
					h := caddy.Dial3(t, caddy.ServerName)
					defer h.Close()
					return h.Exchange(t, fields, nil)
				},
			} {
				got, err := send()
				if err != nil {
					t.Errorf("%s, %s, length %q: %v", mode, protocol, length, err)
					continue
				}
				wrong := strings.Contains(string(got.Body), "urn:api-guard:malformed-target")
				if want := mode == "enforce" && length != ""; wrong != want || want && got.Status != http.StatusBadRequest {
					t.Errorf("%s, %s, length %q: %v", mode, protocol, length, got)
				}
				if seen := up.take(); wrong && seen != "" || length == "" && seen != "GET /feed HTTP/1.1 websocket" {
					t.Errorf("%s, %s, length %q: the upstream got %q", mode, protocol, length, seen)
				}
			}
		}
	}
}

func TestCONNECTAndTRACEPassWhereTheyAreDocumentedOnly(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, guard, method, target string
		status                      int
		seen                        string
	}{
		{"TRACE on a documented path", "", "TRACE", "/page", 405, ""},
		{"TRACE on a path that no document has", "", "TRACE", "/nowhere", 405, ""},
		{"CONNECT on a documented path", "", "CONNECT", "/page", 405, ""},
		{"a documented TRACE", "", "TRACE", "/echo", 200, "TRACE /echo HTTP/1.1 "},
		{"another method that is only recorded", "", "PATCH", "/page", 200, "PATCH /page HTTP/1.1 "},
		{"TRACE in monitor", "mode monitor", "TRACE", "/page", 200, "TRACE /page HTTP/1.1 "},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			caddy, up := startTunnelling(t, row.guard)
			got := caddy.Do1(t, harness.Call{Method: row.method, Host: "api.example.com", Target: row.target})
			if seen := up.take(); got.Status != row.status || seen != row.seen {
				t.Errorf("got %v, and the upstream %q, want %d and %q", got, seen, row.status, row.seen)
			}
			if got.Status == 405 && len(got.Header.Values("Allow")) != 1 {
				t.Errorf("Allow is %q", got.Header.Values("Allow"))
			}
		})
	}
}
