package spec

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// references reads the files that a document refers to: only below its own
// folder, each once, within what is left of the size limit.
type references struct {
	dir  string // empty: none may be read but the document, by its own name
	name string
	text []byte
	// sealed: the document itself may not be read again.
	sealed bool
	left   int64
	limit  int64
	files  map[string][]byte // by slash-separated path relative to dir
}

var errSealed = errors.New("the document itself is not to be read again")

// read is kin-openapi's ReadFromURIFunc; it alone decides what may be read.
func (r *references) read(_ *openapi3.Loader, location *url.URL) ([]byte, error) {
	own := location.Scheme == "" && location.Host == "" && location.Path == r.name
	switch {
	case own && r.sealed:
		return nil, errSealed
	case own && r.dir == "":
		return r.text, nil
	case r.dir == "":
		return nil, fmt.Errorf("it refers to %q; a document in no folder, such as one by URL, must be whole, since its hash covers nothing else: bundle it into one file", location.Redacted())
	case location.Scheme != "" || location.Host != "":
		return nil, fmt.Errorf("it refers to %q; references lead to files in the document's folder only: copy it there", location.Redacted())
	}
	name := path.Clean(location.Path)
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, fmt.Errorf("it refers to %q, which lies outside the document's folder: move it inside", name)
	}
	if data, ok := r.files[name]; ok {
		return data, nil
	}
	data, err := r.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is none in the document's folder (%w)", fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the referenced file %q: %w", name, err)
	}
	r.left -= int64(len(data))
	if r.files == nil {
		r.files = make(map[string][]byte)
	}
	r.files[name] = data
	return data, nil
}

// open reads a file below the folder.
func (r *references) open(name string) ([]byte, error) {
	f, size, err := openBelow(r.dir, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > r.left {
		return nil, TooLarge(r.limit)
	}
	return readAll(f, size, r.left)
}

// openBelow opens a regular file below a folder and says its size. It goes through
// os.Root, so that a symbolic link cannot lead out either.
func openBelow(dir, name string) (*os.File, int64, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	info, err := root.Stat(filepath.FromSlash(name))
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is not a regular file")
	}
	f, err := root.Open(filepath.FromSlash(name))
	return f, info.Size(), err
}

// hash is SHA-256 over the document and, when it has references, over their
// names, sizes and contents in order of name. A document in one file has the
// hash that sha256sum prints.
func (r *references) hash(data []byte) (sum [32]byte) {
	h := sha256.New()
	h.Write(data)
	for _, name := range slices.Sorted(maps.Keys(r.files)) {
		h.Write(hashHead(name, int64(len(r.files[name]))))
		h.Write(r.files[name])
	}
	h.Sum(sum[:0])
	return sum
}

// hashHead stands before the content of a referenced file in what is hashed.
func hashHead(name string, size int64) []byte {
	return binary.BigEndian.AppendUint64([]byte("\x00"+name+"\x00"), uint64(size))
}
