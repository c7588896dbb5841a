package catalogue

import (
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// Ranks of a segment: the higher, the more concrete.
const (
	rankMulti = iota
	rankParam
	rankCompound
	rankLiteral
)

func rank(s spec.Segment) int {
	switch {
	case s.IsLiteral():
		return rankLiteral
	case s.IsParam() && s.Parts[0].Multi:
		return rankMulti
	case s.IsParam():
		return rankParam
	default:
		return rankCompound
	}
}

// trimSlash drops the empty segment of a trailing slash.
func trimSlash(segments []spec.Segment) []spec.Segment {
	if n := len(segments); n > 0 && segments[n-1].IsLiteral() && segments[n-1].Parts[0].Literal == "" {
		return segments[:n-1]
	}
	return segments
}

// lessSpecific reports whether template a is strictly less specific than b: at
// no segment more concrete and at one less. Of two templates that are each more
// concrete somewhere neither is, so that a limit holds rather than not.
func lessSpecific(a, b []spec.Segment) bool {
	a, b = trimSlash(a), trimSlash(b)
	less := false
	for i := range a {
		if i >= len(b) {
			return false
		}
		x, y := rank(a[i]), rank(b[i])
		switch {
		case x > y:
			return false
		case x == rankMulti && y == rankMulti:
			continue
		case x == rankMulti:
			// Beyond this segment the two no longer stand side by side.
			return i == len(a)-1
		case x < y:
			less = true
		case x == rankCompound:
			m, n := literalBytes(a[i]), literalBytes(b[i])
			if m > n {
				return false
			}
			less = less || m < n
		}
	}
	return less && len(a) == len(b)
}

func literalBytes(s spec.Segment) int {
	n := 0
	for i := range s.Parts {
		n += len(s.Parts[i].Literal)
	}
	return n
}

// overlap reports whether some path may match both templates, whatever its
// letter case and whether or not it ends in a slash. It may err towards true.
func overlap(a, b []spec.Segment) bool {
	a, b = trimSlash(a), trimSlash(b)
	for i := range min(len(a), len(b)) {
		if rank(a[i]) == rankMulti || rank(b[i]) == rankMulti {
			return true
		}
		if !overlapSegment(a[i], b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

func overlapSegment(a, b spec.Segment) bool {
	switch x, y := rank(a), rank(b); {
	case x == rankLiteral && y == rankLiteral:
		return strings.EqualFold(a.Parts[0].Literal, b.Parts[0].Literal)
	case x == rankLiteral:
		return coversLiteral(b, a.Parts[0].Literal)
	case y == rankLiteral:
		return coversLiteral(a, b.Parts[0].Literal)
	default:
		return true
	}
}

// covers reports whether template a matches every path that b matches, whatever
// its letter case and whether or not it ends in a slash. It may err towards
// false.
func covers(a, b []spec.Segment) bool {
	a, b = trimSlash(a), trimSlash(b)
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		switch x, y := rank(a[i]), rank(b[i]); {
		case x == rankMulti || y == rankMulti:
			// Equal templates behind cover each other; others may be told apart
			// by where the parameter ends.
			if x != y {
				return false
			}
		case x == rankParam:
		case y == rankLiteral:
			if !coversLiteral(a[i], b[i].Parts[0].Literal) {
				return false
			}
		case x != y || !strings.EqualFold(shape(a[i]), shape(b[i])):
			return false
		}
	}
	return true
}

// coversLiteral reports whether a segment of a template matches a literal one.
func coversLiteral(s spec.Segment, literal string) bool {
	switch rank(s) {
	case rankLiteral:
		return strings.EqualFold(s.Parts[0].Literal, literal)
	case rankCompound:
		c := compound{parts: make([]spec.Part, len(s.Parts))}
		for i, p := range s.Parts {
			p.Literal = lower(p.Literal)
			c.parts[i] = p
		}
		return c.match(literal, 0, len(literal), true, 0, nil)
	default:
		return literal != ""
	}
}
