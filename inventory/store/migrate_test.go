package store

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

// later has the program write schema 3: the second renamed a bucket and dropped
// another, the third spells values otherwise.
func later(t *testing.T) {
	before := migrations
	t.Cleanup(func() { migrations = before })
	migrations = []func(Pair) (Pair, bool){
		func(p Pair) (Pair, bool) {
			if p.Bucket == "a" {
				p.Bucket = "renamed"
			}
			return p, p.Bucket != "b"
		},
		func(p Pair) (Pair, bool) {
			p.Value = append([]byte("3:"), p.Value...)
			return p, true
		},
	}
}

// old is a file of schema 1.
func old(t *testing.T, name string) {
	t.Helper()
	s, _, err := Open(name, func(Pair) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit([]Pair{{"a", []byte("k"), []byte("v")}, {"b", []byte("gone"), []byte("v")}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAnOlderSchemaIsMigratedAfterACopyIsMade(t *testing.T) {
	name := file(t)
	old(t, name)
	before, _ := os.ReadFile(name)
	later(t)
	open := func() (*Store, Found, map[string]string) {
		got := map[string]string{}
		s, found, err := Open(name, func(p Pair) { got[p.Bucket+"/"+string(p.Key)] = string(p.Value) })
		if err != nil {
			t.Fatal(err)
		}
		return s, found, got
	}
	// A process that ends before it has written leaves what the next one migrates again.
	for range 2 {
		s, found, got := open()
		if !found.Migrated || found.From != 1 || found.Backup != name+".schema-1" || len(got) != 1 || got["renamed/k"] != "3:v" {
			t.Fatalf("found %+v, handed out %v", found, got)
		}
		if b, err := os.ReadFile(found.Backup); err != nil || !bytes.Equal(b, before) {
			t.Errorf("the copy is another one: %v", err)
		}
		_ = s.Close()
	}
	s, _, _ := open()
	if err := s.Replace([]string{"a", "b", "renamed"}, []Pair{{"renamed", []byte("k"), []byte("3:v")}}); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	s, found, got := open()
	_ = s.Close()
	if found.Migrated || len(got) != 1 || got["renamed/k"] != "3:v" {
		t.Errorf("after it: found %+v, handed out %v", found, got)
	}
	// The program of before leaves the new file alone, and goes on from the copy.
	migrations = nil
	if _, _, err := Open(name, func(Pair) {}); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer schema: %v", err)
	}
	s, found, err := Open(name+".schema-1", func(Pair) {})
	if err != nil || found.Migrated {
		t.Fatalf("the copy: found %+v, %v", found, err)
	}
	_ = s.Close()
}

func TestAMigrationThatFailsLeavesTheFile(t *testing.T) {
	t.Run("a step panics", func(t *testing.T) {
		name := file(t)
		old(t, name)
		before, _ := os.ReadFile(name)
		later(t)
		migrations[1] = func(p Pair) (Pair, bool) { panic("no such value") }
		if _, _, err := Open(name, func(Pair) {}); err == nil || !strings.Contains(err.Error(), "no such value") {
			t.Errorf("error %v", err)
		}
		if after, _ := os.ReadFile(name); !bytes.Equal(after, before) {
			t.Error("the file was changed")
		}
	})
	t.Run("no copy can be made", func(t *testing.T) {
		name := file(t)
		old(t, name)
		before, _ := os.ReadFile(name)
		if err := os.MkdirAll(name+".schema-1.part", 0o700); err != nil {
			t.Fatal(err)
		}
		later(t)
		_, _, err := Open(name, func(Pair) {})
		if err == nil || !strings.Contains(err.Error(), "schema 1 and was left alone") {
			t.Errorf("error %v", err)
		}
		if after, _ := os.ReadFile(name); !bytes.Equal(after, before) {
			t.Error("the file was changed")
		}
	})
}
