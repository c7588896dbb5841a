package conformance

import (
	"encoding/binary"
	"unicode/utf8"
	"unsafe"
)

// quick is how most parameters are judged: a text, a number or a boolean, by a
// schema without alternatives, written as it is meant. It needs no tape. Its yes is
// final; a no is not, and the general way finds out and says why.
type quick struct {
	node  *node
	types types // what the value may be: one kind of scalar
}

// quickOf gives nil for a parameter that is to be read in the general way.
func quickOf(p *parameter) *quick {
	if !p.plain() || p.unchecked != "" || p.style == styleLabel || p.style == styleMatrix {
		return nil
	}
	q := &quick{types: p.hint.scalars()}
	switch q.types {
	case typeString, typeBoolean, typeInteger, typeNumber | typeInteger:
	default:
		return nil
	}
	switch s := p.schema.schema.(type) {
	case nil:
		q.node = anything
	case program:
		q.node = s.root
	default:
		return nil
	}
	if n := q.node; n.never || n.combine != nil || n.memo || n.values != nil && q.types != typeString {
		return nil
	}
	return q
}

// takes tells whether text is a value that conforms.
func (q *quick) takes(j *judge, text string, enc encoding) bool {
	b := unsafe.Slice(unsafe.StringData(text), len(text)) // nothing here writes to it
	if !literally(b, enc) {
		return q.types == typeString && enc != encodedNot && q.takesEncoded(j.run(), text, enc)
	}
	n := q.node
	switch q.types {
	case typeString:
		return n.types&typeString != 0 && n.values.hasText(b) && n.text.takes(b, len(b))
	case typeBoolean:
		return n.types&typeBoolean != 0 && (text == "true" || text == "false")
	}
	size, integer := numberText(b)
	switch {
	case size == 0 || size != len(b) || size > maxNumberText:
		return false
	case n.plainInt && integer:
		v, ok := smallInt(b)
		return ok && (n.number == nil || v >= n.number.low && v <= n.number.high)
	case !integer && (n.types&typeNumber == 0 || !exponentInBounds(b)):
		return false
	case n.types&typeInteger == 0:
		return false
	case n.number == nil:
		return true
	}
	r := j.run()
	d := &r.decimal
	*d = parseDecimal(b)
	ok := r.number(n.number, d)
	d.text = nil
	return ok
}

// literally tells whether b is ASCII that stands for itself, looking at eight bytes at
// a time as scanText does.
func literally(b []byte, enc encoding) bool {
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		found := w
		if enc != encodedNot {
			percent, plus := w^'%'*everyByte, w^'+'*everyByte
			found |= (percent-everyByte)&^percent | (plus-everyByte)&^plus
		}
		if found&(0x80*everyByte) != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf || enc != encodedNot && (c == '%' || c == '+') {
			return false
		}
	}
	return true
}

func (q *quick) takesEncoded(r *run, text string, enc encoding) (ok bool) {
	if r.buf, ok = percentDecode(r.buf[:0], text, enc == encodedForm); !ok || !utf8.Valid(r.buf) {
		return false
	}
	n := q.node
	return n.types&typeString != 0 && n.values.hasText(r.buf) && n.text.takes(r.buf, utf8.RuneCount(r.buf))
}

// hasText tells whether a text is among the values; all are where none are listed.
func (l *literals) hasText(b []byte) bool {
	switch {
	case l == nil:
		return true
	case l.set != nil:
		_, ok := l.set[string(b)]
		return ok
	}
	for _, s := range l.texts {
		if string(s) == string(b) {
			return true
		}
	}
	return false
}

// takes tells whether text of so many characters conforms.
func (n *textRules) takes(b []byte, size int) bool {
	return n == nil || size >= n.min && (n.max < 0 || size <= n.max) &&
		(n.pattern == nil || n.pattern.match(b)) && (n.format == nil || n.format(b))
}
