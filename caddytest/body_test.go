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

// The timeouts of impatient, and what is surely longer than both.
const (
	idleTimeout = 300 * time.Millisecond
	bodyTimeout = 900 * time.Millisecond
	longer      = 1200 * time.Millisecond
)

// startImpatient runs the fleet with timeouts that tests can wait for.
func startImpatient(t *testing.T, mode string) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	return startFleet(t, "unknown_route enforce", fmt.Sprintf(
		"unknown_route enforce\nrequest %s {\nbody_idle_timeout %s\nbody_timeout %s\n}", mode, idleTimeout, bodyTimeout))
}

const slowHead = "POST /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\n"

// drip sends the pieces, each after a pause, and reads the answer.
func drip(t *testing.T, caddy *harness.Caddy, pause time.Duration, pieces ...string) (harness.Answer, time.Duration) {
	t.Helper()
	conn, err := net.Dial("tcp", caddy.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	_ = conn.SetDeadline(began.Add(30 * time.Second))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i, piece := range pieces {
			if i > 0 {
				<-time.After(pause)
			}
			if _, err := io.WriteString(conn, piece); err != nil {
				return // refused by now
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	took := time.Since(began)
	if resp.Close { // net/http takes the field out of the header
		resp.Header.Set("Connection", "close")
	}
	_ = conn.Close()
	<-done
	return harness.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, took
}

func TestABodyThatDoesNotComeIsRefusedInTime(t *testing.T) {
	t.Parallel()
	caddy, up := startImpatient(t, "enforce")
	for _, row := range []struct {
		name   string
		pause  time.Duration
		pieces []string
		most   time.Duration
	}{
		{"nothing of a body of known length", 0, []string{slowHead + "Content-Length: 31\r\n\r\n"}, idleTimeout},
		{"the beginning of it", 0, []string{slowHead + "Content-Length: 31\r\n\r\n{"}, idleTimeout},
		{"no chunk", 0, []string{slowHead + "Transfer-Encoding: chunked\r\n\r\n"}, idleTimeout},
		{"no end of a chunk", 0, []string{slowHead + "Transfer-Encoding: chunked\r\n\r\n1f\r\n{"}, idleTimeout},
		{"no last chunk", 0, []string{slowHead + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"}, idleTimeout},
		{"a byte now and then", idleTimeout / 3, append([]string{slowHead + "Content-Length: 31\r\n\r\n"}, strings.Split(strings.Repeat(" ", 30), "")...), bodyTimeout},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, took := drip(t, caddy, row.pause, row.pieces...)
			refused(t, got, 408, "body-timeout")
			wantHeader(t, got.Header, "Connection", "close")
			if took < row.most-idleTimeout/4 || took > row.most+5*time.Second {
				t.Errorf("refused after %v, want about %v", took, row.most)
			}
		})
	}
	if seen := up.Requests("", ""); len(seen) > 0 {
		t.Errorf("the upstream got %q", seen[0].Head)
	}
}

func TestASteadyBodyAndASlowAnswerAreNoTimeout(t *testing.T) {
	t.Parallel()
	caddy, up := startImpatient(t, "enforce")
	const order = `{"sku":"ABC-1234","quantity":1}`
	pieces := []string{slowHead + "Content-Length: 31\r\nConnection: close\r\n\r\n", order[:9], order[9:20], order[20:]}
	up.Answer(func(harness.Recorded) string {
		<-time.After(longer) // beyond both: the deadline must be gone when the body is there
		return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	})
	if got, _ := drip(t, caddy, idleTimeout/3, pieces...); got.Status != 200 {
		t.Errorf("got %v", got)
	}
	seen := up.Requests("", "")
	if len(seen) != 1 || string(seen[0].Body) != order {
		t.Errorf("the upstream got %v", seen)
	}
	up.Answer(nil)
	// A body that only streams may take its time.
	monitored, streams := startImpatient(t, "monitor")
	pieces = append(pieces[:1:1], strings.Split(order, "")...)
	if got, took := drip(t, monitored, bodyTimeout/20, pieces...); got.Status != 200 || took < bodyTimeout {
		t.Errorf("in monitor: got %v after %v", got, took)
	}
	if seen := streams.Requests("", ""); len(seen) != 1 || string(seen[0].Body) != order {
		t.Errorf("in monitor the upstream got %v", seen)
	}
}

func TestASlowStreamOfHTTP2IsRefusedAlone(t *testing.T) {
	t.Parallel()
	caddy, up := startImpatient(t, "enforce")
	h := caddy.Dial2(t, caddy.ServerName)
	defer h.Close()
	head := func(method, path string) []hpack.HeaderField {
		return []hpack.HeaderField{
			{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "api.example.com"},
			{Name: ":path", Value: path}, {Name: "content-type", Value: "application/json"},
		}
	}
	slow := h.SendHead(t, head("POST", "/v2/orders"), false)
	got, err := h.Await(t, slow)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, got, 408, "body-timeout")
	if seen := up.Requests("", ""); len(seen) > 0 {
		t.Errorf("the upstream got %q", seen[0].Head)
	}
	// The twin, and the connection, which lives on.
	for _, method := range []string{"POST", "GET"} {
		var body []byte
		if method == "POST" {
			body = []byte(`{"sku":"ABC-1234","quantity":1}`)
		}
		if got, err := h.Await(t, h.SendFields(t, head(method, "/v2/orders"), body)); err != nil || got.Status != 200 {
			t.Errorf("%s afterwards on the same connection: %v %v", method, got, err)
		}
	}
}
