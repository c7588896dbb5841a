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
		name, ok := decodeQuery(buf[:0], key)
		if !ok || string(name) == t.name || !NearName(name, t.name) {
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
	var buf [maxSelectorValue]byte
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, _, _ := strings.Cut(pair, "=")
		if own, ok := decodeQuery(buf[:0], key); ok && NearName(own, name) {
			n++
		}
	}
	return n
}

// NearName reports whether some reader takes a name for the one that is wanted: in
// other letter case (ASP.NET), as an element of an array, up to a NUL, or as PHP mends
// names.
func NearName[T string | []byte](name T, want string) bool {
	for len(name) > 0 && name[0] == ' ' {
		name = name[1:]
	}
	if len(name) < len(want) {
		return false
	}
	for i := range len(want) {
		if mended(name[i]) != mended(want[i]) {
			return false
		}
	}
	rest := name[len(want):]
	return len(rest) == 0 || rest[0] == '[' || rest[0] == 0 || rest[0] == ' '
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
