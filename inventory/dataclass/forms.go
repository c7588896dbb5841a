package dataclass

import "strings"

// hasEmail reports whether there is an e-mail address in a text.
func hasEmail(text string) bool {
	for at := strings.IndexByte(text, '@'); at >= 0; {
		start := at
		for start > 0 && isLocal(text[start-1]) {
			start--
		}
		end := at + 1
		for end < len(text) && isDomain(text[end]) {
			end++
		}
		domain := strings.TrimRight(text[at+1:end], ".-")
		// "git@host:path" and "user@host/path" are addresses of something else, and
		// so is what stands in a URL.
		part := end < len(text) && (text[end] == ':' || text[end] == '/' || text[end] == '@')
		inURL := strings.HasSuffix(text[:start], "//") || strings.HasSuffix(text[:start], ":")
		if inURL && strings.HasSuffix(strings.ToLower(text[:start]), "mailto:") {
			inURL = false
		}
		if at-start >= 1 && at-start <= 64 && !part && !inURL && isMailDomain(domain) {
			return true
		}
		next := strings.IndexByte(text[at+1:], '@')
		if next < 0 {
			return false
		}
		at += 1 + next
	}
	return false
}

func isLocal(c byte) bool {
	return '0' <= c && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte(".!#$%&'*+=?^_`{|}~-", c) >= 0
}

func isDomain(c byte) bool {
	return '0' <= c && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '.' || c == '-'
}

// files are last parts of names that look like domains and are files:
// "icon@2x.png".
var files = map[string]bool{"png": true, "jpg": true, "jpeg": true, "gif": true, "svg": true, "webp": true, "css": true, "js": true, "json": true, "html": true, "pdf": true, "mp4": true}

func isMailDomain(domain string) bool {
	last := strings.LastIndexByte(domain, '.')
	if last < 1 || len(domain) > 253 || strings.Contains(domain, "..") {
		return false
	}
	top := strings.ToLower(domain[last+1:])
	if len(top) < 2 || files[top] {
		return false
	}
	for _, c := range []byte(top) {
		if c < 'a' || c > 'z' {
			return strings.HasPrefix(top, "xn--")
		}
	}
	return true
}

// isPhone takes numbers that are written as phone numbers: +49 30 1234567 (E.164,
// with separators), (415) 555-2671, 415-555-2671.
func isPhone(text string) bool {
	digits, last := 0, byte(0)
	for i, c := range []byte(text) {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case c == '+' && i == 0:
		case c == ' ' || c == '-' || c == '(' || c == ')' || c == '.' || c == '/':
			if last == c && c != ' ' {
				return false
			}
		default:
			return false
		}
		last = c
	}
	if text[0] == '+' {
		return digits >= 8 && digits <= 15 && len(text) > 1 && text[1] != '0' && strings.Count(text, ".") != 1
	}
	if text[0] == '(' {
		return digits >= 9 && digits <= 12 && strings.IndexByte(text, ')') >= 3
	}
	return digits == 10 && len(text) == 12 && (text[3] == '-' && text[7] == '-' || text[3] == '.' && text[7] == '.')
}

// isDate takes the usual ways to write a day.
func isDate(text string) bool {
	if i := strings.IndexAny(text, "T "); i > 0 {
		text = text[:i]
	}
	var parts []string
	switch {
	case strings.Contains(text, "-"):
		parts = strings.Split(text, "-")
	case strings.Contains(text, "/"):
		parts = strings.Split(text, "/")
	case strings.Contains(text, "."):
		parts = strings.Split(text, ".")
	case len(text) == 8:
		parts = []string{text[:4], text[4:6], text[6:]}
	}
	if len(parts) != 3 {
		return false
	}
	if len(parts[0]) != 4 {
		parts[0], parts[2] = parts[2], parts[0]
	}
	year, ok := small(parts[0])
	a, ok2 := small(parts[1])
	b, ok3 := small(parts[2])
	return ok && ok2 && ok3 && len(parts[0]) == 4 && year >= 1880 && year <= 2100 &&
		a >= 1 && b >= 1 && max(a, b) <= 31 && min(a, b) <= 12
}

// small reads a number of up to four digits.
func small(text string) (n int, ok bool) {
	if text == "" || len(text) > 4 {
		return 0, false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// bare takes separators out of a text; it is empty when there is something else
// than digits and capital letters then, or when it is too long.
func bare(text, separators string) string {
	if len(text) > 48 {
		return ""
	}
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case '0' <= c && c <= '9' || 'A' <= c && c <= 'Z':
			b.WriteByte(c)
		case strings.IndexByte(separators, c) < 0:
			return ""
		}
	}
	return b.String()
}

func allDigits(text string) bool {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text != ""
}
