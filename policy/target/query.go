package target

import "unicode/utf8"

// judgeQuery judges a query, given without its "?". A query has no rewriting:
// how it splits and what its delimiters mean is the application's business, so
// it is sent as it came or not at all. Raw printable ASCII passes, the
// characters that RFC 3986 section 3.4 does not have included, because browsers
// send them (URL Standard, query percent-encode set) and Go forwards them
// untouched. Encoded controls pass too: they are data, such as a line feed.
func judgeQuery(query string) Problem {
	for i := skip(query, 0, inQuery); i < len(query); i = skip(query, i, inQuery) {
		switch c := query[i]; c {
		case '%':
			b, ok := octet(query[i:])
			if !ok {
				return QueryEscape
			}
			octets := 1
			if b >= utf8.RuneSelf {
				if _, octets, _ = readRune(query[i:]); octets == 0 {
					return QueryNotUTF8
				}
			}
			i += 3 * octets
		case ';':
			return QuerySemicolon
		default:
			return stray(c)
		}
	}
	return ""
}
