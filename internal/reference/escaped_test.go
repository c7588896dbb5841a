package main

import "testing"

func TestCodeSpansAreNotEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"a <b> and `c <d>`, <e>": "a &lt;b> and `c <d>`, &lt;e>",
		"`<a>`":                  "`<a>`",
		"<a>":                    "&lt;a>",
	} {
		if got := escaped(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
