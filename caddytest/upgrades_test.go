package caddytest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// startUpgrading runs a guard whose limits count WebSockets, on a host and its beta
// twin, before an upstream that holds them open. changes are as of startFleet.
func startUpgrading(t *testing.T, changes ...string) (*harness.Caddy, *tunnels) {
	t.Helper()
	up := startTunnels(t, true)
	_, port, _ := net.SplitHostPort(up.Addr().String())
	return harness.Start(t, harness.Config{
		Guard: strings.NewReplacer(changes...).Replace(`
policy {
	response enforce
	limit open {
		concurrency 2
	}
	limit all {
		rate 100/1h
	}
	limit wrong {
		rate 2/1h
		count failures
	}
}
api feeds {
	version v1 {
		hosts api.example.com beta.example.com
		spec feeds.yaml
	}
}
`),
		Sites: strings.ReplaceAll(sites, "import guarded", "log\napi_guard\nreverse_proxy 127.0.0.1:"+port),
		Files: map[string]string{"feeds.yaml": tunnelDocument},
	}), up
}

// opener opens a WebSocket and returns the status, what came through it for a word that
// was said, and how to end it.
type opener func(t *testing.T, caddy *harness.Caddy, host string, fields ...string) (status int, said string, end func())

const word = "ping"

func open1(t *testing.T, caddy *harness.Caddy, host string, fields ...string) (int, string, func()) {
	t.Helper()
	conn, err := net.Dial("tcp", caddy.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	end := func() { _ = conn.Close() }
	text := "GET /feed HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for i := 0; i < len(fields); i += 2 {
		text += fields[i] + ": " + fields[i+1] + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return resp.StatusCode, "", end
	}
	_, _ = io.WriteString(conn, word)
	said := make([]byte, len("hello")+len(word))
	_, _ = io.ReadFull(in, said)
	return resp.StatusCode, string(said), end
}

func open2(t *testing.T, caddy *harness.Caddy, host string, fields ...string) (int, string, func()) {
	t.Helper()
	h := caddy.Dial2(t, caddy.ServerName)
	head := []hpack.HeaderField{
		{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: "websocket"}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: host}, {Name: ":path", Value: "/feed"}, {Name: "sec-websocket-version", Value: "13"},
	}
	for i := 0; i < len(fields); i += 2 {
		head = append(head, hpack.HeaderField{Name: strings.ToLower(fields[i]), Value: fields[i+1]})
	}
	answer := h.Talk(t, h.SendHead(t, head, false), []byte(word), len("hello")+len(word))
	return answer.Status, string(answer.Body), h.Close
}

func openOver3(t *testing.T, caddy *harness.Caddy, host string, fields ...string) (int, string, func()) {
	t.Helper()
	head := http.Header{}
	for i := 0; i < len(fields); i += 2 {
		head.Set(fields[i], fields[i+1])
	}
	stream, end := open3(t, caddy, "websocket", "https://"+host+"/feed", head)
	resp, err := stream.ReadResponse()
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, "", end
	}
	_, _ = stream.Write([]byte(word))
	said := make([]byte, len("hello")+len(word))
	_, _ = io.ReadFull(stream, said)
	return resp.StatusCode, string(said), end
}

// A WebSocket is one request, whatever it is opened over: charged once, held while it is
// open, on whatever host, and let go of when it ends; and the inventory counts it once,
// as the operation that it is.
func TestAWebSocketIsOneRequestOverEveryProtocol(t *testing.T) {
	t.Setenv("GODEBUG", "http2xconnect=1") // Go's HTTP/2 refuses them otherwise
	caddy, up := startUpgrading(t)
	openers := map[string]opener{"HTTP/1.1": open1, "HTTP/2": open2, "HTTP/3": openOver3}
	status := map[string]int{"HTTP/1.1": 101, "HTTP/2": 200, "HTTP/3": 200}
	seen := map[string]int{}
	for first, open := range openers {
		t.Run(first, func(t *testing.T) {
			client := harness.NewClient()
			var ends []func()
			for _, host := range []string{"api.example.com", "beta.example.com"} {
				got, said, end := open(t, caddy, host, "X-Forwarded-For", client)
				ends = append(ends, end)
				if got != status[first] || said != "hello"+word {
					t.Fatalf("%s: %d, and %q came through", host, got, said)
				}
				seen[host]++
			}
			if b := counted(t, caddy, "open", client); *b.Concurrent != 2 {
				t.Errorf("while two are open: %d", *b.Concurrent)
			}
			// The third, over whatever it comes.
			for name, another := range openers {
				for _, host := range []string{"api.example.com", "beta.example.com"} {
					got, _, end := another(t, caddy, host, "X-Forwarded-For", client)
					end()
					if got != 429 {
						t.Errorf("a third over %s to %s: %d", name, host, got)
					}
				}
			}
			if b := counted(t, caddy, "all", client); b.Used != 2 {
				t.Errorf("charged: %+v", b)
			}
			for _, end := range ends {
				end()
			}
			harness.Await(t, "both to be let go of", func() (string, bool) {
				n := *counted(t, caddy, "open", client).Concurrent
				return fmt.Sprint(n), n == 0
			})
			got, _, end := open(t, caddy, "beta.example.com", "X-Forwarded-For", client)
			end()
			if got != status[first] {
				t.Errorf("after both have ended: %d", got)
			}
			seen["beta.example.com"]++
			if b := counted(t, caddy, "wrong", client); b.Used != 0 || b.Pending != 0 {
				t.Errorf("failures: %+v", b)
			}
			// What upstream denies is a failure, over whatever it comes.
			for n := range 3 {
				got, _, end := open(t, caddy, "api.example.com", "X-Forwarded-For", client, "X-Deny", "1")
				end()
				if want := []int{403, 403, 429}[n]; got != want {
					t.Errorf("denied %d times: %d, want %d", n+1, got, want)
				}
				if got == 403 {
					seen["api.example.com denied"]++
				}
			}
			if b := counted(t, caddy, "wrong", client); b.Used != 2 || b.Pending != 0 {
				t.Errorf("failures: %+v", b)
			}
		})
	}
	if lines := up.take(); strings.Count(lines, "GET /feed HTTP/1.1 websocket") != 5*len(openers) {
		t.Errorf("the upstream got\n%s", lines)
	}
	for _, host := range []string{"api.example.com", "beta.example.com"} {
		var list listing[route]
		harness.Await(t, "the route on "+host, func() (string, bool) {
			caddy.Query(t, "/api_guard/routes?path=/feed&host="+host, &list)
			return fmt.Sprintf("%+v", list.Items), len(list.Items) > 0 && list.Items[0].Statuses["1xx"] == seen[host]
		})
		r := list.Items[0]
		if len(list.Items) != 1 || r.Path != "/feed" || r.Method != "GET" || !r.Documented || r.Version != "v1" || r.Evidence != "confirmed" || r.Statuses["2xx"] != 0 {
			t.Errorf("%s: %+v", host, list.Items)
		}
	}
	var findings listing[findingEntry]
	caddy.Query(t, "/api_guard/findings", &findings)
	for _, f := range findings.Items {
		if f.Kind == "document-drift" && strings.Contains(f.Evidence, "200") {
			t.Errorf("a finding: %+v", f)
		}
	}
}
