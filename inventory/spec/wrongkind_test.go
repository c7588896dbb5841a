package spec

import (
	"strings"
	"testing"
)

// A value of the wrong kind refuses the load, since nobody knows what it stands for; the
// error has its line.
func TestAValueOfTheWrongKindIsToldWithItsLine(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a text for a number": {
			"openapi: 3.0.3\ninfo: {title: T, version: '7'}\npaths:\n  /a:\n    get:\n      parameters:\n        - {name: n, in: query, schema: {type: integer, minimum: 1}}\n" +
				"        - name: m\n          in: query\n          schema:\n            minimum: '1'\n      responses: {'200': {description: ok}}\n",
			"line 11: minimum is a text, where a number must be",
		},
		"a number for an object": {
			"openapi: 3.0.3\ninfo: {title: T, version: '7'}\npaths:\n  /a:\n    get: {responses: {'200': {description: ok, content: 7}}}\n",
			"line 5: content is a number, where an object must be",
		},
		"an object for a list, behind an alias": {
			"openapi: 3.0.3\nx-all: &all {a: b}\ninfo: {title: T, version: '7'}\npaths:\n  /a:\n    get:\n      parameters: *all\n      responses: {'200': {description: ok}}\n",
			"line 7: parameters is an object, where",
		},
		"JSON": {
			"{\"openapi\":\"3.0.3\",\n\"info\":{\"title\":\"T\",\"version\":\"7\"},\n\"paths\":{\"/a\":{\"get\":{\n\"deprecated\":\"yes\",\"responses\":{\"200\":{\"description\":\"ok\"}}}}}}",
			"line 4: deprecated is a text, where true or false must be",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Load("a.yaml", []byte(c.text), Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	large := "openapi: 3.0.3\ninfo: {title: T, version: '7'}\nx-much: '" + strings.Repeat("x", maxDiagnosed) + "'\npaths: {/a: {get: {deprecated: 1}}}\n"
	if _, err := Load("a.yaml", []byte(large), Options{}); err == nil || !strings.Contains(err.Error(), "deprecated") {
		t.Errorf("a large document: %v", err)
	}
}
