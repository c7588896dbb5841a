package conformance

import (
	"regexp"
	"strings"
)

// lookahead is a condition that stands at the start of an anchored expression.
type lookahead struct {
	re     *regexp.Regexp
	absent bool // (?!…)
}

// cutLookaheads takes the look-aheads off the start of an expression such as
// ^(?=.*\d)(?!.*\s).{8,}$, the usual way to write rules for passwords. All of
// them look at the text from its start on, so that each can be matched by itself.
// That does not hold for an expression with alternatives at its top.
func cutLookaheads(source string) (looks []lookahead, rest string, err error) {
	rest, anchored := strings.CutPrefix(source, "^")
	if !anchored || !strings.HasPrefix(rest, "(?=") && !strings.HasPrefix(rest, "(?!") {
		return nil, source, nil
	}
	for strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!") {
		end, _ := closing(rest)
		if end < 0 {
			return nil, source, nil
		}
		translated, err := ecma(rest[3:end])
		if err != nil {
			return nil, "", err
		}
		re, err := regexp.Compile(`\A(?:` + translated + `)`)
		if err != nil {
			return nil, "", err
		}
		looks = append(looks, lookahead{re: re, absent: rest[2] == '!'})
		rest = rest[end+1:]
	}
	if len(rest) > 0 && strings.IndexByte("*+?{", rest[0]) >= 0 {
		return nil, source, nil
	}
	if _, alternatives := closing("(" + rest + ")"); alternatives {
		return nil, source, nil
	}
	return looks, "^" + rest, nil
}

// closing is the position of the parenthesis that closes the one that s starts
// with, -1 for none, and whether there are alternatives directly within.
func closing(s string) (end int, alternatives bool) {
	depth, inClass := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case inClass:
			inClass = c != ']'
		case c == '[':
			inClass = true
		case c == '(':
			depth++
		case c == '|' && depth == 1:
			alternatives = true
		case c == ')':
			if depth--; depth == 0 {
				return i, alternatives
			}
		}
	}
	return -1, alternatives
}

func holdAll(looks []lookahead, b []byte) bool {
	for i := range looks {
		if looks[i].re.Match(b) == looks[i].absent {
			return false
		}
	}
	return true
}
