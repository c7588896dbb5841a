package conformance

import (
	"net/http"
	"strings"
)

// judge is one judgement of a request's parameters.
type judge struct {
	r      *run // nil until something needs it: mostly nothing does
	rules  *parameterRules
	result Result
}

// run is where values are read and judged that are not plainly right.
func (j *judge) run() *run {
	if j.r == nil {
		j.r = newRun()
	}
	return j.r
}

// source is where a parameter's value stands.
type source struct {
	text string // of the one occurrence
	all  string // the query or cookies around it
	many bool   // there are several
}

// Parameters judges the path, query, header and cookie parameters of r.
func (o *Operation) Parameters(r *Request) (result Result) {
	rules := o.prepareParameters()
	j := judge{rules: rules}
	defer func() {
		if j.r != nil {
			j.r.release()
		}
		if p := recover(); p != nil {
			result = failed(p)
		}
	}()
	j.result.Unchecked = rules.unchecked
	for i := range rules.path {
		p := &rules.path[i]
		at := r.Params[p.position]
		j.judge(p, source{text: r.Path[at.Start:at.End]})
	}
	if r.RawQuery != "" || rules.asks {
		j.query(r.RawQuery)
	}
	for i := range rules.header {
		j.header(&rules.header[i], r.Header)
	}
	if len(rules.cookie) > 0 {
		j.cookies(r.Header)
	}
	return j.result
}

func (j *judge) add(e Error) {
	j.result.Reason = Invalid
	if len(j.result.Errors) < MaxErrors {
		j.result.Errors = append(j.result.Errors, e)
	}
}

func (j *judge) fault(p *parameter, f fault) {
	j.add(Error{In: p.in, Name: p.name, Keyword: f.keyword(), Detail: f.detail()})
}

func (j *judge) missing(p *parameter) {
	j.fault(p, faultMissing)
}

func (j *judge) unchecked(reason string) {
	if j.result.Unchecked == "" {
		j.result.Unchecked = reason
	}
}

// judge judges one parameter that is there. Where its schema allows several
// forms or types, the value is valid if any reading of it is.
func (j *judge) judge(p *parameter, s source) {
	if p.quick != nil && p.quick.takes(j, s.text, p.enc) {
		return
	}
	j.read(p, s)
}

// read judges a parameter that is read in all the ways that it may be.
func (j *judge) read(p *parameter, s source) {
	if p.empty && s.text == "" && p.plain() {
		return
	}
	if p.unchecked != "" {
		j.unchecked(p.unchecked)
		if p.schema.schema == nil {
			return
		}
	}
	b := reading{r: j.run(), enc: p.encoding(), trim: p.in == InHeader}
	var first fault
	for i, form := range p.shapes {
		if s.many && form == shapeScalar {
			continue
		}
		for _, b.prefer = range [...]preference{preferSpecific, preferText} {
			b.begin()
			j.build(&b, p, form, s)
			b.end()
			if b.undefined {
				j.unchecked(uncheckedNested)
				return
			}
			if b.f == noFault && (p.schema.schema == nil || b.r.holds(p.schema.schema, 0)) {
				return
			}
			if i == 0 && b.prefer == preferSpecific {
				first = b.f
			}
			if !b.mixed {
				break
			}
		}
	}
	if first != noFault {
		j.fault(p, first)
		return
	}
	if len(p.shapes) > 1 || b.prefer != preferSpecific {
		b.prefer = preferSpecific
		b.begin()
		j.build(&b, p, p.shapes[0], s)
		b.end()
		b.r.holds(p.schema.schema, 0)
	}
	why := b.r.explain(p.schema.schema, 0, p.in, p.name)
	if j.result.Errors == nil {
		j.result.Reason, j.result.Errors = Invalid, why
		return
	}
	for _, e := range why {
		j.add(e)
	}
}

// build puts the value on the tape in the given form.
func (j *judge) build(b *reading, p *parameter, form shape, s source) {
	if p.json {
		j.readJSON(b, s.text)
		return
	}
	text := s.text
	switch p.style {
	case styleLabel:
		var ok bool
		if text, ok = strings.CutPrefix(text, "."); !ok {
			b.f = faultStyle
		}
	case styleMatrix:
		text = j.matrix(b, p, form, text)
	case styleDeep:
		if form == shapeObject {
			j.deepObject(b, p, s.all)
			return
		}
	}
	switch {
	case form == shapeScalar:
		b.scalar(text, p.hint.types)
	case form == shapeArray && p.in == InQuery && p.explode:
		j.queryArray(b, p, s.all)
	case form == shapeArray && p.in == InCookie && p.explode:
		j.cookieArray(b, p, s.all)
	case form == shapeArray:
		prefix := ""
		if p.style == styleMatrix && p.explode {
			prefix = p.name
		}
		b.list(text, p.separator(), prefix, p.hint.itemTypes())
	case p.in == InQuery && p.style == styleForm && p.explode:
		j.queryObject(b, p, s.all)
	case p.in == InCookie && p.explode:
		j.cookieObject(b, p, s.all)
	default:
		b.members(text, p.separator(), p.explode, p.hint)
	}
}

// matrix takes the leading semicolon, and the name where it stands once, off a
// value of the style matrix.
func (j *judge) matrix(b *reading, p *parameter, form shape, text string) string {
	text, ok := strings.CutPrefix(text, ";")
	if ok && (form == shapeScalar || !p.explode) {
		text, ok = cutName(text, p.name)
	}
	if !ok {
		b.f = faultStyle
	}
	return text
}

// readJSON reads a parameter that is written as JSON.
func (j *judge) readJSON(b *reading, text string) {
	b.decode(text)
	if b.f == noFault {
		b.f = b.r.t.read(b.r.buf)
	}
}

// trimBlanks is s without the blanks around it, of which there are mostly none.
func trimBlanks(s string) string {
	if s != "" && s[0] > ' ' && s[len(s)-1] > ' ' {
		return s
	}
	return strings.Trim(s, " \t")
}

// header judges a header parameter. A list may come in several lines (RFC 9110
// section 5.3), a scalar may not.
func (j *judge) header(p *parameter, h http.Header) {
	values := h[p.header]
	switch {
	case len(values) == 0:
		if p.required {
			j.missing(p)
		}
	case len(values) == 1:
		j.judge(p, source{text: trimBlanks(values[0])})
	case p.plain() || p.json:
		j.fault(p, faultRepeated)
	default:
		j.judge(p, source{text: strings.Join(values, ",")})
	}
}
