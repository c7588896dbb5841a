package conformance

import (
	"encoding/binary"
	"unicode/utf8"
)

// everyByte spreads a byte over the eight of a word.
const everyByte = 0x0101010101010101

// text reads a string whose opening quote is at r.p.
func (r *reader) text() fault {
	src := r.t.src
	start := r.p + 1
	p := start
	var flags uint8
	for {
		p += plain(src[p:])
		if p >= len(src) {
			return faultSyntax
		}
		switch c := src[p]; {
		case c == '"':
			if flags&flagWide != 0 && !utf8.Valid(src[start:p]) {
				return faultUTF8
			}
			r.push(kindString, start, p, flags)
			r.p = p + 1
			return noFault
		case c == '\\':
			flags |= flagEscaped
			n, f := escape(src[p:])
			if f != noFault {
				return f
			}
			p += n
		case c < 0x20:
			return faultSyntax
		default:
			flags |= flagWide
			for p < len(src) && src[p] >= utf8.RuneSelf {
				p++
			}
		}
	}
}

// plain is the length of the run of b without quotes, backslashes, controls and
// bytes outside ASCII, found eight bytes at a time.
func plain(b []byte) int {
	n := 0
	for len(b)-n >= 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote := w ^ '"'*everyByte
		slash := w ^ '\\'*everyByte
		if (w|(w-0x20*everyByte)|(quote-everyByte)|(slash-everyByte))&(0x80*everyByte) != 0 {
			break
		}
		n += 8
	}
	for n < len(b) {
		if c := b[n]; c == '"' || c == '\\' || c < 0x20 || c >= utf8.RuneSelf {
			return n
		}
		n++
	}
	return n
}

// escape is the length of the escape sequence that b starts with.
func escape(b []byte) (int, fault) {
	if len(b) < 2 {
		return 0, faultSyntax
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, noFault
	case 'u':
		c, ok := hex4(b[2:])
		switch {
		case !ok:
			return 0, faultSyntax
		case c < 0xD800 || c > 0xDFFF:
			return 6, noFault
		case c > 0xDBFF || len(b) < 12 || b[6] != '\\' || b[7] != 'u':
			return 0, faultSurrogate
		}
		low, ok := hex4(b[8:])
		if !ok {
			return 0, faultSyntax
		}
		if low < 0xDC00 || low > 0xDFFF {
			return 0, faultSurrogate
		}
		return 12, noFault
	default:
		return 0, faultSyntax
	}
}
