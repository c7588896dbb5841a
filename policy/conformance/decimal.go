package conformance

import (
	"math/big"
	"math/bits"
)

// numberText is the length of the JSON number (RFC 8259 section 6) that b starts
// with, 0 for none, and whether it has neither fraction nor exponent.
func numberText(b []byte) (n int, integer bool) {
	i := 0
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b) || b[i]-'0' > 9:
		return 0, false
	case b[i] == '0':
		i++
	default:
		i += digits(b[i:])
	}
	integer = true
	if i < len(b) && b[i] == '.' {
		d := digits(b[i+1:])
		if d == 0 {
			return 0, false
		}
		i += 1 + d
		integer = false
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		j := i + 1
		if j < len(b) && (b[j] == '+' || b[j] == '-') {
			j++
		}
		d := digits(b[j:])
		if d == 0 {
			return 0, false
		}
		i = j + d
		integer = false
	}
	return i, integer
}

// smallInt reads an integer of at most 18 digits.
func smallInt(b []byte) (v int64, ok bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c -= '0'; c > 9 {
			return 0, false
		}
		v = v*10 + int64(c)
	}
	if neg {
		v = -v
	}
	return v, true
}

func digits(b []byte) int {
	n := 0
	for n < len(b) && b[n]-'0' <= 9 {
		n++
	}
	return n
}

// exponentInBounds tells whether the exponent of a JSON number stays within
// maxExponent. Exact arithmetic on nine bytes such as 1e5000000 would take
// megabytes otherwise.
func exponentInBounds(b []byte) bool {
	for i, c := range b {
		if c|0x20 != 'e' {
			continue
		}
		e := 0
		for _, c := range b[i+1:] {
			if c == '+' || c == '-' {
				continue
			}
			if e = e*10 + int(c-'0'); e > maxExponent {
				return false
			}
		}
	}
	return true
}

// decimal is a number exactly as its text says: ±coef × 10^exp, coef without
// trailing zeros. big is set when coef does not fit; text then speaks.
type decimal struct {
	neg, big bool
	exp      int32
	coef     uint64
	text     []byte
}

// parseDecimal reads a JSON number whose exponent is in bounds.
func parseDecimal(b []byte) decimal {
	d := decimal{text: b}
	fraction := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '-':
			d.neg = true
		case c == '.':
			fraction = true
		case c|0x20 == 'e':
			e, neg := int32(0), false
			for _, c := range b[i+1:] {
				switch c {
				case '-':
					neg = true
				case '+':
				default:
					e = e*10 + int32(c-'0')
				}
			}
			if neg {
				e = -e
			}
			d.exp += e
			i = len(b)
		default:
			if d.coef > (1<<64-1-9)/10 {
				d.big = true
				return d
			}
			d.coef = d.coef*10 + uint64(c-'0')
			if fraction {
				d.exp--
			}
		}
	}
	if d.coef == 0 {
		return decimal{text: b}
	}
	for d.coef%10 == 0 {
		d.coef /= 10
		d.exp++
	}
	return d
}

func (d *decimal) integer() bool {
	if d.big {
		return d.rat().IsInt()
	}
	return d.exp >= 0
}

func (d *decimal) rat() *big.Rat {
	r, ok := new(big.Rat).SetString(string(d.text))
	if !ok {
		return new(big.Rat)
	}
	return r
}

// compare is -1, 0 or 1 as d is less than, equal to or greater than e.
func (d *decimal) compare(e *decimal) int {
	if d.big || e.big {
		return d.rat().Cmp(e.rat())
	}
	switch {
	case d.coef == 0 && e.coef == 0:
		return 0
	case d.coef == 0:
		return sign(!e.neg)
	case e.coef == 0 || d.neg != e.neg:
		return sign(d.neg)
	}
	c := magnitude(d, e)
	if d.neg {
		return -c
	}
	return c
}

// sign is -1 for negative, else 1.
func sign(negative bool) int {
	if negative {
		return -1
	}
	return 1
}

func magnitude(d, e *decimal) int {
	if d.exp < e.exp {
		return -magnitude(e, d)
	}
	shift := d.exp - e.exp
	if shift > 19 {
		return 1 // d is at least 10^20 in units of which e has less than 2^64
	}
	hi, lo := bits.Mul64(d.coef, powersOfTen[shift])
	switch {
	case hi > 0 || lo > e.coef:
		return 1
	case lo < e.coef:
		return -1
	default:
		return 0
	}
}

// multipleOf tells whether d is an integer times m, which is positive.
func (d *decimal) multipleOf(m *decimal) bool {
	if !d.big && !m.big {
		if d.coef == 0 {
			return true
		}
		shift := d.exp - m.exp
		if shift >= 0 && shift <= 19 {
			hi, lo := bits.Mul64(d.coef, powersOfTen[shift])
			_, rem := bits.Div64(hi%m.coef, lo, m.coef)
			return rem == 0
		}
		if shift < 0 && shift >= -19 {
			hi, lo := bits.Mul64(m.coef, powersOfTen[-shift])
			return hi == 0 && d.coef%lo == 0
		}
	}
	q := d.rat()
	return q.Quo(q, m.rat()).IsInt()
}

var powersOfTen = [20]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}
