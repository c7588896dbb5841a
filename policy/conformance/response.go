package conformance

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// InHeader errors of an answer name a header field of it, InBody ones its body;
// InStatus is for answers alone.
const InStatus Where = "status"

// responseRules are the answers that an operation documents.
type responseRules struct {
	once     sync.Once
	byStatus []statusAnswer // a few: looking through them is quicker than a map
}

// statusAnswer is an answer by its status: 200, 2 for "2XX", 0 for "default".
type statusAnswer struct {
	code   int
	answer *answer
}

// answer is one documented answer.
type answer struct {
	once     sync.Once
	broken   bool // its $ref leads nowhere
	declared *openapi3.Response
	entries  []*media
	header   []parameter
}

func (r *responseRules) prepare(op *openapi3.Operation) {
	r.once.Do(func() {
		if op == nil || op.Responses == nil {
			return
		}
		for status, ref := range op.Responses.Map() {
			a := &answer{broken: ref == nil || ref.Value == nil}
			if !a.broken {
				a.declared = ref.Value
			}
			if code, ok := statusOf(status); ok {
				r.byStatus = append(r.byStatus, statusAnswer{code, a})
			}
		}
	})
}

// find gives the answer for a status: the exact one, else its range, else the
// default. It reports whether it is the exact one.
func (r *responseRules) find(status int) (a *answer, exact bool) {
	var inRange, otherwise *answer
	for i := range r.byStatus {
		switch s := &r.byStatus[i]; s.code {
		case status:
			return s.answer, true
		case status / 100:
			inRange = s.answer
		case 0:
			otherwise = s.answer
		}
	}
	if inRange != nil {
		return inRange, false
	}
	return otherwise, false
}

// statusOf reads a key of `responses`.
func statusOf(key string) (code int, ok bool) {
	if strings.EqualFold(key, "default") {
		return 0, true
	}
	if len(key) == 3 && strings.EqualFold(key[1:], "xx") {
		key = key[:1]
	}
	code, err := strconv.Atoi(key)
	return code, err == nil && code > 0
}

func (a *answer) prepare(o *Operation) {
	a.once.Do(func() {
		if a.broken {
			return
		}
		l := o.responseLibrary()
		for name, entry := range a.declared.Content {
			a.entries = append(a.entries, &media{name: declaredType(name), entry: entry})
		}
		slices.SortFunc(a.entries, func(x, y *media) int { return strings.Compare(x.name, y.name) })
		for name, ref := range a.declared.Headers {
			if ref != nil && ref.Value != nil && !strings.EqualFold(name, "Content-Type") {
				a.header = append(a.header, headerOf(l, name, &ref.Value.Parameter))
			}
		}
		slices.SortFunc(a.header, func(x, y parameter) int { return strings.Compare(x.name, y.name) })
	})
}

// headerOf is the plan for a header field of an answer, which is written as a
// header parameter is.
func headerOf(l *library, name string, d *openapi3.Parameter) parameter {
	p := parameter{in: InHeader, name: name, header: http.CanonicalHeaderKey(name), required: d.Required}
	schema := d.Schema
	if schema == nil && len(d.Content) > 0 {
		schema = p.content(d.Content)
	} else {
		p.setStyle(d)
	}
	p.hint = hintOf(schema, maxHintDepth)
	p.shapes = p.hint.shapes()
	if p.unchecked == "" {
		p.schema = l.compileText(schema, p.hint)
		p.unchecked = p.schema.unchecked()
	}
	if p.style == styleUnknown {
		p.unchecked = uncheckedParameter
	}
	p.enc = p.encoding()
	p.quick = quickOf(&p)
	return p
}

// Response judges status and header of an answer to the operation, and says what
// to do with its body: Judge means to call BodyPlan.Check with the whole of it,
// coded as it was sent. method is the request's.
//
// An answer that fails (400 and above) or leads elsewhere (3xx) with a status that
// the document does not have is unchecked, not wrong: OpenAPI asks for the good
// answers and the known failures only, and much on the way may answer 429 or 503.
func (o *Operation) Response(method string, status int, h http.Header) (p BodyPlan) {
	defer func() {
		if defect := recover(); defect != nil {
			p = BodyPlan{Action: Refuse, Result: failed(defect)}
		}
	}()
	switch {
	case status == http.StatusSwitchingProtocols:
		return streamed(uncheckedUpgrade)
	case status == http.StatusNotModified:
		return BodyPlan{} // a conditional request's answer: RFC 9110, section 15.4.5
	}
	o.responses.prepare(o.op.Op)
	a, exact := o.responses.find(status)
	switch {
	case !exact && (status == http.StatusPartialContent || status == http.StatusRequestedRangeNotSatisfiable):
		// What servers of files say by themselves: a range or the default means others.
		return streamed(uncheckedPartial)
	case a == nil && (status < 200 || status >= 300):
		return streamed(uncheckedStatus)
	case a == nil:
		return refuseAnswer(InStatus, "undocumented-status", "the status is not documented: "+strconv.Itoa(status))
	case a.broken:
		return streamed(uncheckedSchema)
	}
	a.prepare(o)
	var result Result
	if len(a.header) > 0 {
		if result = a.judgeHeader(h); result.Reason != OK {
			return BodyPlan{Action: Refuse, Result: result}
		}
	}
	p = a.body(o, method, status, h)
	if p.Result.Unchecked == "" {
		p.Result.Unchecked = result.Unchecked
	}
	return p
}

func streamed(reason string) BodyPlan {
	return BodyPlan{Action: Stream, Result: Result{Unchecked: reason}}
}

func refuseAnswer(in Where, keyword, detail string) BodyPlan {
	return BodyPlan{Action: Refuse, Result: invalid(Error{In: in, Keyword: keyword, Detail: detail})}
}

func (a *answer) judgeHeader(h http.Header) Result {
	var j judge
	defer func() {
		if j.r != nil {
			j.r.release()
		}
	}()
	for i := range a.header {
		j.header(&a.header[i], h)
	}
	return j.result
}

// body judges the media type and says what to do with the body.
func (a *answer) body(o *Operation, method string, status int, h http.Header) BodyPlan {
	limit := o.cfg.MaxResponse
	switch {
	case method == http.MethodHead:
		return streamed(uncheckedHead)
	case status == http.StatusNoContent:
		return BodyPlan{}
	case status == http.StatusResetContent:
		// Unlike that of a 204 its content arrives, and clients take it for the next
		// answer: it must have none (RFC 9110, section 15.3.6), whatever is documented.
		return BodyPlan{Action: Judge, MaxBody: limit, answer: true, empty: true}
	case status == http.StatusPartialContent && isPart(h):
		return streamed(uncheckedPartial)
	case len(a.entries) == 0:
		return streamed(uncheckedNoContent)
	}
	mediaType, charset, ok := contentType(h)
	if !ok {
		return refuseAnswer(InHeader, "content-type", "the answer must have one Content-Type, and it must be well-formed")
	}
	m := matchMedia(a.entries, mediaType)
	if m == nil {
		return refuseAnswer(InHeader, "content-type", "the media type is not documented for this status")
	}
	switch {
	case m.entry != nil && m.entry.ItemSchema != nil:
		return streamed(uncheckedItems)
	case streams(mediaType):
		return streamed(uncheckedStream)
	}
	l := o.responseLibrary()
	p := BodyPlan{Action: Judge, MaxBody: limit, media: m, class: classify(mediaType), answer: true}
	if plan, final := p.known(l, mediaType, h); final {
		return plan
	}
	if p.coding, ok = contentCoding(h); !ok {
		return streamed(uncheckedCoding)
	}
	if charset != "" && !isUTF8(charset) {
		return streamed(uncheckedCharset)
	}
	m.compile(l)
	return p
}

// known completes the plan for the body of an answer, or gives the final one where
// there is nothing to judge in bodies of its media type.
func (p *BodyPlan) known(l *library, mediaType string, h http.Header) (plan BodyPlan, final bool) {
	m := p.media
	open := m.entry == nil || m.entry.Schema == nil // there is nothing that it must be
	switch p.class {
	case mediaJSON:
		return plan, false
	case mediaText:
		return BodyPlan{Action: Stream}, open || m.anyText(l)
	case mediaBinary:
		if plan = m.binary(codingNone); plan.Action == Count {
			plan = streamed(uncheckedBinary)
		}
		return plan, true
	case mediaForm, mediaMultipart:
		if open {
			return BodyPlan{Action: Stream}, true
		}
		if p.class == mediaMultipart && mediaType != formData {
			return streamed(uncheckedMultipart), true
		}
		if p.plan = m.form(l, p.class); p.plan.problem != "" {
			return streamed(p.class.unchecked()), true
		}
		if p.class == mediaMultipart {
			boundary, ok := boundaryOf(h)
			p.boundary = boundary
			return refuseAnswer(InHeader, "content-type", "the form must have one boundary, and it must be well-formed"), !ok
		}
		return plan, false
	default:
		return streamed(p.class.unchecked()), true
	}
}

// AnswersJSON reports whether the document has JSON for good answers of the
// operation, and nothing else.
func (o *Operation) AnswersJSON() bool {
	o.responses.prepare(o.op.Op)
	some := false
	for _, s := range o.responses.byStatus {
		status, a := s.code, s.answer
		if status != 0 && status != 2 && status/100 != 2 || a.broken {
			continue
		}
		for name := range a.declared.Content {
			if name = declaredType(name); classify(name) != mediaJSON || streams(name) {
				return false
			}
			some = true
		}
	}
	return some
}

// PagesJSON reports whether the document has an answer 206 with JSON: the operation
// gives out pages of a list, in another unit than bytes, each of which is a document.
func (o *Operation) PagesJSON() bool {
	o.responses.prepare(o.op.Op)
	a, exact := o.responses.find(http.StatusPartialContent)
	if !exact || a.broken {
		return false
	}
	for name := range a.declared.Content {
		if classify(declaredType(name)) == mediaJSON {
			return true
		}
	}
	return false
}

// isPart reports whether an answer 206 has a part of the bytes of something, or
// several: not a document of its own, as a page of items is (RFC 9110, section 14.4).
func isPart(h http.Header) bool {
	for _, value := range h["Content-Range"] {
		unit, _, _ := strings.Cut(strings.TrimSpace(value), " ")
		if strings.EqualFold(unit, "bytes") {
			return true
		}
	}
	mediaType, _, _ := contentType(h)
	return mediaType == "multipart/byteranges"
}

// streams tells whether answers of a media type go on and on.
func streams(mediaType string) bool {
	switch mediaType {
	case "text/event-stream", "multipart/x-mixed-replace", "application/json-seq", "application/x-ndjson", "application/jsonl", "application/stream+json":
		return true
	}
	return strings.HasPrefix(mediaType, "application/grpc")
}
