package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"unicode/utf8"
)

// Foreign says what a file plainly is that was never a store: "text", "a folder". It is
// "" for a store, whatever its schema; for one that was damaged, which is one with a
// trace of bbolt in it, with zeros where it begins, or empty, as a power cut leaves it;
// and where there is no file, or none that can be read. It only reads, and may be called
// while another process has the file open.
func Foreign(file string) (what string) {
	defer func() {
		if recover() != nil {
			what = ""
		}
	}()
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return ""
	case info.IsDir():
		return "a folder"
	case !info.Mode().IsRegular():
		return "a device, pipe or socket"
	}
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for range 3 {
		w, _ := newWalk(f)
		what = foreign(f, w)
		if what == "" || w == nil {
			return what
		}
		// The pages that a meta page leads to are used anew from the second
		// transaction after it on: what was read counts if there was none meanwhile.
		if now, _ := newWalk(f); now != nil && now.transaction == w.transaction {
			return what
		}
	}
	return ""
}

// foreign is Foreign of an open file and what newWalk made of it.
func foreign(f *os.File, w *walk) (what string) {
	if w == nil {
		return unlike(f)
	}
	w.schema()
	if w.damage != "" || !w.unmarked() {
		return ""
	}
	// The name of a bucket may be what was damaged. A value with our checksum is ours.
	names := w.buckets
	ours := false
	w.most = 256
	w.run(func(Pair) { ours = true })
	w.most = 0
	if ours {
		return ""
	}
	return fmt.Sprintf("a bbolt database of another program, with the buckets %.200q", names[:min(len(names), 3)])
}

// unmarked reports whether the buckets, which a run has listed, are without the one
// that says of what schema they are.
func (w *walk) unmarked() bool {
	return len(w.buckets) > 0 && !slices.Contains(w.buckets, string(formatBucket))
}

// unlike says what a file is that has no whole meta page and no trace of bbolt.
func unlike(f *os.File) string {
	const largest = 64 << 10 // page
	head := make([]byte, largest+pageHeader+metaSize)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	head = head[:n]
	first := make([]byte, pageHeader+4) // how the first page begins
	order.PutUint16(first[8:], metaPage)
	order.PutUint32(first[pageHeader:], boltMagic)
	cut := first[:min(n, len(first))]
	if len(bytes.Trim(head, "\x00")) == 0 || bytes.Equal(head[:len(cut)], cut) {
		return ""
	}
	for size := 512; size <= largest; size <<= 1 {
		if at := size + pageHeader; at+4 <= n && order.Uint32(head[at:]) == boltMagic || hasPages(f, int64(size)) {
			return ""
		}
	}
	return kind(head)
}

// hasPages reports whether one of the first pages after the two meta pages has the
// header of a page of bbolt.
func hasPages(f *os.File, size int64) bool {
	b := make([]byte, pageHeader)
	for id := int64(2); id < 512; id++ {
		if _, err := f.ReadAt(b, id*size); err != nil {
			return false
		}
		flags := order.Uint16(b[8:])
		if order.Uint64(b) == uint64(id) && (flags == branchPage || flags == leafPage || flags == freelistPage) {
			return true
		}
	}
	return false
}

// kind names what begins with head, and nothing of what is in it.
func kind(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("SQLite format 3\x00")):
		return "an SQLite database"
	case bytes.HasPrefix(head, []byte("-----BEGIN ")):
		return "a PEM file, as certificates and keys are"
	case isText(head):
		return "text"
	}
	return "something else than a bbolt database"
}

func isText(head []byte) bool {
	for len(head) > 0 {
		r, size := utf8.DecodeRune(head)
		if r == utf8.RuneError && size == 1 && len(head) >= utf8.UTFMax || r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return false
		}
		head = head[size:]
	}
	return true
}
