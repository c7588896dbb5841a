package conformance

import (
	"strings"
	"unicode/utf8"
)

// preference says how text is read that could be of several types.
type preference uint8

const (
	preferSpecific preference = iota // 5 is a number where one is allowed
	preferText                       // 5 is a string where one is allowed
)

// reading builds a parameter's value on a run's tape.
type reading struct {
	r      *run
	prefer preference
	enc    encoding
	trim   bool // blanks around items do not count: headers
	mixed  bool // some text could have been read as a string instead
	f      fault
	// deepest is how deep the values are nested that are written as JSON.
	deepest int
	// undefined is set for what OpenAPI does not define: arrays and objects
	// within those that a style writes.
	undefined bool
}

func (b *reading) begin() {
	b.r.buf = b.r.buf[:0]
	b.r.t.toks = b.r.t.toks[:0]
	b.r.t.depth = 0
	b.mixed = false
	b.f = noFault
	b.deepest = 0
	b.undefined = false
}

func (b *reading) end() { b.r.t.src = b.r.buf }

func (b *reading) open(k kind) uint32 {
	t := b.r.t
	t.depth++
	t.toks = append(t.toks, token{kind: k})
	return uint32(len(t.toks)) - 1
}

func (b *reading) close(i, count uint32) {
	t := b.r.t
	t.toks[i].count = count
	t.toks[i].next = uint32(len(t.toks))
}

// decode appends text as it is meant and gives its start.
func (b *reading) decode(text string) int {
	start := len(b.r.buf)
	if b.trim {
		text = strings.Trim(text, " \t")
	}
	if b.enc == encodedNot {
		b.r.buf = append(b.r.buf, text...)
		return start
	}
	var ok bool
	b.r.buf, ok = percentDecode(b.r.buf, text, b.enc == encodedForm)
	if !ok {
		b.f = faultEncoding
	}
	return start
}

func (b *reading) push(k kind, start, end int, flags uint8) {
	t := b.r.t
	t.toks = append(t.toks, token{
		start: uint32(start), end: uint32(end), next: uint32(len(t.toks)) + 1, kind: k, flags: flags,
	})
}

// name adds the name of a member and gives it.
func (b *reading) name(text string) []byte {
	start := b.decode(text)
	b.nameAt(start, len(b.r.buf))
	return b.r.buf[start:]
}

// nameAt adds a name that stands in the buffer.
func (b *reading) nameAt(start, end int) {
	b.text(start, end)
	b.r.t.toks[len(b.r.t.toks)-1].count = nameKey(b.r.buf[start:end])
}

// named adds the name of a declared member.
func (b *reading) named(name string) {
	start := len(b.r.buf)
	b.r.buf = append(b.r.buf, name...)
	b.nameAt(start, len(b.r.buf))
}

func (b *reading) text(start, end int) {
	var flags uint8
	for _, c := range b.r.buf[start:end] {
		if c >= utf8.RuneSelf {
			flags = flagWide
			if b.enc != encodedNot && !utf8.Valid(b.r.buf[start:end]) {
				b.f = faultEncoding
			}
			break
		}
	}
	b.push(kindString, start, end, flags)
}

// scalar adds a value of one of the types. What is no number, boolean or null as
// JSON writes it stays a string, and the schema says what it thinks of that.
func (b *reading) scalar(text string, allowed types) {
	start := b.decode(text)
	b.typed(start, len(b.r.buf), allowed)
}

// typed is scalar for text that stands in the buffer as it is meant.
func (b *reading) typed(start, end int, allowed types) {
	b.undefined = b.undefined || allowed&^(typeArray|typeObject) == 0
	k, flags, ok := specific(b.r.buf[start:end], allowed)
	if ok && allowed&typeString != 0 {
		b.mixed = true
		ok = b.prefer == preferSpecific
	}
	if ok {
		b.push(k, start, end, flags)
		return
	}
	b.text(start, end)
}

// json adds the value that a text of JSON has, within another value.
func (b *reading) json(text string) {
	start := b.decode(text)
	if b.f == noFault {
		b.jsonAt(start, len(b.r.buf))
	}
}

func (b *reading) jsonAt(start, end int) {
	t := b.r.t
	depth := t.depth
	t.depth = 0
	if f := t.readWithin(b.r.buf, start, end); f != noFault {
		b.f = f
	}
	b.deepest = max(b.deepest, t.depth)
	t.depth = depth
}

// specific reads text as one of the allowed types other than string.
func specific(b []byte, allowed types) (kind, uint8, bool) {
	if allowed&(typeNumber|typeInteger) != 0 && len(b) <= maxNumberText {
		if n, integer := numberText(b); n == len(b) && n > 0 && (integer || exponentInBounds(b)) {
			if integer {
				return kindNumber, flagInteger, true
			}
			return kindNumber, 0, true
		}
	}
	switch {
	case allowed&typeBoolean != 0 && string(b) == "true":
		return kindTrue, 0, true
	case allowed&typeBoolean != 0 && string(b) == "false":
		return kindFalse, 0, true
	case allowed&typeNull != 0 && string(b) == "null":
		return kindNull, 0, true
	default:
		return 0, 0, false
	}
}

// list adds an array written as one text. prefix, if any, stands before every
// item.
func (b *reading) list(text string, sep separator, prefix string, allowed types) {
	self := b.open(kindArray)
	count := uint32(0)
	for more := true; more; {
		var piece string
		piece, text, more = sep.cut(text)
		if prefix != "" {
			var ok bool
			if piece, ok = cutName(piece, prefix); !ok {
				b.f = faultStyle
			}
		}
		b.scalar(piece, allowed)
		count++
	}
	b.close(self, count)
}

// cutName takes `name=` off a piece. The name alone stands for an empty value.
func cutName(piece, name string) (string, bool) {
	got, value, _ := strings.Cut(piece, "=")
	return value, got == name
}

// members adds an object written as one text: name=value,name=value when
// exploded, name,value,name,value when not.
func (b *reading) members(text string, sep separator, explode bool, h *hint) {
	self := b.open(kindObject)
	count := uint32(0)
	for more := true; more && text != ""; {
		var name, value string
		name, text, more = sep.cut(text)
		switch {
		case explode:
			var ok bool
			if name, value, ok = strings.Cut(name, "="); !ok {
				b.f = faultStyle
			}
		case !more:
			b.f = faultStyle
		default:
			value, text, more = sep.cut(text)
		}
		b.member(name, value, h)
		count++
	}
	b.closeObject(self, count)
}

func (b *reading) member(name, value string, h *hint) {
	allowed := h.propTypes(b.name(name))
	b.scalar(value, allowed)
}

func (b *reading) closeObject(self, count uint32) {
	b.close(self, count)
	b.end()
	if count > 1 && b.r.t.duplicate(self) {
		b.f = faultRepeated
	}
}
