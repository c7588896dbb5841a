package conformance

import (
	"bytes"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	// maxParts is how many parts a multipart form may have: as net/http has it.
	maxParts = 1000
	// maxPartHeader is how many bytes the header of a part may have.
	maxPartHeader = 8 << 10
)

// part is one part of a multipart form. Its content is a range of the body.
type part struct {
	name       string
	file       bool // it has a file name
	mediaType  string
	header     http.Header
	nameAt     int // where the body has the text of the name
	start, end int
	nextOf     int // the next part of the same field, 0 for none

	// Of a body that is watched: content that was counted and not kept.
	sized bool
	size  int64
	skip  int // bytes that still belong to the header
}

// checkMultipart judges a body of multipart/form-data (RFC 7578). Nothing of it
// is copied: the values are ranges of the body.
func (p *BodyPlan) checkMultipart(r *run, body []byte) (result Result) {
	parts, f := splitParts(body, p.boundary)
	if f != noFault {
		return formFault(f, "")
	}
	return p.judgeParts(r, body, parts)
}

func (p *BodyPlan) judgeParts(r *run, body []byte, parts []part) Result {
	plan := p.plan
	j := judge{r: r, rules: &plan.rules}
	for i := range parts {
		if result := j.partHeader(plan, &parts[i]); result.Reason != OK {
			return result
		}
	}
	defer func() { r.buf = nil }() // it is the body, which the pool must not keep
	return p.judgeForm(&j, encodedNot, func(b *reading) string {
		r.buf = body[:len(body):len(body)] // whoever appends makes a copy
		return j.parts(b, plan, parts)
	})
}

// partHeader judges the header fields that `encoding` declares, and the media type.
func (j *judge) partHeader(plan *formPlan, p *part) Result {
	at, ok := plan.rules.byName[p.name]
	if !ok {
		return Result{}
	}
	f := &plan.fields[at]
	// Without a Content-Type a part is text (RFC 7578 section 4.4); many clients
	// leave it out for JSON too.
	if p.mediaType != "" && !f.takes(p.mediaType) || p.mediaType == "" && p.file && f.types != nil {
		return formFault(faultPartType, p.name)
	}
	j.result = Result{}
	for i := range f.headers {
		j.header(&f.headers[i], p.header)
	}
	return j.result
}

// parts adds the object that the parts stand for.
func (j *judge) parts(b *reading, plan *formPlan, parts []part) (at string) {
	self := b.open(kindObject)
	count := uint32(0)
	var first, last [maxQueryParameters]int
	for n := range parts {
		p := &parts[n]
		p.nextOf = 0
		i, ok := plan.rules.byName[p.name]
		switch {
		case !ok:
			b.nameAt(p.nameAt, p.nameAt+len(p.name))
			b.partText(p, plan.hint.rest, plan.hint.rest == nil)
			count++
		case first[i] == 0:
			first[i], last[i] = n+1, n
		case !plan.fields[i].repeats:
			b.f = faultRepeated
			return p.name
		default:
			parts[last[i]].nextOf = n
			last[i] = n
		}
	}
	for i := range plan.rules.query {
		if first[i] == 0 || b.f != noFault {
			continue
		}
		p, f := &plan.rules.query[i], &plan.fields[i]
		at = p.name
		one := &parts[first[i]-1]
		b.nameAt(one.nameAt, one.nameAt+len(one.name))
		if count++; !f.repeats {
			b.partValue(f, one, p.hint)
			continue
		}
		list := b.open(kindArray)
		items := uint32(0)
		for n := first[i] - 1; b.f == noFault; n = parts[n].nextOf {
			b.partValue(f, &parts[n], p.hint.item)
			if items++; parts[n].nextOf == 0 {
				break
			}
		}
		b.close(list, items)
	}
	return b.closeForm(self, count, at)
}

// partValue adds the value of a declared field's part.
func (b *reading) partValue(f *field, p *part, h *hint) {
	switch {
	case f.json && h.has(typeString):
		if mark := len(b.r.t.toks); !b.either(func() { b.jsonAt(p.start, p.end) }) {
			b.r.t.toks = b.r.t.toks[:mark]
			b.partText(p, h, false)
		}
	case f.json:
		b.jsonAt(p.start, p.end)
	default:
		b.partText(p, h, h == nil || h.types == anyType)
	}
}

// partText adds a part that is no JSON. Files, and parts that say they are no
// text, may have any bytes, which the schema sees as a string of that many.
func (b *reading) partText(p *part, h *hint, untyped bool) {
	if p.sized {
		b.push(kindString, p.start, p.start, flagSized)
		b.r.t.toks[len(b.r.t.toks)-1].count = uint32(min(p.size, 1<<32-1))
		return
	}
	content := b.r.buf[p.start:p.end]
	if h != nil && h.bytes || untyped && (p.file || p.mediaType != "" && classify(p.mediaType) != mediaText) {
		b.push(kindString, p.start, p.end, 0)
		return
	}
	if !utf8.Valid(content) {
		b.f = faultPartCharset
		return
	}
	b.typed(p.start, p.end, h.scalars())
}

// splitParts finds the parts of a multipart body (RFC 2046 section 5.1). What
// readers of it take in different ways is refused: text before and after the
// parts, blanks after a boundary, lines that only start as one, bare newlines.
func splitParts(body []byte, boundary string) ([]part, fault) {
	delimiter := []byte("\r\n--" + boundary)
	rest, ok := bytes.CutPrefix(body, delimiter[2:])
	if !ok {
		return nil, faultMultipart
	}
	at := len(body) - len(rest)
	var parts []part
	for {
		if bytes.HasPrefix(body[at:], []byte("--")) {
			if tail := body[at+2:]; len(tail) > 0 && string(tail) != "\r\n" || len(parts) == 0 {
				return nil, faultMultipart
			}
			return parts, noFault
		}
		if !bytes.HasPrefix(body[at:], []byte("\r\n")) {
			return nil, faultMultipart
		}
		if len(parts) == maxParts {
			return nil, faultFormSize
		}
		at += 2
		p, n, f := readPartHeader(body[at:])
		if f != noFault {
			return nil, f
		}
		p.nameAt, p.start = at+p.nameAt, at+n
		// The line break before a boundary belongs to it, also right after the header.
		size := bytes.Index(body[p.start-2:], delimiter)
		if size < 0 {
			return nil, faultMultipart
		}
		p.end = max(p.start, p.start-2+size)
		at = p.start - 2 + size + len(delimiter)
		parts = append(parts, p)
	}
}

// readPartHeader reads the header that a part starts with and gives its length,
// the empty line included.
func readPartHeader(b []byte) (p part, n int, f fault) {
	end := bytes.Index(b[:min(len(b), maxPartHeader)], []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxPartHeader {
			return p, 0, faultFormSize
		}
		return p, 0, faultMultipart
	}
	p.header = http.Header{}
	for line := range strings.SplitSeq(string(b[:end]), "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) || strings.ContainsAny(value, "\r\n\x00") { // folded lines have no name
			return p, 0, faultMultipart
		}
		name = http.CanonicalHeaderKey(name)
		p.header[name] = append(p.header[name], strings.Trim(value, " \t"))
	}
	if !p.disposition() {
		return p, 0, faultMultipart
	}
	p.nameAt = bytes.Index(b, []byte(p.name))
	return p, end + 4, p.content()
}

// disposition reads Content-Disposition: form-data with one name (RFC 7578 section
// 4.2), without extended parameters, which that section forbids: name*0=b is the
// name to some readers, whatever name= says (RFC 2231).
func (p *part) disposition() bool {
	values := p.header["Content-Disposition"]
	if len(values) != 1 {
		return false
	}
	kind, rest, _ := strings.Cut(values[0], ";")
	if !strings.EqualFold(strings.TrimRight(kind, " \t"), "form-data") {
		return false
	}
	named := false
	for rest = strings.Trim(rest, " \t"); rest != ""; {
		name, after, found := strings.Cut(rest, "=")
		if !found || !isToken(name) || strings.Contains(name, "*") {
			return false
		}
		value, after, ok := dispositionValue(after)
		if !ok {
			return false
		}
		switch {
		case strings.EqualFold(name, "name"):
			if named || !utf8.ValidString(value) || strings.ContainsRune(value, '\\') {
				return false
			}
			p.name, named = value, true
		case strings.EqualFold(name, "filename"):
			if p.file {
				return false
			}
			p.file = true
		}
		if rest = strings.TrimLeft(after, " \t"); rest == "" {
			break
		}
		if rest[0] != ';' {
			return false
		}
		rest = strings.TrimLeft(rest[1:], " \t")
	}
	return named
}

// dispositionValue reads a token or a quoted string. A backslash is one, since
// browsers write file names so; before a quote readers differ on it.
func dispositionValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return parameterValue(s)
	}
	end := strings.IndexByte(s[1:], '"')
	if end < 0 || end > 0 && s[end] == '\\' {
		return "", "", false
	}
	return s[1 : 1+end], s[2+end:], true
}

// content reads Content-Type and refuses a transfer encoding, which RFC 7578
// section 4.7 deprecates and half of the readers undo.
func (p *part) content() fault {
	for _, v := range p.header["Content-Transfer-Encoding"] {
		switch strings.ToLower(v) {
		case "binary", "8bit", "7bit":
		default:
			return faultMultipart
		}
	}
	if len(p.header["Content-Type"]) == 0 {
		return noFault
	}
	mediaType, charset, ok := contentType(p.header)
	if !ok {
		return faultMultipart
	}
	p.mediaType = mediaType
	if charset != "" && !isUTF8(charset) {
		return faultPartCharset
	}
	return noFault
}

func isUTF8(charset string) bool {
	return charset == "utf-8" || charset == "utf8" || charset == "us-ascii"
}

// boundaryOf reads the boundary of a multipart type (RFC 2046 section 5.1.1): one,
// of 1 to 70 of its characters.
func boundaryOf(h http.Header) (string, bool) {
	_, rest, _ := strings.Cut(h["Content-Type"][0], ";")
	boundary := ""
	ok := !strings.Contains(rest, `\`) && eachParameter(rest, func(name, value string) bool {
		if !strings.EqualFold(name, "boundary") {
			return true
		}
		again := boundary != ""
		boundary = value
		return !again
	})
	if !ok || boundary == "" || len(boundary) > 70 || strings.HasSuffix(boundary, " ") {
		return "", false
	}
	for i := range len(boundary) {
		if c := boundary[i]; c-'0' > 9 && (c|0x20 < 'a' || c|0x20 > 'z') && strings.IndexByte("'()+_,-./:=? ", c) < 0 {
			return "", false
		}
	}
	return boundary, true
}
