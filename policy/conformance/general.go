package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	failure "github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// maxWays bounds the ways that the general engine could go through a value of a
// recursive schema with alternatives, where its work multiplies with each level:
// two alternatives may be nested ten deep.
const maxWays = 1 << 10

// maxThrough bounds the ways of the general engine to one part of a value through schemas
// that are not recursive but name one another again and again.
const maxThrough = 1 << 16

var errThrough = fmt.Errorf("there are more than %d ways through the schemas that it names, too many to go for each request: name each in one place, or leave out unevaluatedProperties, unevaluatedItems and dynamic references, which make all of them be gone", maxThrough)

// depthFor is how deep values may be when each level multiplies the work.
func depthFor(branches int) int {
	if branches < 2 {
		return maxDepth
	}
	depth := 0
	for ways := branches; ways <= maxWays; ways *= branches {
		depth++
	}
	return max(depth, 3)
}

// general judges with jsonschema/v6: dynamic references and the unevaluated
// keywords.
type general struct {
	schema *jsonschema.Schema
	depth  int // the deepest value that is judged
}

// general compiles u and what it reaches.
func (l *library) general(u *unit) (schema, error) {
	if l.compiler == nil {
		l.compiler = l.newCompiler()
	}
	s, err := l.compiler.Compile(u.url)
	if err != nil {
		return nil, fmt.Errorf("compiling a schema: %w", err)
	}
	if l.through(s) > maxThrough {
		return nil, errThrough
	}
	branches, marked := u.explosive(), false
	if u.reach(func(v *unit) { marked = marked || v.marked }); marked {
		branches = max(branches, l.waysOf(s))
	}
	return &general{schema: s, depth: depthFor(branches)}, nil
}

func (l *library) newCompiler() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(unitLoader{l})
	c.UseRegexpEngine(func(source string) (jsonschema.Regexp, error) {
		p, err := l.pattern(source)
		if err != nil {
			return nil, err
		}
		return generalPattern{p}, nil
	})
	c.AssertFormat()
	for _, f := range l.generalFormats() {
		c.RegisterFormat(f)
	}
	return c
}

// unitLoader gives the engine a unit at the first reference to it.
type unitLoader struct{ l *library }

func (u unitLoader) Load(url string) (any, error) {
	if unit, ok := u.l.byURL[url]; ok {
		return unit.doc, nil
	}
	if doc, ok := u.l.prepare().docs[url]; ok {
		return doc, nil
	}
	if reason, ok := strings.CutPrefix(url, unusable); ok {
		return nil, u.l.prepare().reason(reason)
	}
	return nil, fmt.Errorf("resolving %q: schemas outside the document are not loaded", url)
}

type generalPattern struct{ p *pattern }

func (g generalPattern) String() string            { return g.p.source }
func (g generalPattern) MatchString(s string) bool { return g.p.match([]byte(s)) }

var errFormat = errors.New("the format does not hold")

// generalFormats makes the general engine assert the same formats as the
// program. Others never reach it: the translation leaves them out.
func (l *library) generalFormats() []*jsonschema.Format {
	var list []*jsonschema.Format
	for _, name := range l.formats.names() {
		text, number := l.formats.text(name), l.formats.number(name)
		list = append(list, &jsonschema.Format{Name: name, Validate: func(v any) error {
			switch v := v.(type) {
			case string:
				if text != nil && !text([]byte(v)) {
					return errFormat
				}
			case json.Number:
				if d := parseDecimal([]byte(v)); number != nil && !number(&d) {
					return errFormat
				}
			}
			return nil
		}})
	}
	return list
}

func (g *general) judge(r *run, i uint32) bool {
	if r.t.depth > g.depth {
		return r.failCount("json-depth", "must not be nested more than ", g.depth, " deep")
	}
	value := r.t.value(i)
	err := g.schema.Validate(value)
	if err == nil {
		return true
	}
	var invalid *jsonschema.ValidationError
	if r.report != nil && errors.As(err, &invalid) {
		r.reportGeneral(invalid, value)
	}
	if r.report != nil && len(r.report.errors) == 0 {
		return r.fail("schema", "must match the schema")
	}
	return false
}

// value builds the Go value of a token, numbers as their text.
func (t *tape) value(i uint32) any {
	k := &t.toks[i]
	switch k.kind {
	case kindNull:
		return nil
	case kindFalse, kindTrue:
		return k.kind == kindTrue
	case kindNumber:
		return json.Number(t.raw(i))
	case kindString:
		return string(t.text(i, nil))
	case kindArray:
		list := make([]any, 0, k.count)
		for e := i + 1; e < k.next; e = t.toks[e].next {
			list = append(list, t.value(e))
		}
		return list
	default:
		m := make(map[string]any, k.count)
		for e := i + 1; e < k.next; e = t.toks[e+1].next {
			m[string(t.text(e, nil))] = t.value(e + 1)
		}
		return m
	}
}

// reportGeneral reports the leaves of a failure, alternatives as a whole.
func (r *run) reportGeneral(e *jsonschema.ValidationError, value any) {
	keyword := ""
	if path := e.ErrorKind.KeywordPath(); len(path) > 0 {
		keyword = path[0]
	} else {
		keyword = e.SchemaURL[strings.LastIndexByte(e.SchemaURL, '/')+1:]
	}
	_, one := e.ErrorKind.(*failure.OneOf)
	_, any := e.ErrorKind.(*failure.AnyOf)
	if len(e.Causes) > 0 && !one && !any {
		for _, cause := range e.Causes {
			r.reportGeneral(cause, value)
		}
		return
	}
	kept := len(r.report.path)
	r.report.path = append(r.report.path, generalPath(e.InstanceLocation, value)...)
	r.report.add(keyword, generalDetail(e.ErrorKind))
	r.report.path = r.report.path[:kept]
}

// generalPath hides the names of members: the general engine does not tell
// which of them the schema declares.
func generalPath(location []string, value any) []string {
	path := make([]string, 0, len(location))
	for _, segment := range location {
		switch v := value.(type) {
		case []any:
			path = append(path, segment)
			i, err := strconv.Atoi(segment)
			if err != nil || i >= len(v) {
				return path
			}
			value = v[i]
		case map[string]any:
			path = append(path, "*")
			value = v[segment]
		default:
			return path
		}
	}
	return path
}

func generalDetail(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *failure.Type:
		return "must be of the type " + typesOf(wanted(k.Want)).String()
	case *failure.Required:
		if len(k.Missing) > 0 {
			return "must have the property " + k.Missing[0]
		}
	case *failure.Enum:
		return literalDetail(k.Want)
	case *failure.Const:
		return literalDetail([]any{k.Want})
	case *failure.Format:
		return "must be in the format " + k.Want
	case *failure.Pattern:
		return "must match the pattern " + k.Want
	case *failure.FalseSchema:
		return "is not allowed"
	}
	return "must match the schema"
}

func wanted(names []string) []any {
	list := make([]any, len(names))
	for i, n := range names {
		list[i] = n
	}
	return list
}
