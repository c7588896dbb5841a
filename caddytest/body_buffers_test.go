package caddytest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// rude is an upstream that answers before it has read the body, reads slowly, goes
// away in the middle or at once, as each request's X-Schedule asks of it. It
// records how each body begins, as far as it came.
type rude struct {
	port string
	body func(trace string) []byte // what each request has sent

	wholes, parts, refused atomic.Int64
	wrong                  atomic.Pointer[string]
}

func startRude(t *testing.T, body func(trace string) []byte) *rude {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &rude{port: strconv.Itoa(l.Addr().(*net.TCPAddr).Port), body: body}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { u.serve(conn.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return u
}

// serve reads one connection. All that comes on it is held against what was sent.
func (u *rude) serve(conn *net.TCPConn) {
	defer conn.Close()
	_ = conn.SetReadBuffer(128 << 10) // so that a body is still under way when its answer is there
	in := bufio.NewReaderSize(conn, 4<<10)
	for {
		_ = conn.SetDeadline(time.Now().Add(time.Minute)) // for the next request, or until Caddy gives the connection up
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		schedule, trace := r.Header.Get("X-Schedule"), r.Header.Get("X-Trace")
		answer := func() bool {
			_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			return err == nil
		}
		from := io.Reader(r.Body)
		switch schedule {
		case "early":
			if !answer() {
				return
			}
			from = &sluggish{r.Body}
		case "half":
			from = io.LimitReader(r.Body, int64(len(u.body(trace))/2))
		case "nothing":
			u.refused.Add(1)
			_ = conn.SetLinger(0)
			return
		}
		got, err := io.ReadAll(from)
		u.judge(trace, got, err == nil && schedule != "half")
		if schedule == "half" {
			_ = conn.SetLinger(0)
			return
		}
		if err != nil || schedule == "whole" && !answer() {
			return
		}
	}
}

// judge holds what came against what the request of that trace has sent.
func (u *rude) judge(trace string, got []byte, whole bool) {
	want := u.body(trace)
	if whole && len(got) != len(want) || !bytes.HasPrefix(want, got) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		text := fmt.Sprintf("%s: whole %v, %d bytes of %d, and from %d on they are %.60q", trace, whole, len(got), len(want), at, got[at:])
		u.wrong.CompareAndSwap(nil, &text)
	}
	if whole {
		u.wholes.Add(1)
	} else {
		u.parts.Add(1)
	}
}

// sluggish takes its time for each piece.
type sluggish struct{ io.Reader }

func (s *sluggish) Read(p []byte) (int, error) {
	<-time.After(time.Millisecond)
	return s.Reader.Read(p[:min(len(p), 16<<10)])
}

// The buffers that bodies are read into go from one request to the next. No body
// may ever have a byte of another's, whatever upstreams and clients do, and none
// that upstream takes for whole may be a part.
func TestNoBodyHasABytesOfAnothers(t *testing.T) {
	t.Parallel()
	sizes := []int{200, 5_000, 70_000, 900_000}
	bodyOf := func(trace string) []byte {
		n, _ := strconv.Atoi(trace)
		head := fmt.Sprintf(`{"id":%d,"text":"`, n)
		piece := fmt.Sprintf("<%d>", n)
		return []byte(head + strings.Repeat(piece, sizes[n%len(sizes)]/len(piece)) + `"}`)
	}
	first, second := startRude(t, bodyOf), startRude(t, bodyOf)
	caddy := harness.Start(t, harness.Config{
		Guard: "body_memory 512MiB\npolicy {\nlimit each {\nkey {http.api_guard.body./id}\nrate 1000/1s\noperations makeOther\n}\n}\napi a {\nversion v1 {\nhosts api.example.com\npath /v2\nspec a.yaml\n}\n}",
		Sites: "http://, https://api.example.com {\napi_guard\nreverse_proxy 127.0.0.1:" + first.port + " 127.0.0.1:" + second.port +
			" {\nlb_policy round_robin\nlb_retries 2\nlb_try_duration 1m\nlb_try_interval 1ms\nlb_retry_match method POST\n}\n}",
		Files: map[string]string{"a.yaml": `
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /orders:
    post: {operationId: make, requestBody: &body {content: {application/json: {schema: {type: object, properties: {id: {type: integer}}}}}}, responses: {default: {description: any}}}
  /others:
    post: {operationId: makeOther, requestBody: *body, responses: {default: {description: any}}}
`},
	})
	clients := clientsOf(t, caddy)
	protos := []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"}
	schedules := []string{"whole", "early", "whole", "half", "nothing"}
	var working sync.WaitGroup
	var answered atomic.Int64
	const workers, each = 6, 60
	for worker := range workers {
		working.Go(func() {
			for i := range each {
				n := worker*each + i
				trace, schedule, proto := strconv.Itoa(n), schedules[n%len(schedules)], protos[n/len(schedules)%len(protos)]
				ctx, cancel := context.WithCancel(t.Context())
				sent := io.Reader(bytes.NewReader(bodyOf(trace)))
				aborts := n%7 == 3
				if aborts { // in the middle, or when all is out
					after := len(bodyOf(trace)) / (1 + n%2)
					sent = io.MultiReader(io.LimitReader(sent, int64(after)), iotest.ErrReader(context.Canceled))
				}
				path := []string{"/orders", "/others"}[n/4%2]
				req, err := http.NewRequestWithContext(ctx, "POST", base(proto)+path, sent)
				if err != nil {
					t.Error(err)
					cancel()
					return
				}
				if n%3 == 0 && !aborts {
					req.ContentLength = int64(len(bodyOf(trace)))
				} else {
					req.ContentLength = -1
				}
				req.Header = http.Header{"Content-Type": {"application/json"}, "X-Schedule": {schedule}, "X-Trace": {trace}}
				resp, err := clients[proto].Do(req)
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					answered.Add(1)
				}
				if schedule == "whole" && !aborts && (err != nil || resp.StatusCode != 200) {
					t.Errorf("%s, %s: %v, %v", trace, proto, resp, err)
				}
				cancel()
			}
		})
	}
	working.Wait()
	// Answers that are there while the body is still being written to upstream.
	for worker := range 8 {
		working.Go(func() {
			for i := range 40 {
				n := 3 + 4*(1000+worker*100+i) // the largest
				req, _ := http.NewRequestWithContext(t.Context(), "POST", base("HTTP/1.1")+"/orders", bytes.NewReader(bodyOf(strconv.Itoa(n))))
				req.Header = http.Header{"Content-Type": {"application/json"}, "X-Schedule": {"early"}, "X-Trace": {strconv.Itoa(n)}}
				if resp, err := clients["HTTP/1.1"].Do(req); err == nil {
					_ = resp.Body.Close()
				}
			}
		})
	}
	working.Wait()
	for name, u := range map[string]*rude{"the first": first, "the second": second} {
		if wrong := u.wrong.Load(); wrong != nil {
			t.Errorf("%s upstream got what was not sent: %s", name, *wrong)
		}
		if u.wholes.Load() == 0 || u.parts.Load() == 0 || u.refused.Load() == 0 {
			t.Errorf("%s upstream took %d bodies whole, %d in part and %d not at all", name, u.wholes.Load(), u.parts.Load(), u.refused.Load())
		}
	}
	if answered.Load() < workers*each/2 {
		t.Errorf("%d of %d requests were answered", answered.Load(), workers*each)
	}
}
