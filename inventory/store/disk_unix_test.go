//go:build darwin || linux || netbsd || openbsd

package store

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// alone is set in a process of a test's own.
const alone = "API_GUARD_STORE_ALONE"

// runAlone runs the test in a process of its own, with limits and a user of its own.
func runAlone(t *testing.T, binary string, user *syscall.Credential) {
	t.Helper()
	cmd := exec.Command(binary, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = filepath.Dir(binary)
	cmd.Env = append(os.Environ(), alone+"="+filepath.Dir(binary))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A file that cannot grow: what does not fit is an error, what was there stays, and
// with room again it goes on.
func TestAFullDiskIsAnErrorAndNothingElse(t *testing.T) {
	if os.Getenv(alone) == "" {
		runAlone(t, os.Args[0], nil)
		return
	}
	name := file(t)
	want := fill(t, name, 50)
	s, _, err := Open(name, func(Pair) {})
	if err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(name)
	full := syscall.Rlimit{Cur: uint64(info.Size()), Max: ^uint64(0)}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	big := Pair{"routes", []byte("big"), make([]byte, 1<<20)}
	for range 3 {
		if err := s.Commit([]Pair{big}); err == nil || errors.Is(err, ErrDamaged) {
			t.Fatalf("a commit without room: %v", err)
		}
	}
	if _, _, err := Open(filepath.Join(t.TempDir(), "x.db"), func(Pair) {}); err != nil {
		t.Logf("another: %v", err)
	}
	full.Cur = ^uint64(0)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit([]Pair{big}); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	_ = s.Close()
	got, found, err := reopen(t, name)
	if err != nil || found.Damage != "" || len(got) != len(want)+1 {
		t.Errorf("%d pairs, want %d; found %+v, error %v", len(got), len(want)+1, found, err)
	}
}

// A file on a disk that is read-only, or that belongs to somebody else: it is read,
// and nothing more. Everything may be written by root, so root becomes nobody.
func TestAFileThatCannotBeWrittenIsReadAllTheSame(t *testing.T) {
	if dir := os.Getenv(alone); dir != "" {
		got, found, err := reopen(t, filepath.Join(dir, "inventory.db"))
		if !errors.Is(err, ErrReadOnly) || len(got) != 50 || found.Damage != "" {
			t.Errorf("%d pairs, found %+v, error %v", len(got), found, err)
		}
		if _, _, err := reopen(t, filepath.Join(dir, "another.db")); err == nil {
			t.Error("a new file in a folder that cannot be written")
		}
		return
	}
	dir, err := os.MkdirTemp("", "api-guard-store-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.Chmod(dir, 0o700)
		_ = os.RemoveAll(dir)
	})
	name := filepath.Join(dir, "inventory.db")
	fill(t, name, 50)
	binary := filepath.Join(dir, "store.test")
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, program, 0o555); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	var nobody *syscall.Credential
	if os.Getuid() == 0 {
		nobody = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	runAlone(t, binary, nobody)
}
