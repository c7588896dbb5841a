package apiguard

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// documents are the API descriptions of one configuration. A file that several
// versions name is loaded once.
type documents struct {
	byFile   map[string]*spec.Document
	acquired []documentKey
}

// documentKey is a file with the contents of it and of all that it refers to.
type documentKey struct {
	file string
	hash [32]byte
}

// documentPool holds the documents of all configurations of the process, so that
// a reload parses and compiles only those that changed: compiled schemas belong to
// their *spec.Document.
var documentPool = caddy.NewUsagePool()

func newDocuments() *documents {
	return &documents{byFile: map[string]*spec.Document{}}
}

// load reads a document, or gives the one that was read already.
func (d *documents) load(file string) (*spec.Document, error) {
	file = filepath.Clean(file)
	if document, ok := d.byFile[file]; ok {
		return document, nil
	}
	document, err := d.fromPool(file)
	if err != nil {
		return nil, err
	}
	d.byFile[file] = document
	return document, nil
}

// fromPool shares what another configuration read from the file, if the file and
// all that it refers to still have the same bytes.
func (d *documents) fromPool(file string) (*spec.Document, error) {
	var document *spec.Document
	for _, known := range pooledFrom(file) {
		if known.Unchanged(spec.Options{}) {
			document = known
			break
		}
	}
	if document == nil {
		var err error
		if document, err = spec.LoadFile(file, spec.Options{}); err != nil {
			return nil, err
		}
	}
	key := documentKey{file, document.Hash}
	// It may have left the pool, or come into it, since it was looked for.
	value, _ := documentPool.LoadOrStore(key, document)
	d.acquired = append(d.acquired, key)
	return value.(*spec.Document), nil
}

// pooledFrom lists the documents that were read from a file. There is more than
// one while configurations from before and after a change are both there.
func pooledFrom(file string) (list []*spec.Document) {
	documentPool.Range(func(key, value any) bool {
		if key.(documentKey).file == file {
			list = append(list, value.(*spec.Document))
		}
		return true
	})
	return list
}

// release gives back what was acquired, once. What another configuration holds is
// not touched.
func (d *documents) release() {
	for _, key := range d.acquired {
		// Documents destruct nothing, so there is no error.
		_, _ = documentPool.Delete(key)
	}
	d.acquired = nil
}

// spanning is the document with path parameters of some operations spanning
// several segments, as `multi_segment` says. The original may be shared and stays
// as it is.
func spanning(document *spec.Document, parameters map[string][]string) (*spec.Document, error) {
	if len(parameters) == 0 {
		return document, nil
	}
	changed := *document
	changed.Operations = slices.Clone(document.Operations)
	for i, op := range changed.Operations {
		for _, ref := range [...]string{op.ID, op.Method + " " + op.Template} {
			for _, name := range parameters[ref] {
				if !strings.Contains(op.Template, "{"+name+"}") {
					return nil, fmt.Errorf("multi_segment %s %s: the path %s has no such parameter", ref, name, op.Template)
				}
				copied := *changed.Operations[i]
				copied.MultiSegment = append(slices.Clone(copied.MultiSegment), name)
				changed.Operations[i] = &copied
			}
		}
	}
	return &changed, nil
}

// hasOperation reports whether a document has what multi_segment names.
func hasOperation(documents []*spec.Document, ref string) bool {
	return slices.ContainsFunc(documents, func(d *spec.Document) bool {
		return slices.ContainsFunc(d.Operations, func(op *spec.Operation) bool {
			return op.ID == ref || op.Method+" "+op.Template == ref
		})
	})
}
