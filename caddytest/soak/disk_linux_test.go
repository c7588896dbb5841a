package soak

import (
	"testing"

	"golang.org/x/sys/unix"
)

// fillDisk lets no file of the process grow any more, or again.
func fillDisk(t *testing.T, pid int, full bool) {
	t.Helper()
	l := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if full {
		l.Cur = 1
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &l, nil); err != nil {
		t.Fatal(err)
	}
}
