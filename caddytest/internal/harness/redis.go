package harness

import (
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Redis is a redis-server of the test's own.
type Redis struct {
	Addr string

	t   testing.TB
	dir string
	cmd *exec.Cmd
}

// NewRedis reserves an address for a redis-server; Start starts it. A test without
// the program is skipped, or fails where API_GUARD_REQUIRE_TOOLS is set.
func NewRedis(t testing.TB) *Redis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("API_GUARD_REQUIRE_TOOLS") != "" {
			t.Fatal("redis-server is not installed, and API_GUARD_REQUIRE_TOOLS is set")
		}
		t.Skip("redis-server is not installed")
	}
	ports, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	r := &Redis{Addr: loopback(ports[0]), t: t, dir: t.TempDir()}
	t.Cleanup(r.Kill)
	return r
}

// Start starts it, empty, and waits until it answers.
func (r *Redis) Start() {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.Addr)
	r.cmd = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", r.dir)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	Await(r.t, "redis-server to answer", func() (string, bool) {
		conn, err := net.DialTimeout("tcp", r.Addr, time.Second)
		if err != nil {
			return err.Error(), false
		}
		_ = conn.Close()
		return "", true
	})
}

// Kill ends it with all that it has.
func (r *Redis) Kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
		r.cmd = nil
	}
}
