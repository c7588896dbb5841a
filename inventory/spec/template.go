package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxSegments is how many segments a template may have.
const MaxSegments = 64

// Template is a path template cut into segments.
type Template struct {
	// Text is the template as written, without a fragment or query. Documents use
	// those to tell apart operations that share a path ("/files/{id}#share");
	// no request target ever carries a fragment to a server (RFC 9112 3.2).
	Text string
	// Segments are what stands between the slashes. "/" has one, which is empty,
	// and so has the end of a template with a trailing slash.
	Segments []Segment
	// Params are the names of the parameters in order of appearance.
	Params []string
}

// Segment is one path segment of a template: literals and parameters in turn.
// A literal segment has one part (its text may be empty), a bare parameter has
// one, a compound such as "{name}.json" has several.
type Segment struct {
	Parts []Part // at least one
}

// Part is a literal or a parameter.
type Part struct {
	Literal string // canonical percent-encoding; empty for a parameter
	Param   string // the parameter's name; empty for a literal
	Multi   bool   // the parameter may span several segments
}

// IsLiteral reports whether the segment has no parameter.
func (s Segment) IsLiteral() bool { return len(s.Parts) == 1 && s.Parts[0].Param == "" }

// IsParam reports whether the segment is one parameter and nothing else.
func (s Segment) IsParam() bool { return len(s.Parts) == 1 && s.Parts[0].Param != "" }

// Shape is the template with the parameters' names left out: two templates of
// one shape match the same paths.
func (t Template) Shape() string {
	var b strings.Builder
	for _, s := range t.Segments {
		b.WriteByte('/')
		for _, p := range s.Parts {
			switch {
			case p.Multi:
				b.WriteString("{+}")
			case p.Param != "":
				b.WriteString("{}")
			default:
				b.WriteString(p.Literal)
			}
		}
	}
	return b.String()
}

// ParseTemplate cuts a path template. The parameters named in multi may span
// several segments; each must be a whole segment, last or before a literal one.
// Literals come out in canonical percent-encoding (RFC 3986 6.2.2), so that they
// compare byte for byte with a canonical path.
func ParseTemplate(text string, multi ...string) (Template, error) {
	path := text
	if i := fragment(path); i >= 0 {
		path = path[:i]
	}
	if path == "" || path[0] != '/' {
		return Template{}, errors.New("the template does not begin with a slash")
	}
	t := Template{Text: path}
	segments := splitSegments(path[1:])
	if len(segments) > MaxSegments {
		return Template{}, fmt.Errorf("the template has %d segments; at most %d are supported", len(segments), MaxSegments)
	}
	spans := 0
	for i, raw := range segments {
		if raw == "" && i < len(segments)-1 {
			return Template{}, errors.New("the template has an empty segment, which no canonical request has")
		}
		s, err := parseSegment(raw)
		if err != nil {
			return Template{}, err
		}
		for j := range s.Parts {
			p := &s.Parts[j]
			if p.Param == "" {
				continue
			}
			if slices.Contains(t.Params, p.Param) {
				return Template{}, fmt.Errorf("the parameter {%s} stands in it twice", p.Param)
			}
			t.Params = append(t.Params, p.Param)
			if !slices.Contains(multi, p.Param) {
				continue
			}
			if !s.IsParam() {
				return Template{}, fmt.Errorf("the multi-segment parameter {%s} must be a whole segment", p.Param)
			}
			p.Multi = true
			spans++
		}
		if i > 0 && t.Segments[i-1].Parts[0].Multi && !s.IsLiteral() {
			return Template{}, errors.New("a multi-segment parameter must be last or before a literal segment")
		}
		t.Segments = append(t.Segments, s)
	}
	if spans > 1 {
		return Template{}, errors.New("the template has two multi-segment parameters; where one ends cannot be told")
	}
	return t, nil
}

// fragment is where a fragment or a query begins outside braces, or -1.
func fragment(path string) int {
	depth := 0
	for i := range len(path) {
		switch path[i] {
		case '{':
			depth++
		case '}':
			depth--
		case '#', '?':
			if depth <= 0 {
				return i
			}
		}
	}
	return -1
}

// splitSegments splits at slashes outside braces: a parameter's name may hold one.
func splitSegments(path string) []string {
	var out []string
	depth, from := 0, 0
	for i := range len(path) {
		switch path[i] {
		case '{':
			depth++
		case '}':
			depth--
		case '/':
			if depth <= 0 {
				out = append(out, path[from:i])
				from = i + 1
			}
		}
	}
	return append(out, path[from:])
}

func parseSegment(raw string) (Segment, error) {
	if raw == "" {
		return Segment{Parts: []Part{{}}}, nil
	}
	var s Segment
	for rest := raw; rest != ""; {
		open := strings.IndexByte(rest, '{')
		if open != 0 {
			literal := rest
			if open > 0 {
				literal = rest[:open]
			}
			rest = rest[len(literal):]
			if strings.IndexByte(literal, '}') >= 0 {
				return Segment{}, fmt.Errorf("%q has a closing brace without an opening one", raw)
			}
			canonical, err := CanonicalSegment(literal)
			if err != nil {
				return Segment{}, err
			}
			s.Parts = append(s.Parts, Part{Literal: canonical})
			continue
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return Segment{}, fmt.Errorf("%q has an opening brace without a closing one", raw)
		}
		name := rest[1:end]
		if name == "" || strings.IndexByte(name, '{') >= 0 {
			return Segment{}, fmt.Errorf("%q has a parameter without a usable name", raw)
		}
		if n := len(s.Parts); n > 0 && s.Parts[n-1].Param != "" {
			return Segment{}, fmt.Errorf("%q has two parameters with nothing between them; where one ends cannot be told", raw)
		}
		s.Parts = append(s.Parts, Part{Param: name})
		rest = rest[end+1:]
	}
	if s.IsLiteral() && (s.Parts[0].Literal == "." || s.Parts[0].Literal == "..") {
		return Segment{}, errors.New("the template has a dot segment, which no canonical request has")
	}
	return s, nil
}

// CanonicalSegment is a literal in canonical percent-encoding: unreserved
// characters decoded, what may not stand raw in a path encoded, hexadecimal
// digits in upper case (RFC 3986 2.4, 3.3, 6.2.2).
func CanonicalSegment(literal string) (string, error) {
	clean := true
	for i := range len(literal) {
		if literal[i] == '%' || !pathChar(literal[i]) {
			clean = false
			break
		}
	}
	if clean {
		return literal, nil
	}
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(literal)+8)
	for i := 0; i < len(literal); i++ {
		c := literal[i]
		if c == '%' {
			if i+2 >= len(literal) || unhex(literal[i+1]) < 0 || unhex(literal[i+2]) < 0 {
				return "", fmt.Errorf("%q has a percent sign that begins no escape; write it as %%25", literal)
			}
			c = byte(unhex(literal[i+1])<<4 | unhex(literal[i+2]))
			i += 2
			if unreserved(c) {
				b = append(b, c)
			} else {
				b = append(b, '%', hex[c>>4], hex[c&15])
			}
			continue
		}
		if pathChar(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b), nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}

// unreserved is RFC 3986 2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// pathChar is pchar of RFC 3986 3.3 without the percent escapes.
func pathChar(c byte) bool {
	return unreserved(c) || strings.IndexByte("!$&'()*+,;=:@", c) >= 0
}
