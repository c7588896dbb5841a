package catalogue

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// media is a media type that picks a version: type/subtype in lower case and
// parameters, sorted, names in lower case and values without quotes.
type media struct {
	kind       string
	parameters []mediaParameter
}

type mediaParameter struct{ name, value string }

func (m media) String() string {
	text := m.kind
	for _, p := range m.parameters {
		if !token(p.value) {
			p.value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.value) + `"`
		}
		text += ";" + p.name + "=" + p.value
	}
	return text
}

// parseMedia reads the media type of a selector.
func parseMedia(s string) (media, bool) {
	kind, rest := cutUnquoted(s, ';')
	kind = lower(trimSpace(kind))
	first, second, ok := strings.Cut(kind, "/")
	if !ok || !token(first) || !token(second) || strings.Contains(kind, "*") {
		return media{}, false
	}
	m := media{kind: kind}
	for rest != "" {
		var part string
		part, rest = cutUnquoted(rest, ';')
		name, value, ok := strings.Cut(trimSpace(part), "=")
		name = lower(name)
		if !ok || !token(name) || name == "q" || value == "" {
			return media{}, false
		}
		if value, ok = unquote(value); !ok {
			return media{}, false
		}
		if slices.ContainsFunc(m.parameters, func(p mediaParameter) bool { return p.name == name }) {
			return media{}, false
		}
		m.parameters = append(m.parameters, mediaParameter{name, value})
	}
	slices.SortFunc(m.parameters, func(a, b mediaParameter) int { return cmp.Compare(a.name, b.name) })
	return m, true
}

func token(s string) bool { return httpguts.ValidHeaderFieldName(s) }

// unquote is the value that a token or a quoted string stands for.
func unquote(s string) (string, bool) {
	if s[0] != '"' {
		return s, token(s)
	}
	if len(s) < 2 || s[len(s)-1] != '"' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+2 < len(s) {
			i++
		} else if s[i] == '"' || s[i] == '\\' {
			return "", false
		}
		b.WriteByte(s[i])
	}
	return b.String(), true
}

// cutUnquoted cuts around the first sep outside of quoted strings.
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// mediaRange is one element of an Accept field, not decoded.
type mediaRange struct{ kind, parameters string }

// mediaRanges goes through the elements of an Accept field.
type mediaRanges struct {
	lines []string
	line  string
	n     int
}

// next is the next range that the client takes at all (RFC 9110, section 12.5.1:
// q=0 is "not acceptable").
func (m *mediaRanges) next() (r mediaRange, ok bool) {
	for m.n <= maxSelectorLines {
		if m.line == "" {
			if len(m.lines) == 0 {
				return mediaRange{}, false
			}
			m.line, m.lines = m.lines[0], m.lines[1:]
			continue
		}
		m.n++
		var element string
		element, m.line = cutUnquoted(m.line, ',')
		r.kind, r.parameters = cutUnquoted(element, ';')
		r.kind = trimSpace(r.kind)
		if q, ok := r.parameter("q"); ok && strings.Trim(q, "0.") == "" {
			continue
		}
		return r, true
	}
	return mediaRange{}, false
}

// tooMany reports whether there were more ranges than are read.
func (m *mediaRanges) tooMany() bool { return m.n > maxSelectorLines }

// parameter finds a parameter, its value as it is written. One that is written
// twice has no value, since readers differ in which of them they take.
func (r mediaRange) parameter(name string) (raw string, found bool) {
	for rest := r.parameters; rest != ""; {
		var part string
		part, rest = cutUnquoted(rest, ';')
		key, value, _ := strings.Cut(part, "=")
		if sameText(trimSpace(key), name, true) {
			if found {
				return "", true
			}
			raw, found = trimSpace(value), true
		}
	}
	return raw, found
}

// lists reports whether the range is the media type with all its parameters; it
// may have more.
func (r mediaRange) lists(m *media) bool {
	if !sameText(r.kind, m.kind, true) {
		return false
	}
	for i := range m.parameters {
		raw, ok := r.parameter(m.parameters[i].name)
		if !ok || !sameValue(raw, m.parameters[i].value) {
			return false
		}
	}
	return true
}

// sameValue compares a token or a quoted string as it stands in a field with the
// value that it should have.
func sameValue(raw, value string) bool {
	if raw == "" || raw[0] != '"' {
		return raw == value
	}
	n := 0
	for i := 1; i < len(raw); i++ {
		c := raw[i]
		if c == '"' {
			return n == len(value) && i == len(raw)-1
		}
		if c == '\\' && i+1 < len(raw) {
			i++
			c = raw[i]
		}
		if n == len(value) || value[n] != c {
			return false
		}
		n++
	}
	return false
}

// accepted is the version that a range lists: of several the one with the most
// parameters, since "application/json;version=2" is more than "application/json".
func (t *selectorTable) accepted(r mediaRange) *group {
	for i := range t.types { // those with more parameters stand first
		if r.lists(&t.types[i].media) {
			return t.types[i].group
		}
	}
	return nil
}

// acceptCarried reports whether a field names a version of this table, or would
// if somebody had the value: a type that picks versions by a parameter, with
// another value of it. Other types, wildcards included, name no version.
func (t *selectorTable) acceptCarried(lines []string) bool {
	ranges := mediaRanges{lines: lines}
	for r, ok := ranges.next(); ok; r, ok = ranges.next() {
		for i := range t.types {
			m := &t.types[i].media
			if !sameText(r.kind, m.kind, true) {
				continue
			}
			if len(m.parameters) == 0 {
				return true
			}
			for j := range m.parameters {
				if _, found := r.parameter(m.parameters[j].name); found {
					return true
				}
			}
		}
	}
	return false
}
