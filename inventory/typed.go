package inventory

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// maxMembers is how many members of an object are told apart, maxDepth how deep
	// a value is looked into, and maxItems how many items of an array are.
	maxMembers = 64
	maxDepth   = 8
	maxItems   = 16
	// maxNodes is how many places of values a route may have in all, and maxAllNodes
	// how many all routes may: about 16 MiB.
	maxNodes    = 512
	maxAllNodes = 100_000
)

// typed is what is known of the values at one place: types and formats, never one
// of the values. Its JSON is what the store has.
type typed struct {
	Seen  uint32 `json:"seen,omitempty"`  // values
	Types uint8  `json:"types,omitempty"` // bits, see typeNames
	// Format is the one that every text so far had; Mixed says that there is none.
	Format string `json:"format,omitempty"`
	Mixed  bool   `json:"mixed,omitempty"`

	Objects uint32            `json:"objects,omitempty"`
	Members map[string]*typed `json:"members,omitempty"`
	// Others are members whose names are values, or had no room.
	Others *typed `json:"others,omitempty"`
	Items  *typed `json:"items,omitempty"`
}

const (
	typeNull = 1 << iota
	typeBoolean
	typeInteger
	typeNumber
	typeString
	typeArray
	typeObject
)

var typeNames = [...]string{"null", "boolean", "integer", "number", "string", "array", "object"}

// learner takes in values, as far as there is room.
type learner struct {
	nodes int  // of the route
	all   *int // of all routes
}

func (l *learner) new() *typed {
	if l.nodes >= maxNodes || *l.all >= maxAllNodes {
		return nil
	}
	l.nodes++
	*l.all++
	return new(typed)
}

// nodes counts the places below and with t.
func (t *typed) nodes() int {
	if t == nil {
		return 0
	}
	n := 1 + t.Others.nodes() + t.Items.nodes()
	for _, m := range t.Members {
		n += m.nodes()
	}
	return n
}

// json takes in a JSON value. It reports false for what is none.
func (l *learner) json(t *typed, text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil || len(bytes.TrimSpace(text[decoder.InputOffset():])) > 0 {
		return false
	}
	l.value(t, v, 0)
	return true
}

func (l *learner) value(t *typed, v any, depth int) {
	if t == nil || depth > maxDepth {
		return
	}
	t.Seen++
	switch v := v.(type) {
	case nil:
		t.Types |= typeNull
	case bool:
		t.Types |= typeBoolean
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			t.Types |= typeNumber
		} else {
			t.Types |= typeInteger
		}
	case string:
		t.Types |= typeString
		t.format(formatOf(v))
	case []any:
		t.Types |= typeArray
		if t.Items == nil {
			t.Items = l.new()
		}
		for _, item := range v[:min(len(v), maxItems)] {
			l.value(t.Items, item, depth+1)
		}
	case map[string]any:
		t.Types |= typeObject
		t.Objects++
		for name, member := range v {
			l.value(l.member(t, name), member, depth+1)
		}
	}
}

// member is the place of a member, nil when there is no room. Where an object is a
// table, its names are data: they are not kept.
func (l *learner) member(t *typed, name string) *typed {
	if m := t.Members[name]; m != nil {
		return m
	}
	if isName(name) && len(t.Members) < maxMembers {
		if m := l.new(); m != nil {
			if t.Members == nil {
				t.Members = make(map[string]*typed)
			}
			t.Members[name] = m
			return m
		}
	}
	if t.Others == nil {
		t.Others = l.new()
	}
	return t.Others
}

// text takes in a value that is written as text: a query parameter, say.
func (t *typed) text(s string) {
	t.Seen++
	switch {
	case isInteger(s) && s != "":
		t.Types |= typeInteger
	case isNumber(s):
		t.Types |= typeNumber
	case s == "true" || s == "false":
		t.Types |= typeBoolean
	default:
		t.Types |= typeString
		t.format(formatOf(s))
	}
}

func (t *typed) format(f string) {
	switch {
	case t.Mixed:
	case f == "" || t.Format != "" && t.Format != f:
		t.Format, t.Mixed = "", true
	default:
		t.Format = f
	}
}

// formatOf is the format of a text, of those that JSON Schema names, "" for none.
func formatOf(s string) string {
	switch {
	case s == "" || len(s) > 512:
		return ""
	case isUUID(s):
		return "uuid"
	case isEmail(s) && strings.Count(s, "@") == 1 && !strings.ContainsAny(s, " <>/"):
		return "email"
	}
	if rest, ok := cutDate(s); ok {
		if rest == "" {
			return "date"
		}
		if _, err := time.Parse(time.RFC3339, s); err == nil {
			return "date-time"
		}
		return ""
	}
	if scheme, _, ok := strings.Cut(s, "://"); ok && scheme != "" && all(scheme, isWord) {
		if u, err := url.Parse(s); err == nil && u.Host != "" {
			return "uri"
		}
		return ""
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		if addr.Is4() {
			return "ipv4"
		}
		return "ipv6"
	}
	return ""
}

// isName reports whether a text is a name rather than a value: of a member, a
// parameter, a header field or a cookie.
func isName(s string) bool {
	if s == "" || len(s) > 64 || isDigit(s[0]) || s[0] == '-' || segmentClass(s, maxSegments, true) != "" {
		return false
	}
	digits := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case isDigit(c):
			digits++
		case !isWord(c) && strings.IndexByte("-.$@:[]", c) < 0:
			return false
		}
	}
	return digits <= 3
}

// schema spells what is known as a schema of OpenAPI 3.1. samples is how many
// values there could have been, for what is required.
func (t *typed) schema() map[string]any {
	s := make(map[string]any)
	if t == nil || t.Types == 0 {
		return s
	}
	types := t.Types
	if types&typeNumber != 0 {
		types &^= typeInteger
	}
	var names []string
	for i, name := range typeNames {
		if types&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if len(names) == 1 {
		s["type"] = names[0]
	} else {
		s["type"] = names
	}
	if types&typeString != 0 && t.Format != "" && !t.Mixed {
		s["format"] = t.Format
	}
	if t.Items != nil {
		s["items"] = t.Items.schema()
	}
	if types&typeObject == 0 {
		return s
	}
	properties := make(map[string]any, len(t.Members))
	var required []string
	for name, m := range t.Members {
		if t.rare(m) {
			continue
		}
		properties[name] = m.schema()
		if m.Seen >= t.Objects && t.Objects > 1 {
			required = append(required, name)
		}
	}
	if len(properties) > 0 {
		s["properties"] = properties
	}
	if len(required) > 0 {
		slices.Sort(required)
		s["required"] = required
	}
	if t.Others != nil {
		s["additionalProperties"] = t.Others.schema()
	}
	return s
}

// rare reports whether a member came once in many objects: anybody may send one.
func (t *typed) rare(m *typed) bool { return rareAmong(m.Seen, t.Objects) }

func rareAmong(seen, of uint32) bool { return of >= 20 && seen*20 < of }
