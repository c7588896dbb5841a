package policy

import (
	"net/http"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

const (
	headerVariable = "http.request.header."
	cookieVariable = "http.request.cookie."
	queryVariable  = "http.request.uri.query."
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
