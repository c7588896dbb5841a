package conformance

import (
	"bytes"
	"hash/maphash"
	"math/bits"
	"strconv"
)

// equal tells whether the value i of t is the value j of u, as JSON Schema
// defines it: numbers by value, objects whatever the order of their members.
func (t *tape) equal(i uint32, u *tape, j uint32) bool {
	a, b := &t.toks[i], &u.toks[j]
	if a.kind != b.kind || a.count != b.count {
		return false
	}
	switch a.kind {
	case kindNumber:
		x, y := parseDecimal(t.raw(i)), parseDecimal(u.raw(j))
		return x.compare(&y) == 0
	case kindString:
		return t.equalText(i, u, j)
	case kindArray:
		for i, j := i+1, j+1; i < a.next; i, j = t.toks[i].next, u.toks[j].next {
			if !t.equal(i, u, j) {
				return false
			}
		}
		return true
	case kindObject:
		if a.count > smallObject {
			// Searching each name among the other's would be quadratic; 64 seeded
			// bits that agree are enough.
			return t.hash(i) == u.hash(j)
		}
		for k := i + 1; k < a.next; k = t.toks[k+1].next {
			m, ok := u.member(j, t, k)
			if !ok || !t.equal(k+1, u, m+1) {
				return false
			}
		}
		return true
	default:
		return true
	}
}

func (t *tape) equalText(i uint32, u *tape, j uint32) bool {
	if (t.toks[i].flags|u.toks[j].flags)&flagEscaped == 0 {
		return bytes.Equal(t.raw(i), u.raw(j))
	}
	return bytes.Equal(t.text(i, nil), u.text(j, nil))
}

// member finds the member of the object j of t that has the name k of u.
func (t *tape) member(j uint32, u *tape, k uint32) (uint32, bool) {
	for m, end := j+1, t.toks[j].next; m < end; m = t.toks[m+1].next {
		if t.equalText(m, u, k) {
			return m, true
		}
	}
	return 0, false
}

// pairwise is up to how many elements are compared each with each.
const pairwise = 12

// unique tells whether the elements of the array i differ from each other.
func (t *tape) unique(i uint32) bool {
	array := &t.toks[i]
	if array.count < 2 {
		return true
	}
	if array.count <= pairwise {
		for a := i + 1; a < array.next; a = t.toks[a].next {
			for b := t.toks[a].next; b < array.next; b = t.toks[b].next {
				if t.equal(a, t, b) {
					return false
				}
			}
		}
		return true
	}
	size := uint32(64)
	for size < 2*array.count {
		size *= 2
	}
	slots := make([]uint64, size) // index in the upper half, half of the hash in the lower
	for a := i + 1; a < array.next; a = t.toks[a].next {
		hash := t.hash(a)
		entry := uint64(a)<<32 | hash>>32
		at := uint32(hash) & (size - 1)
		for ; slots[at] != 0; at = (at + 1) & (size - 1) {
			if uint32(slots[at]) == uint32(entry) && t.equal(uint32(slots[at]>>32), t, a) {
				return false
			}
		}
		slots[at] = entry
	}
	return true
}

// hash gives equal values equal hashes.
func (t *tape) hash(i uint32) uint64 {
	k := &t.toks[i]
	switch k.kind {
	case kindNumber:
		return hashNumber(t.raw(i))
	case kindString:
		return maphash.Bytes(seed, t.text(i, nil))
	case kindArray:
		h := uint64(kindArray)
		for a := i + 1; a < k.next; a = t.toks[a].next {
			h = mix(h, t.hash(a))
		}
		return h
	case kindObject:
		h := uint64(kindObject)
		for a := i + 1; a < k.next; a = t.toks[a+1].next {
			h += mix(t.hash(a), t.hash(a+1)) // a sum, since order does not count
		}
		return h
	default:
		return mix(uint64(k.kind), 0)
	}
}

// hashNumber hashes a number's significant digits and exponent, so that all
// spellings of one value hash alike.
func hashNumber(b []byte) uint64 {
	var buf [maxNumberText + 8]byte
	out, exp := buf[:0], int32(0)
	if d := parseDecimal(b); !d.big {
		out, exp = strconv.AppendUint(out, d.coef, 10), d.exp
	} else {
		out, exp = significant(out, b)
	}
	if b[0] == '-' && out[0] != '0' {
		out = append(out, '-')
	}
	out = strconv.AppendInt(out, int64(exp), 10)
	return maphash.Bytes(seed, out)
}

// significant appends the digits of a number other than zero without leading and
// trailing zeros and gives the power of ten of the last one.
func significant(dst, b []byte) (out []byte, exp int32) {
	fraction := false
	for i, c := range b {
		switch {
		case c == '-':
		case c == '.':
			fraction = true
		case c|0x20 == 'e':
			e, _ := strconv.Atoi(string(b[i+1:])) // within maxExponent
			exp += int32(e)
			return trimZeros(dst, exp)
		default:
			if len(dst) > 0 || c != '0' {
				dst = append(dst, c)
			}
			if fraction {
				exp--
			}
		}
	}
	return trimZeros(dst, exp)
}

func trimZeros(digits []byte, exp int32) ([]byte, int32) {
	for len(digits) > 1 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
		exp++
	}
	return digits, exp
}

// mixer keeps mix as unpredictable as the hashes that it combines.
var mixer = maphash.String(seed, "mixer")

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^mixer, b^0x9E3779B97F4A7C15)
	return hi ^ lo
}
