package conformance

import (
	"encoding/binary"
	"unicode/utf8"
)

// pass judges JSON while it reads it, without a tape: most schemas ask about
// every value once, in the order in which the values stand. What asks twice, such
// as oneOf, has its part of the text read onto the tape and judged there.
//
// Its yes is final and strict as the reader's. Its no is none: the whole text is
// then read onto the tape, where it is found out why, or that it was a yes.
type pass struct {
	r   *run
	src []byte
	// again is how many bytes have been read twice. More than the text has would
	// multiply with the nesting.
	again int
}

// no is what the methods of pass return for a text that they do not take;
// otherwise it is the position after the value.
const no = -1

// takes tells whether src is one JSON value for which n holds.
func (r *run) takes(n *node, src []byte) bool {
	r.t.src, r.t.toks, r.t.depth = src, r.t.toks[:0], 0
	r.extras = r.extras[:0]
	r.steps = budget(r.t)
	s := pass{r: r, src: src}
	p := s.value(n, s.space(0), 1)
	if p >= 0 && s.space(p) == len(src) {
		return true
	}
	r.spent, r.depth = false, 0
	clear(r.memo)
	return false
}

func (s *pass) space(p int) int {
	if p < len(s.src) && s.src[p] <= ' ' {
		return skipSpace(s.src, p)
	}
	return p
}

// value judges the value at p.
func (s *pass) value(n *node, p, depth int) int {
	src := s.src
	if p >= len(src) {
		return no
	}
	if n.combine != nil || n.never {
		return s.combined(n, p, depth)
	}
	switch c := src[p]; c {
	case '"':
		return s.text(n, p)
	case '{':
		return s.object(n, p, depth)
	case '[':
		return s.array(n, p, depth)
	case 't':
		return s.literal(n, p, "true", typeBoolean)
	case 'f':
		return s.literal(n, p, "false", typeBoolean)
	case 'n':
		return s.literal(n, p, "null", typeNull)
	default:
		if c == '-' || c-'0' <= 9 {
			return s.number(n, p)
		}
		return no
	}
}

// taped judges the value at p on the tape.
func (s *pass) taped(n *node, p, depth int) int {
	r := s.r
	if len(r.memo) == 0 {
		r.t.toks = r.t.toks[:0]
	}
	at := len(r.t.toks)
	in := reader{src: s.src, p: p, t: r.t}
	if in.value(depth) != noFault {
		return no
	}
	r.steps += stepsPerToken * (len(r.t.toks) - at)
	if !r.check(n, uint32(at)) || r.spent {
		return no
	}
	return in.p
}

func (s *pass) literal(n *node, p int, want string, t types) int {
	end := p + len(want)
	switch {
	case end > len(s.src) || string(s.src[p:end]) != want || n.types&t == 0:
		return no
	case n.values != nil:
		return s.taped(n, p, 1)
	default:
		return end
	}
}

func (s *pass) text(n *node, p int) int {
	if n.types&typeString == 0 {
		return no
	}
	start := p + 1
	end, flags, f := scanText(s.src, start)
	switch {
	case f != noFault:
		return no
	case n.values == nil && (n.text == nil || n.text.surely(end-start)):
		return end + 1
	}
	b := s.src[start:end]
	if flags&flagEscaped != 0 {
		s.r.value = appendUnescaped(s.r.value[:0], b)
		b = s.r.value
	}
	if !n.values.hasText(b) || n.text != nil && !n.text.takes(b, n.text.size(b, flags)) {
		return no
	}
	return end + 1
}

// number reads a number of at most 18 digits without an exponent by itself, as
// most are, and others as the reader does.
func (s *pass) number(n *node, p int) int {
	if n.types&(typeNumber|typeInteger) == 0 {
		return no
	}
	if n.values != nil {
		return s.taped(n, p, 1)
	}
	src, i := s.src, p
	if src[i] == '-' {
		i++
	}
	begin := i
	coef := uint64(0)
	for i < len(src) && src[i]-'0' <= 9 {
		coef = coef*10 + uint64(src[i]-'0')
		i++
	}
	digits := i - begin
	if digits == 0 || digits > 1 && src[begin] == '0' {
		return no
	}
	fraction := 0
	if i < len(src) && src[i] == '.' {
		point := i
		i++
		for i < len(src) && src[i]-'0' <= 9 {
			coef = coef*10 + uint64(src[i]-'0')
			i++
		}
		if fraction = i - point - 1; fraction == 0 {
			return no
		}
	}
	if digits+fraction > 18 || i < len(src) && src[i]|0x20 == 'e' {
		return s.longNumber(n, p)
	}
	if fraction == 0 && n.plainInt {
		v := int64(coef)
		if begin > p {
			v = -v
		}
		if n.number != nil && (v < n.number.low || v > n.number.high) {
			return no
		}
		return i
	}
	if n.number == nil && (fraction == 0 || n.types&typeNumber != 0) {
		return i
	}
	d := &s.r.decimal
	*d = decimal{text: src[p:i]}
	if coef != 0 {
		for fraction > 0 && coef%10 == 0 {
			coef /= 10
			fraction--
		}
		d.neg, d.coef, d.exp = begin > p, coef, int32(-fraction)
	}
	return s.decided(n, i)
}

func (s *pass) longNumber(n *node, p int) int {
	size, integer := numberText(s.src[p:])
	b := s.src[p : p+size]
	if size == 0 || size > maxNumberText || !integer && !exponentInBounds(b) {
		return no
	}
	s.r.decimal = parseDecimal(b)
	return s.decided(n, p+size)
}

// decided judges the number in r.decimal.
func (s *pass) decided(n *node, end int) int {
	d := &s.r.decimal
	if n.types&typeNumber == 0 && !d.integer() || n.number != nil && !s.r.number(n.number, d) {
		end = no
	}
	d.text = nil
	return end
}

func (s *pass) array(n *node, p, depth int) int {
	if n.types&typeArray == 0 || depth > maxDepth {
		return no
	}
	a := n.array
	if n.values != nil || a != nil && (a.unique || a.contains != nil) {
		return s.taped(n, p, depth)
	}
	items, count := anything, 0
	var prefix []*node
	if a != nil {
		prefix = a.prefix
		if a.items != nil {
			items = a.items
		}
	}
	p = s.space(p + 1)
	if p < len(s.src) && s.src[p] == ']' {
		return a.counted(0, p+1)
	}
	for {
		item := items
		if count < len(prefix) {
			item = prefix[count]
		}
		if p = s.value(item, p, depth+1); p < 0 {
			return no
		}
		count++
		if p = s.space(p); p >= len(s.src) {
			return no
		}
		switch s.src[p] {
		case ',':
			p = s.space(p + 1)
		case ']':
			return a.counted(count, p+1)
		default:
			return no
		}
	}
}

// counted is end for an array of so many items, or no.
func (a *arrayRules) counted(count, end int) int {
	if a != nil && (count < a.min || a.max >= 0 && count > a.max) {
		return no
	}
	return end
}

// skipSpace is where the blanks at p end, eight at a time: documents that people
// are to read have many.
func skipSpace(src []byte, p int) int {
	for {
		for len(src)-p >= 8 && binary.LittleEndian.Uint64(src[p:]) == ' '*everyByte {
			p += 8
		}
		from := p
		for p < len(src) && p < from+8 && (src[p] == ' ' || src[p] == '\n' || src[p] == '\t' || src[p] == '\r') {
			p++
		}
		if p < from+8 {
			return p
		}
	}
}

// size is the length of a text in code points where it matters.
func (n *textRules) size(b []byte, flags uint8) int {
	if n.min < 0 && n.max < 0 {
		return 0
	}
	if flags&(flagWide|flagEscaped) == 0 {
		return len(b)
	}
	return utf8.RuneCount(b)
}

// surely tells whether nothing but the length is asked of a text, and whether
// that many bytes have a length in bounds however they are written.
func (n *textRules) surely(raw int) bool { return n.lengthOnly && raw <= n.max && raw > n.sure }
