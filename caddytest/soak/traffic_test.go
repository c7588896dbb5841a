package soak

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// kind is a kind of traffic: one client that does the same again and again.
type kind struct {
	name string
	// do makes one request and returns the status, 0 for one that was left without
	// an answer.
	do func(c *caller, i int) (status int, err error)
	// allowed are the statuses that it may get; nil: it may also be cut.
	allowed []int
}

// tally is what came of a kind. Reloads cut connections that wait in the queue of a
// listener, with the guard or without it; those are errors of the transport.
type tally struct {
	sent, failed int
	statuses     map[int]int
}

type caller struct {
	address string
	client  *http.Client
}

const host = "api.example.com"

var kinds = []kind{
	{"valid", func(c *caller, i int) (int, error) {
		return c.ask("GET", fmt.Sprintf("/v2/orders/%d", i), "", "192.0.2.1")
	}, []int{200}},
	{"valid body", func(c *caller, i int) (int, error) {
		return c.ask("POST", "/v2/orders", fmt.Sprintf(`{"sku":"ABC-%04d","quantity":%d}`, i%10000, i%100+1), fmt.Sprintf("10.1.%d.%d", i>>8&15, i&255))
	}, []int{200}},
	{"invalid body", func(c *caller, i int) (int, error) {
		return c.ask("POST", "/v2/orders", [...]string{`{"sku":1}`, `{`, `[[[[[[`, `{"sku":"ABC-1234","quantity":0}`, "\xff\xfe"}[i%5], "192.0.2.3")
	}, []int{400}},
	{"unknown", func(c *caller, i int) (int, error) {
		return c.ask("GET", fmt.Sprintf("/v2/none/%x", i*2654435761), "", "192.0.2.4")
	}, []int{404}},
	{"by date", func(c *caller, i int) (int, error) { return c.ask("GET", "/v1/orders/7", "", "192.0.2.5") }, []int{200, 410}},
	{"by clock", func(c *caller, i int) (int, error) { return c.ask("GET", "/v0/orders/7", "", "192.0.2.7") }, []int{200, 410}},
	{"guesses", func(c *caller, i int) (int, error) { return c.ask("POST", "/v2/password-reset", "", "192.0.2.6") }, []int{200, 429}},
	{"hostile", func(c *caller, i int) (int, error) {
		return c.raw([...]string{
			"GET /v2/%2e%2e/admin HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
			"GET /v2//orders HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
			"GET /v2/orders HTTP/1.1\r\nHost: " + host + "\r\nConnection: close, Host\r\n\r\n",
			fmt.Sprintf("GET / HTTP/1.1\r\nHost: h%d.invalid\r\n\r\n", i),
			"POST /v2/orders HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
			"GET /v2/live HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nBad Field: x\r\n\r\n",
		}[i%6])
	}, []int{400, 404, 405, 421}},
	{"aborted", func(c *caller, i int) (int, error) {
		conn, err := net.DialTimeout("tcp", c.address, time.Minute)
		if err != nil {
			return 0, err
		}
		text := "POST /v2/orders HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"sku\":"
		_, _ = io.WriteString(conn, text[:len(text)-i%len(text)])
		return 0, conn.Close()
	}, nil},
	{"slow", func(c *caller, i int) (int, error) {
		return c.drip("POST /v2/orders HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n", `{"sku":"ABC-1234","quantity":7}`)
	}, []int{200}},
	{"upgraded", func(c *caller, i int) (int, error) { return c.upgrade() }, []int{101}},
}

// run does it every few milliseconds until the end of ctx.
func (k *kind) run(ctx context.Context, address string, t *testing.T) tally {
	transport := &http.Transport{MaxIdleConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	c := &caller{address: address, client: &http.Client{Transport: transport, Timeout: time.Minute}}
	out := tally{statuses: make(map[int]int)}
	pace := time.NewTicker(4 * time.Millisecond)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return out
		case <-pace.C:
		}
		status, err := k.do(c, i)
		out.sent++
		if err != nil {
			out.failed++
			continue
		}
		if out.statuses[status]++; k.allowed != nil && !has(k.allowed, status) {
			t.Errorf("%s, number %d: an answer of %d", k.name, i, status)
			return out
		}
	}
}

func has(list []int, n int) bool {
	for _, m := range list {
		if m == n {
			return true
		}
	}
	return false
}

func (c *caller) ask(method, path, body, client string) (int, error) {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, "http://"+c.address+path, content)
	if err != nil {
		return 0, err
	}
	r.Host = host
	r.Header.Set("X-Forwarded-For", client)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	// Without it net/http sends again what a closed connection may have carried out.
	r.GetBody = nil
	resp, err := c.client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, err
}

// raw sends bytes and reads the head of what comes back.
func (c *caller) raw(text string) (int, error) { return c.drip(text, "") }

// drip sends a head at once and a body byte by byte.
func (c *caller) drip(head, body string) (int, error) {
	conn, err := c.dial()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, head); err != nil {
		return 0, err
	}
	for i := range len(body) {
		<-time.After(2 * time.Millisecond) // a slow client is what this is about
		if _, err := io.WriteString(conn, body[i:i+1]); err != nil {
			return 0, err
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

func (c *caller) dial() (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", c.address, time.Minute)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(time.Minute))
}

// upgrade makes a tunnel and sends something there and back.
func (c *caller) upgrade() (int, error) {
	conn, err := c.dial()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /v2/live HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if err != nil {
		return 0, err
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 101 {
		return status(resp), err
	}
	if _, err := io.WriteString(conn, "hello"); err != nil {
		return 0, err
	}
	var echo [5]byte
	_, err = io.ReadFull(in, echo[:])
	return 101, err
}

func status(resp *http.Response) int {
	if resp == nil {
		return 0
	}
	return resp.StatusCode
}

// all runs every kind at once, each twice, and returns what came of them by name.
func all(ctx context.Context, address string, t *testing.T) func() map[string]*tally {
	var running sync.WaitGroup
	var mu sync.Mutex
	sums := make(map[string]*tally)
	for _, k := range kinds {
		sums[k.name] = &tally{statuses: make(map[int]int)}
		for range 2 {
			running.Go(func() {
				of := k.run(ctx, address, t)
				mu.Lock()
				defer mu.Unlock()
				sum := sums[k.name]
				sum.sent += of.sent
				sum.failed += of.failed
				for s, n := range of.statuses {
					sum.statuses[s] += n
				}
			})
		}
	}
	return func() map[string]*tally { running.Wait(); return sums }
}
