package catalogue

import "strings"

// nearly reports whether a value that no version is selected by may be taken for
// one that is: in other letter case, in quotes, as one of a list, or as a time of
// the day. Readers differ in all of these, and a retired version must not be
// reached by a spelling of its name that only upstream understands.
func (t *selectorTable) nearly(value string) bool {
	for n := 0; value != ""; n++ {
		if n == maxSelectorLines {
			return true
		}
		element := value
		if i := strings.IndexAny(value, ",;|"); i >= 0 {
			element, value = value[:i], value[i+1:]
		} else {
			value = ""
		}
		element = strings.Trim(element, " \t\r\n\v\f\x00\"'")
		if t.kind == SelectDate {
			if len(element) >= len("2006-01-02") && isDay(element[:len("2006-01-02")]) {
				return true
			}
			continue
		}
		for known := range t.values {
			if strings.EqualFold(element, known) {
				return true
			}
		}
	}
	return false
}

// nearlyAsked reports whether a query selects a version under a name that only
// some readers take for the selector's, see NearName.
func (t *selectorTable) nearlyAsked(query string) bool {
	var buf [maxSelectorValue]byte
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, text, _ := strings.Cut(pair, "=")
		if name, ok := decodeQuery(buf[:0], key); ok && string(name) == t.name || !NearName(key, t.name) {
			continue
		}
		if value, ok := decodeQuery(buf[:0], text); !ok || t.nearly(string(value)) {
			return true
		}
	}
	return false
}

// CountNear is how many parameters of a query some reader takes for the one of that
// name.
func CountNear(query, name string) (n int) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if key, _, _ := strings.Cut(pair, "="); NearName(key, name) {
			n++
		}
	}
	return n
}

// NearName reports whether some reader takes a name, encoded as in a query, for the one
// that is wanted: in other letter case (ASP.NET), as an element of an array, up to a NUL,
// or as PHP mends names. What follows or precedes may be as long as it likes.
func NearName(key, want string) bool {
	c, rest, ok := cutByte(key)
	for ok && c == ' ' {
		c, rest, ok = cutByte(rest)
	}
	for i := range len(want) {
		if !ok || mended(c) != mended(want[i]) {
			return false
		}
		c, rest, ok = cutByte(rest)
	}
	return !ok || c == '[' || c == 0 || c == ' '
}

// cutByte cuts off the first byte of what is encoded as in a query. A "%" that encodes
// nothing is one, as PHP takes it.
func cutByte(key string) (c byte, rest string, ok bool) {
	switch {
	case key == "":
		return 0, "", false
	case key[0] == '+':
		return ' ', key[1:], true
	case key[0] == '%' && len(key) > 2:
		if high, low := hexDigit(key[1]), hexDigit(key[2]); high <= 15 && low <= 15 {
			return high<<4 | low, key[3:], true
		}
	}
	return key[0], key[1:], true
}

// mended is a character of a name as ASP.NET and PHP compare it.
func mended(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c | 0x20
	case c == '.' || c == ' ' || c == '[':
		return '_'
	}
	return c
}
