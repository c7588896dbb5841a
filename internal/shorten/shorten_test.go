package shorten

import (
	"strings"
	"testing"
)

func TestALongTextEndsAtACharacterAndSaysSo(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"abcd":                  "abcd",
		"abcde":                 "abcd …",
		"abcé":                  "abc …",
		"abé":                   "abé",
		"ab\xff\xff":            "ab\xff\xff", // as it is
		strings.Repeat("é", 30): "éé …",
	} {
		if got := Text(text, 4); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
