package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// ofAnother makes a bbolt database of another program.
func ofAnother(t *testing.T, name string) {
	t.Helper()
	put(t, name, nil)
	db, err := bbolt.Open(name, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("accounts"))
		if err != nil {
			return err
		}
		if _, err := b.CreateBucket([]byte("nested")); err != nil {
			return err
		}
		return b.Put([]byte("k"), []byte("v"))
	}); err != nil {
		t.Fatal(err)
	}
}

// change makes a file of a store that was filled, with its bytes changed.
func change(what func(b []byte) []byte) func(*testing.T, string) {
	return func(t *testing.T, name string) {
		fill(t, name, 60)
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		put(t, name, what(b))
	}
}

// What was never ours is told from what is ours and damaged: the one keeps its place
// and every byte, the other makes room for a new one.
func TestAnotherFileIsToldFromADamagedOne(t *testing.T) {
	is := func(text string) func(*testing.T, string) {
		return func(t *testing.T, name string) { put(t, name, []byte(text)) }
	}
	zero := func(from, to int) func([]byte) []byte {
		return func(b []byte) []byte { clear(b[from:to]); return b }
	}
	page := os.Getpagesize()
	tests := []struct {
		name string
		make func(t *testing.T, name string)
		what string // empty: it is ours, or may be
	}{
		{"a store", change(bytes.Clone), ""},
		{"a Caddyfile", is("example.com {\n\trespond \"hällo\"\n}\n"), "text"},
		{"one letter", is("x"), "text"},
		{"JSON", is(`{"apps":{}}`), "text"},
		{"JSON longer than two pages", is(`{"a":"` + strings.Repeat("é", 100_000) + `"}`), "text"},
		{"a certificate", is("-----BEGIN CERTIFICATE-----\nMIIB\n"), "a PEM file"},
		{"an SQLite database", is("SQLite format 3\x00\x10\x00\x01\x01" + strings.Repeat("\x00\x01\x02", 5000)), "an SQLite database"},
		{"a program", is("\x7fELF\x02\x01\x01" + strings.Repeat("\x00\x90", 70_000)), "something else"},
		{"a disk with zeros before its name", is(strings.Repeat("\x00", 32<<10) + "\x01CD001\x01" + strings.Repeat("\x00", 60_000)), "something else"},
		{"a bbolt database of another program", ofAnother, `a bbolt database of another program, with the buckets ["accounts"]`},
		{"a folder", func(t *testing.T, name string) {
			if err := os.MkdirAll(name, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "a folder"},
		{"a device", func(t *testing.T, name string) {
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(os.DevNull, name); err != nil {
				t.Fatal(err)
			}
		}, "a device, pipe or socket"},

		{"none", func(*testing.T, string) {}, ""},
		{"empty", is(""), ""},
		{"zeros", is(strings.Repeat("\x00", 1<<17)), ""},
		{"three zeros", is("\x00\x00\x00"), ""},
		{"a bbolt database without a bucket", func(t *testing.T, name string) {
			put(t, name, nil)
			db, err := bbolt.Open(name, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = db.Close()
		}, ""},
		{"a store of a newer schema", func(t *testing.T, name string) { fill(t, name, 5); setSchema(t, name, "7") }, ""},
		{"a store cut within its first page", change(func(b []byte) []byte { return b[:12] }), ""},
		{"a store cut after its first page", change(func(b []byte) []byte { return b[:page+1] }), ""},
		{"a store cut in the middle", change(func(b []byte) []byte { return b[:len(b)/2/page*page] }), ""},
		{"a store whose first page is zeros", change(zero(0, page)), ""},
		{"a store whose two first pages are zeros", change(zero(0, 2*page)), ""},
		{"a store whose meta pages were written over", change(func(b []byte) []byte {
			copy(b, strings.Repeat("x", 2*page))
			return b
		}), ""},
		{"a store whose meta pages have another checksum", change(func(b []byte) []byte {
			b[pageHeader+20] ^= 1
			b[page+pageHeader+20] ^= 1
			return b
		}), ""},
		{"a store without the bucket that names it", change(func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("format"), []byte("fo2mat"))
		}), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := file(t)
			tt.make(t, name)
			before, _ := os.ReadFile(name)
			if what := Foreign(name); (what == "") != (tt.what == "") || !strings.HasPrefix(what, tt.what) {
				t.Errorf("it is %q, want %q", what, tt.what)
			}
			if after, _ := os.ReadFile(name); !bytes.Equal(after, before) {
				t.Fatal("looking at it changed it")
			}
			_, found, err := reopen(t, name)
			aside, _ := filepath.Glob(name + ".*")
			switch after, _ := os.ReadFile(name); {
			case tt.what == "a folder", tt.name == "a device":
				if err == nil {
					t.Error("it was opened")
				}
			case tt.what != "":
				if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), tt.what) || !bytes.Equal(after, before) || aside != nil {
					t.Errorf("opening it: %v, beside it %q", err, aside)
				}
			case tt.name == "a store of a newer schema":
				if !errors.Is(err, ErrNewer) || !bytes.Equal(after, before) || aside != nil {
					t.Errorf("opening it: %v, beside it %q", err, aside)
				}
			default:
				if err != nil {
					t.Fatalf("opening it: %v", err)
				}
				if found.Damage != "" {
					if b, err := os.ReadFile(found.Aside); err != nil || !bytes.Equal(b, before) {
						t.Errorf("set aside as %q: %v", found.Aside, err)
					}
				}
			}
		})
	}
}

// A name of a bucket is what another program made of it, and it ends up in logs.
func TestABucketOfAnotherProgramIsNamedHarmlessly(t *testing.T) {
	name := file(t)
	put(t, name, nil)
	db, err := bbolt.Open(name, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error {
		for i := range uint32(9) {
			key := append([]byte("\x1b[31m\n"), bytes.Repeat([]byte{'a'}, 5000)...)
			if _, err := tx.CreateBucket(binary.BigEndian.AppendUint32(key, i)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	if what := Foreign(name); strings.ContainsAny(what, "\x1b\n") || len(what) > 1000 || what == "" {
		t.Errorf("%d bytes: %q", len(what), what)
	}
}
