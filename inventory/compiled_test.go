package inventory

import (
	"net/http"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// With a compiled catalogue, as a handler uses it: match, then record.
func TestWithACompiledCatalogue(t *testing.T) {
	v2 := version("v2", "api.example.com *.pets.test", "/v2", "GET /orders", "GET /orders/{id}")
	v9 := version("v9", "api.example.com", "/v9")
	cat, err := catalogue.New(catalogue.Config{APIs: []*catalogue.API{api("orders", v2, v9)}})
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t, Options{})
	s.rec = s.Bind(cat)
	s.Activate(s.rec)
	for _, c := range []struct{ host, method, path string }{
		{"api.example.com", "GET", "/v2/orders/17"},
		{"cats.pets.test", "GET", "/v2/orders/18"},
		{"dogs.pets.test", "GET", "/v2/extra"},
		{"api.example.com", "DELETE", "/v2/orders/17"},
		{"api.example.com", "GET", "/v2/Orders"},
		{"api.example.com", "GET", "/v9/a/17"},
		{"api.example.com", "GET", "/elsewhere"},
		{"rogue.test", "GET", "/x"},
	} {
		q := catalogue.Query{Host: c.host, Method: c.method, Path: c.path, Header: http.Header{}}
		var m catalogue.Match
		cat.Match(&q, &m)
		s.rec.Observe(&m, c.host, c.method, c.path, s.at(answered(200)))
	}
	s.settle()
	// Refused for its target, before it was matched.
	s.rec.Observe(&catalogue.Match{}, "birds.pets.test", "GET", "/v2//x", s.at(refused(400, "target", "malformed-target")))
	s.settle()

	want := map[string]string{
		"api.example.com GET /v2/orders":         "v2 active 0",
		"*.pets.test GET /v2/orders":             "v2 active 0",
		"api.example.com GET /v2/orders/{id}":    "v2 active 1",
		"*.pets.test GET /v2/orders/{id}":        "v2 active 1",
		"*.pets.test GET /v2/extra":              "v2 shadow 1",
		"api.example.com DELETE /v2/orders/{id}": "v2 shadow 1",
		"api.example.com GET /v2/Orders":         "v2 shadow 1",
		"api.example.com GET /v9/a/{integer}":    "v9 shadow 1",
		"api.example.com GET /elsewhere":         " shadow 1",
		"rogue.test GET /x":                      " shadow 1",
		"*.pets.test GET /v2//x":                 " shadow 1",
	}
	for _, e := range s.list(RouteQuery{}).Items {
		name := e.Host + " " + e.Method + " " + e.Path
		got := e.Version + " " + string(e.State) + " " + string(rune('0'+e.Count))
		if want[name] != got {
			t.Errorf("%s: %s, want %s", name, got, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is not listed", name)
	}
}
