package inventory

import (
	"strings"
)

// MaxTemplate is how long a template may be, in bytes.
const MaxTemplate = 2048

// Bounds of a template. What is longer ends in "/**" at the last whole segment
// that fits.
const (
	maxPath     = MaxTemplate
	maxSegments = 24
)

// rest is the tail of a template that was cut.
const rest = "/**"

// folded stands for the values of a segment that were found by what was seen: by
// their number, or because they belong to several lexical classes.
const folded = "{value}"

// templater turns the path of a request that no document has into the template
// that stands for it. For each segment the first of these that knows decides:
//
//	the base path   its segments are names, and a placeholder in it stays one
//	the documents   as far as the path begins as a documented one does
//	versions        are names, whatever else they look like
//	folds           what was learned of the values at this place
//	vocabulary      a name after which the documents have parameters only
//	classes         segmentClass, which looks at the segment alone
//
// So the same path gives the same template whatever was seen before, folds aside.
type templater struct {
	base      string  // of the claim that held, "" or "/" for the root
	documents *branch // may be nil
	words     *vocabulary
	folds     map[string]*fold
	// once are segments that are put together although the place is not folded, each
	// with what is before it.
	once map[string]bool
}

// template turns a path, or an earlier template, into a template.
//
// The result is printable ASCII and holds no value that one of the classes of
// segmentClass covers. Bytes that do not belong into a path are percent-encoded
// (the target rule refuses them; in monitor mode they get here), a query or
// fragment is cut off, and of ";" parameters only the fact is kept. Braces that a
// client sends must have been encoded, see writeName: a segment with braces is
// taken for one of an earlier template.
func (t templater) template(path string) string {
	path, cut := cutPath(path)
	path = strings.TrimPrefix(path, "/")
	base := strings.Trim(t.base, "/")
	documents := t.documents
	name := ""     // the segment before, if it is one
	inner := false // something other than the base path and versions came before

	b := make([]byte, 0, len(path)+16)
	for index := 0; ; index++ {
		segment, after, more := strings.Cut(path, "/")
		if index == maxSegments || len(b)+len(segment) > maxPath {
			cut = true
			break
		}
		if !more && segment == rest[1:] {
			cut = true
			break
		}
		var declared string
		if base != "" {
			declared, base, _ = strings.Cut(base, "/")
		}
		f := t.folds[string(b)]
		var text string
		known := documents != nil
		if known {
			following, _, _ := strings.Cut(after, "/")
			documents, text, known = documents.step(t.words, segment, following)
			if known && f.kept(segment) && text != segment && !documents.goesOn(following) {
				documents, known = nil, false
			}
		}
		before := len(b)
		b = append(b, '/')
		switch {
		case strings.IndexByte(declared, '{') >= 0:
			b = append(b, declared...)
		case declared != "":
			b = writeName(b, segment)
		case known:
			b = writeDocumented(b, text)
		default:
			if (f == nil || !f.names && !f.keep[segment]) && (t.words.follows(name, segment) || inner && t.words.isValue(segment)) || t.once[string(b[:before])+"/"+segment] {
				f = &anyName
			}
			b = writeSegment(b, segment, index, !more && !cut, f, t.words)
		}
		name = string(b[before+1:])
		inner = inner || declared == "" && segment != "" && !isVersion(segment, index, !more)
		if !more {
			break
		}
		path = after
	}
	switch {
	case !cut:
		return string(b)
	case len(b) <= 1:
		return rest
	default:
		return string(b) + rest
	}
}

// anyName is a place where every name is a value.
var anyName = fold{names: true}

// cutPath cuts what is too long, and what is no path.
func cutPath(path string) (short string, cut bool) {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	if len(path) <= maxPath {
		return path, false
	}
	path = path[:maxPath]
	return path[:max(strings.LastIndexByte(path, '/'), 0)], true
}

// asRequested makes sure that nobody but us writes a placeholder, or a cut template.
func asRequested(path string) string {
	if strings.ContainsAny(path, "{}*") {
		path = ours.Replace(path)
	}
	return path
}

var ours = strings.NewReplacer("{", "%7B", "}", "%7D", "**", "%2A%2A")

// lexical is the template of a request's path by the classes of its segments alone.
func lexical(base, path string) string { return templater{base: base}.template(asRequested(path)) }

func writeDocumented(b []byte, text string) []byte {
	if strings.IndexByte(text, '{') >= 0 {
		return append(b, text...)
	}
	return writeName(b, text)
}

func writeSegment(b []byte, segment string, index int, last bool, f *fold, words *vocabulary) []byte {
	name, _, matrix := strings.Cut(segment, ";")
	class := name
	if strings.IndexByte(name, '{') < 0 {
		class = segmentClass(name, index, last)
		if class != "{integer}" && words.has(name) {
			class = "" // whatever it looks like, some document has it for a name
		}
	}
	switch {
	case f != nil && f.holds(name, class, index, last):
		b = append(b, folded...)
	case class != "":
		b = append(b, class...)
	default:
		b = writeName(b, name)
	}
	if matrix {
		b = append(b, ";{parameters}"...)
	}
	return b
}

const upperHex = "0123456789ABCDEF"

// writeName writes a segment that is kept.
func writeName(b []byte, s string) []byte {
	if s == "**" {
		// Not to be taken for a cut template.
		s = "%2A%2A"
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f || c == '{' || c == '}' || c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' || c == '`' || c == '|':
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}
