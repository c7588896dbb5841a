package inventory

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"encoding/json"
	"github.com/getkin/kin-openapi/openapi3"
)

// maxDrift is how many deviations of an operation are held.
const maxDrift = 32

// drift is something that an operation does and its document does not have.
type drift struct {
	Count uint64 `json:"count"`
	Last  int64  `json:"last"` // Unix nanoseconds
}

// learnDrift holds a sample of a documented operation against its document: media
// types, query parameters and members of bodies that were never
// declared. Whether the declared ones are as they should be is the rules' request
// and response to say.
func (inv *Inventory) learnDrift(s *Sample) {
	op := s.Route.Operation
	if op.Op == nil || op.Document.Root == nil {
		return
	}
	w := drifting{found: make(map[string]bool)}
	if classOf(s.Status) == 2 {
		// What upstream took. Anybody may send more.
		w.query(s)
		w.request(op.Op, &s.Request)
	}
	w.answer(op.Op, s)
	if len(w.found) == 0 {
		return
	}
	for what := range w.found {
		inv.addDrift(s.entry, what, 1, s.Time)
	}
}

// addDrift notes what a documented operation did.
func (inv *Inventory) addDrift(e *entry, what string, count uint64, at int64) {
	d := inv.learnedOf(e.id)
	if d == nil {
		return
	}
	if hash := hex.EncodeToString(e.slot.route.Operation.Document.Hash[:8]); d.Document != hash {
		inv.nodes -= d.nodes()
		*d = learned{Document: hash}
	}
	d.unsaved = true
	x := d.Drift[what]
	if x == nil {
		if len(d.Drift) >= maxDrift {
			return
		}
		if d.Drift == nil {
			d.Drift = make(map[string]*drift)
		}
		x = new(drift)
		d.Drift[what] = x
	}
	x.Count += count
	x.Last = max(x.Last, at)
}

type drifting struct{ found map[string]bool }

func (w *drifting) add(format string, args ...any) { w.found[fmt.Sprintf(format, args...)] = true }

// query looks for parameters that no document has. A name with brackets is a part
// of a declared object.
func (w *drifting) query(s *Sample) {
	op := s.Route.Operation
	declared := make(map[string]bool)
	for _, ref := range slices.Concat(op.Path.Parameters, op.Op.Parameters) {
		p := ref.Value
		if p == nil || p.In != openapi3.ParameterInQuery {
			continue
		}
		declared[p.Name] = true
		if p.Schema == nil || p.Schema.Value == nil {
			continue
		}
		if exploded := p.Style == "" || p.Style == openapi3.SerializationForm; exploded && len(p.Schema.Value.Properties) > 0 {
			for name := range p.Schema.Value.Properties {
				declared[name] = true
			}
		}
	}
	for _, key := range s.rec.keys {
		if key.in == "query" {
			declared[key.name] = true
		}
	}
	values, _ := url.ParseQuery(s.Query)
	for name := range values {
		short, _, _ := strings.Cut(name, "[")
		if !declared[name] && !declared[short] && isName(name) {
			w.add("query parameter %q", name)
		}
	}
}

func (w *drifting) request(op *openapi3.Operation, m *Message) {
	if len(m.Body) == 0 || m.MediaType == "" {
		return
	}
	if op.RequestBody == nil || op.RequestBody.Value == nil {
		w.add("request body of %s", m.MediaType)
		return
	}
	w.body("request", op.RequestBody.Value.Content, m)
}

func (w *drifting) answer(op *openapi3.Operation, s *Sample) {
	if op.Responses == nil {
		return
	}
	status := strconv.Itoa(s.Status)
	ref := op.Responses.Value(status)
	if ref == nil {
		ref = op.Responses.Value(status[:1] + "XX")
	}
	if ref == nil {
		if ref = op.Responses.Default(); ref == nil {
			return // statuses are looked at in every answer, see strange
		}
	}
	if ref.Value == nil || s.Method == "HEAD" || s.Status == 304 || s.Answer.MediaType == "" || len(s.Answer.Body) == 0 && s.Answer.Whole {
		return
	}
	if len(ref.Value.Content) == 0 {
		w.add("body of %s with status %s", s.Answer.MediaType, status)
		return
	}
	w.body("answer "+status, ref.Value.Content, &s.Answer)
}

func (w *drifting) body(where string, content openapi3.Content, m *Message) {
	declared := mediaOf(content, m.MediaType)
	if declared == nil {
		w.add("media type %s in %s", m.MediaType, where)
		return
	}
	if !isJSON(m.MediaType) || !m.Whole || declared.Schema == nil {
		return
	}
	var v any
	if json.Unmarshal(m.Body, &v) != nil {
		return
	}
	w.members(where, "", []*openapi3.SchemaRef{declared.Schema}, v, 0)
}

// mediaOf is what a document has for a media type: itself, its range, or any.
func mediaOf(content openapi3.Content, mediaType string) *openapi3.MediaType {
	major, _, _ := strings.Cut(mediaType, "/")
	for _, want := range []string{mediaType, major + "/*", "*/*"} {
		for _, name := range slices.Sorted(maps.Keys(content)) {
			if mediaTypeOf(name) == want {
				return content[name]
			}
		}
	}
	return nil
}

// members looks for members that none of the schemas has.
func (w *drifting) members(where, pointer string, schemas []*openapi3.SchemaRef, v any, depth int) {
	if depth > maxDepth || len(schemas) == 0 {
		return
	}
	var a applicable
	for _, ref := range schemas {
		a.collect(ref, 0)
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v[:min(len(v), maxItems)] {
			w.members(where, pointer+"/-", a.items, item, depth+1)
		}
	case map[string]any:
		for name, member := range v {
			next, declared := a.properties[name]
			switch {
			case declared:
				w.members(where, pointer+"/"+escapePointer(name), next, member, depth+1)
			case a.open || len(a.properties) == 0:
			case isName(name):
				w.add("member %s in %s", pointer+"/"+escapePointer(name), where)
			}
		}
	}
}

func escapePointer(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }

// applicable is what schemas that may hold together say about a value.
type applicable struct {
	properties map[string][]*openapi3.SchemaRef
	items      []*openapi3.SchemaRef
	open       bool // other members are declared too
}

func (a *applicable) collect(ref *openapi3.SchemaRef, depth int) {
	if ref == nil || ref.Value == nil || depth > maxDepth {
		return
	}
	s := ref.Value
	for name, p := range s.Properties {
		if a.properties == nil {
			a.properties = make(map[string][]*openapi3.SchemaRef)
		}
		a.properties[name] = append(a.properties[name], p)
	}
	if s.Items != nil {
		a.items = append(a.items, s.Items)
	}
	a.open = a.open || s.AdditionalProperties.Schema != nil || s.AdditionalProperties.Has != nil && *s.AdditionalProperties.Has ||
		s.Not != nil || len(s.PatternProperties) > 0
	for _, list := range []openapi3.SchemaRefs{s.AllOf, s.AnyOf, s.OneOf} {
		for _, sub := range list {
			a.collect(sub, depth+1)
		}
	}
}

// byClients reports whether it is clients who decide about a deviation: one of them
// alone proves nothing.
func byClients(what string) bool {
	return strings.HasPrefix(what, "query ") || strings.HasPrefix(what, "request ") || strings.HasSuffix(what, " in request")
}

// driftOf is what an operation's document does not have and it did lately, by name,
// and when the latest of it was.
func (inv *Inventory) driftOf(e *entry, since int64) (what []string, count uint64, last int64) {
	d := inv.learned[e.id]
	if d == nil || e.slot == nil || d.Document != hex.EncodeToString(e.slot.route.Operation.Document.Hash[:8]) {
		return nil, 0, 0
	}
	for name, x := range d.Drift {
		if x.Last > since && (x.Count > 1 || !byClients(name)) {
			what = append(what, name)
			count += x.Count
			last = max(last, x.Last)
		}
	}
	slices.Sort(what)
	return what, count, last
}
