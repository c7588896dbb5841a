package inventory

import (
	"strings"
)

// Bounds of a template. What is longer ends in "/**" at the last whole segment
// that fits.
const (
	maxPath     = 2048
	maxSegments = 24
)

// rest is the tail of a template that was cut.
const rest = "/**"

// template turns the path of a request that no document has into the template
// that stands for it. base is the claim's base path that held, "" or "/" for the
// root: its segments are names, and a placeholder in it stays one.
//
// Every decision looks at one segment alone, so the same path gives the same
// template always, whatever was seen before. Folding rare tails by frequency
// needs what was seen: it works on the entries and can come after this.
//
// The result is printable ASCII and holds no value that one of the classes of
// segmentClass covers. Bytes that do not belong into a path are percent-encoded
// (the target rule refuses them; in monitor mode they get here), a query or
// fragment is cut off, and of ";" parameters only the fact is kept. Braces that a
// client sends are encoded, so that nobody can write a placeholder.
func template(base, path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	cut := false
	if len(path) > maxPath {
		path, cut = path[:maxPath], true
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
	path = strings.TrimPrefix(path, "/")
	base = strings.Trim(base, "/")

	var b strings.Builder
	b.Grow(len(path) + 16)
	for index := 0; ; index++ {
		segment, after, more := strings.Cut(path, "/")
		if index == maxSegments || b.Len()+len(segment) > maxPath {
			cut = true
			break
		}
		var declared string
		if base != "" {
			declared, base, _ = strings.Cut(base, "/")
		}
		b.WriteByte('/')
		switch {
		case strings.IndexByte(declared, '{') >= 0:
			b.WriteString(declared)
		case declared != "":
			writeName(&b, segment)
		default:
			writeSegment(&b, segment, index, !more && !cut)
		}
		if !more {
			break
		}
		path = after
	}
	switch {
	case !cut:
		return b.String()
	case b.Len() <= 1:
		return rest
	default:
		b.WriteString(rest)
		return b.String()
	}
}

func writeSegment(b *strings.Builder, segment string, index int, last bool) {
	name, _, matrix := strings.Cut(segment, ";")
	if class := segmentClass(name, index, last); class != "" {
		b.WriteString(class)
	} else {
		writeName(b, name)
	}
	if matrix {
		b.WriteString(";{parameters}")
	}
}

const upperHex = "0123456789ABCDEF"

// writeName writes a segment that is kept.
func writeName(b *strings.Builder, s string) {
	if s == "**" {
		// Not to be taken for a cut template.
		s = "%2A%2A"
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f || c == '{' || c == '}' || c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' || c == '`' || c == '|':
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		default:
			b.WriteByte(c)
		}
	}
}
