package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "folder", "inventory.db") }

// fill makes a file of n pairs in two buckets, some over several pages.
func fill(t testing.TB, name string, n int) map[string]string {
	t.Helper()
	s, _, err := Open(name, func(Pair) {})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for round := range 3 {
		var pairs []Pair
		for i := range n {
			key, value := fmt.Sprintf("key-%05d", i), fmt.Sprintf("value %d %d ", round, i)+strings.Repeat("x", i*37%900)
			if i == n/2 {
				value += strings.Repeat("y", 20_000)
			}
			bucket := []string{"routes", "hosts"}[i%2]
			pairs = append(pairs, Pair{bucket, []byte(key), []byte(value)})
			want[bucket+"/"+key] = value
		}
		if err := s.Commit(pairs); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return want
}

// reopen opens the file and gives what was handed out.
func reopen(t testing.TB, name string) (map[string]string, Found, error) {
	t.Helper()
	got := map[string]string{}
	s, found, err := Open(name, func(p Pair) { got[p.Bucket+"/"+string(p.Key)] = string(p.Value) })
	if s != nil {
		if err := s.Commit([]Pair{{"routes", []byte("after"), []byte("written")}}); err != nil {
			t.Errorf("writing after opening: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	return got, found, err
}

func TestWhatWasWrittenIsThereAfterOpening(t *testing.T) {
	name := file(t)
	want := fill(t, name, 500)
	got, found, err := reopen(t, name)
	if err != nil || found != (Found{}) {
		t.Fatalf("found %+v, error %v", found, err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d pairs, want %d", len(got), len(want))
	}
	for k, v := range want {
		if got[k] != v {
			t.Fatalf("%s is %.40q, want %.40q", k, got[k], v)
		}
	}
}

func TestRemovedAndReplacedPairsAreGone(t *testing.T) {
	name := file(t)
	fill(t, name, 20)
	s, _, err := Open(name, func(Pair) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit([]Pair{{Bucket: "routes", Key: []byte("key-00002")}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Replace([]string{"hosts", "never there"}, []Pair{{"hosts", []byte("a"), []byte("b")}}); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	got, _, _ := reopen(t, name)
	if _, there := got["routes/key-00002"]; there || len(got) != 9+1 || got["hosts/a"] != "b" {
		t.Errorf("got %d pairs: %v", len(got), got)
	}
}

func TestAFileThatIsNoStoreIsReplacedOrLeftAlone(t *testing.T) {
	whole := func(t *testing.T, name string) { fill(t, name, 200) }
	tests := []struct {
		name    string
		prepare func(t *testing.T, name string)
		fresh   bool
		damaged bool
		err     error
	}{
		{"there is none", func(*testing.T, string) {}, true, false, nil},
		{"empty", func(t *testing.T, name string) { put(t, name, nil) }, true, false, nil},
		{"zeros", func(t *testing.T, name string) { put(t, name, make([]byte, 1<<16)) }, false, true, nil},
		{"text", func(t *testing.T, name string) { put(t, name, []byte("not a database")) }, false, false, ErrForeign},
		{"cut in the middle", func(t *testing.T, name string) {
			whole(t, name)
			info, _ := os.Stat(name)
			if err := os.Truncate(name, info.Size()/2); err != nil {
				t.Fatal(err)
			}
		}, false, true, nil},
		{"cut after its meta pages", func(t *testing.T, name string) {
			whole(t, name)
			if err := os.Truncate(name, 8192); err != nil {
				t.Fatal(err)
			}
		}, false, true, nil},
		{"of another program", ofAnother, false, false, ErrForeign},
		{"of a newer schema", func(t *testing.T, name string) {
			whole(t, name)
			setSchema(t, name, "7")
		}, false, false, ErrNewer},
		{"open elsewhere", func(t *testing.T, name string) {
			s, _, err := Open(name, func(Pair) {})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
		}, false, false, ErrLocked},
		{"a folder", func(t *testing.T, name string) {
			if err := os.MkdirAll(name, 0o700); err != nil {
				t.Fatal(err)
			}
		}, false, false, errAny},
		{"below a file", func(t *testing.T, name string) {
			if err := os.WriteFile(filepath.Dir(name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, false, false, errAny},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := file(t)
			tt.prepare(t, name)
			before, _ := os.ReadFile(name)
			_, found, err := reopen(t, name)
			if tt.err == errAny && err == nil || tt.err != errAny && !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if found.Fresh != tt.fresh || (found.Damage != "") != tt.damaged {
				t.Errorf("found %+v", found)
			}
			if tt.damaged {
				if aside, err := os.ReadFile(found.Aside); err != nil || string(aside) != string(before) {
					t.Errorf("set aside as %q: %v", found.Aside, err)
				}
				if got, found, err := reopen(t, name); err != nil || found.Damage != "" || len(got) != 1 {
					t.Errorf("the new file has %v, found %+v, error %v", got, found, err)
				}
			}
			if after, _ := os.ReadFile(name); tt.err != nil && string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

var errAny = errors.New("any")

func put(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func setSchema(t *testing.T, name, schema string) {
	t.Helper()
	db, err := bbolt.Open(name, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(formatBucket).Put(schemaKey, seal(schemaKey, []byte(schema)))
	}); err != nil {
		t.Fatal(err)
	}
}

// Whatever byte is another one: opening ends, without a panic, and hands out
// nothing that was not written. What is not noticed is not in use.
func TestAFlippedByteIsNoticedOrOfNoConsequence(t *testing.T) {
	name := file(t)
	want := fill(t, name, 120)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	noticed := 0
	const flips = 300
	for range flips {
		at, bit := random.IntN(len(whole)), byte(1)<<random.IntN(8)
		b := append([]byte(nil), whole...)
		b[at] ^= bit
		flipped := filepath.Join(t.TempDir(), "f.db")
		put(t, flipped, b)
		got, found, err := reopen(t, flipped)
		if err != nil && !errors.Is(err, ErrForeign) && !errors.Is(err, ErrNewer) {
			t.Fatalf("byte %d, bit %#x: %v", at, bit, err)
		}
		for k, v := range got {
			if want[k] != v {
				t.Fatalf("byte %d, bit %#x: %s is %.40q, which nobody wrote; found %+v", at, bit, k, v, found)
			}
		}
		if found.Damage != "" {
			noticed++
		} else if err == nil && len(got) != len(want) {
			t.Fatalf("byte %d, bit %#x: %d of %d pairs, and no damage", at, bit, len(got), len(want))
		}
	}
	t.Logf("%d of %d flips were damage", noticed, flips)
	if noticed == 0 {
		t.Error("no flip was noticed")
	}
}

func TestOnlyTheLatestDamagedFilesAreKept(t *testing.T) {
	name := file(t)
	for range 5 {
		put(t, name, make([]byte, 100))
		if _, found, err := reopen(t, name); err != nil || found.Damage == "" {
			t.Fatalf("found %+v, error %v", found, err)
		}
	}
	if aside, _ := filepath.Glob(name + ".damaged-*"); len(aside) != asideKept {
		t.Errorf("kept %q", aside)
	}
}
