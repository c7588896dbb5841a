package conformance

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// Action is what to do with the body of a request.
type Action uint8

const (
	// NoBody: there is none and none is needed.
	NoBody Action = iota
	// Judge: read up to BodyPlan.MaxBody bytes, then call BodyPlan.Check.
	Judge
	// Count: pass it through BodyPlan.Watch; more than BodyPlan.MaxBody bytes are
	// BodyTooLarge.
	Count
	// Stream: forward it without judging; Result.Unchecked says why.
	Stream
	// Refuse: Result says why.
	Refuse
)

// BodyPlan says what to do with a body before a byte of it is read.
type BodyPlan struct {
	Action Action // what the caller has to do; the zero value: nothing
	// Result is final unless Action is Judge.
	Result Result
	// MaxBody is how many bytes Check takes; more is BodyTooLarge. It is set
	// when Action is Judge or Count.
	MaxBody int64

	media    *media
	class    mediaClass
	coding   coding
	plan     *formPlan // of a form
	boundary string    // of a multipart form
	answer   bool      // it is the body of an answer
	empty    bool      // and there must be none
}

// bodyRules are the media types that an operation takes.
type bodyRules struct {
	once     sync.Once
	done     atomic.Bool
	declared bool
	required bool
	entries  []*media
	accept   string
	problem  string
}

// media is one entry of requestBody.content.
type media struct {
	name   string // in lower case, without parameters; ranges as "text/*" and "*/*"
	entry  *openapi3.MediaType
	once   sync.Once
	done   atomic.Bool // schema and hint are there
	schema compiled
	hint   *hint // of a body that is text

	forms [2]struct { // in pairs and in parts
		once sync.Once
		done atomic.Bool
		plan *formPlan
	}
}

func (m *media) compile(l *library) {
	m.once.Do(func() {
		if m.entry != nil {
			m.schema = l.compile(m.entry.Schema)
			m.hint = hintOf(m.entry.Schema, 1)
		}
		m.done.Store(true)
	})
}

// form is the plan for forms of the entry.
func (m *media) form(l *library, class mediaClass) *formPlan {
	at := 0
	if class == mediaMultipart {
		at = 1
	}
	f := &m.forms[at]
	f.once.Do(func() {
		entry := m.entry
		if entry == nil {
			entry = &openapi3.MediaType{}
		}
		f.plan = newFormPlan(l, entry, class == mediaMultipart)
		f.done.Store(true)
	})
	return f.plan
}

// judged tells whether a request may have the entry's media type and be judged.
func (m *media) judged() bool {
	switch classify(m.name) {
	case mediaJSON, mediaForm, mediaMultipart, mediaText:
		return true
	}
	return m.name == "*/*" || m.name == "application/*"
}

const formData = "multipart/form-data"

func (b *bodyRules) prepare(op *openapi3.Operation) {
	if !b.done.Load() {
		b.read(op)
	}
}

func (b *bodyRules) read(op *openapi3.Operation) {
	b.once.Do(func() {
		defer b.done.Store(true)
		if op == nil || op.RequestBody == nil {
			return
		}
		b.declared = true
		if op.RequestBody.Value == nil {
			b.problem = "request body: its $ref leads nowhere"
			return
		}
		b.required = op.RequestBody.Value.Required
		for name, entry := range op.RequestBody.Value.Content {
			b.entries = append(b.entries, &media{name: declaredType(name), entry: entry})
		}
		slices.SortFunc(b.entries, func(x, y *media) int { return strings.Compare(x.name, y.name) })
		var names []string
		for _, m := range b.entries {
			names = append(names, m.name)
		}
		b.accept = strings.Join(slices.Compact(names), ", ")
	})
}

// NeedsBody tells whether a request must have a body. One that needs none and has none
// has nothing that Body would judge.
func (o *Operation) NeedsBody() bool {
	o.body.prepare(o.op.Op)
	return o.body.required
}

// Body says what to do with the body of a request with the header h. present
// tells whether the body has a first byte; the length header alone cannot say
// so for a chunked or an HTTP/2 body.
func (o *Operation) Body(h http.Header, present bool) (p BodyPlan) {
	defer func() {
		if defect := recover(); defect != nil {
			p = BodyPlan{Action: Refuse, Result: failed(defect)}
		}
	}()
	b := &o.body
	b.prepare(o.op.Op)
	switch {
	case !present && !b.required:
		return BodyPlan{}
	case !present:
		return refuseBody("required", "the request must have a body")
	case !b.declared:
		return refuseBody("undeclared-body", "the request must not have a body")
	case len(b.entries) == 0:
		return BodyPlan{Action: Stream, Result: Result{Unchecked: uncheckedNoContent}}
	}
	unsupported := BodyPlan{Action: Refuse, Result: Result{Reason: MediaTypeUnsupported, Accept: b.accept}}
	var mediaType, charset string
	m, ok := b.exact(h), true
	if m != nil {
		mediaType = m.name
	} else if mediaType, charset, ok = contentType(h); !ok {
		return unsupported
	} else if m = matchMedia(b.entries, mediaType); m == nil {
		return unsupported
	}
	c, ok := contentCoding(h)
	if !ok {
		return unsupported
	}
	p = BodyPlan{Action: Judge, MaxBody: o.cfg.MaxBody, media: m, coding: c, class: classify(mediaType)}
	if m.entry != nil && m.entry.ItemSchema != nil {
		return streamed(uncheckedItems)
	}
	open := m.entry == nil || m.entry.Schema == nil // there is nothing that it must be
	switch p.class {
	case mediaJSON:
	case mediaText:
		if open || m.anyText(o.library()) {
			return BodyPlan{Action: Stream}
		}
	case mediaBinary:
		return m.binary(c)
	case mediaForm, mediaMultipart:
		if open {
			return BodyPlan{Action: Stream}
		}
		if p.class == mediaMultipart && mediaType != formData {
			return streamed(uncheckedMultipart)
		}
		if p.plan = m.form(o.library(), p.class); p.plan.problem != "" {
			return streamed(p.class.unchecked())
		}
		if p.class == mediaMultipart {
			if p.boundary, ok = boundaryOf(h); !ok {
				return unsupported
			}
		}
	default:
		return streamed(p.class.unchecked())
	}
	if charset != "" && !isUTF8(charset) {
		return unsupported
	}
	m.compile(o.library())
	return p
}

// anyText tells whether the schema takes every text.
func (m *media) anyText(l *library) bool {
	m.compile(l)
	s, ok := m.schema.schema.(program)
	if !ok || len(m.schema.problems) > 0 {
		return false
	}
	n := s.root
	return !n.never && n.types&typeString != 0 && n.values == nil && n.text == nil && n.combine == nil
}

// binary says what to do with a body of any bytes: its schema can say how many.
func (m *media) binary(c coding) BodyPlan {
	if m.entry == nil || m.entry.Schema == nil || m.entry.Schema.Value == nil {
		return BodyPlan{Action: Stream}
	}
	s := m.entry.Schema.Value
	if isMarked(s) {
		return streamed(uncheckedBinary)
	}
	for _, t := range s.Type.Slice() {
		if t != openapi3.TypeString {
			return streamed(uncheckedBinary)
		}
	}
	if s.MaxLength != nil && c != codingNone || s.MinLength > 0 || s.Pattern != "" || s.Enum != nil || s.Const != nil || s.Not != nil || s.If != nil ||
		len(s.AllOf)+len(s.AnyOf)+len(s.OneOf) > 0 {
		return streamed(uncheckedBinary)
	}
	if s.MaxLength == nil || *s.MaxLength > 1<<62 {
		return BodyPlan{Action: Stream}
	}
	return BodyPlan{Action: Count, MaxBody: int64(*s.MaxLength)}
}

// exact finds the entry whose name the one Content-Type is, as clients mostly
// write it.
func (b *bodyRules) exact(h http.Header) *media {
	values := h["Content-Type"]
	if len(values) != 1 {
		return nil
	}
	for _, m := range b.entries {
		if m.name == values[0] && strings.IndexByte(m.name, '*') < 0 {
			return m
		}
	}
	return nil
}

func refuseBody(keyword, detail string) BodyPlan {
	return BodyPlan{Action: Refuse, Result: invalid(Error{In: InBody, Keyword: keyword, Detail: detail})}
}

func invalid(errs ...Error) Result { return Result{Reason: Invalid, Errors: errs} }

// Check judges a whole body as it was received, content coding included.
func (p *BodyPlan) Check(body []byte) (result Result) {
	defer func() {
		if p := recover(); p != nil {
			result = failed(p)
		}
	}()
	if p.Action != Judge {
		return p.Result
	}
	if int64(len(body)) > p.MaxBody {
		return Result{Reason: BodyTooLarge}
	}
	if p.empty {
		if len(body) > 0 {
			return invalid(Error{In: InBody, Keyword: "content", Detail: "must be empty with this status"})
		}
		return Result{}
	}
	body, err := p.coding.decode(body, p.MaxBody)
	switch {
	case errors.Is(err, errTooLarge):
		return Result{Reason: BodyTooLarge}
	case err != nil:
		return invalid(Error{In: InBody, Keyword: "content-encoding", Detail: "must be one stream in the content coding that the header names"})
	}
	r := newRun()
	defer r.release()
	switch p.class {
	case mediaForm:
		return p.checkForm(r, string(body))
	case mediaMultipart:
		return p.checkMultipart(r, body)
	case mediaText:
		return p.checkText(r, body)
	}
	if root := p.media.schema.root(); root != nil && r.takes(root, body) {
		return Result{Unchecked: p.media.schema.unchecked()}
	}
	if f := r.t.read(body); f != noFault {
		return invalid(Error{In: InBody, Keyword: f.keyword(), Detail: f.detail()})
	}
	result.Unchecked = p.media.schema.unchecked()
	if s := p.media.schema.schema; s != nil && !r.holds(s, 0) {
		result.Reason, result.Errors = Invalid, r.explain(s, 0, InBody, "")
	}
	return result
}

// checkText judges a body that is text as one scalar.
func (p *BodyPlan) checkText(r *run, body []byte) (result Result) {
	switch {
	case utf8.Valid(body):
	case p.answer: // it may be in what text/* was in before UTF-8, as old servers have it
		return Result{Unchecked: uncheckedCharset}
	default:
		return formFault(faultText, "")
	}
	allowed := p.media.hint.scalars()
	if allowed &^= typeArray | typeObject; allowed == 0 || p.media.hint.marked {
		return Result{Unchecked: uncheckedText}
	}
	defer func() { r.buf = nil }() // it is the body, which the pool must not keep
	j := judge{r: r}
	return p.judgeForm(&j, encodedNot, func(b *reading) string {
		r.buf = body
		b.typed(0, len(body), allowed)
		return ""
	})
}
