package conformance

import (
	"regexp"
	"strconv"
	"strings"
)

// class is an expression of the form ^[a-z0-9_]{2,20}$ or ^.{1,2000}$: one class
// of ASCII characters, or the dot, repeated, for the whole text. Identifiers are
// mostly written so; a table is many times faster than the general machine,
// which also has no more than 1,000 repeats.
type class struct {
	member   [128]bool
	dot      bool // any character but the ends of lines
	min, max int
}

var classSyntax = regexp.MustCompile(`^\^(\[[^\\\[\]^]+\]|\\d|\\w|\.)(\+|\*|\{\d{1,4}(?:,\d{0,4})?\})?\$$`)

// newClass gives nil for an expression of another form.
func newClass(source string) *class {
	m := classSyntax.FindStringSubmatch(source)
	if m == nil {
		return nil
	}
	c := &class{min: 1, max: 1}
	switch set := m[1]; set {
	case ".":
		c.dot = true
	case `\d`, `\w`:
		c.addKind(set[1])
	default:
		if !c.addSet(set[1 : len(set)-1]) {
			return nil
		}
	}
	c.repeat(m[2])
	return c
}

// repeat takes the quantifier of an expression.
func (c *class) repeat(times string) {
	switch times {
	case "":
	case "+":
		c.max = -1
	case "*":
		c.min, c.max = 0, -1
	case "?":
		c.min = 0
	default:
		low, high, ranged := strings.Cut(times[1:len(times)-1], ",")
		c.min, _ = strconv.Atoi(low)
		c.max = c.min
		if ranged {
			c.max = -1
		}
		if high != "" {
			c.max, _ = strconv.Atoi(high)
		}
	}
}

// addKind adds the characters of \d or \w.
func (c *class) addKind(letter byte) {
	c.add('0', '9')
	if letter == 'w' {
		c.add('A', 'Z')
		c.add('a', 'z')
		c.add('_', '_')
	}
}

func (c *class) addSet(set string) bool {
	for i := 0; i < len(set); i++ {
		from, to := set[i], set[i]
		if i+2 < len(set) && set[i+1] == '-' {
			to = set[i+2]
			i += 2
		}
		if from >= 0x80 || to >= 0x80 || from > to {
			return false
		}
		c.add(from, to)
	}
	return true
}

func (c *class) add(from, to byte) {
	for b := int(from); b <= int(to); b++ {
		c.member[b] = true
	}
}

func (c *class) match(b []byte) bool {
	if c.dot {
		return c.matchDots(b)
	}
	if len(b) < c.min || c.max >= 0 && len(b) > c.max {
		return false
	}
	for _, x := range b {
		if x >= 0x80 || !c.member[x] {
			return false
		}
	}
	return true
}

func (c *class) matchDots(b []byte) bool {
	n := 0
	for _, r := range string(b) { // the compiler makes no copy for a range
		if r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' {
			return false
		}
		n++
	}
	return n >= c.min && (c.max < 0 || n <= c.max)
}
