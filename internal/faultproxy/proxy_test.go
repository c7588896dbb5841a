package faultproxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func TestProxy(t *testing.T) {
	p := New(t, echo(t))
	dial := func() (net.Conn, func(parts ...string) (string, error)) {
		c, err := net.Dial("tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		r := bufio.NewReader(c)
		return c, func(parts ...string) (string, error) {
			for _, part := range parts {
				if _, err := io.WriteString(c, part); err != nil {
					return "", err
				}
				time.Sleep(time.Millisecond) // so that they arrive apart
			}
			return r.ReadString('\n')
		}
	}
	c, say := dial()
	if got, err := say("hello\n"); got != "hello\n" || err != nil {
		t.Fatalf("passing: %q %v", got, err)
	}
	p.Rewrite("secret", "public")
	if got, err := say("a secret, half a sec", "ret, a se", "t\n"); got != "a public, half a public, a set\n" || err != nil {
		t.Errorf("rewriting: %q %v", got, err)
	}
	p.Delay(50 * time.Millisecond)
	began := time.Now()
	if got, err := say("slow\n"); got != "slow\n" || err != nil || time.Since(began) < 50*time.Millisecond {
		t.Errorf("delaying: %q %v after %s", got, err, time.Since(began))
	}
	p.Silence()
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if got, err := say("anybody?\n"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silent: %q %v", got, err)
	}
	p.Refuse()
	if _, say := dial(); true {
		if got, err := say("hello\n"); err == nil {
			t.Errorf("refusing: %q", got)
		}
	}
	p.Pass()
	if _, say := dial(); true {
		if got, err := say("again\n"); got != "again\n" || err != nil {
			t.Errorf("passing again: %q %v", got, err)
		}
	}
}
