package target

import (
	"strings"
	"testing"
)

func TestConditionalFaultsAreTheOperationsToDecide(t *testing.T) {
	span := func(path, part string, slash, semicolon bool) Span {
		at := strings.Index(path, part)
		return Span{Start: at, End: at + len(part), Slash: slash, Semicolon: semicolon}
	}
	tests := []struct {
		name        string
		raw         string
		path        string // canonical
		conditional Problem
		part        string // that an operation allows
		slash, semi bool
		settled     Problem
	}{
		{"a path without either", "/a/b", "/a/b", "", "", false, false, ""},
		{"an encoded slash that nothing allows", "/files/a%2fb", "/files/a%2Fb", EncodedSlash, "", false, false, EncodedSlash},
		{"an encoded slash in a parameter that spans segments", "/files/a%2fb", "/files/a%2Fb", EncodedSlash, "a%2Fb", true, false, ""},
		{"an encoded slash in a parameter of style matrix", "/files/a%2fb", "/files/a%2Fb", EncodedSlash, "a%2Fb", false, true, EncodedSlash},
		{"an encoded slash outside of that parameter", "/files%2fa/b", "/files%2Fa/b", EncodedSlash, "b", true, false, EncodedSlash},
		{"an encoded slash half in a parameter", "/files/a%2fb", "/files/a%2Fb", EncodedSlash, "a%2", true, false, EncodedSlash},
		{"an encoded slash at the end of a parameter", "/files/a%2f", "/files/a%2F", EncodedSlash, "a%2F", true, false, ""},
		{"one encoded slash inside, one outside", "/x%2fy/a%2fb", "/x%2Fy/a%2Fb", EncodedSlash, "a%2Fb", true, false, EncodedSlash},
		{"a semicolon that nothing allows", "/users/;id=5", "/users/;id=5", Semicolon, "", false, false, Semicolon},
		{"a semicolon in a parameter of style matrix", "/users/;id=5;x", "/users/;id=5;x", Semicolon, ";id=5;x", false, true, ""},
		{"a semicolon in a parameter that spans segments", "/users/;id=5", "/users/;id=5", Semicolon, ";id=5", true, false, Semicolon},
		{"a semicolon in another segment", "/users;a/;id=5", "/users;a/;id=5", Semicolon, ";id=5", false, true, Semicolon},
		{"a semicolon behind the parameter", "/users/5;x", "/users/5;x", Semicolon, "5", false, true, Semicolon},
		{"both, of which one is allowed", "/a;b/c%2fd", "/a;b/c%2Fd", Semicolon, "a;b", false, true, EncodedSlash},
		{"both, in the other order", "/c%2fd/a;b", "/c%2Fd/a;b", EncodedSlash, "c%2Fd", true, false, Semicolon},
		{"both in one part that allows both", "/x/a;b%2fc", "/x/a;b%2Fc", Semicolon, "a;b%2Fc", true, true, ""},
		{"other escapes are no fault", "/a%20b%2fc", "/a%20b%2Fc", EncodedSlash, "b%2Fc", true, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problem := canonical(tt.raw)
			if problem != "" {
				t.Fatal(problem)
			}
			if got.Path != tt.path || got.Conditional != tt.conditional {
				t.Fatalf("path %q, conditional %q", got.Path, got.Conditional)
			}
			if settled := got.Settle(); settled != got.Conditional {
				t.Errorf("without spans: %q", settled)
			}
			if tt.part == "" {
				return
			}
			allowed := span(got.Path, tt.part, tt.slash, tt.semi)
			if settled := got.Settle(Span{}, allowed); settled != tt.settled {
				t.Errorf("settled %q, want %q", settled, tt.settled)
			}
			if n := testing.AllocsPerRun(10, func() { got.Settle(allowed) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func TestAConditionNeverHidesAFault(t *testing.T) {
	for raw, want := range map[string]Problem{
		"/a%2fb/../c":   DotSegment,
		"/a;b//c":       EmptySegment,
		"/a;b/%5c":      EncodedBackslash,
		"/a%2fb?x=%zz":  QueryEscape,
		"/a%2f%252e":    EncodedPercent,
		"/a;b=\xff":     NonASCII,
		"/a;b=%2e%2e/c": "", // the value of a parameter is no segment
	} {
		if _, problem := canonical(raw); problem != want {
			t.Errorf("%q: %q, want %q", raw, problem, want)
		}
	}
}
