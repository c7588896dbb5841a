package target

// Span is a part of Target.Path, from Start up to but not including End (bytes),
// in which a matched operation allows what is otherwise refused.
type Span struct {
	Start, End int // byte offsets in Path
	// Slash allows "%2F": the part is a parameter that may span segments.
	Slash bool
	// Semicolon allows ";": the part is, or is in, a segment with a parameter of
	// style matrix.
	Semicolon bool
}

// Settle turns Conditional into a decision once the operation is known: the
// Problem of the first "%2F" or ";" in Path that no span allows, or an empty one
// when the target may be forwarded. Without spans it is Conditional itself. It
// allocates nothing and looks at Path only when Conditional is set.
func (t Target) Settle(allowed ...Span) Problem {
	if t.Conditional == "" {
		return ""
	}
	for i := 0; i < len(t.Path); i++ {
		switch t.Path[i] {
		case ';':
			if !allows(allowed, i, i+1, Semicolon) {
				return Semicolon
			}
		case '%': // canonical, so two digits follow
			if t.Path[i:i+3] == "%2F" && !allows(allowed, i, i+3, EncodedSlash) {
				return EncodedSlash
			}
		}
	}
	return ""
}

func allows(spans []Span, start, end int, what Problem) bool {
	for _, s := range spans {
		if s.Start <= start && end <= s.End && (s.Slash && what == EncodedSlash || s.Semicolon && what == Semicolon) {
			return true
		}
	}
	return false
}
