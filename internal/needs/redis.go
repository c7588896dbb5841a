package needs

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/freeport"
)

// RedisServer is a redis-server that a test has for itself.
type RedisServer struct {
	Addr    string      // where it listens: host:port on loopback
	Process *os.Process // nil while it does not run

	t    testing.TB
	path string
	dir  string
	args []string
	cmd  *exec.Cmd
	gone chan struct{}
}

// Redis starts the machine's redis-server on a port of its own, without a file, until
// the test ends. More options may be given, in which <port> and <dir> stand for its own.
func Redis(t testing.TB, options ...string) *RedisServer {
	t.Helper()
	r := NewRedis(t, options...)
	r.Start()
	return r
}

// NewRedis reserves an address for a redis-server that does not run yet.
func NewRedis(t testing.TB, options ...string) *RedisServer {
	t.Helper()
	r := &RedisServer{t: t, path: Tool(t, "redis-server"), dir: t.TempDir()}
	// With the second port, which the nodes of a Redis Cluster take too.
	r.Addr = net.JoinHostPort("127.0.0.1", freeport.Reserve(t))
	for _, option := range options {
		r.args = append(r.args, strings.NewReplacer("<port>", r.Port(), "<dir>", r.dir).Replace(option))
	}
	t.Cleanup(r.Kill)
	return r
}

// Port is the one that it listens on.
func (r *RedisServer) Port() string {
	_, port, _ := net.SplitHostPort(r.Addr)
	return port
}

// Sentinel starts a Sentinel that watches a Redis, by the name main, and makes a
// replica of it the master when that is gone for three seconds.
func Sentinel(t testing.TB, master *RedisServer) *RedisServer {
	t.Helper()
	s := NewRedis(t)
	file := filepath.Join(s.dir, "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor main 127.0.0.1 %s 1\nsentinel down-after-milliseconds main 3000\nsentinel failover-timeout main 3000\n", master.Port())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(file, "--sentinel", "--bind", "127.0.0.1", "--port", s.Port(), "--dir", s.dir)
	return s
}

// Start starts it, empty, and waits until it listens.
func (r *RedisServer) Start() {
	r.t.Helper()
	r.start(append([]string{"--bind", "127.0.0.1", "--port", r.Port(), "--save", "", "--appendonly", "no", "--dir", r.dir}, r.args...)...)
}

func (r *RedisServer) start(args ...string) {
	r.t.Helper()
	r.cmd = exec.Command(r.path, args...)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.Process, r.gone = r.cmd.Process, make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		_ = cmd.Wait()
		close(gone)
	}(r.cmd, r.gone)
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", r.Addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-r.gone:
			r.t.Fatalf("redis-server ended instead of listening at %s", r.Addr)
		default:
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
	<-r.gone
	r.Process = nil
}
