package conformance

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// Action is what to do with the body of a request.
type Action uint8

const (
	// NoBody: there is none and none is needed.
	NoBody Action = iota
	// Judge: read up to BodyPlan.MaxBody bytes, then call BodyPlan.Check.
	Judge
	// Stream: forward it without judging; Result.Unchecked says why.
	Stream
	// Refuse: Result says why.
	Refuse
)

// BodyPlan says what to do with a body before a byte of it is read.
type BodyPlan struct {
	Action Action
	// Result is final unless Action is Judge.
	Result Result
	// MaxBody is how many bytes Check takes; more is BodyTooLarge. It is set
	// when Action is Judge.
	MaxBody int64

	media  *media
	coding coding
	form   bool
}

// bodyRules are the media types that an operation takes.
type bodyRules struct {
	once     sync.Once
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
	schema compiled

	form sync.Once
	hint *hint // of a form; set by flat
}

func (m *media) compile(l *library) {
	m.once.Do(func() {
		if m.entry != nil {
			m.schema = l.compile(m.entry.Schema)
		}
	})
}

// judged tells whether a request may have the entry's media type and be JSON or
// a form.
func (m *media) judged() bool {
	class := classify(m.name)
	return class == mediaJSON || class == mediaForm || m.name == "*/*" || m.name == "application/*"
}

func (b *bodyRules) prepare(op *openapi3.Operation) {
	b.once.Do(func() {
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
			name, _, _ = strings.Cut(name, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			b.entries = append(b.entries, &media{name: name, entry: entry})
		}
		slices.SortFunc(b.entries, func(x, y *media) int { return strings.Compare(x.name, y.name) })
		var names []string
		for _, m := range b.entries {
			names = append(names, m.name)
		}
		b.accept = strings.Join(slices.Compact(names), ", ")
	})
}

// Body says what to do with the body of a request with the header h. present
// tells whether the body has a first byte; the length header alone cannot say
// so for a chunked or an HTTP/2 body.
func (o *Operation) Body(h http.Header, present bool) (p BodyPlan) {
	defer func() {
		if recover() != nil {
			p = BodyPlan{Action: Refuse, Result: Result{Reason: Internal}}
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
	mediaType, charset, ok := contentType(h)
	if !ok {
		return unsupported
	}
	m := matchMedia(b.entries, mediaType)
	if m == nil {
		return unsupported
	}
	c, ok := contentCoding(h)
	if !ok {
		return unsupported
	}
	class := classify(mediaType)
	if class != mediaJSON && class != mediaForm {
		return BodyPlan{Action: Stream, Result: Result{Unchecked: class.unchecked()}}
	}
	if charset != "" && charset != "utf-8" && charset != "utf8" {
		return unsupported
	}
	m.compile(o.library())
	if class == mediaForm && (m.entry == nil || !m.flat()) {
		return BodyPlan{Action: Stream, Result: Result{Unchecked: uncheckedForm}}
	}
	return BodyPlan{Action: Judge, MaxBody: o.cfg.MaxBody, media: m, coding: c, form: class == mediaForm}
}

func refuseBody(keyword, detail string) BodyPlan {
	return BodyPlan{Action: Refuse, Result: invalid(Error{In: InBody, Keyword: keyword, Detail: detail})}
}

func invalid(errs ...Error) Result { return Result{Reason: Invalid, Errors: errs} }

// Check judges a whole body as it was received, content coding included.
func (p *BodyPlan) Check(body []byte) (result Result) {
	defer func() {
		if recover() != nil {
			result = Result{Reason: Internal}
		}
	}()
	if p.Action != Judge {
		return p.Result
	}
	if int64(len(body)) > p.MaxBody {
		return Result{Reason: BodyTooLarge}
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
	if p.form {
		return p.checkForm(r, string(body))
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
