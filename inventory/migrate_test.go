package inventory

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// The first files bore no number of a schema; they are what the first one is.
func TestAFileOfAnOlderSchemaIsTakenOverAndKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	s := busy(t, file)
	before := s.answers()
	left := s.crash(file)
	db, err := bbolt.Open(left, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("format")).Delete([]byte("schema")) }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	old, _ := os.ReadFile(left)
	again := newScene(t, Options{}, orders())
	again.clock.set(s.clock.now())
	again.open(left)
	if d := cmp.Diff(before, again.answers()); d != "" {
		t.Errorf("after the migration:\n%s", d)
	}
	again.Settle(context.Background())
	if h := again.Health().Store; h.Status != StoreOK || !strings.Contains(h.Why, "inventory.db.schema-0") && !strings.Contains(h.Why, ".schema-0 is the file as it was") {
		t.Errorf("health says %+v", h)
	}
	if b, err := os.ReadFile(left + ".schema-0"); err != nil || string(b) != string(old) {
		t.Errorf("the file as it was is not there: %v", err)
	}
	third := newScene(t, Options{}, orders())
	third.clock.set(s.clock.now())
	third.open(again.crash(left))
	if d := cmp.Diff(before, third.answers()); d != "" {
		t.Errorf("in the process after it:\n%s", d)
	}
}
