package conformance

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What a sequence says must be what RE2 says of the same expression.
func TestASequenceMatchesAsTheExpressionDoes(t *testing.T) {
	items := []string{"a", "b", "-", `\d`, `\w`, `\.`, `\-`, `\\`, "[ab]", "[a-c_-]", "[0-9.]", " ", "é", "(", "[^a]", ".", "|", `\s`}
	times := []string{"", "", "", "+", "*", "?", "{2}", "{1,2}", "{0,1}", "{2,}", "{2,1}", "+?"}
	alphabet := []rune("abcd019_-.\\ é\n")
	taken, matched := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var source strings.Builder
		source.WriteByte('^')
		for range rapid.IntRange(1, 4).Draw(t, "items") {
			source.WriteString(rapid.SampledFrom(items).Draw(t, "item") + rapid.SampledFrom(times).Draw(t, "times"))
		}
		source.WriteByte('$')
		s := newSequence(source.String())
		if s == nil {
			return
		}
		taken++
		translated, err := ecma(source.String())
		if err != nil {
			t.Fatalf("%s: %v", source.String(), err)
		}
		re, err := regexp.Compile(translated)
		if err != nil {
			t.Fatalf("%s: %v", source.String(), err)
		}
		for range 20 {
			text := rapid.StringOfN(rapid.SampledFrom(alphabet), 0, 8, -1).Draw(t, "text")
			if got, want := s.match([]byte(text)), re.MatchString(text); got != want {
				t.Fatalf("%s on %q: %v, want %v", source.String(), text, got, want)
			} else if got {
				matched++
			}
		}
	})
	if taken == 0 || matched == 0 {
		t.Errorf("%d sequences, %d matches", taken, matched)
	}
	for source, want := range map[string]bool{
		"^SKU-[0-9]{5}$": true, "^[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}$": true, `^\d{4}-\d{2}-\d{2}$`: true, `^v[0-9]+$`: true, `^[a-z]+-[a-z]+$`: false,
		"^a|b$": false, "^$": false, "a$": false, `^a\$`: false, `^a{2,1}$`: false,
	} {
		if got := newSequence(source) != nil; got != want {
			t.Errorf("%s: a sequence %v, want %v", source, got, want)
		}
	}
}
