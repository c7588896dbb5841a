package target

import "unicode/utf8"

// scanPath judges the path at the start of s, which begins with "/", and returns
// where it ends (at "?" or at the end of s), whether some escape is not in its
// canonical form, and the first conditional fault. It reads the path as both
// kinds of upstream do at once, the one that decodes before it splits into
// segments and the one that splits first: a segment ends at "/" and at "%2F",
// and what stands before ";" is a segment of its own.
func scanPath(s string) (end int, rewrite bool, conditional, problem Problem) {
	var (
		i     = 1
		start = 1 // i-start is the decoded length of the segment so far, with its parameters
		dots  = 0 // how many of its characters are dots
	)
scan:
	for i = skip(s, i, inPath); i < len(s); i = skip(s, i, inPath) {
		switch c := s[i]; c {
		case '/':
			if length := i - start; length <= 2 {
				if p := judgeSegment(length, dots); p != "" {
					return 0, false, "", p
				}
			}
			i++
			start, dots = i, 0
		case '.':
			i++
			dots++
		case '?':
			break scan
		case '%':
			esc := readEscape(s, i)
			if esc.problem != "" {
				return 0, false, "", esc.problem
			}
			if esc.slash {
				if p := judgeSegment(i-start, dots); p != "" {
					return 0, false, "", p
				}
				conditional = first(conditional, EncodedSlash)
				start, dots = i+1, 0
			}
			if esc.dot {
				dots++
			}
			rewrite = rewrite || esc.rewrite
			i += 3 * esc.octets
			start += 2 * esc.octets
		case ';':
			if isDots(i-start, dots) {
				return 0, false, "", DotSegment
			}
			conditional = first(conditional, Semicolon)
			i++
		default:
			return 0, false, "", stray(c)
		}
	}
	// The last segment may be empty: that is a trailing slash.
	if isDots(i-start, dots) {
		return 0, false, "", DotSegment
	}
	return i, rewrite, conditional, ""
}

func first(have, next Problem) Problem {
	if have != "" {
		return have
	}
	return next
}

// judgeSegment judges a segment that a slash ends, by its decoded length.
func judgeSegment(length, dots int) Problem {
	switch {
	case length == 0:
		return EmptySegment
	case isDots(length, dots):
		return DotSegment
	}
	return ""
}

func isDots(length, dots int) bool { return length == dots && (length == 1 || length == 2) }

// escape is one percent-encoded character of a path.
type escape struct {
	octets  int  // how many bytes it encodes, three bytes of the target each
	slash   bool // it is "/"
	dot     bool // it is "."
	rewrite bool // it has a canonical form other than this
	problem Problem
}

// readEscape reads the character whose first percent-escape stands at s[i].
func readEscape(s string, i int) escape {
	b, ok := octet(s[i:])
	if !ok {
		return escape{problem: MalformedEscape}
	}
	lower := class[s[i+1]]&lowerHex|class[s[i+2]]&lowerHex != 0
	switch {
	case b >= utf8.RuneSelf:
		r, octets, lower := readRune(s[i:])
		switch {
		case octets == 0:
			return escape{problem: NotUTF8}
		case r <= 0x9F:
			return escape{problem: EncodedControl}
		}
		return escape{octets: octets, rewrite: lower}
	case class[b]&unreserved != 0:
		return escape{octets: 1, dot: b == '.', rewrite: true}
	case b < ' ' || b == 0x7F:
		return escape{problem: EncodedControl}
	case b == '\\':
		return escape{problem: EncodedBackslash}
	case b == '%':
		return escape{problem: EncodedPercent}
	case b == ';':
		return escape{problem: EncodedSemicolon}
	}
	return escape{octets: 1, slash: b == '/', rewrite: lower}
}

// readRune reads a percent-encoded UTF-8 character of two to four bytes at the
// start of s; octets is 0 when there is none. lower says that one of its
// escapes has a lower-case hex digit.
func readRune(s string) (r rune, octets int, lower bool) {
	var buf [utf8.UTFMax]byte
	for octets < len(buf) && len(s) >= 3 && s[0] == '%' {
		b, ok := octet(s)
		if !ok {
			break
		}
		buf[octets] = b
		octets++
		lower = lower || class[s[1]]&lowerHex|class[s[2]]&lowerHex != 0
		s = s[3:]
		if utf8.FullRune(buf[:octets]) {
			break
		}
	}
	// FullRune also holds once the bytes can no longer become a character. That,
	// and a character cut off, decode with width 1.
	r, width := utf8.DecodeRune(buf[:octets])
	if width < 2 {
		return 0, 0, false
	}
	return r, octets, lower
}

// rewritePath returns the canonical form of a path that scanPath accepted.
func rewritePath(path string) string {
	out := make([]byte, 0, len(path))
	for i := 0; i < len(path); {
		b, ok := byte(0), false
		if path[i] == '%' {
			b, ok = octet(path[i:])
		}
		switch {
		case !ok:
			out = append(out, path[i])
			i++
		case class[b]&unreserved != 0:
			out = append(out, b)
			i += 3
		default:
			out = appendEscape(out, b)
			i += 3
		}
	}
	return string(out)
}

// appendEscape appends b percent-encoded, RFC 3986 section 6.2.2.1.
func appendEscape(out []byte, b byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(out, '%', digits[b>>4], digits[b&0xF])
}
