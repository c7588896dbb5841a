package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// DefaultMaxBytes is the value of Options.MaxBytes when it is zero: 32 MiB.
const DefaultMaxBytes = 32 << 20

// Options bound what a document may cost and what it may read.
type Options struct {
	// MaxBytes is the largest size in bytes of the document and the files that it
	// references, taken together. Default 32 MiB.
	MaxBytes int64

	// Dir is the folder that Load may read referenced files from, subfolders
	// included. Empty: the document must be whole, and a reference to another one is
	// an error. LoadFile sets it to the folder of the file.
	Dir string
}

// LoadFile reads a document, JSON or YAML, from a file. References lead only to
// files in its own folder, never to the network.
func LoadFile(path string, opts Options) (*Document, error) {
	opts = opts.withDefaults()
	opts.Dir = filepath.Dir(path)
	data, err := readFile(path, opts.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("loading spec %q: %w", path, err)
	}
	doc, err := Load(path, data, opts)
	if err == nil {
		doc.Text = nil // the file has it
	}
	return doc, err
}

// readFile reads at most limit bytes of a regular file.
func readFile(path string, limit int64) ([]byte, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, size, limit)
}

// openFile opens a regular file and says its size.
func openFile(path string) (*os.File, int64, error) {
	// Opening a pipe would wait for its other end.
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if info.IsDir() {
		return nil, 0, errors.New("it is a folder; name the OpenAPI file inside it")
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	return f, info.Size(), err
}

// Load reads a document, JSON or YAML, from memory. name is the path or the URL it
// came from, as the configuration spells it. What cannot be used in an otherwise good
// document is in Document.Problems; an error means that nothing can be.
func Load(name string, data []byte, opts Options) (*Document, error) {
	opts = opts.withDefaults()
	doc, err := load(name, data, opts)
	if err != nil {
		return nil, fmt.Errorf("loading spec %q: %w", name, err)
	}
	return doc, nil
}

func (o Options) withDefaults() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	return o
}

func load(name string, data []byte, opts Options) (*Document, error) {
	if int64(len(data)) > opts.MaxBytes {
		return nil, TooLarge(opts.MaxBytes)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("the file is empty")
	}
	refs := &references{dir: opts.Dir, name: baseOf(name), text: data, left: opts.MaxBytes - int64(len(data)), limit: opts.MaxBytes}
	text, schemas, err := identify(baseOf(name), data, refs)
	if err != nil {
		return nil, err
	}
	if text == nil {
		text = data
	}
	root, err := parse(baseOf(name), text, refs)
	if err != nil {
		// kin-openapi looks into the document's text too, by its name, and then tells
		// no more than the key that is not there. Where it may not it names the reference.
		refs.sealed = true
		if _, plain := parse(baseOf(name), text, refs); plain != nil && !errors.Is(plain, errSealed) {
			err = plain
		}
		return nil, diagnose(data, err)
	}
	if err := checkVersion(root); err != nil {
		return nil, err
	}
	doc := &Document{
		Name:    name,
		Text:    data,
		JSON:    looksLikeJSON(data),
		Hash:    refs.hash(data),
		OpenAPI: root.OpenAPI,
		Root:    root,
		Schemas: schemas,

		References: slices.Sorted(maps.Keys(refs.files)),
	}
	if root.Info != nil {
		doc.Title, doc.Version = root.Info.Title, root.Info.Version
	}
	doc.collect()
	return doc, nil
}

// parse runs kin-openapi's loader. It has panicked on documents before (its
// advisories name several); a panic is an error about the document here.
func parse(name string, data []byte, refs *references) (root *openapi3.T, err error) {
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, fmt.Errorf("the OpenAPI reader failed on it: %v", r)
		}
	}()
	loader := openapi3.NewLoader()
	loader.ReadFromURIFunc = refs.read
	return loader.LoadFromDataWithPath(data, &url.URL{Path: name})
}

// checkVersion refuses what is no OpenAPI 3 document.
func checkVersion(root *openapi3.T) error {
	if root.OpenAPI == "" {
		if v, ok := root.Extensions["swagger"]; ok {
			return swagger(v)
		}
		return errors.New(`it is no OpenAPI document: it has no "openapi" field`)
	}
	switch minor := root.OpenAPIMajorMinor(); minor {
	case "3.0", "3.1", "3.2":
		return nil
	default:
		return fmt.Errorf(`its "openapi" field says %q; 3.0, 3.1 and 3.2 are supported`, root.OpenAPI)
	}
}

func swagger(version any) error {
	return fmt.Errorf("it is a Swagger %v document; convert it to OpenAPI 3.0 or later", version)
}

// TooLarge is the error about a document of more than that many bytes.
type TooLarge int64

// Error implements error.
func (limit TooLarge) Error() string {
	return fmt.Sprintf("the document and its references are larger than %d bytes: raise max_document, or split the document", int64(limit))
}

// readAll reads at most limit bytes. size is a guess that saves the growing.
func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, TooLarge(limit)
	}
	data := make([]byte, 0, size+1)
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if int64(len(data)) > limit {
			return nil, TooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}
