package target_test

import (
	"fmt"
	"net/url"

	"github.com/apiguard/caddy-api-guard/policy/target"
)

func ExampleCanonical() {
	t, problem := target.Canonical(target.Input{
		Method: "GET",
		Raw:    "/v2/us%65rs/caf%c3%a9?limit=10",
		Host:   "API.example.com.:443",
		TLS:    true,
	})
	fmt.Printf("%s %s %q\n", t.Authority, t.RequestURI(), problem)

	_, problem = target.Canonical(target.Input{Method: "GET", Raw: "/v2/..%2fv1", Host: "api.example.com"})
	fmt.Println(problem)
	// Output:
	// api.example.com /v2/users/caf%C3%A9?limit=10 ""
	// dot-segment
}

func ExampleTarget_Settle() {
	t, _ := target.Canonical(target.Input{Method: "GET", Raw: "/files/reports%2f2026", Host: "api.example.com"})

	// The catalogue finds GET /files/{path}, whose parameter may span segments.
	span := target.Span{Start: len("/files/"), End: len(t.Path), Slash: true}
	fmt.Printf("%q, with the operation known %q\n", t.Conditional, t.Settle(span))
	// Output:
	// "encoded-slash", with the operation known ""
}

func ExampleTarget_WriteTo() {
	t, _ := target.Canonical(target.Input{Method: "GET", Raw: "http://api.example.com/caf%c3%a9?x", Host: "api.example.com"})
	u, _ := url.Parse("http://api.example.com/caf%c3%a9?x") // what net/http made of it
	t.WriteTo(u)
	fmt.Println(u.Host == "", u.Path, u.RequestURI())
	// Output:
	// true /café /caf%C3%A9?x
}
