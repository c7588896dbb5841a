package target

import (
	"strings"
	"testing"
)

func TestLenientReadsAsForgivingUpstreamsDo(t *testing.T) {
	tests := []struct{ name, raw, want string }{
		{"dot segments", "/v2/./x/../reset", "/v2/reset"},
		{"encoded dot segments", "/v2/%2e%2e/v1", "/v1"},
		{"dot segments above the root", "/../../v1", "/v1"},
		{"dot segments behind an encoded slash", "/v2/..%2fv1", "/v1"},
		{"a parent segment with parameters", "/v2/x/..;a=b/reset", "/v2/reset"},
		{"a parent segment at the end", "/v2/x/..", "/v2/"},
		{"a current segment at the end", "/v2/.", "/v2/"},
		{"empty segments", "//v2///reset", "/v2/reset"},
		{"a trailing slash stays", "/v2/reset//", "/v2/reset/"},
		{"encoded slashes", "/v2%2freset%2F1", "/v2/reset/1"},
		{"backslashes", `/v2\reset`, "/v2/reset"},
		{"encoded backslashes", "/v2%5creset", "/v2/reset"},
		{"parameters", "/v2;a/reset;b=c", "/v2/reset"},
		{"encoded parameters", "/v2%3Ba/reset", "/v2/reset"},
		{"double encoding", "/v2/%252e%252e/%2572eset", "/reset"},
		{"an encoding split over an encoding", "/v2/%%37%32eset", "/v2/reset"},
		{"encoded letters", "/v2/%72eset", "/v2/reset"},
		{"a fragment", "/v2/reset#x", "/v2/reset"},
		{"an opaque target", "x:http://api.example.com/v2/reset", "/v2/reset"},
		{"an opaque path", "http:v2/reset", "/v2/reset"},
		{"a relative path", "v2/reset", "/v2/reset"},
		{"another scheme", "ftp://api.example.com/v2/reset", "/v2/reset"},
		{"absolute-form without a path", "ftp://api.example.com", "/"},
		{"asterisk-form", "*", "/*"},
		{"nothing", "", "/"},
		{"raw characters are encoded", "/v2/{a}|b ä", "/v2/%7Ba%7D%7Cb%20%C3%A4"},
		{"what nobody agrees on", "/v2/a%00b%ffc%d%85", "/v2/a%EF%BF%BDb%EF%BF%BDc%EF%BF%BDd%EF%BF%BD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Lenient(Input{Method: "GET", Raw: tt.raw + "?x;y", Host: "api.example.com"})
			if strings.Contains(tt.raw, "#") {
				got.RawQuery = "x;y" // it went with the fragment
			}
			if got.Path != tt.want || got.RawQuery != "x;y" || got.Changed {
				t.Errorf("%+v, want %q", got, tt.want)
			}
			if again, problem := canonical(got.Path); problem != "" || again.Path != got.Path || again.Conditional != "" {
				t.Errorf("Canonical: %+v, %q", again, problem)
			}
		})
	}
}

func TestLenientHosts(t *testing.T) {
	for raw, want := range map[string]string{
		"API.example.com":       "api.example.com",
		"api.example.com:abc":   "api.example.com",
		"api.example.com:":      "api.example.com",
		"api.example.com..":     "api.example.com",
		"a:b@api.example.com:0": "api.example.com",
		"[::1]:abc":             "::1",
		"[::1":                  "",
		"a b":                   "",
		"":                      "",
		":":                     "",
		"@":                     "",
	} {
		if got := Lenient(Input{Raw: "/", Host: raw}); got.Host != want {
			t.Errorf("%q gives %q, want %q", raw, got.Host, want)
		}
	}
}

// An escape of an escape of an escape: one pass has to be enough for all of them,
// or a target of 8 KiB would cost four thousand.
func TestLenientDecodesAnyDepth(t *testing.T) {
	deep := "/%" + strings.Repeat("25", 4000) + "72eset"
	if got := Lenient(Input{Raw: deep, Host: "a"}); got.Path != "/reset" {
		t.Errorf("%.40q", got.Path)
	}
	wide := Lenient(Input{Raw: "/" + strings.Repeat("\xff", 1<<20), Host: "a"})
	if len(wide.Path) > 9*MaxLength {
		t.Errorf("1 MiB of junk gives a path of %d bytes", len(wide.Path))
	}
}
