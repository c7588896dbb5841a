package conformance

import "regexp"

// sequence is an expression of classes and characters one after the other, such as
// ^SKU-[0-9]{5}$ or ^[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}$, of which one at most may be
// of more than one length: how long that is follows from the length of the text, so
// that there is one way to match. Codes and numbers of all kinds are written so.
type sequence struct {
	classes []*class
	fixed   int // how many bytes all but the one of several lengths take
	varies  int // the position of that one, -1 for none
}

var sequenceItem = regexp.MustCompile(`^(\[[^\\\[\]^]+\]|\\[dw]|\\[-./\\+*?()\[\]{}|^$]|[A-Za-z0-9 !"#%&',/:;<=>@_` + "`" + `~-])(\+|\*|\?|\{\d{1,4}(?:,\d{0,4})?\})?`)

// newSequence gives nil for an expression of another form.
func newSequence(source string) *sequence {
	if len(source) < 3 || source[0] != '^' || source[len(source)-1] != '$' {
		return nil
	}
	s := &sequence{varies: -1}
	for rest := source[1 : len(source)-1]; rest != ""; {
		m := sequenceItem.FindStringSubmatch(rest)
		if m == nil {
			return nil
		}
		rest = rest[len(m[0]):]
		c := &class{min: 1, max: 1}
		switch set := m[1]; {
		case set[0] == '[':
			if !c.addSet(set[1 : len(set)-1]) {
				return nil
			}
		case set == `\d` || set == `\w`:
			c.addKind(set[1])
		default:
			c.add(set[len(set)-1], set[len(set)-1])
		}
		c.repeat(m[2])
		if c.max >= 0 && c.max < c.min {
			return nil
		}
		if c.min == c.max {
			s.fixed += c.min
		} else if s.varies < 0 {
			s.varies = len(s.classes)
		} else {
			return nil
		}
		s.classes = append(s.classes, c)
	}
	return s
}

func (s *sequence) match(b []byte) bool {
	spare := len(b) - s.fixed
	if spare < 0 || s.varies < 0 && spare > 0 {
		return false
	}
	for i, c := range s.classes {
		n := c.min
		if i == s.varies {
			n = spare
		}
		if !c.match(b[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}
