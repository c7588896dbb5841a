//go:build unix

package inventory

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/store"
)

// awaitStore waits for a condition of the store, whose reason has a text in it.
func (s *scene) awaitStore(status, why string) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; <-time.After(5 * time.Millisecond) {
		s.Settle(context.Background())
		p := s.Health().Store
		if p.Status == status && strings.Contains(p.Why, why) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the store is %+v and not %s, %q", p, status, why)
		}
	}
}

// called asks once for a route that the file is to keep.
func (s *scene) called() {
	s.t.Helper()
	s.hit("api.example.com", "GET", "/v2/orders", answered(200))
}

// wantKept holds the file against what was called, as the next process reads it.
func wantKept(t *testing.T, file string, calls uint64) {
	t.Helper()
	next := newScene(t, Options{}, orders())
	next.open(file)
	for _, e := range next.list(RouteQuery{Method: []string{"GET"}, Host: []string{"api.example.com"}, Limit: 1000}).Items {
		if e.Path == "/v2/orders" && e.Count != calls {
			t.Errorf("%d calls are kept, %d were made", e.Count, calls)
		}
	}
}

// keptOnce is a scene with one call, which is in the file.
func keptOnce(t *testing.T, file string) *scene {
	t.Helper()
	s := newScene(t, Options{}, orders())
	s.open(file)
	s.called()
	s.awaitStore(StoreOK, "")
	return s
}

func TestAFileThatIsRemovedIsBegunAnewWithAllThereIs(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(file string) error{
		"the file":   os.Remove,
		"its folder": func(file string) error { return os.RemoveAll(filepath.Dir(file)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "kept", "inventory.db")
			told := make(chan Part, 9)
			s := newScene(t, Options{}, orders())
			s.OpenStore(StoreOptions{File: file, Changed: func(p Part) { told <- p }})
			s.called()
			s.awaitStore(StoreOK, "a new file was begun")
			if err := remove(file); err != nil {
				t.Fatal(err)
			}
			s.called()
			for _, want := range []Part{{StoreOK, "a new file was begun"}, {StoreDegraded, "; a new file is begun; "}, {StoreOK, ""}} {
				if p := <-told; p.Status != want.Status || !strings.Contains(p.Why, want.Why) || want.Why == "" && p.Why != "" {
					t.Errorf("told of %+v, want %+v", p, want)
				}
			}
			s.awaitStore(StoreOK, "")
			if p := s.Health().Store; p.Why != "" {
				t.Errorf("what has ended is told as %q", p.Why)
			}
			s.called()
			s.CloseStore()
			wantKept(t, file, 3)
		})
	}
}

// However long the store had failed before, what is in memory is written soon to a file
// that has just been begun.
func TestANewFileDoesNotWaitForWhatTheOneBeforeFailed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "inventory.db")
	opened, _, err := store.Open(file, func(store.Pair) {})
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{options: StoreOptions{File: file}, store: opened, retry: retryLast}
	t.Cleanup(func() { _ = k.store.Close() })
	k.fail(errors.New("the disk is full"))
	if k.retry != retryLast {
		t.Errorf("a full disk is tried again after %s, want %s", k.retry, retryLast)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	k.fail(store.ErrGone)
	if k.retry != retryFirst || k.store == opened {
		t.Errorf("a new file is written to after %s, want %s", k.retry, retryFirst)
	}
}

func TestAFileThatIsRemovedJustBeforeTheEndIsWrittenAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "kept", "inventory.db")
	s := keptOnce(t, file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.called()
	s.CloseStore()
	wantKept(t, file, 2)
}

// A backup that is put in place while a process runs is for the next one.
func TestAFileThatIsReplacedIsLeftAloneUntilItsOwnerIsBack(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "inventory.db")
	s := keptOnce(t, file)
	if err := os.Rename(file, file+".own"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("a backup"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.called()
	s.awaitStore(StoreDegraded, "left alone until the next start")
	if text, err := os.ReadFile(file); err != nil || string(text) != "a backup" {
		t.Errorf("the other file has %q now, %v", text, err)
	}
	if err := os.Rename(file+".own", file); err != nil {
		t.Fatal(err)
	}
	s.awaitStore(StoreOK, "")
	s.CloseStore()
	wantKept(t, file, 2)
}
