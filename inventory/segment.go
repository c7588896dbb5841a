package inventory

import "strings"

// segmentClass is the lexical class of a path segment, as the placeholder that
// stands for it in a template, or "" for a name that is kept as it is. index is
// the segment's place in the path from 0, last says that nothing follows it.
//
// In order, the first that holds:
//
//	versions      kept: v2, v1beta1, 2025.0, 1.2.3, dated ones (see isVersion)
//	{integer}     digits, a sign allowed; not a single digit in the first two segments
//	{phone}       + and at least 7 digits
//	{number}      digits with a decimal point
//	{uuid}        8-4-4-4-12 hex digits
//	{email}       something @ something
//	{hex}         at least 8 hex digits, one of them 0 to 9
//	{ulid}        26 characters of Crockford's base 32
//	{date}        1999-12-31, also with a time
//	{jwt}         three parts of base64url, the first beginning as JSON does
//	{token}       at least 16 of base64url: both cases and a digit, or 5 digits
//	{text}        over 64 bytes, or with an encoded space: no name looks like that
func segmentClass(s string, index int, last bool) string {
	switch {
	case s == "" || isVersion(s, index, last):
		return ""
	case isInteger(s):
		if len(s) == 1 && index < 2 {
			return ""
		}
		return "{integer}"
	case isPhone(s):
		return "{phone}"
	case isNumber(s):
		return "{number}"
	case isUUID(s):
		return "{uuid}"
	case isEmail(s):
		return "{email}"
	case isHex(s):
		return "{hex}"
	case isULID(s):
		return "{ulid}"
	case isDate(s):
		return "{date}"
	case isJWT(s):
		return "{jwt}"
	case isToken(s):
		return "{token}"
	case len(s) > 64 || strings.Contains(s, "%20"):
		return "{text}"
	default:
		return ""
	}
}

// isVersion keeps versions apart, which merging would hide: v1 and v2 are what
// an inventory is about. A dated version (2024-01-31) is one in the first
// segment, in the second when something follows, and anywhere with -preview or
// -beta; elsewhere it is a date. A dotted number is a version unless it is the
// last of three or more segments.
func isVersion(s string, index int, last bool) bool {
	if s[0] == 'v' || s[0] == 'V' {
		return isLetterVersion(s[1:])
	}
	if isDottedVersion(s) {
		return index < 2 || !last
	}
	rest, dated := cutDate(s)
	if !dated || s[0] != '2' || s[1] != '0' {
		return false
	}
	switch rest {
	case "-preview", "-beta":
		return true
	case "":
		return index == 0 || index == 1 && !last
	default:
		return false
	}
}

// isLetterVersion reads what follows the v: one to three digits, then perhaps a
// separator and up to eight letters, digits or underscores.
func isLetterVersion(s string) bool {
	n := digitsAt(s, 0)
	if n == 0 || n > 3 {
		return false
	}
	s = s[n:]
	if s != "" && (s[0] == '.' || s[0] == '_' || s[0] == '-') {
		s = s[1:]
		if s == "" {
			return false
		}
	}
	return len(s) <= 8 && all(s, isWord)
}

// isDottedVersion reads n.n or n.n.n: up to four digits, then up to two.
func isDottedVersion(s string) bool {
	n := digitsAt(s, 0)
	if n == 0 || n > 4 {
		return false
	}
	s = s[n:]
	parts := 0
	for s != "" {
		if s[0] != '.' {
			return false
		}
		n := digitsAt(s, 1)
		if n == 0 || n > 2 {
			return false
		}
		s = s[1+n:]
		parts++
	}
	return parts == 1 || parts == 2
}

func isInteger(s string) bool {
	if len(s) > 1 && s[0] == '-' {
		s = s[1:]
	}
	return all(s, isDigit)
}

func isPhone(s string) bool {
	rest, plus := strings.CutPrefix(s, "+")
	if !plus {
		rest, plus = strings.CutPrefix(s, "%2B")
	}
	return plus && len(rest) >= 7 && all(rest, isDigit)
}

func isNumber(s string) bool {
	if len(s) > 1 && s[0] == '-' {
		s = s[1:]
	}
	n := digitsAt(s, 0)
	return n > 0 && n+1 < len(s) && s[n] == '.' && all(s[n+1:], isDigit)
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHexDigit(s[i]) {
				return false
			}
		}
	}
	return true
}

func isEmail(s string) bool {
	at, width := strings.IndexByte(s, '@'), 1
	if at < 0 {
		at, width = strings.Index(s, "%40"), 3
	}
	return at > 0 && at+width < len(s)
}

func isHex(s string) bool {
	return len(s) >= 8 && all(s, isHexDigit) && count(s, isDigit) > 0
}

// isULID reads 26 characters of Crockford's base 32, 128 bits: the first is at
// most 7, and I, L, O and U do not occur.
func isULID(s string) bool {
	if len(s) != 26 || s[0] < '0' || s[0] > '7' {
		return false
	}
	return all(s, func(c byte) bool {
		if isDigit(c) {
			return true
		}
		c |= 0x20
		return c >= 'a' && c <= 'z' && c != 'i' && c != 'l' && c != 'o' && c != 'u'
	})
}

func isDate(s string) bool {
	rest, ok := cutDate(s)
	return ok && (rest == "" || rest[0] == 'T' || rest[0] == 't')
}

// cutDate cuts YYYY-MM-DD off s.
func cutDate(s string) (rest string, ok bool) {
	if len(s) < 10 || digitsAt(s, 0) != 4 || s[4] != '-' || digitsAt(s, 5) != 2 || s[7] != '-' || !isDigit(s[8]) || !isDigit(s[9]) {
		return "", false
	}
	month, day := s[5:7], s[8:10]
	return s[10:], month >= "01" && month <= "12" && day >= "01" && day <= "31"
}

// isJWT reads header.payload.signature (RFC 7519); the header is a JSON object,
// "{" and what may follow it, which base64url begins with "ey" or "ew".
func isJWT(s string) bool {
	if !strings.HasPrefix(s, "ey") && !strings.HasPrefix(s, "ew") {
		return false
	}
	header, rest, ok := strings.Cut(s, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	return ok && ok2 && len(header) >= 8 && payload != "" &&
		all(header, isBase64URL) && all(payload, isBase64URL) && all(signature, isBase64URL)
}

func isToken(s string) bool {
	if len(s) < 16 || !all(s, isBase64URL) {
		return false
	}
	digits := count(s, isDigit)
	return digits >= 5 || digits > 0 && count(s, isUpper) > 0 && count(s, isLower) > 0
}

func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isUpper(c byte) bool    { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool    { return c >= 'a' && c <= 'z' }
func isWord(c byte) bool     { return isDigit(c) || isUpper(c) || isLower(c) || c == '_' }
func isHexDigit(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isBase64URL(c byte) bool {
	return isWord(c) || c == '-'
}

// digitsAt counts the digits of s from start on.
func digitsAt(s string, start int) int {
	n := start
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n - start
}

// all reports whether every byte of s is in the class; so it does of an empty
// string.
func all(s string, in func(byte) bool) bool {
	for i := range len(s) {
		if !in(s[i]) {
			return false
		}
	}
	return true
}

func count(s string, in func(byte) bool) int {
	n := 0
	for i := range len(s) {
		if in(s[i]) {
			n++
		}
	}
	return n
}
