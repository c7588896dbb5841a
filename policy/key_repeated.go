package policy

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

const (
	headerVariable = "http.request.header."
	cookieVariable = "http.request.cookie."
	queryVariable  = "http.request.uri.query."
	pathVariable   = "http.request.uri.path." // a segment
	origVariable   = "http.request.orig_uri.path."
	hostVariable   = "http.request.host" // its labels, and with its port
)

// several reports whether a placeholder stands for a header field, cookie or query
// parameter that the request has several times. Caddy joins them or takes the first, and
// upstream reads one: the others would buy a fresh bucket for the same value.
func several(variable string, r *Request) bool {
	if name, ok := strings.CutPrefix(variable, headerVariable); ok {
		return len(r.Header[http.CanonicalHeaderKey(name)]) > 1
	}
	if name, ok := strings.CutPrefix(variable, cookieVariable); ok {
		return cookies(r.Header["Cookie"], name) > 1
	}
	if name, ok := strings.CutPrefix(variable, queryVariable); ok {
		return catalogue.CountNear(r.Target.RawQuery, name) > 1
	}
	return false
}

// cookies is how many cookies of a request some reader takes for the one of that name:
// Caddy compares without regard to letter case, most frameworks with it, and some decode
// names.
func cookies(lines []string, name string) (n int) {
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			own, _, _ := strings.Cut(pair, "=")
			if catalogue.NearName(strings.Trim(own, " \t"), name) {
				n++
			}
		}
	}
	return n
}

// plain is a value as all of its spellings have it, so that none buys a fresh bucket. Most
// frameworks decode cookies, whatever is encoded in them. Query parameters and segments
// of the path name accounts as often as bodies do, see addFolded, and a host has no letter
// case.
func (k KeyPart) plain(value string) string {
	switch {
	case k.kind == keyHeader && k.name == "Authorization":
		return plainCredential(value)
	case k.kind == keyPlaceholder && k.stands(queryVariable, pathVariable, origVariable, hostVariable):
		return strings.ToLower(strings.TrimSpace(value))
	case k.kind == keyPlaceholder && k.stands(cookieVariable) && strings.IndexByte(value, '%') >= 0:
		if text, err := url.PathUnescape(value); err == nil {
			return text
		}
	}
	return value
}

// stands reports whether the part is a placeholder that begins so.
func (k KeyPart) stands(variables ...string) bool {
	return slices.ContainsFunc(variables, func(v string) bool { return strings.HasPrefix(k.name[1:], v) })
}

// plainCredential is the value of Authorization. The scheme has no letter case (RFC 9110,
// section 11.1), blanks around what follows mean nothing, and one name and password can
// be written in several base64 texts.
func plainCredential(value string) string {
	i := strings.IndexAny(value, " \t")
	if i < 0 {
		return value
	}
	scheme, rest := http.CanonicalHeaderKey(value[:i]), strings.Trim(value[i:], " \t")
	switch {
	case scheme == "Basic":
		rest = plainBasic(rest)
	case scheme == value[:i] && value[i] == ' ' && len(rest) == len(value)-i-1:
		return value // as most clients write it
	}
	return scheme + " " + rest
}

// plainBasic is the name and password of base64 text as lenient readers have it: many
// skip what is not of the alphabet, and Node.js takes that of URLs too. Some end at its
// padding and others go on: what goes on is one text, whatever it is. Text that has no
// name and password is itself, as far as it is of the alphabet.
func plainBasic(text string) string {
	text = strings.TrimRight(text, "=")
	if strings.IndexByte(text, '=') >= 0 {
		return ""
	}
	coded := strings.Map(func(r rune) rune {
		switch {
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		case 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '+', r == '/':
			return r
		}
		return -1
	}, text)
	whole := coded
	if len(coded)%4 == 1 { // six bits of a byte
		whole = coded[:len(coded)-1]
	}
	if plain, err := base64.RawStdEncoding.DecodeString(whole); err == nil && bytes.IndexByte(plain, ':') >= 0 {
		return string(plain)
	}
	return coded
}
