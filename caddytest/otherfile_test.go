package caddytest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"go.etcd.io/bbolt"
)

// A typing error in `inventory file` must not cost the file that it names: the load is
// refused, and says what was found there and what to do. What may be a damaged
// inventory stops nothing.
func TestAnotherFileIsNotTakenForTheInventory(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := func(file string) harness.Config {
		cfg := fleetConfig(up)
		cfg.Guard = "inventory {\n\tfile " + file + "\n}\n" + cfg.Guard
		return cfg
	}
	dir := t.TempDir()
	written := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	caddy := harness.Start(t, fleetConfig(up))
	for name, tt := range map[string]struct{ file, says string }{
		"its own Caddyfile":     {"<dir>/Caddyfile", "Caddyfile is no inventory but text"},
		"JSON":                  {written("autosave.json", `{"apps":{}}`), "autosave.json is no inventory but text"},
		"a key":                 {written("api.key", "-----BEGIN PRIVATE KEY-----\nMIGH\n"), "api.key is no inventory but a PEM file"},
		"an SQLite database":    {written("users.db", "SQLite format 3\x00\x10\x00"), "users.db is no inventory but an SQLite database"},
		"a folder":              {dir, "is no inventory but a folder"},
		"another bbolt program": {otherBolt(t, filepath.Join(dir, "other.db")), `other.db is no inventory but a bbolt database of another program, with the buckets [\"accounts\"]`},
	} {
		before, _ := os.ReadFile(tt.file)
		for _, command := range []string{"validate", "run"} {
			text, ok := harness.Command(t, cfg(tt.file), command, "--config", "CADDYFILE", "--adapter", "caddyfile")
			if plain := strings.ReplaceAll(text, `"accounts"`, `\"accounts\"`); ok || !strings.Contains(plain, tt.says) || !strings.Contains(text, "inventory.file: ") || !strings.Contains(text, "move this one away") {
				t.Errorf("%s: caddy %s: %v %.2000s", name, command, ok, text)
			}
		}
		if status, body := caddy.Reload(t, cfg(tt.file)); status != 400 || !bytes.Contains(body, []byte("is no inventory")) {
			t.Errorf("%s: a reload is %d %s", name, status, body)
		}
		if after, _ := os.ReadFile(tt.file); !bytes.Equal(after, before) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if a := caddy.Do1(t, get("api.example.com", "/v2/orders")); a.Status != 200 {
		t.Errorf("the configuration before: %v", a)
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "*.damaged-*")); len(aside) > 0 {
		t.Errorf("set aside: %q", aside)
	}
	for name, tt := range map[string]struct{ file, status string }{
		"none":  {filepath.Join(dir, "new", "inventory.db"), "ok"},
		"empty": {written("empty.db", ""), "ok"},
		"zeros": {written("zeros.db", strings.Repeat("\x00", 20_000)), "degraded"},
	} {
		c := harness.Start(t, cfg(tt.file))
		awaitLoaded(t, c)
		if s := storeOf(t, c); s.Status != tt.status {
			t.Errorf("%s: the store is %+v", name, s)
		}
		c.Do1(t, get("api.example.com", "/v2/kept"))
		awaitRoute(t, c, "/api_guard/routes", "api.example.com", "GET", "/v2/kept")
		// What came into its place since is for the next start.
		if err := os.WriteFile(tt.file+".new", []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tt.file+".new", tt.file); err != nil {
			t.Fatal(err)
		}
		if status, body := c.Reload(t, cfg(tt.file)); status != 200 {
			t.Errorf("%s: a reload with another file in its place is %d %s", name, status, body)
		}
	}
}

func otherBolt(t *testing.T, file string) string {
	t.Helper()
	changeBolt(t, file, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("accounts"))
		return err
	})
	return file
}

func changeBolt(t *testing.T, file string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(change); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// After a rollback of the plugin the file of the newer one stays as it is, health says
// so, and the newer one goes on from where it was.
func TestAFileOfANewerPluginWaitsForIt(t *testing.T) {
	t.Parallel()
	caddy, _ := startStored(t)
	caddy.Do1(t, get("api.example.com", "/v2/newer"))
	awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "GET", "/v2/newer")
	caddy.Stop()
	file := inventoryFile(caddy)
	var written []byte // the schema that it had
	schema := func(to []byte) {
		changeBolt(t, file, func(tx *bbolt.Tx) error {
			bucket, key := tx.Bucket([]byte("format")), []byte("schema")
			written = append([]byte(nil), bucket.Get(key)[4:]...)
			sum := crc32.Checksum(append(key[:len(key):len(key)], to...), crc32.MakeTable(crc32.Castagnoli))
			return bucket.Put(key, append(binary.BigEndian.AppendUint32(nil, sum), to...))
		})
	}
	schema([]byte("9999"))
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	startAgain(t, caddy)
	if s := storeOf(t, caddy); s.Status != "degraded" || !strings.Contains(s.Why, "newer version of this program wrote the file, and it was left alone: it has schema 9999") {
		t.Errorf("the store is %+v", s)
	}
	if a := caddy.Do1(t, get("api.example.com", "/v2/meanwhile")); a.Status != 200 {
		t.Errorf("a request is %v", a)
	}
	awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "GET", "/v2/meanwhile")
	if !strings.Contains(caddy.Log(), "schema 9999") {
		t.Error("the log does not say so")
	}
	caddy.Stop()
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file was changed: %v", err)
	}
	schema(written)
	startAgain(t, caddy)
	if s := storeOf(t, caddy); s.Status != "ok" {
		t.Errorf("the store is %+v", s)
	}
	awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "GET", "/v2/newer")
}
