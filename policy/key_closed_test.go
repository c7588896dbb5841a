package policy

import (
	"strings"
	"testing"
)

// `key {client_ip` was one bucket for all, and nothing said so.
func TestAKeyWithABraceTooFewOrTooManyIsAnError(t *testing.T) {
	for _, s := range []string{"{client_ip", "client_ip}", "{{client_ip}}", "{a}{b", "}{", "{http.request.header.X-Api-Key"} {
		if _, err := ParseKeyPart(s); err == nil || !strings.Contains(err.Error(), "brace") {
			t.Errorf("%q: got %v", s, err)
		}
	}
	for _, s := range []string{"static", "{host}", "{method}-{path}", "a{http.request.method}b"} {
		if _, err := ParseKeyPart(s); err != nil {
			t.Errorf("%q: got %v", s, err)
		}
	}
}

// Caddy's manual writes {http.request.uri.query.*}; whoever copies it has one bucket for
// all.
func TestAPlaceholderWithoutItsNameIsAnError(t *testing.T) {
	for s, want := range map[string]string{
		"{http.request.uri.query.*}":    "the name that is meant",
		"t-{http.request.cookie.*}":     "the name that is meant",
		"{http.request.uri.path.}":      "the name that is meant",
		"{http.request.header.*}":       "name one header",
		"{http.request.uri.query.a}":    "",
		"{http.request.uri.query.b.c}":  "",
		"*-{http.request.uri.query.a*}": "",
		"{http.request.body_size}":      "",
	} {
		if _, err := ParseKeyPart(s); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", s, err, want)
		}
	}
}
