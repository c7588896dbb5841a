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

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// A request that an error route passes on holds what is on its way until it ends, as one
// that the site itself passes on.
func TestWhatAnErrorRouteHoldsIsLetGoHoweverItEnds(t *testing.T) {
	t.Parallel()
	caddy, up := startFallback(t, "unknown_route enforce", "request enforce\nlimit few {\nkey {http.request.host}\nconcurrency 1\n}")
	const order = `{"sku":"ABC-1234","quantity":1}`
	head := fmt.Sprintf("Host: api.example.com\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", len(order))
	for name, c := range map[string]struct {
		sent  string
		reply string // of the upstream; empty: it waits until the client is gone
	}{
		"a client that goes away":                {"POST /v2/orders HTTP/1.1\r\n" + head + "\r\n" + order, ""},
		"an upstream that breaks its answer off": {"POST /v2/orders HTTP/1.1\r\n" + head + "\r\n" + order, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n1\r\n[\r\nno size\r\n"},
		"an upstream whose answer is none":       {"POST /v2/orders HTTP/1.1\r\n" + head + "\r\n" + order, "no HTTP\r\n\r\n"},
		"HTTP/1.0":                               {"POST /v2/orders HTTP/1.0\r\n" + head + "\r\n" + order, answer(200, "{}")(harness.Recorded{})},
		"half a body":                            {"POST /v2/orders HTTP/1.1\r\n" + head + "\r\n" + order[:9], answer(200, "{}")(harness.Recorded{})},
	} {
		gone := make(chan struct{})
		up.Answer(func(harness.Recorded) string {
			if c.reply == "" {
				<-gone
				return answer(200, "{}")(harness.Recorded{})
			}
			return c.reply
		})
		before := len(up.Requests("", ""))
		conn, err := net.Dial("tcp", caddy.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.WriteString(conn, c.sent); err != nil {
			t.Fatal(err)
		}
		if c.reply == "" {
			harness.Await(t, name, func() (string, bool) {
				n := len(up.Requests("", "")) - before
				return fmt.Sprint(n, " requests reached the upstream"), n == 1
			})
			if got := caddy.Do1(t, get("api.example.com", "/v2/orders")); got.Status != http.StatusTooManyRequests {
				t.Errorf("%s: beside it: %v", name, got)
			}
		} else if name != "half a body" {
			_, _ = conn.Read(make([]byte, 1)) // until something has come
		}
		conn.Close()
		up.Answer(answer(200, "[]"))
		close(gone)
		harness.Await(t, name+": the next one", func() (string, bool) {
			got := caddy.Do1(t, get("api.example.com", "/v2/orders"))
			return fmt.Sprint(got), got.Status == http.StatusOK
		})
	}
}

// Requests on one connection, sent without waiting, get each its answer, whether they are
// refused, passed by an error route, or expect leave for their body.
func TestPipelinedRequestsOfAnErrorRouteGetTheirAnswers(t *testing.T) {
	t.Parallel()
	caddy, up := startFallback(t, "unknown_route enforce", "unknown_route enforce\nrequest enforce")
	up.Answer(answer(200, "[]"))
	conn, err := net.Dial("tcp", caddy.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	call := func(method, path, body, more string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s", method, path, len(body), more, body)
	}
	const order = `{"sku":"ABC-1234","quantity":1}`
	var sent strings.Builder
	want := []int{200, 400, 200, 404, 200, 404}
	sent.WriteString(call("POST", "/v2/orders", order, ""))
	sent.WriteString(call("POST", "/v2/orders", `{"sku":7}`, ""))
	sent.WriteString(call("POST", "/v2/orders", order, ""))
	sent.WriteString(call("POST", "/v2/nowhere", order, "")) // its body is in the way of the next
	sent.WriteString(call("GET", "/v2/orders", "", ""))
	sent.WriteString(call("POST", "/v2/nowhere", order, "Expect: 100-continue\r\n")) // the last that is answered
	sent.WriteString(call("GET", "/v2/orders", "", ""))
	if _, err := io.WriteString(conn, sent.String()); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for n, status := range want {
		got, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", n+1, err)
		}
		_, _ = io.Copy(io.Discard, got.Body)
		if got.StatusCode != status || got.Close != (n == len(want)-1) {
			t.Errorf("answer %d is %d and ends the connection: %v; want %d", n+1, got.StatusCode, got.Close, status)
		}
	}
	if more, err := http.ReadResponse(in, nil); err == nil {
		t.Errorf("one more answer: %v", more)
	}
}
