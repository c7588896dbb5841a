package needs

import (
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// RedisServer is a redis-server that a test has for itself.
type RedisServer struct {
	Addr    string
	Process *os.Process
}

// Redis starts the machine's redis-server on a port of its own, without a file, until
// the test ends.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	path := Tool(t, "redis-server")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			return &RedisServer{Addr: addr, Process: cmd.Process}
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not listen: ", err)
		}
	}
}
