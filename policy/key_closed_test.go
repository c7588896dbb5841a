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
