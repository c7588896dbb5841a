package catalogue

import (
	"net/http"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// FuzzMatch looks for panics and for ranges outside the path.
func FuzzMatch(f *testing.F) {
	for _, path := range []string{"/v1/users/me", "/V1/a.b/", "//", "", "*", "/%2", "/v1/files/a/b/c/raw", "/b/x...y"} {
		f.Add("GET", "h", path, "1")
	}
	c, err := New(Config{APIs: []*API{
		{Name: "a", Versions: []*Version{
			{Name: "v1", Hosts: []string{"h", "*.h", "a.*.c"}, Default: true, Claims: []Claim{{Path: "/v1"}, {Select: byHeader("X", "1")}},
				Documents: []*spec.Document{document("d", "GET /users/me", "GET /users/{id}", "GET /{a}.{b}", "GET /files/{p+}/raw", "GET /files/{p+}", "GET /{x}...{y}/{z}:go")}},
			{Name: "v2", Hosts: []string{"h"}, Claims: []Claim{{Select: byHeader("X", "2")}, {Path: "/{t}/v2"}}},
		}},
	}, Bindings: []Binding{{Bit: 1, Name: "l", Operations: []string{"GET /users/{id}"}}, {Bit: 2, Name: "m", Operations: []string{"GET /files/{p}"}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, host, path, value string) {
		q := Query{Method: method, Host: host, Path: path, Header: http.Header{"X": {value}}}
		var m, again Match
		c.Match(&q, &m)
		c.Match(&q, &again)
		if m != again {
			t.Error("two answers to one question")
		}
		if m.Outcome != Found {
			return
		}
		for i := range m.Route.Params {
			if r := m.Params[i]; r.Start >= r.End || int(r.End) > len(path) {
				t.Errorf("parameter %d is %v of %d bytes", i, r, len(path))
			}
		}
	})
}
