package target

// Classes of bytes, one bit each, so that every scan is one table lookup a byte.
const (
	unreserved uint8 = 1 << iota // RFC 3986 section 2.3
	inPath                       // stands in a path and means nothing special to scanPath
	inQuery                      // stands in a query and means nothing special to judgeQuery
	inHost                       // stands in a canonical host and means nothing special
	goKeeps                      // url.URL.EscapedPath leaves it raw on its own
	upperHex                     // 0-9 A-F
	lowerHex                     // a-f
)

// class is filled from the grammar below and never written again.
var class = func() (table [256]uint8) {
	set := func(bits uint8, members string) {
		for i := 0; i < len(members); i++ {
			table[members[i]] |= bits
		}
	}
	const (
		digits = "0123456789"
		lower  = "abcdefghijklmnopqrstuvwxyz"
		upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	)
	set(unreserved|goKeeps, lower+upper+digits+"-._~")
	// pchar of RFC 3986 section 3.3 without what scanPath looks at: . ; %
	set(inPath, lower+upper+digits+"-_~"+"!$&'()*+,="+":@")
	set(goKeeps, "$&+,/:;=@")
	set(inHost, lower+digits+"-_")
	set(upperHex, digits+"ABCDEF")
	set(lowerHex, "abcdef")
	for c := byte(0x21); c < 0x7F; c++ {
		if c != '%' && c != ';' && c != '#' {
			table[c] |= inQuery
		}
	}
	return table
}()

// skip returns the index of the first byte of s, from i on, that is not of class
// of, or the length of s. Four bytes a turn make a path about a third faster; see
// BenchmarkCanonical.
func skip(s string, i int, of uint8) int {
	rest := s[i:]
	for len(rest) >= 4 && class[rest[0]]&class[rest[1]]&class[rest[2]]&class[rest[3]]&of != 0 {
		rest = rest[4:]
	}
	for len(rest) > 0 && class[rest[0]]&of != 0 {
		rest = rest[1:]
	}
	return len(s) - len(rest)
}

// octet decodes the percent-escape at the start of s, which begins with "%".
func octet(s string) (b byte, ok bool) {
	const hex = upperHex | lowerHex
	if len(s) < 3 || class[s[1]]&hex == 0 || class[s[2]]&hex == 0 {
		return 0, false
	}
	return nibble(s[1])<<4 | nibble(s[2]), true
}

// nibble is the value of a hex digit.
func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// stray names the problem of a byte that has no business where it stands.
func stray(c byte) Problem {
	switch {
	case c >= 0x80:
		return NonASCII
	case c <= ' ' || c == 0x7F:
		return Control
	case c == '\\':
		return Backslash
	case c == '#':
		return Fragment
	default:
		return InvalidCharacter
	}
}
