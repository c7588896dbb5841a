package conformance

import (
	"slices"
	"strings"
)

// A body of application/x-www-form-urlencoded is an object whose members are
// written as an exploded query parameter writes them: arrays as repeated names,
// everything else once. Members that are objects, and a media type with
// `encoding`, are not judged.

// flat tells whether forms of the entry can be judged.
func (m *media) flat() bool {
	m.form.Do(func() { m.hint = hintOf(m.entry.Schema, maxHintDepth) })
	if len(m.entry.Encoding) > 0 || m.hint.types&typeObject == 0 {
		return false
	}
	for _, p := range m.hint.props {
		if p.nested() || p.item != nil && p.types&typeArray != 0 && (p.item.nested() || p.item.types != anyType && p.item.types&typeArray != 0) {
			return false
		}
	}
	return true
}

func (h *hint) nested() bool { return h.types != anyType && h.types&typeObject != 0 }

// checkForm judges a form.
func (p *BodyPlan) checkForm(r *run, body string) (result Result) {
	result.Unchecked = p.media.schema.unchecked()
	if strings.IndexByte(body, ';') >= 0 {
		// A separator to HTML 4.01 (appendix B.2.2), data to the URL Standard and to
		// Go a reason to drop the pair. Who writes forms encodes it.
		return invalid(Error{In: InBody, Keyword: faultEncoding.keyword(), Detail: faultEncoding.detail()})
	}
	b := reading{r: r, enc: encodedForm}
	for _, b.prefer = range [...]preference{preferSpecific, preferText} {
		b.begin()
		b.form(body, p.media.hint)
		if b.f != noFault {
			return invalid(Error{In: InBody, Keyword: b.f.keyword(), Detail: b.f.detail()})
		}
		if p.media.schema.schema == nil || r.holds(p.media.schema.schema, 0) {
			return result
		}
		if !b.mixed {
			break
		}
	}
	b.prefer = preferSpecific
	b.begin()
	b.form(body, p.media.hint)
	r.holds(p.media.schema.schema, 0)
	result.Reason, result.Errors = Invalid, r.explain(p.media.schema.schema, 0, InBody, "")
	return result
}

// form adds the object that a form stands for.
func (b *reading) form(body string, h *hint) {
	self := b.open(kindObject)
	count := uint32(0)
	var lists []string // names of the arrays that are complete
	for rest := body; rest != "" && b.f == noFault; {
		var name, value string
		here := rest
		name, value, rest = nextPair(rest, "&")
		if name == "" && value == "" {
			continue
		}
		var ok bool
		if b.r.name, ok = percentDecode(b.r.name[:0], name, true); !ok {
			b.f = faultEncoding
			break
		}
		p := h.props[string(b.r.name)]
		if p == nil || p.types == anyType || p.types&typeArray == 0 {
			b.member(name, value, h)
			count++
			continue
		}
		if list := string(b.r.name); !slices.Contains(lists, list) {
			lists = append(lists, list)
			b.name(name)
			b.occurrences(here, list, p.itemTypes())
			count++
		}
	}
	b.closeObject(self, count)
}

// occurrences adds the array of the values that a name has.
func (b *reading) occurrences(all, want string, allowed types) {
	self := b.open(kindArray)
	count := uint32(0)
	for all != "" {
		var name, value string
		name, value, all = nextPair(all, "&")
		b.r.name, _ = percentDecode(b.r.name[:0], name, true)
		if string(b.r.name) == want {
			b.scalar(value, allowed)
			count++
		}
	}
	b.close(self, count)
}
