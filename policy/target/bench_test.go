package target

import (
	"net/url"
	"testing"
)

func BenchmarkCanonical(b *testing.B) {
	for _, bm := range []struct {
		name string
		in   Input
	}{
		{"plain", Input{Method: "GET", Raw: "/v2/customers/8f14e45f/orders/1234567890?limit=10&sort=-id", Host: "api.example.com"}},
		{"escapes", Input{Method: "GET", Raw: "/v2/customers/M%C3%BCller%20%26%20Co/orders/12345?q=%C3%A4", Host: "api.example.com"}},
		{"rewritten", Input{Method: "GET", Raw: "/v2/c%75stomers/8f14e45f/orders/1234567890?limit=10", Host: "API.example.com:80"}},
		{"refused", Input{Method: "GET", Raw: "/v2/customers/8f14e45f/%2e%2e/admin?limit=10", Host: "api.example.com"}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Canonical(bm.in)
			}
		})
	}
}

func BenchmarkLenient(b *testing.B) {
	in := Input{Method: "GET", Raw: "/v2//customers/%252e%252e/orders;x=1?limit=10", Host: "api.example.com"}
	b.ReportAllocs()
	for b.Loop() {
		Lenient(in)
	}
}

func BenchmarkWriteTo(b *testing.B) {
	t, problem := Canonical(Input{Method: "GET", Raw: "/v2/c%75stomers/8f14e45f/orders?limit=10", Host: "api.example.com"})
	if problem != "" {
		b.Fatal(problem)
	}
	var u url.URL
	b.ReportAllocs()
	for b.Loop() {
		t.WriteTo(&u)
	}
}
