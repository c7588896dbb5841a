package conformance

import "strings"

// maxFields is how many pairs a form may have: what frameworks take by default,
// ten times over. Looking for a field's pairs is quick that way.
const maxFields = 10_000

// checkForm judges a body of application/x-www-form-urlencoded. Where text can be
// read in several types, the form is valid if either reading is.
func (p *BodyPlan) checkForm(r *run, body string) (result Result) {
	if strings.IndexByte(body, ';') >= 0 {
		// A separator to HTML 4.01 (appendix B.2.2), data to the URL Standard and to
		// Go a reason to drop the pair. Who writes forms encodes it.
		return formFault(faultEncoding, "")
	}
	j := judge{r: r, rules: &p.plan.rules}
	return p.judgeForm(&j, encodedForm, func(b *reading) string { return j.form(b, p.plan, body) })
}

// judgeForm builds a form's object and judges it. build gives the field at which
// it stopped.
func (p *BodyPlan) judgeForm(j *judge, enc encoding, build func(*reading) string) (result Result) {
	result.Unchecked = p.media.schema.unchecked()
	b := reading{r: j.r, enc: enc}
	for _, b.prefer = range [...]preference{preferSpecific, preferText, preferSpecific} {
		b.begin()
		at := build(&b)
		b.end()
		if b.f != noFault {
			return formFault(b.f, at)
		}
		if b.undefined {
			return Result{Unchecked: uncheckedNested}
		}
		if p.media.schema.schema == nil || j.r.holds(p.media.schema.schema, 0) {
			return result
		}
		if !b.mixed {
			break
		}
	}
	result.Reason, result.Errors = Invalid, j.r.explain(p.media.schema.schema, 0, InBody, "")
	return result
}

func formFault(f fault, at string) Result {
	e := Error{In: InBody, Keyword: f.keyword(), Detail: f.detail()}
	if at != "" {
		e.Pointer = pointer([]string{at})
	}
	return invalid(e)
}

// form adds the object that a form stands for: undeclared fields first, then each
// field that it has.
func (j *judge) form(b *reading, plan *formPlan, body string) (at string) {
	self := b.open(kindObject)
	count, pairs := uint32(0), 0
	var found, many seen
	for rest := body; rest != "" && b.f == noFault; {
		var name, value string
		name, value, rest = nextPair(rest, "&")
		if name == "" && value == "" {
			continue
		}
		if pairs++; pairs > maxFields {
			b.f = faultFormSize
			return ""
		}
		i, ok := j.find(name)
		switch {
		case !ok && j.claimed(name, &found):
		case !ok:
			b.member(name, value, plan.hint)
			count++
		default:
			if found.has(i) {
				many.add(i)
			}
			found.add(i)
		}
	}
	for i := range plan.rules.query {
		p := &plan.rules.query[i]
		if !found.has(i) || b.f != noFault {
			continue
		}
		b.named(p.name)
		j.formField(b, p, &plan.fields[i], body, many.has(i))
		at = p.name
		count++
	}
	return b.closeForm(self, count, at)
}

// closeForm gives at when the form is at fault there.
func (b *reading) closeForm(self, count uint32, at string) string {
	if b.f != noFault {
		return at
	}
	b.closeObject(self, count)
	b.r.t.depth = b.deepest + 2
	return ""
}

// formField adds the value of a field that the form has.
func (j *judge) formField(b *reading, p *parameter, f *field, body string, many bool) {
	switch {
	case f.repeats:
		j.formList(b, p, f, body)
	case many && (f.json || !p.multiple()):
		b.f = faultRepeated
	case f.json && p.hint.has(typeString):
		text := j.value(p, body)
		if mark := len(b.r.t.toks); !b.either(func() { b.json(text) }) {
			b.r.t.toks = b.r.t.toks[:mark]
			b.scalar(text, typeString)
		}
	case f.json:
		b.json(j.value(p, body))
	default:
		form := p.shapes[0]
		if len(p.shapes) > 1 && !many {
			b.mixed = true
			if b.prefer == preferText {
				form = p.shapes[len(p.shapes)-1]
			}
		}
		j.build(b, p, form, source{text: j.value(p, body), all: body, many: many})
	}
}

// either reads a value as JSON where it may be a string as well, and reports
// whether that is its reading now.
func (b *reading) either(json func()) bool {
	if b.prefer == preferText {
		return false
	}
	if json(); b.f == noFault {
		b.mixed = true
		return true
	}
	b.f = noFault
	return false
}

// formList adds an array of which each occurrence of the field is an item. One
// that is JSON may also be the whole array.
func (j *judge) formList(b *reading, p *parameter, f *field, body string) {
	if text := j.value(p, body); f.json && !p.hint.item.has(typeArray) && wholeArray(text) {
		b.json(text)
		return
	}
	self := b.open(kindArray)
	count := uint32(0)
	for rest := body; rest != "" && b.f == noFault; {
		var name, value string
		name, value, rest = nextPair(rest, "&")
		if !j.named(name, p.name) {
			continue
		}
		if f.json {
			b.json(value)
		} else {
			b.scalar(value, p.hint.itemTypes())
		}
		count++
	}
	b.close(self, count)
}

func wholeArray(text string) bool {
	return strings.HasPrefix(text, "[") || strings.HasPrefix(text, "%5B") || strings.HasPrefix(text, "%5b")
}
