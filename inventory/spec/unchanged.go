package spec

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// hashed is what was read of a file and is being hashed: 256 KiB, which the second
// level of a processor's cache holds, whatever the document's size.
var hashed = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// Unchanged reports whether loading the document's file again would give the same
// document. It reads and hashes the file and those that it refers to, and parses
// nothing: a document of 13 MB takes some 10 ms instead of seconds. Equal contents
// refer to equal files, so that no other file can have come into play. Times and
// sizes are not trusted: a file may be written twice within what a time tells
// apart, and tools set times as they like.
//
// What cannot be read counts as changed, and so does what is larger than opts allow;
// loading it says why. One that Load was given cannot change.
func (d *Document) Unchanged(opts Options) bool {
	opts = opts.withDefaults()
	if d.Text != nil {
		return int64(len(d.Text)) <= opts.MaxBytes
	}
	h, left := sha256.New(), opts.MaxBytes
	f, _, err := openFile(d.Name)
	if err != nil {
		return false
	}
	n, err := hashAll(h, f, left)
	if err != nil {
		return false
	}
	left -= n
	dir := filepath.Dir(d.Name)
	for _, name := range d.References {
		f, size, err := openBelow(dir, name)
		if err != nil {
			return false
		}
		h.Write(hashHead(name, size))
		// One that grows or shrinks meanwhile is being changed.
		if n, err = hashAll(h, f, left); err != nil || n != size {
			return false
		}
		left -= n
	}
	var sum [sha256.Size]byte
	return [sha256.Size]byte(h.Sum(sum[:0])) == d.Hash
}

// hashAll hashes a file of at most limit bytes, says how many it has and closes it.
func hashAll(h hash.Hash, f *os.File, limit int64) (n int64, err error) {
	defer f.Close()
	buf := hashed.Get().(*[256 << 10]byte)
	defer hashed.Put(buf)
	for {
		got, err := f.Read(buf[:])
		h.Write(buf[:got])
		n += int64(got)
		if n > limit {
			return n, TooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// Source is the document as it is written, if that is what was loaded: its file may
// be another one by now.
func (d *Document) Source(opts Options) (text []byte, ok bool) {
	if d.Text != nil {
		return d.Text, true
	}
	text, err := readFile(d.Name, opts.withDefaults().MaxBytes)
	if err != nil || !d.Unchanged(opts) {
		return nil, false
	}
	return text, true
}
