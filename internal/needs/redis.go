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
	Process *os.Process // nil while it does not run

	t    testing.TB
	path string
	dir  string
	cmd  *exec.Cmd
}

// Redis starts the machine's redis-server on a port of its own, without a file, until
// the test ends.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	r := NewRedis(t)
	r.Start()
	return r
}

// NewRedis reserves an address for a redis-server that does not run yet.
func NewRedis(t testing.TB) *RedisServer {
	t.Helper()
	r := &RedisServer{t: t, path: Tool(t, "redis-server"), dir: t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.Addr = l.Addr().String()
	_ = l.Close()
	t.Cleanup(r.Kill)
	return r
}

// Start starts it, empty, and waits until it listens.
func (r *RedisServer) Start() {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.Addr)
	r.cmd = exec.Command(r.path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", r.dir)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.Process = r.cmd.Process
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", r.Addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal("redis-server does not listen: ", err)
		}
	}
}

// Kill ends it with all that it has.
func (r *RedisServer) Kill() {
	if r.Process == nil {
		return
	}
	_ = r.Process.Kill()
	_ = r.cmd.Wait()
	r.Process = nil
}
