package harness_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func TestMain(m *testing.M) { harness.Main(m) }

// bare is a Caddy without the guard: what the harness reports about it is the
// harness's own doing.
const bare = `{
	admin 127.0.0.1:<admin>
	persist_config off
	http_port <http>
	https_port <https>
	default_bind 127.0.0.1
	skip_install_trust
	auto_https disable_redirects
}
http://api.example.com:<http> {
	reverse_proxy 127.0.0.1:<upstream>
}
https://api.example.com:<https> {
	tls internal
	reverse_proxy 127.0.0.1:<upstream>
}
`

func TestWhatIsSentIsWhatTheUpstreamRecords(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, harness.Config{Caddyfile: bare, Upstream: up})
	large := bytes.Repeat([]byte("0123456789abcdef"), 20_000) // beyond HTTP/2's first window

	for _, protocol := range []struct {
		name string
		do   harness.Do
	}{{"HTTP/1.1", caddy.Do1}, {"HTTP/2", caddy.Do2}} {
		for _, c := range []struct {
			name string
			call harness.Call
		}{
			{"a body of known length", harness.Call{Body: large}},
			{"a body of unknown length", harness.Call{Body: large, Chunked: true}},
			{"an empty body", harness.Call{Body: []byte{}}},
			{"no body", harness.Call{Method: "GET"}},
		} {
			t.Run(protocol.name+" "+c.name, func(t *testing.T) {
				call := c.call
				call.Host, call.Target = "api.example.com", "/a%2Fb/%7e?q=%5b&q"
				if call.Method == "" {
					call.Method = "POST"
				}
				trace := harness.NewClient()
				answer := protocol.do(t, call.With("X-Trace", trace))
				if answer.Status != 200 || string(answer.Body) != "{}" {
					t.Fatalf("got %v", answer)
				}
				seen := up.Requests("X-Trace", trace)
				if len(seen) != 1 {
					t.Fatalf("the upstream recorded %d requests, not 1", len(seen))
				}
				if seen[0].Method() != call.Method || seen[0].Target() != call.Target || !bytes.Equal(seen[0].Body, call.Body) {
					t.Errorf("the upstream recorded %s with %d bytes of body", seen[0].Line, len(seen[0].Body))
				}
				if !bytes.HasPrefix(seen[0].Raw, seen[0].Head) || len(seen[0].Raw) < len(seen[0].Head)+len(seen[0].Body) {
					t.Error("the raw bytes are not head and body")
				}
			})
		}
	}
}

func TestOverlappingStreamsGetTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	up.Answer(func(r harness.Recorded) string {
		return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + strings.TrimPrefix(r.Target(), "/")
	})
	conn := harness.Start(t, harness.Config{Caddyfile: bare, Upstream: up}).Dial2(t, "api.example.com")
	streams := make(map[string]uint32)
	for _, name := range []string{"aa", "bb", "cc"} {
		streams[name] = conn.Send(t, harness.Call{Host: "api.example.com", Target: "/" + name})
	}
	for name, id := range streams {
		answer, err := conn.Await(t, id)
		if err != nil || string(answer.Body) != name {
			t.Errorf("asked for %s: %v, %v", name, answer, err)
		}
	}
}

func TestACommandTellsItsOutputAndItsEnd(t *testing.T) {
	t.Parallel()
	if text, ok := harness.Command(t, harness.Config{Caddyfile: "http://:<http> {\n}\n"}, "validate", "--config", "CADDYFILE", "--adapter", "caddyfile"); !ok {
		t.Errorf("a good file: %s", text)
	}
	text, ok := harness.Command(t, harness.Config{Caddyfile: "http://:<http> {\n\tnonsense\n}\n"}, "validate", "--config", "CADDYFILE", "--adapter", "caddyfile")
	if ok || !strings.Contains(text, "nonsense") {
		t.Errorf("a bad file: %v %s", ok, text)
	}
}
