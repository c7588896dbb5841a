package catalogue

import (
	"errors"
	"fmt"
	"net/textproto"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// SelectorKind says where a selector's value stands in the request.
type SelectorKind uint8

const (
	// SelectHeader: a line of the header field Name is Value.
	SelectHeader SelectorKind = iota + 1
	// SelectQuery: the query parameter Name is Value.
	SelectQuery
	// SelectAccept: Accept lists the media type Value, with its parameters.
	SelectAccept
	// SelectDate: the header field Name carries a day, and of the versions that
	// are selected so this one is the newest that is not after it. The version's
	// day is what its name begins with.
	SelectDate
)

// Selector picks a version by a value of the request.
type Selector struct {
	Kind  SelectorKind // which of the others say something
	Name  string       // header field or query parameter; empty for SelectAccept
	Value string       // empty for SelectDate
}

// Vary is the header field that the selector reads, or "" when the URL has it.
func (s *Selector) Vary() string {
	switch s.Kind {
	case SelectHeader, SelectDate:
		return textproto.CanonicalMIMEHeaderKey(s.Name)
	case SelectAccept:
		return "Accept"
	default:
		return ""
	}
}

// String describes the selector for messages: "header X-Version: 2".
func (s *Selector) String() string {
	switch s.Kind {
	case SelectQuery:
		return "query parameter " + s.Name + "=" + s.Value
	case SelectAccept:
		return "Accept: " + s.Value
	case SelectDate:
		return "date " + s.Value + " in header " + s.Name
	default:
		return "header " + s.Name + ": " + s.Value
	}
}

// maxSelectorValue is how long the name or value of a query selector may be, so
// that what a request has can be decoded without allocating.
const maxSelectorValue = 128

// Check is what is wrong with the selector in a version of that name, or nil.
func (s *Selector) Check(version string) error {
	_, err := canonicalSelector(s, version)
	return err
}

// canonicalSelector is a selector as claims are compared: two that pick the same
// requests are equal.
func canonicalSelector(s *Selector, version string) (Selector, error) {
	if s == nil {
		return Selector{}, nil
	}
	out := Selector{Kind: s.Kind, Name: s.Name, Value: trimSpace(s.Value)}
	switch s.Kind {
	case SelectHeader, SelectDate:
		if !httpguts.ValidHeaderFieldName(s.Name) {
			return Selector{}, fmt.Errorf("the selector's header %q is no field name", s.Name)
		}
		out.Name = textproto.CanonicalMIMEHeaderKey(s.Name)
		if out.Name == "Host" {
			return Selector{}, errors.New("a version is not selected by the header Host: write hosts in the version")
		}
		if s.Kind == SelectDate {
			day, ok := dayOf(version)
			if !ok {
				return Selector{}, fmt.Errorf("it is selected by date, so its name must begin with one, such as 2026-03-10: %q does not", version)
			}
			out.Value = day
			return out, nil
		}
		if out.Value == "" {
			return Selector{}, fmt.Errorf("the selector of header %q has no value; `default` is for requests without one", s.Name)
		}
	case SelectQuery:
		if s.Name == "" || out.Value == "" {
			return Selector{}, errors.New("a query selector needs a parameter name and a value")
		}
		if len(s.Name) > maxSelectorValue || len(out.Value) > maxSelectorValue {
			return Selector{}, fmt.Errorf("the query selector's name or value is longer than %d bytes", maxSelectorValue)
		}
	case SelectAccept:
		media, ok := parseMedia(out.Value)
		if !ok {
			return Selector{}, fmt.Errorf("%q is no media type: write one such as application/vnd.example.v2+json, without wildcard and without q", s.Value)
		}
		out.Name, out.Value = "", media.String()
	default:
		return Selector{}, errors.New("selecting by this kind of value is not supported")
	}
	return out, nil
}

// dayOf is the day that a version's name begins with.
func dayOf(name string) (day string, ok bool) {
	if len(name) < len(time.DateOnly) {
		return "", false
	}
	day = name[:len(time.DateOnly)]
	if rest := name[len(day):]; rest != "" && '0' <= rest[0] && rest[0] <= '9' {
		return "", false
	}
	return day, isDay(day)
}

// isDay reports whether s is a day of the calendar, YYYY-MM-DD. Days in this form
// stand in the order of their text.
func isDay(s string) bool {
	if len(s) != len(time.DateOnly) {
		return false
	}
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// carried reports whether the request names a version by this kind of value at all,
// if only one that nobody has.
func (t *selectorTable) carried(q *Query) bool {
	switch t.kind {
	case SelectQuery:
		values := queryValues{rest: q.RawQuery, name: t.name}
		_, any := values.next()
		return any
	case SelectAccept:
		return t.acceptCarried(q.Header["Accept"])
	default:
		return len(q.Header[t.name]) > 0
	}
}

// dated is the newest version that is not after the day, or nil.
func (t *selectorTable) dated(day string) *group {
	if !isDay(day) {
		return nil
	}
	var newest *group
	for i := range t.days {
		if t.days[i].day > day {
			break
		}
		newest = t.days[i].group
	}
	return newest
}

// queryValues goes through the values of one parameter of a raw query.
type queryValues struct {
	rest, name string
	buf        [maxSelectorValue]byte
}

// next is the next value, decoded; nil for one that is longer than any
// selector's. It holds until next is called again.
func (v *queryValues) next() (value []byte, ok bool) {
	for v.rest != "" {
		var pair string
		pair, v.rest, _ = strings.Cut(v.rest, "&")
		key, text, _ := strings.Cut(pair, "=")
		if decoded, ok := decodeQuery(v.buf[:0], key); !ok || string(decoded) != v.name {
			continue
		}
		if value, ok = decodeQuery(v.buf[:0], text); !ok {
			value = nil
		}
		return value, true
	}
	return nil, false
}

// decodeQuery decodes a name or value of a query (WHATWG URL, section 5.1). It is
// false for what does not fit into dst or is no valid encoding.
func decodeQuery(dst []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		if len(dst) == cap(dst) {
			return nil, false
		}
		c := s[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(s) {
				return nil, false
			}
			high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
			if high > 15 || low > 15 {
				return nil, false
			}
			c = high<<4 | low
			i += 2
		}
		dst = append(dst, c)
	}
	return dst, true
}

// hexDigit is the value of a hex digit, or more than 15.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	default:
		return 0xff
	}
}
