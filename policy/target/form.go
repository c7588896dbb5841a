package target

import "strings"

// ownOrigin returns the origin-form of a target that is in another form, judged
// on its own authority. net/http gives that one precedence over the Host field
// (RFC 9112 section 3.2.2); a caller that did not must not have the request
// judged on one and sent to the other.
func ownOrigin(in Input, authority string) (origin string, problem Problem) {
	own, origin, problem := splitForm(in.Method, in.Raw)
	if problem != "" {
		return "", problem
	}
	_, named, problem := canonicalHost(own, in.TLS)
	if problem != "" {
		return "", problem
	}
	if named != authority {
		return "", AuthorityMismatch
	}
	return origin, ""
}

// splitForm takes apart a target that is not in origin-form: an http or https
// URL gives its authority and the rest, which begins with "/" or "?" or is
// empty; every other form (RFC 9112 section 3.2) is refused.
func splitForm(method, raw string) (authority, rest string, problem Problem) {
	if raw == "" {
		return "", "", EmptyTarget
	}
	if raw == "*" {
		return "", "", AsteriskForm
	}
	scheme, after, found := strings.Cut(raw, "://")
	if !found {
		if method == "CONNECT" || looksLikeAuthority(raw) {
			return "", "", AuthorityForm
		}
		return "", "", Opaque
	}
	if !equalFold(scheme, "http") && !equalFold(scheme, "https") {
		if isScheme(scheme) {
			return "", "", UnknownScheme
		}
		return "", "", Opaque
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	authority, rest = after[:end], after[end:]
	switch {
	case rest == "" && method == "OPTIONS":
		// RFC 9112 section 3.2.4: this spells "OPTIONS *" for the last proxy.
		return "", "", AsteriskForm
	case rest != "" && rest[0] == '#':
		return "", "", Fragment
	}
	return authority, rest, ""
}

// looksLikeAuthority reports whether raw is "host:port", which only CONNECT may
// use. Go's parser would take the host for a scheme.
func looksLikeAuthority(raw string) bool {
	colon := strings.LastIndexByte(raw, ':')
	if colon <= 0 || colon == len(raw)-1 || strings.IndexByte(raw, '/') >= 0 {
		return false
	}
	for _, c := range []byte(raw[colon+1:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// isScheme reports whether s is a scheme by RFC 3986 section 3.1.
func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// equalFold compares with a lower-case word, ASCII only: strings.EqualFold also
// takes U+017F for "s" and U+212A for "k".
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
