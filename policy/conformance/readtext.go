package conformance

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// everyByte spreads a byte over the eight of a word.
const everyByte = 0x0101010101010101

// text reads a string whose opening quote is at r.p.
func (r *reader) text() fault {
	start := r.p + 1
	end, flags, f := scanText(r.src, start)
	if f != noFault {
		return f
	}
	r.push(kindString, start, end, flags)
	r.p = end + 1
	return noFault
}

// scanText finds the closing quote of the string whose first character is at start.
func scanText(src []byte, start int) (end int, flags uint8, f fault) {
	p := start
	for {
		// To the next quote, backslash, control or byte outside ASCII, eight bytes at
		// a time: in each term the lowest bit that is set is at a byte that it looks
		// for, whatever the bits above it.
		for len(src)-p >= 8 {
			w := binary.LittleEndian.Uint64(src[p:])
			quote, slash := w^'"'*everyByte, w^'\\'*everyByte
			found := (w | (w-0x20*everyByte)&^w | (quote-everyByte)&^quote | (slash-everyByte)&^slash) & (0x80 * everyByte)
			if found != 0 {
				p += bits.TrailingZeros64(found) >> 3
				break
			}
			p += 8
		}
		for p < len(src) && src[p] != '"' && src[p] != '\\' && src[p] >= 0x20 && src[p] < utf8.RuneSelf {
			p++
		}
		if p >= len(src) {
			return 0, 0, faultSyntax
		}
		switch c := src[p]; {
		case c == '"':
			if flags&flagWide != 0 && !utf8.Valid(src[start:p]) {
				return 0, 0, faultUTF8
			}
			return p, flags, noFault
		case c == '\\':
			flags |= flagEscaped
			n, f := escape(src[p:])
			if f != noFault {
				return 0, 0, f
			}
			p += n
		case c < 0x20:
			return 0, 0, faultSyntax
		default:
			flags |= flagWide
			for p < len(src) && src[p] >= utf8.RuneSelf {
				p++
			}
		}
	}
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
