package caddytest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

var heldBytes = regexp.MustCompile(`(?m)^caddy_api_guard_held_body_bytes (\S+)$`)

// heldBodies is what the metric says that all bodies hold.
func heldBodies(t *testing.T, caddy *harness.Caddy) int64 {
	t.Helper()
	line := heldBytes.FindStringSubmatch(caddy.Metrics(t))
	if line == nil {
		t.Fatal("no metric of held bodies")
	}
	n, err := strconv.ParseFloat(line[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(n)
}

// trickle sends all but the end of a body and keeps the connection. It returns the
// connection and a channel with the status, if there is one before it is closed.
func trickle(t *testing.T, caddy *harness.Caddy, framing, body string) (net.Conn, <-chan *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", caddy.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan *http.Response, 1)
	go func() {
		defer close(answer)
		if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			answer <- resp
		}
	}()
	go func() { _, _ = io.WriteString(conn, slowHead+framing+"\r\n\r\n"+body) }()
	return conn, answer
}

func TestAFloodOfSlowLargeBodiesIsBoundedAndLeavesRoomForSmallOnes(t *testing.T) {
	t.Parallel()
	const ceiling = 4 << 20
	// What is slow here is meant to be: a body is given up when the test ends it alone.
	caddy, up := startFleet(t, "api orders {", "body_memory 4MiB\napi orders {",
		"unknown_route enforce", "unknown_route enforce\nrequest enforce {\nbody_idle_timeout 10m\nbody_timeout 10m\n}")
	// Most of a large body each: the first two hold a MiB each and leave room for
	// one more in three quarters of the ceiling.
	large := `{"sku":"ABC-1234","quantity":1,"note":"` + strings.Repeat("x", 600<<10)
	var conns []net.Conn
	var answers []<-chan *http.Response
	for i := range 40 {
		framing := fmt.Sprintf("Content-Length: %d", 1<<20)
		body := large
		if i%2 == 1 {
			framing, body = "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s", 1<<20, large)
		}
		conn, answer := trickle(t, caddy, framing, body)
		conns, answers = append(conns, conn), append(answers, answer)
		if i == 1 {
			harness.Await(t, "two large bodies", func() (string, bool) {
				held := heldBodies(t, caddy)
				return fmt.Sprint(held, " bytes are held"), held == 2<<20
			})
		}
	}
	refusals := 0
	for deadline := time.After(time.Minute); refusals < 37; {
		if held := heldBodies(t, caddy); held > ceiling {
			t.Fatalf("%d bytes are held, over the ceiling of %d", held, ceiling)
		}
		select {
		case <-deadline:
			t.Fatalf("%d of 40 large bodies were refused, want 37 at least", refusals)
		case <-time.After(20 * time.Millisecond):
		}
		for i, answer := range answers {
			select {
			case resp, ok := <-answer:
				if !ok {
					t.Fatal("a connection ended without an answer")
				}
				body, _ := io.ReadAll(resp.Body)
				got := harness.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
				refused(t, got, 503, "too-many-bodies")
				wantHeader(t, got.Header, "Retry-After", "1")
				if !resp.Close {
					t.Error("a connection with the rest of a body in it goes on")
				}
				refusals++
				answers[i] = nil
			default:
			}
		}
	}
	// Beside those that hold their part, small ones pass, over every protocol.
	if held := heldBodies(t, caddy); held < 2<<20 {
		t.Errorf("%d bytes are held: the first two must not have gone", held)
	}
	for protocol, do := range protocols(caddy) {
		call, trace := as(post("api.example.com", "/v2/orders", `{"sku":"ABC-1234","quantity":1}`))
		if got := do(t, call); got.Status != 200 {
			t.Errorf("%s: a small body beside the flood: %v", protocol, got)
		}
		if n := len(up.Requests("X-Trace", trace)); n != 1 {
			t.Errorf("%s: %d small bodies reached the upstream", protocol, n)
		}
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	harness.Await(t, "room", func() (string, bool) {
		held := heldBodies(t, caddy)
		return fmt.Sprint(held, " bytes are held"), held == 0
	})
	call, _ := as(post("api.example.com", "/v2/orders", bigOrder(1<<19)))
	if got := caddy.Do1(t, call); got.Status != 200 {
		t.Errorf("a large body after the flood: %v", got)
	}
	if n := len(up.Requests("", "")); n != len(protocols(caddy))+1 {
		t.Errorf("the upstream got %d requests, want the %d that were whole", n, len(protocols(caddy))+1)
	}
}
