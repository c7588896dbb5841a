package target

import (
	"net/url"
	"testing"
)

func TestWriteToClearsWhatTheRequestLineLeft(t *testing.T) {
	got, problem := canonical("http://api.example.com/v2/us%65rs?x=1")
	if problem != "" {
		t.Fatal(problem)
	}
	u := &url.URL{
		Scheme: "http", Opaque: "//evil", User: url.UserPassword("a", "b"), Host: "api.example.com",
		Path: "/old", RawPath: "/%6fld", OmitHost: true, ForceQuery: true, RawQuery: "old",
		Fragment: "f", RawFragment: "%66",
	}
	got.WriteTo(u)
	if want := (url.URL{Path: "/v2/users", RawQuery: "x=1"}); *u != want {
		t.Errorf("%#v, want %#v", *u, want)
	}
}

func TestRawPathIsSetOnlyWhenGoWouldEncodeOtherwise(t *testing.T) {
	tests := []struct{ name, raw, path, rawPath string }{
		{"a plain path", "/v2/orders", "/v2/orders", ""},
		{"delimiters that Go keeps", "/a:b@c=d&e+f,g$h", "/a:b@c=d&e+f,g$h", ""},
		{"delimiters that Go encodes", "/a(b)!*'", "/a(b)!*'", "/a(b)!*'"},
		{"escapes that Go makes itself", "/a%20b%22%C3%A4", "/a b\"ä", ""},
		{"escapes that Go would drop", "/a%3Ab", "/a:b", "/a%3Ab"},
		{"an encoded slash", "/a%2Fb", "/a/b", "/a%2Fb"},
		{"an encoded question mark", "/a%3Fb", "/a?b", ""},
		{"both kinds", "/a%20b%40", "/a b@", "/a%20b%40"},
		{"an escape beside a delimiter that Go encodes", "/a%20(b)", "/a (b)", "/a%20(b)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problem := canonical(tt.raw)
			if problem != "" {
				t.Fatal(problem)
			}
			var u url.URL
			got.WriteTo(&u)
			if u.Path != tt.path || u.RawPath != tt.rawPath || u.EscapedPath() != tt.raw {
				t.Errorf("Path %q, RawPath %q, EscapedPath %q", u.Path, u.RawPath, u.EscapedPath())
			}
			if parsed, err := url.ParseRequestURI(tt.raw); err != nil || *parsed != u {
				t.Errorf("Go parses %#v (%v), WriteTo sets %#v", parsed, err, u)
			}
		})
	}
}

// The table must follow net/url, whose encoding of a path is its own choice.
func TestGoKeepsIsWhatGoKeeps(t *testing.T) {
	for c := 0; c < 256; c++ {
		u := url.URL{Path: "/" + string([]byte{byte(c)})}
		if keeps := u.EscapedPath() == u.Path; keeps != (class[c]&goKeeps != 0) {
			t.Errorf("%#x: Go keeps it: %v", c, keeps)
		}
	}
}

func TestWriteToAllocatesNothingForAPlainPath(t *testing.T) {
	got, problem := canonical("/v2/orders/1?x=1")
	if problem != "" {
		t.Fatal(problem)
	}
	var u url.URL
	if n := testing.AllocsPerRun(100, func() { got.WriteTo(&u) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
