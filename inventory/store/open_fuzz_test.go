package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Whatever a file has in it: opening it ends without a panic, hands out nothing with a
// broken checksum, and leaves a store that works, or says why there is none. The file
// that a search begins with is small, and its pages are changed where the input says.
func FuzzOpen(f *testing.F) {
	name := filepath.Join(f.TempDir(), "inventory.db")
	s, _, err := Open(name, func(Pair) {})
	if err != nil {
		f.Fatal(err)
	}
	want := map[string]string{"routes/a": "1", "routes/b": string(make([]byte, 5000)), "hosts/c": "3"}
	if err := errors.Join(s.Commit([]Pair{{"routes", []byte("a"), []byte("1")}, {"routes", []byte("b"), make([]byte, 5000)}, {"hosts", []byte("c"), []byte("3")}}), s.Close()); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	for _, at := range []uint32{0, 8, 16, 24, 64, 80, 4096, 4112, 4160, 8192, 8200, 12288, 12304, 16384, 20480, 24576} {
		f.Add(at, []byte{0xff}, uint32(len(whole)))
		f.Add(at, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, uint32(len(whole)))
	}
	// Where and how long the first element of each page says that its key and value are:
	// numbers that are negative where an int has 32 bits.
	for page := range uint32(len(whole) / 4096) {
		for field := range uint32(4) {
			f.Add(page*4096+pageHeader+4*field, []byte{0xff, 0xff, 0xff, 0xff}, uint32(len(whole)))
		}
	}
	f.Add(uint32(0), []byte{}, uint32(5000))
	f.Add(uint32(0), []byte{}, uint32(0))
	f.Add(uint32(0), []byte("not a database"), uint32(14))
	f.Add(uint32(0), []byte("{\n\tadmin off\n}\n"), uint32(16))
	changed := filepath.Join(inMemory(f), "changed.db")
	f.Fuzz(func(t *testing.T, at uint32, with []byte, size uint32) {
		b := append([]byte(nil), whole...)
		copy(b[min(int(at), len(b)):], with)
		b = b[:min(int(size), len(b))]
		if err := os.WriteFile(changed, b, 0o600); err != nil {
			t.Fatal(err)
		}
		got, found, err := reopen(t, changed)
		if err != nil && !errors.Is(err, ErrForeign) && !errors.Is(err, ErrNewer) {
			t.Fatalf("%v; found %+v", err, found)
		}
		// Nothing is lost: the file is where it was, or beside it.
		kept := found.Aside
		if err != nil {
			kept = changed
		}
		if kept != "" {
			if after, err := os.ReadFile(kept); err != nil || !bytes.Equal(after, b) {
				t.Fatalf("%s is not as it was: %v; found %+v", kept, err, found)
			}
		}
		for key, value := range got {
			if v, ok := want[key]; ok && v != value {
				t.Fatalf("%s is %.40q, which nobody wrote; found %+v", key, value, found)
			}
		}
	})
}

// inMemory is a folder in memory where the system has such, since most of an execution
// is waiting for a disk.
func inMemory(f *testing.F) string {
	dir, err := os.MkdirTemp("/dev/shm", "inventory")
	if err != nil {
		return f.TempDir()
	}
	f.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
