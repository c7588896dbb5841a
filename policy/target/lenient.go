package target

import (
	"strings"
	"unicode/utf8"
)

// Lenient is a guess at a target that Canonical refuses: the way the most
// forgiving of upstreams would read it. It is for a target rule in monitor or
// off, where the request goes on as it came and its limits, version and
// inventory entry still have to be found: a spelling must not escape a limit
// because nobody enforces spellings. It is never what is sent (no field of the
// request is set from it, Changed stays false).
//
// Escapes are decoded until none is left, "\" counts as "/", what follows ";" in
// a segment and a fragment are cut off, and empty and dot segments are resolved.
// What no reader agrees on (controls, bytes that are not UTF-8, a lone "%")
// becomes U+FFFD. Host is empty when nothing in the authority is a host.
// Canonical accepts a Path of up to MaxLength bytes; only the first MaxLength
// bytes of Raw are read, and the cost is linear in them.
func Lenient(in Input) Target {
	var t Target
	t.Host, t.Authority = lenientHost(in.Host, in.TLS)
	raw, _, _ := strings.Cut(in.Raw[:min(len(in.Raw), MaxLength)], "#")
	path, query, hasQuery := strings.Cut(raw, "?")
	t.Path = lenientPath(path)
	t.RawQuery, t.ForceQuery = query, hasQuery && query == ""
	return t
}

// lenientHost keeps the name of an authority whose userinfo, port or final dots
// are what is wrong: Caddy matches a site by such a name too.
func lenientHost(s string, tls bool) (host, authority string) {
	host, authority, problem := canonicalHost(s, tls)
	if problem == "" {
		return host, authority
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	if s != "" && s[0] == '[' {
		s = s[:strings.IndexByte(s, ']')+1]
	} else {
		s, _, _ = strings.Cut(s, ":")
		s = strings.TrimRight(s, ".")
	}
	host, authority, _ = canonicalHost(s, tls)
	return host, authority
}

// lenientPath reads the path of a target in any form.
func lenientPath(raw string) string {
	if raw == "" || raw[0] != '/' {
		// "scheme://authority/path" and Go's opaque "scheme:anything", of which
		// an upstream gets the part behind the colon.
		if _, after, found := strings.Cut(raw, "://"); found {
			_, raw, _ = strings.Cut(after, "/")
		} else if _, after, found := strings.Cut(raw, ":"); found {
			raw = after
		}
	}
	decoded := decodeFully(raw)

	out := make([]byte, 1, len(decoded)+1)
	out[0] = '/'
	for rest, more := string(decoded), true; more; {
		var segment string
		if i := strings.IndexAny(rest, `/\`); i >= 0 {
			segment, rest = rest[:i], rest[i+1:]
		} else {
			segment, more = rest, false
		}
		segment, _, _ = strings.Cut(segment, ";")
		switch segment {
		case "", ".":
		case "..":
			out = parent(out)
		default:
			out = appendSegment(out, segment)
			if more {
				out = append(out, '/')
			}
		}
	}
	return string(out)
}

// parent drops the last segment of a path that ends in "/", but never the root.
func parent(path []byte) []byte {
	end := len(path) - 1
	for end > 0 && path[end-1] != '/' {
		end--
	}
	return path[:max(end, 1)]
}

// appendSegment appends a decoded segment in canonical encoding.
func appendSegment(out []byte, segment string) []byte {
	for i := 0; i < len(segment); {
		r, width := utf8.DecodeRuneInString(segment[i:])
		c := segment[i]
		switch {
		case r < utf8.RuneSelf && class[c]&(inPath|unreserved) != 0:
			out = append(out, c)
		case r == utf8.RuneError || r < ' ' || r >= 0x7F && r <= 0x9F || c == '%':
			out = append(out, "%EF%BF%BD"...)
		default:
			for _, b := range []byte(segment[i : i+width]) {
				out = appendEscape(out, b)
			}
		}
		i += width
	}
	return out
}

// decodeFully decodes escapes, and escapes that decoding makes, in one pass: an
// escape is complete with its last digit, and what it decodes to is put back to
// be that digit or that "%" of another.
func decodeFully(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		out = append(out, s[i])
		for n := len(out); n >= 3 && out[n-3] == '%'; n = len(out) {
			if class[out[n-2]]&(upperHex|lowerHex) == 0 || class[out[n-1]]&(upperHex|lowerHex) == 0 {
				break
			}
			out[n-3] = nibble(out[n-2])<<4 | nibble(out[n-1])
			out = out[:n-2]
		}
	}
	return out
}
