package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// load is a kind of request.
type load struct {
	name   string
	status int // that the guard answers with
	heavy  bool
	// request appends the i-th request.
	request func(dst []byte, i int) []byte
}

const host = "api.example.com"

func get(path string) func([]byte, int) []byte {
	text := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
	return func(dst []byte, _ int) []byte { return append(dst, text...) }
}

func post(path, body string) func([]byte, int) []byte {
	text := "POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\n" +
		"X-Forwarded-For: 192.0.2.1\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	return func(dst []byte, _ int) []byte { return append(dst, text...) }
}

// crowdOf are so many clients, in an order that no cache likes.
func crowdOf(clients uint32) func([]byte, int) []byte {
	return func(dst []byte, i int) []byte {
		n := uint32(i) * 2654435761 % clients
		return fmt.Appendf(dst, "GET /v2/orders/7 HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\nX-Forwarded-For: 10.%d.%d.%d\r\n\r\n",
			host, n>>16, n>>8&255, n&255)
	}
}

// scan asks for what is not there, another path each time.
func scan(dst []byte, i int) []byte {
	return fmt.Appendf(dst, "GET /v2/nothing/x%x HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
		uint32(i)*2654435761, host)
}

// order is a valid body of about so many bytes, with several lines as real orders
// have them.
func order(size int) string {
	var b strings.Builder
	b.WriteString(`{"customer":{"id":"c-1029","email":"ada@example.com"},"currency":"EUR","lines":[`)
	for i := 0; b.Len() < size-150; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"ABC-%04d","quantity":%d,"price":%d.25,"note":"line %d, to be wrapped with care"}`, i%10000, i%99+1, i%500, i)
	}
	fmt.Fprintf(&b, `],"note":%q}`, strings.Repeat("n", max(size-b.Len()-11, 0)))
	return b.String()
}

var (
	getHit     = load{name: "GET hit", status: 200, request: get("/v2/orders/7?expand=lines")}
	getCrowd   = load{name: "GET, 10^6 clients", status: 200, request: crowdOf(1_000_000)}
	post1K     = load{name: "POST 1 KB", status: 200, request: post("/v2/orders", order(1<<10))}
	post100K   = load{name: "POST 100 KB", status: 200, heavy: true, request: post("/v2/orders", order(100<<10))}
	unknown    = load{name: "unknown paths", status: 200, request: scan}
	refused429 = load{name: "refused 429", status: 429, request: post("/v2/password-reset", `{"code":"123456"}`)}
	refused400 = load{name: "refused 400", status: 400, request: get("/v2/orders/seven")}
	refused404 = load{name: "refused 404", status: 404, request: get("/closed/nothing")}
)

// client is one connection of a load.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

func dial(address string) (*client, error) {
	conn, err := net.DialTimeout("tcp", address, time.Minute)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}, nil
}

// do sends a request and reads its answer to the end.
func (c *client) do(l *load, i int) (status int, err error) {
	c.out = l.request(c.out[:0], i)
	if err := c.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, err
	}
	length, err := readHead(c.in, func(line []byte) {
		if len(line) > 12 {
			status, _ = strconv.Atoi(string(line[9:12]))
		}
	})
	if err != nil {
		return 0, err
	}
	if length < 0 {
		return 0, fmt.Errorf("an answer %d without a length", status)
	}
	_, err = c.in.Discard(length)
	return status, err
}
