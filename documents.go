package apiguard

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/inventory/spec/remote"
)

// documents are the API descriptions of one configuration. One that several
// versions name is loaded once.
type documents struct {
	app      *App
	byName   map[string]*spec.Document // by what `spec` says
	acquired []documentKey
}

// documentKey is a document's name with the contents of it and of all that it
// refers to.
type documentKey struct {
	name string
	hash [32]byte
}

// documentPool holds the documents of all configurations of the process, so that
// a reload parses and compiles only those that changed: compiled schemas belong to
// their *spec.Document.
var documentPool = caddy.NewUsagePool()

func newDocuments(app *App) *documents {
	return &documents{app: app, byName: map[string]*spec.Document{}}
}

// load reads a document, or gives the one that was read already. said is a file, or
// a URL with a hash.
func (d *documents) load(said string) (*spec.Document, error) {
	if !remote.IsURL(said) {
		said = filepath.Clean(said)
	}
	if document, ok := d.byName[said]; ok {
		return document, nil
	}
	find := d.file
	if remote.IsURL(said) {
		find = d.pinned
	}
	document, err := find(said)
	if err != nil {
		return nil, err
	}
	key := documentKey{document.Name, document.Hash}
	// It may have left the pool, or come into it, since it was looked for.
	value, _ := documentPool.LoadOrStore(key, document)
	d.acquired = append(d.acquired, key)
	document = value.(*spec.Document)
	d.byName[said] = document
	return document, nil
}

// file shares what another configuration read from the file, if the file and all
// that it refers to still have the same bytes.
func (d *documents) file(name string) (*spec.Document, error) {
	opts := d.app.documentOptions()
	for _, known := range pooledFrom(name) {
		if known.Unchanged(opts) {
			return known, nil
		}
	}
	return spec.LoadFile(name, opts)
}

// pinned shares what another configuration got from the URL with the same hash,
// else it takes the copy, else it fetches the document.
func (d *documents) pinned(said string) (*spec.Document, error) {
	pin, err := remote.Parse(said)
	if err != nil {
		return nil, err // what is wrong was said before by the builder
	}
	opts, name := d.app.documentOptions(), d.app.concealed(pin.URL)
	for _, known := range pooledFrom(name) {
		if known.Hash == pin.Sum && known.Unchanged(opts) {
			return known, nil
		}
	}
	store := remote.Store{Dir: copiesDir()}
	text, fetched, err := store.Get(context.Background(), pin, opts.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("loading spec %q: %w", name, err)
	}
	if fetched {
		d.app.logger.Info("a document was fetched", zap.String("spec", name), zap.Int("bytes", len(text)))
	}
	return spec.Load(name, text, opts)
}

// pooledFrom lists the documents that were read by a name. There is more than
// one while configurations from before and after a change are both there.
func pooledFrom(name string) (list []*spec.Document) {
	documentPool.Range(func(key, value any) bool {
		if key.(documentKey).name == name {
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
