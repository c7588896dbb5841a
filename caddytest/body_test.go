package caddytest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// The timeouts of impatient: what comes in time does so by seconds, since a machine may
// do much else. longer is surely longer than both.
const (
	idleTimeout = 4 * time.Second
	bodyTimeout = 7 * time.Second
	longer      = 8 * time.Second
)

// startImpatient runs the fleet with timeouts that tests can wait for.
func startImpatient(t *testing.T, mode string, idle time.Duration) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	return startFleet(t, "unknown_route enforce", fmt.Sprintf(
		"unknown_route enforce\nrequest %s {\nbody_idle_timeout %s\nbody_timeout %s\n}", mode, idle, bodyTimeout))
}

const slowHead = "POST /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\n"

// drip sends the pieces, each after a pause, and reads the answer.
func drip(caddy *harness.Caddy, pause time.Duration, pieces ...string) (harness.Answer, time.Duration, error) {
	conn, err := net.Dial("tcp", caddy.HTTP)
	if err != nil {
		return harness.Answer{}, 0, err
	}
	defer conn.Close()
	began := time.Now()
	_ = conn.SetDeadline(began.Add(2 * time.Minute))
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
		return harness.Answer{}, 0, fmt.Errorf("reading the answer: %w", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return harness.Answer{}, 0, fmt.Errorf("reading the answer: %w", err)
	}
	took := time.Since(began)
	if resp.Close { // net/http takes the field out of the header
		resp.Header.Set("Connection", "close")
	}
	_ = conn.Close()
	<-done
	return harness.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, took, nil
}

func TestABodyThatDoesNotComeIsRefusedInTime(t *testing.T) {
	t.Parallel()
	caddy, up := startImpatient(t, "enforce", idleTimeout)
	// It waits for each byte as long as any machine may take to send one.
	waiting, upToo := startImpatient(t, "enforce", time.Minute)
	type dripped struct {
		name   string
		pause  time.Duration
		pieces []string
		least  time.Duration

		got  harness.Answer
		took time.Duration
		err  error
	}
	rows := []*dripped{
		{name: "nothing of a body of known length", pieces: []string{slowHead + "Content-Length: 31\r\n\r\n"}, least: idleTimeout},
		{name: "the beginning of it", pieces: []string{slowHead + "Content-Length: 31\r\n\r\n{"}, least: idleTimeout},
		{name: "no chunk", pieces: []string{slowHead + "Transfer-Encoding: chunked\r\n\r\n"}, least: idleTimeout},
		{name: "no end of a chunk", pieces: []string{slowHead + "Transfer-Encoding: chunked\r\n\r\n1f\r\n{"}, least: idleTimeout},
		{name: "no last chunk", pieces: []string{slowHead + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"}, least: idleTimeout},
		// 30 of them take 12 seconds.
		{name: "a byte now and then", pause: idleTimeout / 10, pieces: append([]string{slowHead + "Content-Length: 31\r\n\r\n"}, strings.Split(strings.Repeat(" ", 30), "")...), least: bodyTimeout},
	}
	var dripping sync.WaitGroup
	for _, row := range rows {
		dripping.Go(func() {
			to := caddy
			if row.pause > 0 {
				to = waiting
			}
			row.got, row.took, row.err = drip(to, row.pause, row.pieces...)
		})
	}
	dripping.Wait()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if row.err != nil {
				t.Fatal(row.err)
			}
			refused(t, row.got, 408, "body-timeout")
			wantHeader(t, row.got.Header, "Connection", "close")
			// The guard's clock may be a little behind.
			if row.took < row.least-idleTimeout/4 {
				t.Errorf("refused after %v, want %v", row.took, row.least)
			}
		})
	}
	if seen := append(up.Requests("", ""), upToo.Requests("", "")...); len(seen) > 0 {
		t.Errorf("the upstream got %q", seen[0].Head)
	}
}

func TestASteadyBodyAndASlowAnswerAreNoTimeout(t *testing.T) {
	t.Parallel()
	const order = `{"sku":"ABC-1234","quantity":1}`
	pieces := []string{slowHead + "Content-Length: 31\r\nConnection: close\r\n\r\n", order[:9], order[9:20], order[20:]}
	for _, row := range []struct {
		name, mode string
		pause      time.Duration
		pieces     []string
		answer     time.Duration // how long upstream takes for it
		least      time.Duration
	}{
		// Beyond both: the deadline must be gone when the body is there.
		{"a slow answer", "enforce", time.Millisecond, pieces, longer, longer},
		// A body that only streams may take its time.
		{"a slow body in monitor", "monitor", bodyTimeout / 25, append(pieces[:1:1], strings.Split(order, "")...), 0, bodyTimeout},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			caddy, up := startImpatient(t, row.mode, idleTimeout)
			up.Answer(func(harness.Recorded) string {
				<-time.After(row.answer)
				return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
			})
			if got, took, err := drip(caddy, row.pause, row.pieces...); err != nil || got.Status != 200 || took < row.least {
				t.Errorf("got %v after %v, %v", got, took, err)
			}
			if seen := up.Requests("", ""); len(seen) != 1 || string(seen[0].Body) != order {
				t.Errorf("the upstream got %v", seen)
			}
		})
	}
}

func TestASlowStreamOfHTTP2IsRefusedAlone(t *testing.T) {
	t.Parallel()
	caddy, up := startImpatient(t, "enforce", idleTimeout)
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
