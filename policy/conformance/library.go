package conformance

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"weak"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema judges the value i of a run's tape. Where the run has a report, it says
// what is wrong.
type schema interface {
	judge(r *run, i uint32) bool
}

// program is the schema engine for all but a few keywords.
type program struct{ root *node }

func (p program) judge(r *run, i uint32) bool { return r.check(p.root, i) }

// library holds the compiled schemas of one document, each component once, and
// only those that were asked for.
type library struct {
	mu       sync.Mutex
	legacy   bool // OpenAPI 3.0
	answers  bool // the schemas are in the form for responses
	formats  *Formats
	dialect  error
	units    map[*openapi3.Schema]*unit
	byURL    map[string]*unit
	split    map[*openapi3.SchemaRef]*openapi3.Schema
	patterns map[string]patternOrError
	nodes    map[*unit]*node
	memos    uint32
	nesting  int
	compiler *jsonschema.Compiler

	resources map[string]any // of the document's marked schemas, as written
	prepared  *preparedResources
}

type patternOrError struct {
	p   *pattern
	err error
}

// libraries finds the library of a document, one for requests and one for
// responses, for as long as the document is in
// use, so that the operations of several versions, and of the configurations
// before and after a reload, share it.
var libraries sync.Map // libraryKey to *library

type libraryKey struct {
	document weak.Pointer[spec.Document]
	answers  bool
	formats  string
}

func libraryOf(d *spec.Document, answers bool, formats *Formats) *library {
	if d == nil {
		return newLibrary(&spec.Document{}, answers, formats)
	}
	key := libraryKey{weak.Make(d), answers, formats.Key()}
	if l, ok := libraries.Load(key); ok {
		return l.(*library)
	}
	l, loaded := libraries.LoadOrStore(key, newLibrary(d, answers, formats))
	if !loaded {
		runtime.AddCleanup(d, func(key libraryKey) { libraries.Delete(key) }, key)
	}
	return l.(*library)
}

func newLibrary(d *spec.Document, answers bool, formats *Formats) *library {
	l := &library{
		legacy:   strings.HasPrefix(d.OpenAPI, "3.0"),
		answers:  answers,
		formats:  formats,
		units:    map[*openapi3.Schema]*unit{},
		byURL:    map[string]*unit{},
		split:    map[*openapi3.SchemaRef]*openapi3.Schema{},
		patterns: map[string]patternOrError{},
		nodes:    map[*unit]*node{},
	}
	if d.Schemas != nil {
		l.resources = d.Schemas.Resources
	}
	if root := d.Root; root != nil && root.JSONSchemaDialect != "" && !knownDialect(root.JSONSchemaDialect) {
		l.dialect = fmt.Errorf("reading jsonSchemaDialect %q: %w", root.JSONSchemaDialect, errDialect)
	}
	return l
}

func (l *library) pattern(source string) (*pattern, error) {
	if known, ok := l.patterns[source]; ok {
		return known.p, known.err
	}
	p, err := newPattern(source)
	l.patterns[source] = patternOrError{p, err}
	return p, err
}

// compiled is a schema ready to judge, or why there is none.
type compiled struct {
	schema   schema // nil when nothing is checked
	err      error
	problems []string // what is left out of the schema
}

// unchecked is the reason for Result.Unchecked, empty when all is checked.
func (c *compiled) unchecked() string {
	switch {
	case c.err != nil:
		return uncheckedSchema
	case len(c.problems) > 0:
		return uncheckedPattern
	default:
		return ""
	}
}

// root is the program's first node, nil for the general engine.
func (c *compiled) root() *node {
	switch s := c.schema.(type) {
	case nil:
		return anything
	case program:
		return s.root
	default:
		return nil
	}
}

// compile never panics: what cannot be compiled is a problem of its own.
func (l *library) compile(s *openapi3.SchemaRef) (c compiled) {
	if s == nil {
		return compiled{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			c = compiled{err: fmt.Errorf("compiling a schema: %v", p)}
		}
		l.nesting = 0
	}()
	if l.dialect != nil {
		return compiled{err: l.dialect}
	}
	if s.Value == nil {
		return compiled{err: fmt.Errorf("resolving $ref %q: it leads nowhere", s.Ref)}
	}
	u := l.root(s)
	if err := u.verify(); err != nil {
		return compiled{err: err}
	}
	c.problems = u.problemsOf()
	c.schema, c.err = l.program(u)
	if errors.Is(c.err, errUncovered) {
		c.schema, c.err = l.general(u)
	}
	return c
}

func (l *library) program(u *unit) (schema, error) {
	b := builder{l: l, fresh: map[*unit]*node{}, open: map[*unit]bool{}}
	root, err := b.unit(u)
	if err != nil {
		return nil, err
	}
	b.settle()
	for u, n := range b.fresh {
		l.nodes[u] = n
	}
	return program{root}, nil
}
