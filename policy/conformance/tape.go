package conformance

import (
	"hash/maphash"
	"sync"
)

// kind is the JSON type of a token.
type kind uint8

const (
	kindNull kind = iota
	kindFalse
	kindTrue
	kindNumber
	kindString
	kindArray
	kindObject
)

const (
	flagEscaped uint8 = 1 << iota // a string with escapes in it
	flagWide                      // a string with bytes outside ASCII
	flagInteger                   // a number without fraction and exponent
	flagSized                     // a string of which only the size is known: count
)

// token is one JSON value, or the name of an object's member. The tokens of a
// document stand in document order, so that a value's descendants follow it; a
// member is two tokens, its name and its value.
type token struct {
	start, end uint32 // range in tape.src; of strings without the quotes
	next       uint32 // index of the first token that is no part of this value
	count      uint32 // elements or members; of a member's name its key
	kind       kind
	flags      uint8
}

// tape is a value in token form: what the strict reader makes of a body and the
// styles of a parameter's text. Judging reads the tape only, so that a
// combinator's branches pass over tokens and never parse again.
type tape struct {
	src   []byte
	toks  []token
	depth int      // the deepest nesting seen
	slots []uint32 // the hash table for the names of large objects
	a, b  []byte   // for unescaped names
}

var tapes = sync.Pool{New: func() any { return new(tape) }}

// maxPooledTokens keeps one hostile body from pinning memory in the pool:
// 20 bytes a token, 640 KiB.
const maxPooledTokens = 1 << 15

// maxPooledText does the same for the buffers of unescaped text.
const maxPooledText = 64 << 10

func newTape() *tape { return tapes.Get().(*tape) }

func (t *tape) release() {
	if t.keep() {
		tapes.Put(t)
	}
}

// keep empties the tape and tells whether what it has grown to is worth keeping.
func (t *tape) keep() bool {
	if cap(t.a)+cap(t.b) > maxPooledText {
		t.a, t.b = nil, nil
	}
	if cap(t.toks) > maxPooledTokens || cap(t.slots) > 4*maxPooledTokens {
		return false
	}
	t.src = nil
	t.toks = t.toks[:0]
	t.depth = 0
	return true
}

// foreseen is from how many tokens on the tape's room is foreseen.
const foreseen = 4 << 10

// grow makes room for twice the tokens, or, where there are many, for as many as
// the rest of the text has if it goes on as it began, and an eighth more, but never
// for more than it can have: a megabyte of the shortest values took 21 MiB in
// copies of twice the size each, and takes half of that so.
func (t *tape) grow() {
	n := len(t.toks)
	room := max(64, 2*n)
	if n >= foreseen {
		if read := int(t.toks[n-1].start); read > 0 {
			likely := int(float64(n) / float64(read) * float64(len(t.src)) * 9 / 8)
			// A value and its comma take two bytes at least.
			room = min(max(room, likely), n+(len(t.src)-read)/2+1)
		}
	}
	toks := make([]token, n, room)
	copy(toks, t.toks)
	t.toks = toks
}

func (t *tape) raw(i uint32) []byte {
	k := &t.toks[i]
	return t.src[k.start:k.end]
}

// text is the value of the string token i, unescaped into buf where need be.
func (t *tape) text(i uint32, buf []byte) []byte {
	k := &t.toks[i]
	b := t.src[k.start:k.end]
	if k.flags&flagEscaped == 0 {
		return b
	}
	return appendUnescaped(buf[:0], b)
}

// seed keeps clients from choosing names and values that collide.
var seed = maphash.MakeSeed()

// duplicate tells whether the object at i has two members of one name.
func (t *tape) duplicate(i uint32) bool {
	size := uint32(64)
	for size < 2*t.toks[i].count {
		size *= 2
	}
	if uint32(cap(t.slots)) < size {
		t.slots = make([]uint32, size)
	}
	slots := t.slots[:size]
	clear(slots)
	for k, end := i+1, t.toks[i].next; k < end; k = t.toks[k+1].next {
		name := t.raw(k)
		if t.toks[k].flags&flagEscaped != 0 {
			t.a = appendUnescaped(t.a[:0], name)
			name = t.a
		}
		at := uint32(maphash.Bytes(seed, name)) & (size - 1)
		for ; slots[at] != 0; at = (at + 1) & (size - 1) {
			if t.sameName(slots[at], name) {
				return true
			}
		}
		slots[at] = k
	}
	return false
}

// seenBefore tells whether the member whose name is token k repeats an earlier
// name of the object at i.
func (t *tape) seenBefore(i, k uint32) bool {
	key := t.toks[k].count
	for p := i + 1; p < k; p = t.toks[p+1].next {
		if t.toks[p].count == key && string(t.text(p, t.a)) == string(t.text(k, t.b)) {
			return true
		}
	}
	return false
}

// nameKey is a summary of a name: its length and three of its characters. Names
// with different keys differ.
func nameKey(b []byte) uint32 {
	n := len(b)
	if n == 0 {
		return 0
	}
	return uint32(n)<<24 | uint32(b[0])<<16 | uint32(b[n/2])<<8 | uint32(b[n-1])
}

func (t *tape) sameName(k uint32, name []byte) bool {
	if t.toks[k].flags&flagEscaped == 0 {
		return string(t.raw(k)) == string(name)
	}
	t.b = appendUnescaped(t.b[:0], t.raw(k))
	return string(t.b) == string(name)
}
