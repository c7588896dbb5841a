package target

import "testing"

func TestQueries(t *testing.T) {
	tests := []struct {
		name    string
		query   string
		problem Problem
	}{
		{"nothing after the question mark", "", ""},
		{"a second question mark is data (RFC 3986 3.4)", "?", ""},
		{"pairs", "a=1&b=2", ""},
		{"repeated and empty pairs", "a&a=&&=", ""},
		{"a plus sign", "a=b+c", ""},
		{"raw brackets, which browsers send", "filter[name]=x&ids[]=1", ""},
		{"a path is data", "next=/a/../b//c", ""},
		{"other printable characters, which Go forwards untouched", "q=\"<a>'^`{|}\\", ""},
		{"escapes stay in the letter case they came in", "q=%c3%A4%61", ""},
		{"an encoded semicolon", "q=a%3bb", ""},
		{"an encoded percent", "q=100%25", ""},
		{"an encoded line feed is data", "q=a%0Ab", ""},

		{"an escape without digits (RFC 3986 2.1)", "a=%zz", QueryEscape},
		{"an escape of one digit", "a=%4", QueryEscape},
		{"a lone percent", "discount=10%", QueryEscape},
		{"a percent of a number", "a=%&b=1", QueryEscape},
		{"a malformed escape in a name", "%zz=1", QueryEscape},
		{"a semicolon, which splits or not (HTML 4.01 B.2.2)", "a=1;b=2", QuerySemicolon},
		{"a raw UTF-8 character (RFC 3986 2)", "q=ä", NonASCII},
		{"a raw byte", "q=\xff", NonASCII},
		{"a space (RFC 9112 3.2)", "q=a b", Control},
		{"a tab", "q=a\tb", Control},
		{"a NUL", "q=\x00", Control},
		{"a DEL", "q=\x7f", Control},
		{"a fragment (RFC 9112 3.2)", "q=1#x", Fragment},
		{"Latin-1 (RFC 3986 2.5)", "q=caf%E9", QueryNotUTF8},
		{"an overlong NUL (RFC 3629 3)", "q=%C0%80", QueryNotUTF8},
		{"a surrogate (RFC 3629 3)", "q=%ED%A0%80", QueryNotUTF8},
		{"a character across two pairs", "a=%C3&%A4=1", QueryNotUTF8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := "/x?" + tt.query
			got, problem := canonical(raw)
			if problem != tt.problem {
				t.Fatalf("problem %q, want %q", problem, tt.problem)
			}
			if problem != "" {
				return
			}
			if got.RawQuery != tt.query || got.RequestURI() != raw || got.Changed {
				t.Errorf("%+v", got)
			}
			if got.ForceQuery != (tt.query == "") {
				t.Errorf("ForceQuery = %v", got.ForceQuery)
			}
			checkAccepted(t, Input{Raw: raw, Host: "api.example.com"}, got)
		})
	}
	if got, _ := canonical("/x"); got.ForceQuery {
		t.Error("a target without a question mark forces one")
	}
}
