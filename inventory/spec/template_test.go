package spec

import (
	"strings"
	"testing"
)

func TestTemplatesAreCutIntoSegments(t *testing.T) {
	for _, tt := range []struct{ text, multi, shape, params string }{
		{"/", "", "/", ""},
		{"/a", "", "/a", ""},
		{"/a/", "", "/a/", ""},
		{"/a/{b}/c", "", "/a/{}/c", "b"},
		{"/{a}.{b}/{c}:go", "", "/{}.{}/{}:go", "a b c"},
		{"/x{a}", "", "/x{}", "a"},
		{"/{a/b}/c", "", "/{}/c", "a/b"},
		{"/f/{p}", "p", "/f/{+}", "p"},
		{"/f/{p}/end", "p", "/f/{+}/end", "p"},
		{"/a#one", "", "/a", ""},
		{"/a?b={c}", "", "/a", ""},
		{"/{a#b}/c", "", "/{}/c", "a#b"},
		{"/%7euser/caf%c3%a9/é", "", "/~user/caf%C3%A9/%C3%A9", ""},
		{"/a b/c:d@e", "", "/a%20b/c:d@e", ""},
		{"/...", "", "/...", ""},
	} {
		got, err := ParseTemplate(tt.text, tt.multi)
		if err != nil || got.Shape() != tt.shape || strings.Join(got.Params, " ") != tt.params {
			t.Errorf("%s: shape %q, parameters %v, %v", tt.text, got.Shape(), got.Params, err)
		}
	}
	for text, want := range map[string]string{
		"":                                  "slash",
		"a/b":                               "slash",
		"#a":                                "slash",
		"/a//b":                             "empty segment",
		"//":                                "empty segment",
		"/{a":                               "opening brace",
		"/a}":                               "closing brace",
		"/{}":                               "usable name",
		"/{a{b}}":                           "usable name",
		"/{a}{b}":                           "nothing between",
		"/{a}/{a}":                          "twice",
		"/{a}.{a}":                          "twice",
		"/..":                               "dot segment",
		"/a/%2e/b":                          "dot segment",
		"/%zz":                              "percent",
		"/a%2":                              "percent",
		"/x{p}":                             "whole segment",
		"/{p}/{a}":                          "last or before a literal",
		"/{p}/b/{q}":                        "two multi-segment",
		strings.Repeat("/a", MaxSegments+1): "segments",
	} {
		if _, err := ParseTemplate(text, "p", "q"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error about %q", text, err, want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"/", "/a/{b}.{c}", "/{p}/x", "/%7e%c3", "/a#b", "/{a/b}", "/x{"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTemplate(text, "p")
		if err != nil {
			return
		}
		for _, s := range got.Segments {
			for _, p := range s.Parts {
				again, err := CanonicalSegment(p.Literal)
				if err != nil || again != p.Literal {
					t.Errorf("%q: the literal %q is not canonical", text, p.Literal)
				}
			}
		}
	})
}
