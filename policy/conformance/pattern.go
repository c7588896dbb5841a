package conformance

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// pattern is a regular expression of a schema.
type pattern struct {
	source string
	re     *regexp.Regexp
	looks  []lookahead
	class  *class    // set when the expression is one class repeated
	order  *sequence // set when it is several of them
}

func (p *pattern) match(b []byte) bool {
	if p.class != nil {
		return p.class.match(b)
	}
	if p.order != nil {
		return p.order.match(b)
	}
	return holdAll(p.looks, b) && p.re.Match(b)
}

// newPattern compiles an ECMA-262 expression (with the `u` flag, as JSON Schema
// 2020-12 section 6.4 recommends) on RE2, which runs in linear time whatever the
// input. It fails for what RE2 does not have: back references and look-around, but
// for look-ahead at the start.
func newPattern(source string) (*pattern, error) {
	if c := newClass(source); c != nil {
		return &pattern{source: source, class: c}, nil
	}
	if s := newSequence(source); s != nil {
		return &pattern{source: source, order: s}, nil
	}
	looks, rest, err := cutLookaheads(source)
	if err != nil {
		return nil, fmt.Errorf("reading pattern %q: %w", source, err)
	}
	translated, err := ecma(rest)
	if err != nil {
		return nil, fmt.Errorf("reading pattern %q: %w", source, err)
	}
	re, err := regexp.Compile(translated)
	if err != nil {
		return nil, fmt.Errorf("compiling pattern %q: %w; look-around, but for look-ahead after ^, and back references cannot be checked", source, err)
	}
	return &pattern{source: source, re: re, looks: looks}, nil
}

// The classes of ECMA-262 that RE2 has under the same name with other members.
const (
	ecmaSpace   = `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	ecmaNoSpace = `\x{0}-\x{8}\x{e}-\x{1f}!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}` +
		`\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`
	ecmaDot = `[^\n\r\x{2028}\x{2029}]`
)

// ecma rewrites an ECMA-262 expression in RE2's syntax.
func ecma(source string) (string, error) {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(source); {
		switch c := source[i]; {
		case c == '\\':
			n, err := ecmaEscape(&b, source[i:], inClass)
			if err != nil {
				return "", err
			}
			i += n
			continue
		case inClass && c == '[':
			b.WriteString(`\[`) // RE2 reads [[:alpha:]], ECMA-262 does not
		case c == '[':
			inClass = true
			switch {
			case strings.HasPrefix(source[i:], "[]"): // nothing
				b.WriteString(`[^\x{0}-\x{10ffff}]`)
				inClass = false
				i++
			case strings.HasPrefix(source[i:], "[^]"): // anything
				b.WriteString(`[\x{0}-\x{10ffff}]`)
				inClass = false
				i += 2
			default:
				b.WriteByte(c)
			}
		case c == ']' && inClass:
			inClass = false
			b.WriteByte(c)
		case c == '.' && !inClass:
			b.WriteString(ecmaDot)
		case c == '$' && !inClass:
			b.WriteString(`\z`)
		case c == '^' && !inClass:
			b.WriteString(`\A`)
		case c == '(' && !inClass && strings.HasPrefix(source[i:], "(?<") && i+3 < len(source) && source[i+3] != '=' && source[i+3] != '!':
			b.WriteString("(?P<")
			i += 3
			continue
		case c == '(' && !inClass && strings.HasPrefix(source[i:], "(?") && !strings.HasPrefix(source[i:], "(?:"):
			return "", fmt.Errorf("the group %q is not supported", source[i:min(i+4, len(source))])
		default:
			b.WriteByte(c)
		}
		i++
	}
	return b.String(), nil
}

// ecmaEscape writes the escape that s starts with and gives its length.
func ecmaEscape(b *strings.Builder, s string, inClass bool) (int, error) {
	if len(s) < 2 {
		return 0, fmt.Errorf("it ends in a backslash")
	}
	switch c := s[1]; c {
	case 'd', 'D', 'w', 'W', 't', 'n', 'v', 'f', 'r':
		b.WriteString(s[:2])
	case 's':
		if inClass {
			b.WriteString(ecmaSpace)
		} else {
			b.WriteString("[" + ecmaSpace + "]")
		}
	case 'S':
		if inClass {
			b.WriteString(ecmaNoSpace)
		} else {
			b.WriteString("[^" + ecmaSpace + "]")
		}
	case 'b', 'B':
		if inClass {
			b.WriteString(`\x08`)
		} else {
			b.WriteString(s[:2])
		}
	case '0':
		b.WriteString(`\x00`)
	case 'c':
		if len(s) < 3 || s[2]|0x20 < 'a' || s[2]|0x20 > 'z' {
			return 0, fmt.Errorf(`\c needs a letter`)
		}
		fmt.Fprintf(b, `\x%02x`, s[2]&0x1F)
		return 3, nil
	case 'x':
		if len(s) < 4 {
			return 0, fmt.Errorf(`\x needs two digits`)
		}
		b.WriteString(s[:4])
		return 4, nil
	case 'u':
		return ecmaUnicode(b, s)
	case 'p', 'P':
		return ecmaProperty(b, s)
	default:
		if c >= '1' && c <= '9' || c == 'k' {
			return 0, fmt.Errorf("back references are not supported")
		}
		r, n := utf8.DecodeRuneInString(s[1:])
		b.WriteString(regexp.QuoteMeta(string(r)))
		if c == '-' && inClass {
			// QuoteMeta leaves the hyphen alone, which would make a range of it.
			return 2, rewriteHyphen(b)
		}
		return 1 + n, nil
	}
	return 2, nil
}

func rewriteHyphen(b *strings.Builder) error {
	s := b.String()
	b.Reset()
	b.WriteString(s[:len(s)-1] + `\-`)
	return nil
}

// ecmaUnicode writes \uXXXX, a surrogate pair of them or \u{X}.
func ecmaUnicode(b *strings.Builder, s string) (int, error) {
	if strings.HasPrefix(s, `\u{`) {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return 0, fmt.Errorf(`\u{ is not closed`)
		}
		b.WriteString(`\x{` + s[3:end+1])
		return end + 1, nil
	}
	r, ok := hex4([]byte(s[2:]))
	if !ok {
		return 0, fmt.Errorf(`\u needs four digits`)
	}
	if r >= 0xD800 && r <= 0xDBFF && strings.HasPrefix(s[6:], `\u`) {
		low, ok := hex4([]byte(s[8:]))
		if ok && low >= 0xDC00 && low <= 0xDFFF {
			fmt.Fprintf(b, `\x{%x}`, (r-0xD800)<<10|(low-0xDC00)+0x10000)
			return 12, nil
		}
	}
	fmt.Fprintf(b, `\x{%x}`, r)
	return 6, nil
}

// longCategories are the general categories that RE2 knows by their short names
// only.
var longCategories = map[string]string{
	"Letter": "L", "Lowercase_Letter": "Ll", "Uppercase_Letter": "Lu", "Number": "N", "Decimal_Number": "Nd",
	"digit": "Nd", "Punctuation": "P", "punct": "P", "Symbol": "S", "Separator": "Z", "Space_Separator": "Zs", "Mark": "M", "Other": "C",
}

// ecmaProperty writes \p{…}.
func ecmaProperty(b *strings.Builder, s string) (int, error) {
	end := strings.IndexByte(s, '}')
	if end < 0 || s[2] != '{' {
		return 0, fmt.Errorf(`\%c needs a property in braces`, s[1])
	}
	name := s[3:end]
	for _, prefix := range []string{"General_Category=", "gc=", "Script=", "sc="} {
		name = strings.TrimPrefix(name, prefix)
	}
	if short, ok := longCategories[name]; ok {
		name = short
	}
	b.WriteString(s[:2] + "{" + name + "}")
	return end + 1, nil
}
