package policy

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

const (
	headerVariable = "http.request.header."
	cookieVariable = "http.request.cookie."
	queryVariable  = "http.request.uri.query."
	pathVariable   = "http.request.uri.path." // a segment
)

// repeated reports whether a placeholder of the text stands for a header field, cookie
// or query parameter that the request has several times. Caddy joins them or takes the
// first, and upstream reads one: the others would buy a fresh bucket for the same value.
func repeated(text string, r *Request) bool {
	for {
		_, rest, found := strings.Cut(text, "{")
		if !found {
			return false
		}
		var variable string
		variable, text, _ = strings.Cut(rest, "}")
		if several(variable, r) {
			return true
		}
	}
}

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
// Caddy compares without regard to letter case, most frameworks with it.
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
// frameworks decode cookies, whatever is encoded in them. The scheme of Authorization has
// no letter case (RFC 9110, section 11.1), blanks around what follows mean nothing, and
// one name and password can be written in several base64 texts. Query parameters and
// segments of the path name accounts as often as bodies do, see addFolded.
func (k KeyPart) plain(value string) string {
	switch {
	case k.kind == keyHeader && k.name == "Authorization":
		scheme, rest, found := strings.Cut(value, " ")
		if !found {
			return value
		}
		scheme, rest = strings.ToLower(scheme), strings.Trim(rest, " \t")
		if scheme == "basic" {
			if text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(rest, "=")); err == nil {
				rest = string(text)
			}
		}
		return scheme + " " + rest
	case k.kind == keyPlaceholder && (strings.Contains(k.name, "{"+queryVariable) || strings.Contains(k.name, "{"+pathVariable)):
		return strings.ToLower(strings.TrimSpace(value))
	case k.kind == keyPlaceholder && strings.Contains(k.name, "{"+cookieVariable) && strings.IndexByte(value, '%') >= 0:
		if text, err := url.PathUnescape(value); err == nil {
			return text
		}
	}
	return value
}
