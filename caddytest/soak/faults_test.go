package soak

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
)

// faults are what breaks around the guard while traffic goes on: a Redis that stands
// still, one that is gone with all that it knew, and a disk that is full.
type faults struct {
	caddy *harness.Caddy
	redis *needs.RedisServer
}

// step goes through them, one a second, ten seconds a time. Two overlap at the
// seventh.
func (f faults) step(t *testing.T, second int) {
	switch second % 10 {
	case 2:
		f.signal(syscall.SIGSTOP)
	case 4:
		f.signal(syscall.SIGCONT)
	case 5:
		fillDisk(t, f.caddy.PID(), true)
	case 6:
		f.redis.Kill()
	case 8:
		fillDisk(t, f.caddy.PID(), false)
		f.redis.Start()
	}
}

// mend ends them all, and fails if none was noticed.
func (f faults) mend(t *testing.T) {
	t.Helper()
	f.signal(syscall.SIGCONT)
	fillDisk(t, f.caddy.PID(), false)
	if f.redis.Process == nil {
		f.redis.Start()
	}
	for line := range strings.SplitSeq(f.caddy.Metrics(t), "\n") {
		if count, ok := strings.CutPrefix(line, "caddy_api_guard_store_failures_total "); ok && count != "0" {
			return
		}
	}
	t.Error("no metric tells of a fault")
}

func (f faults) signal(s syscall.Signal) {
	if f.redis.Process != nil {
		_ = f.redis.Process.Signal(s)
	}
}

// awaitHealth waits until store and cluster say that they work.
func awaitHealth(t *testing.T, caddy *harness.Caddy) {
	t.Helper()
	harness.Await(t, "store and cluster to be healthy", func() (string, bool) {
		var h struct{ Store, Cluster struct{ Status, Why string } }
		caddy.Query(t, "/api_guard/health", &h)
		return fmt.Sprintf("%+v", h), h.Store.Status == "ok" && h.Cluster.Status == "ok"
	})
}
