package catalogue

// A literal segment is compared by its length and two overlapping words: up to
// 16 bytes they are the whole text, so that a lookup in a large catalogue touches
// one cache line. Longer texts are compared in full after the words agree.

// words are the first and the last bytes of a segment. With the length they
// determine every segment of at most 16 bytes.
func words(s string) (a, b uint64) {
	n := len(s)
	switch {
	case n >= 8:
		return load64(s), load64(s[n-8:])
	case n >= 4:
		return load32(s), load32(s[n-4:])
	case n > 0:
		return uint64(s[0]) | uint64(s[n/2])<<8 | uint64(s[n-1])<<16, 0
	default:
		return 0, 0
	}
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load32(s string) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// lowerWord turns the ASCII capitals among eight bytes into small letters.
func lowerWord(w uint64) uint64 {
	const each = 0x0101010101010101
	low := w & (0x7f * each)
	fromA := low + (0x80-'A')*each
	aboveZ := low + (0x7f-'Z')*each
	return w | (fromA&^aboveZ&^w&(0x80*each))>>2
}

// hashWords spreads well enough for a table that only the configuration fills.
func hashWords(a, b uint64, node int32, n int) uint64 {
	h := (a ^ uint64(node)*0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	h ^= h >> 32
	h = (h ^ b ^ uint64(n)) * 0x94d049bb133111eb
	return h ^ h>>29
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// lower folds ASCII letters only: all others are percent-encoded in a canonical
// path, and their escapes are not letters of one alphabet.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lowerByte(c)
	}
	return string(b)
}

// sameText compares s with a text that is already in lower case if fold is set.
func sameText(s, text string, fold bool) bool {
	if !fold {
		return s == text
	}
	if len(s) != len(text) {
		return false
	}
	for i := range len(s) {
		if lowerByte(s[i]) != text[i] {
			return false
		}
	}
	return true
}
