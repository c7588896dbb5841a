package catalogue

import (
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

func TestEncodedDelimitersLeadToNoOtherOperation(t *testing.T) {
	c := one(t, "GET /orders/{id}", "POST /orders/{id}:cancel", "GET /orders/{id}:cancel", "GET /at@home", "GET /mail/{who}", "GET /{a}={b}/x")
	for request, want := range map[string]Outcome{
		"GET h/orders/1":             Found,
		"GET h/orders/1:cancel":      Found,
		"GET h/orders/1%3Acancel":    NearMiss,
		"POST h/orders/1%3Acancel":   NearMiss,
		"GET h/orders/1%3Aother":     Found,
		"GET h/at@home":              Found,
		"GET h/at%40home":            NearMiss,
		"GET h/at%40work":            NoRoute,
		"GET h/mail/a%40b.example":   Found,
		"GET h/mail/a%2Cb%26c%3D":    Found,
		"GET h/a%3Db/x":              NearMiss,
		"GET h/mail/a%20b":           Found,
		"DELETE h/mail/a%40b":        NoMethod,
		"GET h/mail/%21%24%27%28%2A": Found,
	} {
		m := ask(c, request)
		if m.Outcome != want || (m.Route != nil) != (want == Found) {
			t.Errorf("%s: %s %v, want %s", request, m.Outcome, m.Route, want)
		}
	}
}

func TestBindingsHoldForEncodedDelimiters(t *testing.T) {
	api := &API{Name: "a", Versions: []*Version{
		{Name: "v1", Hosts: []string{"h"}, Documents: []*spec.Document{document("d", "GET /orders/{id}", "POST /orders/{id}:cancel cancel")}},
		{Name: "v0", Hosts: []string{"old"}},
	}}
	c, err := New(Config{APIs: []*API{api}, Bindings: []Binding{{API: api, Bit: 3, Name: "l", Operations: []string{"cancel"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]uint64{
		"POST h/orders/1:cancel": 8, "POST h/orders/1%3Acancel": 8, "POST old/orders/1%3Acancel": 8,
		"POST old/orders/1%3Acance": 0, "POST h/orders/1%3Acance": 0, "GET h/orders/1%3Acancel": 0,
	} {
		if m := ask(c, request); m.Bound != want {
			t.Errorf("%s: bound %b, want %b (%s)", request, m.Bound, want, m.Outcome)
		}
	}
}

func TestDecodeDelimiters(t *testing.T) {
	for path, want := range map[string]string{
		"/a": "", "/a%20b": "", "/%2F%3B%25": "", "/%21%24%26%27%28%29%2A%2B%2C%3A%3D%40": "/!$&'()*+,:=@", "/x%3Ay%20": "/x:y%20", "/%3": "", "/%3A%": "/:%",
	} {
		if got, any := decodeDelimiters(path); got != want || any != (want != "") {
			t.Errorf("%s: %q %v, want %q", path, got, any, want)
		}
	}
}
