package conformance

import "unicode/utf8"

// isHostname is RFC 1123 section 2.1: labels of letters, digits and inner
// hyphens, 63 each and 253 in all.
func isHostname(b []byte) bool {
	if len(b) == 0 || len(b) > 253 {
		return false
	}
	size := 0
	for i, c := range b {
		switch {
		case c == '.':
			if size == 0 || b[i-1] == '-' {
				return false
			}
			size = 0
			continue
		case c == '-':
			if size == 0 {
				return false
			}
		case c-'0' > 9 && (c|0x20 < 'a' || c|0x20 > 'z'):
			return false
		}
		if size++; size > 63 {
			return false
		}
	}
	return size > 0 && b[len(b)-1] != '-'
}

// isEmail is RFC 5321's Mailbox: a dot-string or a quoted string, then a host
// name or an address in brackets.
func isEmail(b []byte) bool {
	at := -1
	for i, c := range b {
		if c == '@' {
			at = i
		}
	}
	if at < 1 || at > 64 {
		return false
	}
	local, domain := b[:at], b[at+1:]
	if !isQuoted(local) && !isDotString(local) {
		return false
	}
	if n := len(domain); n > 2 && domain[0] == '[' && domain[n-1] == ']' {
		literal := domain[1 : n-1]
		if len(literal) > 5 && string(literal[:5]) == "IPv6:" {
			return isIPv6(literal[5:])
		}
		return isIPv4(literal)
	}
	return isHostname(domain)
}

func isQuoted(b []byte) bool {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return false
	}
	for i := 1; i < len(b)-1; i++ {
		switch c := b[i]; {
		case c == '\\':
			if i++; i >= len(b)-1 {
				return false
			}
		case c == '"' || c < ' ' || c >= 0x7F:
			return false
		}
	}
	return true
}

func isDotString(b []byte) bool {
	atom := 0
	for _, c := range b {
		if c == '.' {
			if atom == 0 {
				return false
			}
			atom = 0
			continue
		}
		if !isAtomText(c) {
			return false
		}
		atom++
	}
	return atom > 0
}

// isAtomText is RFC 5322's atext.
func isAtomText(c byte) bool {
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '/', '=', '?', '^', '_', '`', '{', '|', '}', '~':
		return true
	}
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// isURI is RFC 3986's URI: a scheme, then characters that a URI may have, with
// well-formed escapes and brackets only around an address in the authority.
func isURI(b []byte) bool {
	colon := 0
	for colon < len(b) && isSchemeChar(b[colon], colon == 0) {
		colon++
	}
	if colon == 0 || colon >= len(b) || b[colon] != ':' {
		return false
	}
	rest := b[colon+1:]
	if len(rest) >= 2 && rest[0] == '/' && rest[1] == '/' {
		n, ok := authority(rest[2:])
		if !ok {
			return false
		}
		rest = rest[2+n:]
	}
	fragments := 0
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '#':
			if fragments++; fragments > 1 {
				return false
			}
		case c == '[' || c == ']' || !isURIChar(rest, i):
			return false
		}
	}
	return true
}

func isSchemeChar(c byte, first bool) bool {
	if c|0x20 >= 'a' && c|0x20 <= 'z' {
		return true
	}
	return !first && (c-'0' <= 9 || c == '+' || c == '-' || c == '.')
}

func isURIChar(b []byte, i int) bool {
	switch c := b[i]; c {
	case '%':
		if i+2 >= len(b) {
			return false
		}
		_, ok1 := hexDigit(b[i+1])
		_, ok2 := hexDigit(b[i+2])
		return ok1 && ok2
	case ' ', '"', '<', '>', '\\', '^', '`', '{', '|', '}':
		return false
	default:
		return c > ' ' && c < utf8.RuneSelf-1
	}
}

// authority is the length of the authority that b starts with.
func authority(b []byte) (int, bool) {
	end := 0
	for end < len(b) && b[end] != '/' && b[end] != '?' && b[end] != '#' {
		end++
	}
	host := b[:end]
	for i, c := range host {
		if c == '@' {
			host = host[i+1:]
			break
		}
	}
	if len(host) > 0 && host[0] == '[' {
		closing := 0
		for closing < len(host) && host[closing] != ']' {
			closing++
		}
		if closing == len(host) || !isIPv6(host[1:closing]) {
			return 0, false
		}
		host = host[closing+1:]
		if len(host) > 0 && (host[0] != ':' || digits(host[1:]) != len(host)-1) {
			return 0, false
		}
		return end, true
	}
	for i, c := range b[:end] {
		if c == '[' || c == ']' || !isURIChar(b[:end], i) {
			return 0, false
		}
	}
	for i, c := range host {
		if c == ':' && digits(host[i+1:]) != len(host)-i-1 {
			return 0, false
		}
	}
	return end, true
}
