package caddytest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"go.etcd.io/bbolt"
)

// startAgain starts a Caddy anew, with all that its file has: it serves from memory
// until that is loaded, which a busy machine takes its time for.
func startAgain(t *testing.T, caddy *harness.Caddy) {
	t.Helper()
	caddy.Again(t)
	awaitLoaded(t, caddy)
}

// awaitLoaded waits until the inventory's file is loaded, or cannot be.
func awaitLoaded(t *testing.T, caddy *harness.Caddy) {
	t.Helper()
	harness.Await(t, "the inventory's file to be loaded", func() (string, bool) {
		s := storeOf(t, caddy)
		return fmt.Sprint(s), s.Why != "the file is being loaded"
	})
}

// inventoryFile is where Caddy keeps the inventory by itself.
func inventoryFile(caddy *harness.Caddy) string {
	return filepath.Join(caddy.Dir, "data", "caddy", "api_guard", "inventory.db")
}

// Whatever the file is: Caddy starts, serves, says in health what is wrong with it,
// and goes on recording.
func TestAStoreThatIsWrongStopsNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		spoil  func(file string) error
		status string
		why    string
		keeps  bool // what was in the file is still there
	}{
		{"nothing", func(string) error { return nil }, "ok", "", true},
		{"it is gone", os.Remove, "ok", "new file", false},
		{"it is empty", func(file string) error { return os.Truncate(file, 0) }, "ok", "new file", false},
		{"it is cut", func(file string) error {
			db, err := bbolt.Open(file, 0o600, &bbolt.Options{ReadOnly: true})
			if err != nil {
				return err
			}
			var used int64 // of the file, which may have room beyond
			err = db.View(func(tx *bbolt.Tx) error { used = tx.Size(); return nil })
			return errors.Join(err, db.Close(), os.Truncate(file, used/2))
		}, "degraded", "it is cut", false},
		{"it is no database", func(file string) error { return os.WriteFile(file, []byte(strings.Repeat("x", 50_000)), 0o600) }, "degraded", "it is text", false},
		{"half of its bytes are flipped", func(file string) error { return flip(file, 2) }, "degraded", "left alone", false},
		{"a byte of its pages is flipped", func(file string) error { return flipKey(file, `"path":"/v2/before"`) }, "degraded", "checksum", false},
		{"a folder is in its place", func(file string) error {
			if err := os.Remove(file); err != nil {
				return err
			}
			return os.Mkdir(file, 0o700)
		}, "degraded", "no regular file", false},
		{"its folder cannot be made", func(file string) error {
			folder := filepath.Dir(file)
			if err := os.RemoveAll(folder); err != nil {
				return err
			}
			return os.WriteFile(folder, nil, 0o600)
		}, "degraded", "not a directory", false},
	}
	caddy, _ := startStored(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			caddy.Do1(t, get("api.example.com", "/v2/before"))
			awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "GET", "/v2/before")
			caddy.Stop()
			if err := tt.spoil(inventoryFile(caddy)); err != nil {
				t.Fatal(err)
			}
			startAgain(t, caddy)
			if a := caddy.Do1(t, get("api.example.com", "/v2/after")); a.Status != 200 {
				t.Errorf("a request is %v", a)
			}
			awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "GET", "/v2/after")
			if s := storeOf(t, caddy); s.Status != tt.status || !strings.Contains(s.Why, tt.why) {
				t.Errorf("the store is %+v", s)
			}
			var list listing[route]
			caddy.Query(t, "/api_guard/routes?path=/v2/before", &list)
			if tt.keeps != (len(list.Items) > 0) {
				t.Errorf("what was there before: %+v", list.Items)
			}
			if tt.status != "ok" {
				caddy.Stop()
				_ = os.RemoveAll(filepath.Dir(inventoryFile(caddy)))
				startAgain(t, caddy)
			}
		})
	}
}

// flip flips a bit in every step-th byte.
func flip(file string, step int) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for i := 0; i < len(b); i += step {
		b[i] ^= 0x10
	}
	return os.WriteFile(file, b, 0o600)
}

// flipKey flips a bit wherever a text stands.
func flipKey(file, text string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	changed := strings.ReplaceAll(string(b), text, text[:len(text)-2]+"f\"")
	if changed == string(b) {
		return fmt.Errorf("%s does not stand in the file", text)
	}
	return os.WriteFile(file, []byte(changed), 0o600)
}

// Two processes with one file: the second serves from memory and takes the file
// over when the first lets go.
func TestAFileThatIsOpenElsewhereIsTakenOverLater(t *testing.T) {
	t.Parallel()
	first, up := startStored(t)
	first.Do1(t, get("api.example.com", "/v2/first"))
	awaitRoute(t, first, "/api_guard/routes", "api.example.com", "GET", "/v2/first")
	second := harness.Start(t, harness.Config{
		Guard:    "inventory {\n\tfile " + inventoryFile(first) + "\n}\n" + strings.Replace(fleet, "unknown_route enforce", "unknown_route monitor", 1),
		Sites:    "http://:<http> {\n\timport guarded\n}\n",
		Upstream: up,
		Files:    map[string]string{"orders.yaml": ordersDocument},
	})
	awaitLoaded(t, second)
	if s := storeOf(t, second); s.Status != "degraded" || !strings.Contains(s.Why, "another process") {
		t.Errorf("the store is %+v", s)
	}
	second.Do1(t, get("api.example.com", "/v2/second"))
	awaitRoute(t, second, "/api_guard/routes", "api.example.com", "GET", "/v2/second")
	first.Stop()
	harness.Await(t, "the file to be taken over", func() (string, bool) {
		s := storeOf(t, second)
		return fmt.Sprint(s), s.Status == "ok"
	})
	awaitRoute(t, second, "/api_guard/routes", "api.example.com", "GET", "/v2/first")
	awaitRoute(t, second, "/api_guard/routes", "api.example.com", "GET", "/v2/second")
	second.Kill()
	startAgain(t, second)
	awaitRoute(t, second, "/api_guard/routes", "api.example.com", "GET", "/v2/second")
}

// `caddy validate` runs beside a service and must not touch its file.
func TestValidatingOpensNoStore(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up)
	file := filepath.Join(t.TempDir(), "inventory.db")
	cfg.Guard = "inventory {\n\tfile " + file + "\n}\n" + cfg.Guard
	if text, ok := harness.Command(t, cfg, "validate", "--config", "CADDYFILE", "--adapter", "caddyfile"); !ok {
		t.Fatalf("validating: %s", text)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file is there: %v", err)
	}
}
