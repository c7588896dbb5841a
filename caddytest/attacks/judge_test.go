package attacks

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// judge is the upstream: it records every byte of every connection. The proxies
// in front of it keep no connection alive, so that a connection is a message, and
// one that was merely opened is a message already.
type judge struct {
	listener net.Listener
	mu       sync.Mutex
	conns    []*recording
	idle     *sync.Cond // signalled when a recording is complete
}

type recording struct {
	raw  bytes.Buffer
	head int  // length of the head, once it is complete
	done bool // the message is complete, or its connection closed
}

// probe is what the runner sends itself to know that everything before arrived.
const probe = "PROBE\r\n\r\n"

func newJudge(t testing.TB) *judge {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{listener: l}
	j.idle = sync.NewCond(&j.mu)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r := new(recording)
			j.mu.Lock()
			j.conns = append(j.conns, r)
			j.mu.Unlock()
			serving.Go(func() {
				defer conn.Close()
				j.serve(conn, r)
				j.mu.Lock()
				r.done = true
				j.idle.Broadcast()
				j.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return j
}

// Write records, with the lock that readers take.
func (r *recording) write(j *judge, p []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.raw.Write(p)
}

type tee struct {
	from io.Reader
	to   func([]byte)
}

func (t tee) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)
	t.to(p[:n])
	return n, err
}

func (j *judge) serve(conn net.Conn, r *recording) {
	in := bufio.NewReader(tee{conn, func(p []byte) { r.write(j, p) }})
	head, fields, err := readHead(in)
	if err != nil || strings.HasPrefix(head, "PROBE") {
		_, _ = io.WriteString(conn, probe)
		return
	}
	j.mu.Lock()
	r.head = len(head)
	j.mu.Unlock()
	switch {
	case fields.Get("Upgrade") != "":
		answer := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + fields.Get("Upgrade") + "\r\n\r\n"
		if _, err := io.WriteString(conn, answer); err == nil {
			_, _ = io.Copy(io.Discard, in)
		}
		return
	case fields.Get("Transfer-Encoding") != "":
		err = skipChunks(in)
	case fields.Get("Content-Length") != "":
		n, _ := strconv.ParseInt(fields.Get("Content-Length"), 10, 64)
		_, err = io.CopyN(io.Discard, in, n)
	}
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	_, _ = io.Copy(io.Discard, in) // what else comes is recorded too
}

func readHead(in *bufio.Reader) (string, textproto.MIMEHeader, error) {
	var head strings.Builder
	for {
		line, err := in.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			return head.String(), nil, err
		}
		if line == "\r\n" {
			break
		}
	}
	_, lines, _ := strings.Cut(head.String(), "\r\n")
	fields, err := textproto.NewReader(bufio.NewReader(strings.NewReader(lines))).ReadMIMEHeader()
	return head.String(), fields, err
}

func skipChunks(in *bufio.Reader) error {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil {
			return fmt.Errorf("chunk size %q: %w", line, err)
		}
		if n == 0 {
			for line != "\r\n" { // trailers, which the comparison finds
				if line, err = in.ReadString('\n'); err != nil {
					return err
				}
			}
			return nil
		}
		if _, err := io.CopyN(io.Discard, in, n+2); err != nil {
			return err
		}
	}
}

// take returns what arrived since the last call. Connections are accepted in
// turn, so that after the probe's own everything that a proxy opened before it
// answered is counted; their ends are awaited.
func (j *judge) take(t testing.TB) []string {
	t.Helper()
	conn, err := net.Dial("tcp", j.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, probe)
	_, _ = io.ReadFull(conn, make([]byte, len(probe)))
	_ = conn.Close()
	j.mu.Lock()
	defer j.mu.Unlock()
	for !j.allDone() {
		j.idle.Wait()
	}
	var seen []string
	for _, r := range j.conns {
		if raw := r.raw.String(); raw != probe {
			seen = append(seen, raw)
		}
	}
	j.conns = nil
	return seen
}

func (j *judge) allDone() bool {
	return !slices.ContainsFunc(j.conns, func(r *recording) bool { return !r.done })
}

// differs says in what a recorded message is not the expected one. added are the
// fields that the proxy adds to everything; source stands for <source>.
func (m message) differs(raw string, added []string, source string) string {
	head, rest, whole := strings.Cut(raw, "\r\n\r\n")
	if !whole {
		return fmt.Sprintf("an incomplete message: %q", raw)
	}
	lines := strings.Split(head, "\r\n")
	want := strings.Split(strings.ReplaceAll(strings.Join(m.head, "\n"), "<source>", source), "\n")
	if lines[0] != want[0] {
		return fmt.Sprintf("request line %q, want %q", lines[0], want[0])
	}
	chunked := slices.Contains(lines, "Transfer-Encoding: chunked")
	for _, line := range lines[1:] {
		if i := slices.Index(want, line); i > 0 {
			want = slices.Delete(want, i, i+1)
		} else if !slices.Contains(added, line) {
			return fmt.Sprintf("unexpected field %q in %q", line, head)
		}
	}
	if len(want) > 1 {
		return fmt.Sprintf("fields %q are missing in %q", want[1:], head)
	}
	body := []byte(rest)
	if chunked {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			return err.Error()
		}
		if body, err = io.ReadAll(r.Body); err != nil {
			return err.Error()
		}
		if !strings.HasSuffix(rest, "0\r\n\r\n") {
			return fmt.Sprintf("trailers or more after the last chunk: %q", rest)
		}
	}
	if !bytes.Equal(body, m.body) {
		return fmt.Sprintf("body %q, want %q", body, m.body)
	}
	return ""
}
