package target

import (
	"fmt"
	"strings"
	"testing"
)

func TestPathsThatCanBeReadInTwoWaysAreRefused(t *testing.T) {
	tests := []struct {
		name    string
		raw     string
		problem Problem
		twin    string // the nearest path that must pass, unchanged; "" for none
	}{
		// RFC 3986 5.2.4 and 6.2.2.3
		{"a parent segment", "/v2/../v1", DotSegment, "/v2/..v1"},
		{"a parent segment at the end", "/v2/..", DotSegment, "/v2/..."},
		{"a parent segment at the beginning", "/../v1", DotSegment, "/..a/v1"},
		{"a parent segment before a query", "/v2/..?x", DotSegment, "/v2/x..?x"},
		{"a current segment", "/v2/./x", DotSegment, "/v2/.x"},
		{"a current segment at the end", "/v2/.", DotSegment, "/v2/.well-known"},
		{"nothing but a dot", "/.", DotSegment, "/..."},
		{"an encoded parent segment", "/v2/%2e%2e/v1", DotSegment, "/v2/a.b.c/v1"},
		{"an encoded parent segment in upper case", "/v2/%2E%2E/v1", DotSegment, ""},
		{"a half encoded parent segment", "/v2/.%2e/v1", DotSegment, ""},
		{"the other half encoded", "/v2/%2E./v1", DotSegment, ""},
		{"an encoded current segment", "/v2/%2e/x", DotSegment, ""},
		{"a parent segment with parameters, which Tomcat cuts off", "/v2/..;/v1", DotSegment, ""},
		{"a parent segment with named parameters", "/v2/..;a=b/v1", DotSegment, ""},
		{"an encoded parent segment with parameters", "/v2/%2e%2e;a=b/v1", DotSegment, ""},
		{"a parent segment before an encoded slash", "/v2/..%2fv1", DotSegment, ""},
		{"a parent segment behind an encoded slash", "/v2%2F../v1", DotSegment, ""},
		{"a parent segment behind an encoded slash at the end", "/v2/x%2f..", DotSegment, ""},
		{"a parent segment behind parameters with an encoded slash", "/v2/x;y=%2f../v1", DotSegment, ""},

		// RFC 3986 3.3
		{"an empty segment", "/v2//admin", EmptySegment, "/v2/admin/"},
		{"an empty first segment, an authority elsewhere", "//v2/admin", EmptySegment, "/v2/admin"},
		{"two slashes alone", "//", EmptySegment, "/"},
		{"two trailing slashes", "/v2/admin//", EmptySegment, "/v2/admin/"},
		{"an empty segment before an encoded slash", "/v2/%2fadmin", EmptySegment, ""},
		{"an empty segment behind an encoded slash", "/v2%2f/admin", EmptySegment, ""},
		{"an empty segment between encoded slashes", "/v2%2F%2Fadmin", EmptySegment, ""},
		{"an encoded slash at the beginning", "/%2Fv2", EmptySegment, ""},

		// RFC 3986 2.2, 2.4, 7.3
		{"an encoded backslash", "/v2/a%5cb", EncodedBackslash, "/v2/a%5Bb"},
		{"an encoded percent, the first half of a double encoding", "/v2/%252e%252e/v1", EncodedPercent, "/v2/%24x/v1"},
		{"an encoded semicolon", "/v2/..%3b/v1", EncodedSemicolon, "/v2/..%3A/v1"},
		{"an encoded NUL", "/v2/a%00.json", EncodedControl, "/v2/a%20.json"},
		{"an encoded line feed", "/v2/a%0Ab", EncodedControl, ""},
		{"an encoded unit separator", "/v2/a%1fb", EncodedControl, "/v2/a%21b"},
		{"an encoded DEL", "/v2/a%7F", EncodedControl, "/v2/a~"},
		{"an encoded C1 control", "/v2/a%C2%85", EncodedControl, ""},
		{"the first C1 control", "/v2/a%C2%80", EncodedControl, ""},
		{"the last C1 control", "/v2/a%C2%9F", EncodedControl, "/v2/a%C2%A0"},

		// RFC 3986 2 and 3.3, RFC 9112 3.2
		{"a backslash", `/v2\admin`, Backslash, "/v2/admin"},
		{"a backslash and dots", `/v2/..\v1`, Backslash, ""},
		{"a raw UTF-8 character", "/v2/ä", NonASCII, "/v2/%C3%A4"},
		{"a raw byte that is not UTF-8", "/v2/\xff", NonASCII, ""},
		{"a space", "/v2/a b", Control, "/v2/a%20b"},
		{"a tab", "/v2/a\tb", Control, ""},
		{"a NUL", "/v2/a\x00", Control, ""},
		{"a DEL", "/v2/a\x7f", Control, ""},
		{"a quotation mark", `/v2/"a"`, InvalidCharacter, "/v2/%22a%22"},
		{"angle brackets", "/v2/<a>", InvalidCharacter, "/v2/%3Ca%3E"},
		{"square brackets", "/v2/a[0]", InvalidCharacter, "/v2/a%5B0%5D"},
		{"a caret", "/v2/^", InvalidCharacter, "/v2/%5E"},
		{"a backtick", "/v2/`", InvalidCharacter, "/v2/%60"},
		{"braces", "/v2/{id}", InvalidCharacter, "/v2/%7Bid%7D"},
		{"a bar", "/v2/a|b", InvalidCharacter, "/v2/a%7Cb"},

		// RFC 3986 2.1
		{"a lone percent", "/v2/100%", MalformedEscape, "/v2/100"},
		{"an escape of one digit", "/v2/%4", MalformedEscape, ""},
		{"an escape without hex digits", "/v2/%zz", MalformedEscape, ""},
		{"an escape with one hex digit", "/v2/%4z", MalformedEscape, ""},
		{"the other one", "/v2/%z4", MalformedEscape, ""},
		{"an escape that the query interrupts", "/v2/%4?1", MalformedEscape, "/v2/4?1"},
		{"a percent of IIS", "/v2/%u002e", MalformedEscape, ""},

		// RFC 3986 2.5, RFC 3629 3
		{"Latin-1", "/v2/caf%E9", NotUTF8, "/v2/caf%C3%A9"},
		{"an overlong slash", "/v2/..%c0%af", NotUTF8, ""},
		{"an overlong dot of three bytes", "/v2/%e0%80%ae", NotUTF8, "/v2/%E0%A0%80"},
		{"an overlong character of four bytes", "/v2/%F0%8F%BF%BF", NotUTF8, "/v2/%F0%90%80%80"},
		{"a high surrogate", "/v2/%ED%A0%80", NotUTF8, "/v2/%ED%9F%BF"},
		{"a surrogate pair", "/v2/%ED%A0%BD%ED%B8%80", NotUTF8, "/v2/%F0%9F%98%80"},
		{"a code point past the last", "/v2/%F4%90%80%80", NotUTF8, "/v2/%F4%8F%BF%BF"},
		{"a byte that is in no UTF-8", "/v2/%FF", NotUTF8, ""},
		{"a lone continuation byte", "/v2/%80", NotUTF8, ""},
		{"a character that a letter interrupts", "/v2/%C3a%A4", NotUTF8, "/v2/%C3%A4a"},
		{"a character that an encoded letter interrupts", "/v2/%C3%61%A4", NotUTF8, ""},
		{"a character that a slash interrupts", "/v2/%C3/%A4", NotUTF8, ""},
		{"a character cut off at the end", "/v2/%E2%82", NotUTF8, "/v2/%E2%82%AC"},
		{"a character that a malformed escape interrupts", "/v2/%E2%zz", NotUTF8, ""},
		{"a character cut off within an escape", "/v2/%E2%82%A", NotUTF8, ""},
		{"U+FFFD itself is a character", "/v2/%EF%BF", NotUTF8, "/v2/%EF%BF%BD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, problem := canonical(tt.raw); problem != tt.problem {
				t.Errorf("%q: problem %q, want %q", tt.raw, problem, tt.problem)
			}
			if tt.twin == "" {
				return
			}
			got, problem := canonical(tt.twin)
			if problem != "" || got.RequestURI() != tt.twin || got.Changed || got.Conditional != "" {
				t.Errorf("the twin %q gives %+v, %q", tt.twin, got, problem)
			}
		})
	}
}

func TestSpellingsOfOnePathBecomeOne(t *testing.T) {
	tests := []struct {
		name, want string
		spellings  []string
	}{
		{"encoded letters", "/users", []string{"/users", "/%75sers", "/us%65rs", "/%75%73%65%72%73"}},
		{"encoded digits", "/v2/1", []string{"/v%32/%31", "/v2/%31"}},
		{"encoded marks", "/a-b.c_d~e", []string{"/a%2Db%2Ec%5Fd%7Ee", "/a%2db%2ec%5fd%7ee"}},
		{"letter case of hex", "/%C3%A4%2F%2A", []string{"/%c3%a4%2f%2a", "/%C3%a4%2F%2a", "/%c3%A4%2f%2A"}},
		{"dots that are no segment", "/a..b/...", []string{"/a%2e.b/.%2e.", "/a%2E%2Eb/%2e%2E%2e"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, raw := range tt.spellings {
				if got, problem := canonical(raw); problem != "" || got.Path != tt.want {
					t.Errorf("%q gives %q, %q", raw, got.Path, problem)
				}
			}
		})
	}
}

// RFC 3986 section 2.2: a delimiter and its escape are two different characters.
func TestDelimitersStayAsTheyCame(t *testing.T) {
	for _, c := range []byte("!$&'()*+,=:@") {
		for _, raw := range []string{"/a" + string(c), fmt.Sprintf("/a%%%02X", c)} {
			got, problem := canonical(raw)
			if problem != "" || got.Path != raw || got.Changed {
				t.Errorf("%q gives %+v, %q", raw, got, problem)
			}
		}
	}
}

// Every byte, raw and encoded, against the grammar written down once more.
func TestEveryByteOfAPath(t *testing.T) {
	const pchar = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,=:@"
	for c := 0; c < 256; c++ {
		_, problem := canonical("/x" + string([]byte{byte(c)}) + "y")
		pass := strings.IndexByte(pchar+";/?", byte(c)) >= 0
		if (problem == "") != pass {
			t.Errorf("raw %#x: %q", c, problem)
		}
		got, problem := canonical(fmt.Sprintf("/x%%%02xy", c))
		pass = c > ' '-1 && c < 0x7F && strings.IndexByte(`%;\`, byte(c)) < 0
		if (problem == "") != pass {
			t.Errorf("encoded %#x: %q", c, problem)
		}
		want := fmt.Sprintf("/x%%%02Xy", c)
		if c < 0x80 && class[c]&unreserved != 0 {
			want = "/x" + string(rune(c)) + "y"
		}
		if problem == "" && got.Path != want {
			t.Errorf("encoded %#x gives %q, want %q", c, got.Path, want)
		}
	}
}
