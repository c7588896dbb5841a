package spec

import (
	"net/url"
	"path/filepath"
)

// Unchanged reports whether loading the document's file again would give the same
// document. It reads and hashes the file and those that it refers to, and parses
// nothing: a document of 13 MB takes some 10 ms instead of seconds. Equal contents
// refer to equal files, so that no other file can have come into play.
//
// The document must come from LoadFile. What cannot be read counts as changed;
// loading it says why.
func (d *Document) Unchanged(opts Options) bool {
	opts = opts.withDefaults()
	data, err := readFile(d.Name, opts.MaxBytes)
	if err != nil {
		return false
	}
	refs := &references{dir: filepath.Dir(d.Name), left: opts.MaxBytes - int64(len(data)), limit: opts.MaxBytes}
	for _, name := range d.References {
		if _, err := refs.read(nil, &url.URL{Path: name}); err != nil {
			return false
		}
	}
	return refs.hash(data) == d.Hash
}
