package soak

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
)

// faults are what breaks around the guard while traffic goes on: a Redis that stands
// still, one that is gone with all that it knew, a disk that is full, a folder that
// cannot be written, and a file that is removed.
type faults struct {
	caddy *harness.Caddy
	redis *needs.RedisServer
}

// step goes through them, one a second, ten seconds a time; the file is removed in
// every second ten. Those of Redis and those of the disk overlap.
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
	case 7:
		fillDisk(t, f.caddy.PID(), false)
	case 8:
		f.redis.Start()
		f.block(t, true)
	case 0:
		f.block(t, false)
	}
	if second%20 == 13 {
		if err := os.Remove(f.file()); err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
	}
}

// mend ends them all, and fails if none was noticed.
func (f faults) mend(t *testing.T) {
	t.Helper()
	f.signal(syscall.SIGCONT)
	fillDisk(t, f.caddy.PID(), false)
	f.block(t, false)
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

// file is the inventory's.
func (f faults) file() string { return filepath.Join(f.caddy.Dir, "kept", "inventory.db") }

// block puts a file in the place of the inventory's folder, and the folder back. Root,
// as which tests run in a container, may write to any folder there is, and may not
// make one read-only by mounting; in this one nobody can make, find or write a file.
func (f faults) block(t *testing.T, blocked bool) {
	t.Helper()
	folder := filepath.Dir(f.file())
	away := folder + ".away"
	_, err := os.Stat(away)
	switch is := err == nil; {
	case is == blocked:
		return
	case blocked:
		err = errors.Join(os.Rename(folder, away), os.WriteFile(folder, nil, 0o600))
	default:
		err = errors.Join(os.Remove(folder), os.Rename(away, folder))
	}
	if err != nil {
		t.Error(err)
	}
}

func (f faults) signal(s syscall.Signal) {
	if f.redis.Process != nil {
		_ = f.redis.Process.Signal(s)
	}
}

// awaitHealth waits until store and cluster say that they work.
func awaitHealth(t *testing.T, caddy *harness.Caddy) {
	t.Helper()
	harness.AwaitFor(t, patience, "store and cluster to be healthy", func() (string, bool) {
		var h struct{ Store, Cluster struct{ Status, Why string } }
		caddy.Query(t, "/api_guard/health", &h)
		return fmt.Sprintf("%+v", h), h.Store.Status == "ok" && h.Cluster.Status == "ok"
	})
}
