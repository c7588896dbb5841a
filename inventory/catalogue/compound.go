package catalogue

import (
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// compound is a segment that mixes literals and parameters: "{name}.json",
// "{id}:cancel", "{base}...{head}".
type compound struct {
	parts    []spec.Part // literals in lower case in a folded tree
	literals int         // bytes of literal text: the more, the more concrete
	next     int32       // node
}

// match splits a segment. Each parameter takes as little as it can, but at least
// one byte; the last one, or the text after it, reaches to the end. For existence
// that is complete, as for any pattern of literals and non-empty gaps.
func (c *compound) match(path string, start, end int, fold bool, k int, params *[MaxParams]Range) bool {
	pos, limit := start, end
	parts := c.parts
	if p := parts[0]; p.Param == "" {
		if limit-pos < len(p.Literal) || !sameText(path[pos:pos+len(p.Literal)], p.Literal, fold) {
			return false
		}
		pos += len(p.Literal)
		parts = parts[1:]
	}
	if p := parts[len(parts)-1]; p.Param == "" {
		limit -= len(p.Literal)
		if limit <= pos || inEscape(path, start, limit) || !sameText(path[limit:end], p.Literal, fold) {
			return false
		}
		parts = parts[:len(parts)-1]
	}
	for i := 0; i < len(parts); i += 2 {
		stop, next := limit, limit
		if i+1 < len(parts) {
			literal := parts[i+1].Literal
			stop = indexLiteral(path, start, pos+1, limit, literal, fold)
			if stop < 0 {
				return false
			}
			next = stop + len(literal)
		}
		if stop <= pos {
			return false
		}
		if params != nil && k < MaxParams {
			params[k] = Range{Start: uint32(pos), End: uint32(stop)}
		}
		k++
		pos = next
	}
	return true
}

// indexLiteral is the first place of a literal between from and limit that does
// not begin inside a percent escape, or -1.
func indexLiteral(path string, start, from, limit int, literal string, fold bool) int {
	for i := from; i+len(literal) <= limit; i++ {
		if sameText(path[i:i+len(literal)], literal, fold) && !inEscape(path, start, i) {
			return i
		}
	}
	return -1
}

// inEscape reports whether position i is the first or second digit of a percent
// escape of the segment that begins at start.
func inEscape(path string, start, i int) bool {
	return i-1 >= start && path[i-1] == '%' || i-2 >= start && path[i-2] == '%'
}

// params counts the parameters of the segment.
func (c *compound) params() int {
	n := 0
	for _, p := range c.parts {
		if p.Param != "" {
			n++
		}
	}
	return n
}

// shape identifies a segment without the names of its parameters.
func shape(s spec.Segment) string {
	var b strings.Builder
	for _, p := range s.Parts {
		if p.Param != "" {
			b.WriteString("{}")
			continue
		}
		b.WriteString(p.Literal)
	}
	return b.String()
}
