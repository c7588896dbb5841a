package caddytest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// A client that waits for leave to send its body (RFC 9110, section 10.1.1) gets its
// refusal instead. It would wait for ever for an answer that waits for its body.
func TestAClientThatExpectsAContinueIsRefusedBeforeItSendsItsBody(t *testing.T) {
	t.Parallel()
	cfg := fleetConfig(harness.NewUpstream(t), "unknown_route enforce", "unknown_route enforce\nrequest enforce {\nmax_body 1KiB\n}")
	t.Run("direct", func(t *testing.T) { expectContinue(t, harness.Start(t, cfg)) })
	for name, page := range map[string]string{
		"a page":                     "respond {err.status_code}",
		"a guard in the error route": "api_guard\nrespond {err.status_code}",
		"no error route":             "",
	} {
		t.Run(name, func(t *testing.T) {
			failing := cfg
			failing.Guard = "refusals handle_errors\n" + cfg.Guard
			if page != "" {
				failing.Sites = strings.ReplaceAll(cfg.Sites, "import guarded", "import guarded\nhandle_errors {\nroute {\n"+page+"\n}\n}")
			}
			expectContinue(t, harness.Start(t, failing))
		})
	}
}

func expectContinue(t *testing.T, caddy *harness.Caddy) {
	const body = `{"sku":"ABC-1234","quantity":1}`
	for name, c := range map[string]struct {
		head   string
		status int // of the first answer
		ends   bool
	}{
		"a route of no document":    {"POST /v2/debug HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\nContent-Length: 31\r\n", 404, true},
		"a host of no version":      {"POST /v2/orders HTTP/1.1\r\nHost: shadow.example.com\r\nContent-Type: application/json\r\nContent-Length: 31\r\n", 421, true},
		"a body that is too large":  {"POST /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\nContent-Length: 70000000\r\n", 413, true},
		"a media type":              {"POST /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: image/png\r\nContent-Length: 31\r\n", 415, true},
		"one that is to send it":    {"POST /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\nContent-Length: 31\r\n", 100, false},
		"a body that is not asked":  {"GET /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 0\r\n", 200, false},
		"refused without any body":  {"GET /v2/debug HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 0\r\n", 404, true},
		"refused, nothing expected": {"GET /v2/debug HTTP/1.1\r\nHost: api.example.com\r\n", 404, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", caddy.HTTP)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			expect := "Expect: 100-continue\r\n"
			if name == "refused, nothing expected" {
				expect = ""
			}
			if _, err := io.WriteString(conn, c.head+expect+"\r\n"); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			first, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("no answer before the body: %v", err)
			}
			if first.StatusCode != c.status || first.Close != c.ends {
				t.Errorf("the first answer is %d, and ends the connection: %v; want %d, %v", first.StatusCode, first.Close, c.status, c.ends)
			}
			if first.StatusCode != http.StatusContinue {
				return
			}
			if _, err := io.WriteString(conn, body); err != nil {
				t.Fatal(err)
			}
			last, err := http.ReadResponse(in, nil)
			if err != nil || last.StatusCode != http.StatusOK || last.Close {
				t.Errorf("with its body: %v, %v", last, err)
			}
		})
	}
}
