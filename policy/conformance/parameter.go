package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/getkin/kin-openapi/openapi3"
)

// parameter is the plan for one parameter.
type parameter struct {
	in       Where
	name     string
	header   string // canonical, of a header parameter
	position int    // of a path parameter in Request.Params
	required bool
	empty    bool // allowEmptyValue
	style    style
	explode  bool
	raw      bool // without percent-encoding, although the location has it
	json     bool // written as JSON (`content`)
	hint     *hint
	shapes   []shape
	schema   compiled
	quick    *quick
	named    bool   // the name in a query is the parameter's own
	lead     string // `name=` of such a one, where the name stands for itself
	enc      encoding
	// unchecked is why the value is not judged at all.
	unchecked string
}

// parameterRules is the plan for all parameters of an operation.
type parameterRules struct {
	once     sync.Once
	done     atomic.Bool
	path     []parameter
	query    []parameter
	header   []parameter
	cookie   []parameter
	byName   map[string]int // positions in query
	loose    []int          // positions in query of objects whose properties are names of the query
	keys     []string       // of API keys in the query
	whole    bool           // the query as a whole is one parameter
	asks     bool           // for query parameters that must be there
	problems []string
	// unchecked is why a parameter has no plan at all.
	unchecked string
}

// maxQueryParameters is how many query parameters are judged; the rest of an
// operation with more is unchecked.
const maxQueryParameters = 256

// ignored are the header parameters that OpenAPI says SHALL be ignored, and
// those that net/http takes out of the header.
var ignored = []string{"Accept", "Content-Type", "Authorization", "Host", "Transfer-Encoding", "Trailer"}

func (o *Operation) prepareParameters() *parameterRules {
	if !o.parameters.done.Load() {
		o.readParameters(&o.parameters)
	}
	return &o.parameters
}

func (o *Operation) readParameters(p *parameterRules) {
	p.once.Do(func() {
		defer p.done.Store(true)
		defer func() {
			if v := recover(); v != nil {
				p.leaveOut(fmt.Sprintf("parameters: %v", v))
			}
		}()
		for _, declared := range o.declaredParameters() {
			o.addParameter(p, declared)
		}
		p.byName = make(map[string]int, len(p.query))
		for i := range p.query {
			q := &p.query[i]
			if q.exploded(shapeObject) {
				p.loose = append(p.loose, i)
			} else {
				p.byName[q.name] = i
				if q.named = q.style != styleDeep; q.named && q.name != "" && !strings.ContainsAny(q.name, "%+&=") {
					q.lead = q.name + "="
				}
			}
		}
		p.keys = append(o.queryKeys(), o.cfg.Query...)
	})
}

// declaredParameters are the operation's and, where it does not override them,
// the path item's.
func (o *Operation) declaredParameters() []*openapi3.Parameter {
	var list []*openapi3.Parameter
	add := func(from openapi3.Parameters) {
		for _, r := range from {
			if r == nil || r.Value == nil {
				continue
			}
			if !slices.ContainsFunc(list, func(p *openapi3.Parameter) bool {
				return p.In == r.Value.In && p.Name == r.Value.Name
			}) {
				list = append(list, r.Value)
			}
		}
	}
	if o.op.Op != nil {
		add(o.op.Op.Parameters)
	}
	if o.op.Path != nil {
		add(o.op.Path.Parameters)
	}
	return list
}

func (o *Operation) addParameter(rules *parameterRules, d *openapi3.Parameter) {
	p := parameter{in: Where(d.In), name: d.Name, required: d.Required, empty: d.AllowEmptyValue && d.In == "query"}
	schema := d.Schema
	switch {
	case schema == nil && len(d.Content) > 0:
		schema = p.content(d.Content)
	default:
		p.setStyle(d)
	}
	p.hint = hintOf(schema, maxHintDepth)
	p.shapes = p.hint.shapes()
	if p.unchecked == "" {
		p.schema = o.library().compileText(schema, p.hint)
		p.unchecked = p.schema.unchecked()
	}
	if p.style == styleUnknown {
		p.unchecked = uncheckedParameter
	}
	p.enc = p.encoding()
	p.quick = quickOf(&p)
	switch p.in {
	case InPath:
		p.position = slices.Index(o.params, p.name)
		if p.position < 0 {
			rules.leaveOut(fmt.Sprintf("parameter %q in path: the template does not have it", p.name))
			return
		}
		rules.path = append(rules.path, p)
	case InQuery:
		if len(rules.query) == maxQueryParameters {
			rules.leaveOut(fmt.Sprintf("parameter %q in query: more than %d are not checked", p.name, maxQueryParameters))
			rules.whole = true
			return
		}
		rules.query = append(rules.query, p)
		rules.asks = rules.asks || p.required
	case InHeader:
		p.header = http.CanonicalHeaderKey(p.name)
		if slices.Contains(ignored, p.header) {
			return
		}
		rules.header = append(rules.header, p)
	case InCookie:
		rules.cookie = append(rules.cookie, p)
	default:
		if d.In == "querystring" {
			rules.whole, rules.unchecked = true, uncheckedQuery
			rules.problems = append(rules.problems, fmt.Sprintf("parameter %q: a query string as a whole is not checked", p.name))
			return
		}
		rules.leaveOut(fmt.Sprintf("parameter %q in %s: the location is not checked", p.name, d.In))
		return
	}
	rules.problems = append(rules.problems, p.problems()...)
}

// leaveOut notes a parameter that has no plan.
func (p *parameterRules) leaveOut(problem string) {
	p.problems = append(p.problems, problem)
	p.unchecked = uncheckedParameter
}

func (p *parameter) problems() []string {
	where := fmt.Sprintf("parameter %q in %s", p.name, p.in)
	switch {
	case p.schema.err != nil:
		return []string{where + ": " + p.schema.err.Error()}
	case len(p.schema.problems) > 0:
		return []string{where + ": " + strings.Join(p.schema.problems, "; ")}
	case p.unchecked != "":
		return []string{where + ": its style or content is not checked (" + p.unchecked + ")"}
	default:
		return nil
	}
}

// content takes the one entry of a parameter's `content`.
func (p *parameter) content(entries openapi3.Content) *openapi3.SchemaRef {
	for name, m := range entries {
		if name, _, _ = strings.Cut(name, ";"); m != nil && len(entries) == 1 && classify(strings.ToLower(name)) == mediaJSON {
			p.json, p.style = true, styleForm
			return m.Schema
		}
	}
	p.style, p.unchecked = styleForm, uncheckedContent
	return nil
}

// exploded tells whether the members of such a value stand side by side under
// names of their own.
func (p *parameter) exploded(s shape) bool {
	return p.explode && !p.json && p.style == styleForm && slices.Contains(p.shapes, s)
}

// multiple tells whether the value may stand in several occurrences.
func (p *parameter) multiple() bool {
	return p.explode && !p.json && slices.Contains(p.shapes, shapeArray)
}

// plain tells whether the parameter is a scalar in any case.
func (p *parameter) plain() bool {
	return !p.json && len(p.shapes) == 1 && p.shapes[0] == shapeScalar
}

// queryKeys are the names of the document's API keys in the query.
func (o *Operation) queryKeys() []string {
	if o.op.Document == nil || o.op.Document.Root == nil || o.op.Document.Root.Components == nil {
		return nil
	}
	var names []string
	for _, s := range o.op.Document.Root.Components.SecuritySchemes {
		if s != nil && s.Value != nil && s.Value.Type == "apiKey" && s.Value.In == "query" {
			names = append(names, s.Value.Name)
		}
	}
	return names
}
