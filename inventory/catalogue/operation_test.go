package catalogue

import (
	"testing"
)

func TestAnOperationIsFoundByTheMostConcreteTemplate(t *testing.T) {
	c := one(t,
		"GET /", "GET /users", "POST /users", "GET /users/me", "DELETE /users/{id}", "GET /users/{id}",
		"GET /users/{id}/posts", "GET /users/me/settings", "GET /slash/", "GET /report.json", "GET /{name}.json",
		"GET /{name}.{ext}", "POST /jobs/{id}:cancel", "GET /jobs/{id}", "GET /compare/{base}...{head}",
		"GET /files/{path+}", "GET /trees/{path+}/raw", "GET /trees/{path+}", "GET /caf%c3%A9/%7Ehome", "GET /a\"b/{x}",
		"GET /mixed/{a}/x", "GET /mixed/{b+}", "GET /long/{a}z", "GET /long/{a}zz", "GET /esc/{a}2", "GET /ZOO/az@[A",
	)
	tests := []struct{ name, request, want string }{
		{"the root", "GET h/", "found v1 /"},
		{"a literal", "GET h/users", "found v1 /users"},
		{"another method of it", "POST h/users", "found v1 /users"},
		{"a parameter", "GET h/users/7", "found v1 /users/{id}"},
		{"a literal before a parameter", "GET h/users/me", "found v1 /users/me"},
		{"the method is looked up after the path is fixed, so no fall-through", "DELETE h/users/me", "no method v1"},
		{"the twin with another path", "DELETE h/users/7", "found v1 /users/{id}"},
		{"a dead end behind a literal is left again", "GET h/users/me/posts", "found v1 /users/{id}/posts"},
		{"the literal branch where it goes on", "GET h/users/me/settings", "found v1 /users/me/settings"},
		{"a dead end on both branches", "GET h/users/me/nothing", "no route v1"},
		{"a parameter is never empty", "GET h/users//posts", "no route v1"},
		{"nor the last one", "GET h/jobs/", "no route v1"},
		{"a trailing slash that is documented", "GET h/slash/", "found v1 /slash/"},
		{"and missing", "GET h/slash", "near miss v1"},
		{"a trailing slash that is not", "GET h/users/", "near miss v1"},
		{"another letter case", "GET h/Users", "near miss v1"},
		{"and both", "GET h/SLASH", "near miss v1"},
		{"the letter case of a parameter's value is free", "GET h/users/ME", "found v1 /users/{id}"},
		{"a literal before a compound", "GET h/report.json", "found v1 /report.json"},
		{"the compound with the longest literal", "GET h/data.json", "found v1 /{name}.json"},
		{"another compound", "GET h/data.xml", "found v1 /{name}.{ext}"},
		{"a compound with an empty parameter", "GET h/.xml", "no route v1"},
		{"a compound in other letters", "GET h/users.JSON", "found v1 /{name}.{ext}"},
		{"a verb", "POST h/jobs/7:cancel", "found v1 /jobs/{id}:cancel"},
		{"a verb's path is fixed before its method", "GET h/jobs/7:cancel", "no method v1"},
		{"another verb is a value", "GET h/jobs/7:restart", "found v1 /jobs/{id}"},
		{"two parameters in a segment", "GET h/compare/main...next", "found v1 /compare/{base}...{head}"},
		{"without what stands between them", "GET h/compare/main..next", "no route v1"},
		{"a spanning parameter with one segment", "GET h/files/a", "found v1 /files/{path}"},
		{"with several", "GET h/files/a/b/c.txt", "found v1 /files/{path}"},
		{"with none", "GET h/files/", "no route v1"},
		{"up to the next literal", "GET h/trees/a/b/raw", "found v1 /trees/{path}/raw"},
		{"or to the end", "GET h/trees/a/b/cooked", "found v1 /trees/{path}"},
		{"an encoded slash stays inside its segment", "GET h/users/a%2Fb", "found v1 /users/{id}"},
		{"literals are compared in canonical form", "GET h/caf%C3%A9/~home", "found v1 /caf%C3%A9/~home"},
		{"what cannot stand raw in a path is encoded", "GET h/a%22b/1", `found v1 /a"b/{x}`},
		{"a bare parameter before a spanning one", "GET h/mixed/1/x", "found v1 /mixed/{a}/x"},
		{"which takes what it leaves", "GET h/mixed/1/y", "found v1 /mixed/{b}"},
		{"the longer of two literals that both fit", "GET h/long/xzz", "found v1 /long/{a}zz"},
		{"the shorter where only it fits", "GET h/long/xz", "found v1 /long/{a}z"},
		{"a literal at the end of a compound", "GET h/esc/x2", "found v1 /esc/{a}2"},
		{"is not the last digit of an escape", "GET h/esc/x%22", "no route v1"},
		{"every letter has two cases", "GET h/zoo/AZ@%5Ba", "near miss v1"},
		{"and nothing else has", "GET h/ZOO/az%60%5BA", "no route v1"},
		{"an unknown host", "GET other/", "unknown host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want == "found v1 /caf%C3%A9/~home" {
				want = "found v1 /caf%c3%A9/%7Ehome" // a route's path is as documented
			}
			if g := got(ask(c, tt.request)); g != want {
				t.Errorf("%s: %s, want %s", tt.request, g, want)
			}
		})
	}
}

func TestParametersAreRangesOfThePath(t *testing.T) {
	c := one(t, "GET /a/{x}/b/{y}", "GET /c/{base}...{head}/{rest+}", "GET /a/{x}/{z}/{dead}/end", "GET /e/{a}2{b}")
	tests := []struct {
		path string
		want []string
	}{
		{"/a/1/b/22", []string{"1", "22"}},
		{"/a/%41x/b/y", []string{"%41x", "y"}},
		{"/c/main...next/p/q/r", []string{"main", "next", "p/q/r"}},
		{"/a/1/b/3/end", []string{"1", "b", "3"}},
		{"/e/%22x2y", []string{"%22x", "y"}}, // not inside an escape
	}
	for _, tt := range tests {
		m := ask(c, "GET h"+tt.path)
		if m.Outcome != Found || len(m.Route.Params) != len(tt.want) {
			t.Errorf("%s: %s", tt.path, got(m))
			continue
		}
		for i, want := range tt.want {
			if p := tt.path[m.Params[i].Start:m.Params[i].End]; p != want {
				t.Errorf("%s: parameter %s is %q, want %q", tt.path, m.Route.Params[i], p, want)
			}
		}
	}
}

func TestAllowListsTheDocumentedMethods(t *testing.T) {
	c := one(t, "GET /a", "POST /a", "DELETE /b", "OPTIONS /b", "HEAD /c", "GET /c", "PUT /d/{x}", "GET /d/{y}")
	for _, tt := range []struct{ request, outcome, allow string }{
		{"PUT h/a", "no method v1", "GET, HEAD, POST"},
		{"GET h/b", "no method v1", "DELETE, OPTIONS"},
		{"POST h/c", "no method v1", "GET, HEAD"},
		{"HEAD h/a", "found v1 /a", ""},
		{"HEAD h/b", "no method v1", "DELETE, OPTIONS"},
		{"OPTIONS h/a", "no method v1", "GET, HEAD, POST"},
		{"OPTIONS h/b", "found v1 /b", ""},
		{"PATCH h/d/1", "no method v1", "GET, HEAD, PUT"},
		{"PUT h/d/1", "found v1 /d/{x}", ""},
		{"GET h/d/1", "found v1 /d/{y}", ""},
		{"get h/a", "no method v1", "GET, HEAD, POST"},
	} {
		m := ask(c, tt.request)
		if got(m) != tt.outcome || m.Allow != tt.allow {
			t.Errorf("%s: %s, Allow %q; want %s, %q", tt.request, got(m), m.Allow, tt.outcome, tt.allow)
		}
	}
	if m := ask(c, "HEAD h/c"); m.Route.Operation.Method != "HEAD" {
		t.Error("a documented HEAD was judged as GET")
	}
	if m := ask(c, "HEAD h/a"); m.Route.Operation.Method != "GET" {
		t.Error("HEAD was not judged as GET")
	}
}

func TestASpanningParameterIsOnePathItemWithABareOneForOneSegment(t *testing.T) {
	c := one(t, "DELETE /att/{id}", "GET /att/{digest+}")
	for request, want := range map[string]string{
		"GET h/att/x":      "found v1 /att/{digest}",
		"DELETE h/att/x":   "found v1 /att/{id}",
		"GET h/att/x/y":    "found v1 /att/{digest}",
		"DELETE h/att/x/y": "no method v1",
	} {
		if g := got(ask(c, request)); g != want {
			t.Errorf("%s: %s, want %s", request, g, want)
		}
	}
}

func TestOperationsThatCannotBeToldApartAreKeptAsAlternatives(t *testing.T) {
	c := one(t, "GET /files/{id}", "GET /files/{id}#share", "PUT /files/{id}#share", "GET /files/{other}")
	m := ask(c, "GET h/files/1")
	if got(m) != "found v1 /files/{id}" || len(m.Route.Alternatives) != 2 {
		t.Errorf("%s with %d alternatives", got(m), len(m.Route.Alternatives))
	}
	if len(c.Problems) != 2 || c.Problems[0].Where != "GET /files/{id}#share" {
		t.Errorf("problems: %v", c.Problems)
	}
	if g := got(ask(c, "PUT h/files/1")); g != "found v1 /files/{id}" {
		t.Errorf("a method that only the fragment has: %s", g)
	}
}

func TestABrokenOperationDegradesAlone(t *testing.T) {
	c := one(t, "GET /a/{x}{y}", "GET /b", "GET noslash",
		"GET /{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}/{q}")
	if len(c.Problems) != 3 || len(c.Routes) != 1 {
		t.Errorf("%d routes, problems %v", len(c.Routes), c.Problems)
	}
	if g := got(ask(c, "GET h/b")); g != "found v1 /b" {
		t.Error(g)
	}
}

func TestOddPathsAreNoRoute(t *testing.T) {
	c := one(t, "GET /a", "GET /a/{x}.{y}")
	for _, path := range []string{"", "*", "a", "//", "/a//", "/a/.", "/a/..", "/%", "/a/%2"} {
		var m Match
		c.Match(&Query{Host: "h", Method: "GET", Path: path}, &m)
		if m.Outcome == Found {
			t.Errorf("%q was found", path)
		}
	}
}
