package catalogue

import "strings"

// Match resolves a request. It overwrites m and allocates nothing, unless the
// path has percent-encoded delimiters, or no document has it and a script is in it.
func (c *Catalogue) Match(q *Query, m *Match) {
	c.match(q, m)
	if m.Host == nil {
		return
	}
	path := q.Path
	if decoded, ok := decodeDelimiters(path); ok {
		c.readOtherwise(q, decoded, m)
		path = decoded
	}
	c.bindWithout(q, path, m)
	if m.Outcome != Found && m.Outcome != NoMethod {
		c.readBehindScript(q, m)
	}
}

// readOtherwise compares a path with the reading of an upstream that decodes it
// before it routes, as most do. RFC 3986, section 2.2, keeps "%3A" and ":" apart,
// so the path is matched as it is; but where ":" would lead to another operation
// ("/orders/1%3Acancel" beside "/orders/{id}:cancel") it is spelled otherwise,
// and the limits of both hold.
func (c *Catalogue) readOtherwise(q *Query, decoded string, m *Match) {
	plain := *q
	plain.Path = decoded
	var other Match
	c.match(&plain, &other)
	m.Bound |= other.Bound
	switch other.Outcome {
	case Found:
		if m.Outcome == Found && m.Route == other.Route {
			return
		}
	case NoMethod:
		if m.Outcome == NoMethod && m.Allow == other.Allow {
			return
		}
	case NearMiss:
		if m.Outcome == Found {
			return
		}
	default:
		return
	}
	m.missesNearly(&other)
}

// missesNearly makes a near miss of what was found, of what another path has: the limits
// of both hold.
func (m *Match) missesNearly(other *Match) {
	bound := m.Bound
	*m = *other
	m.Outcome, m.Route, m.Allow, m.Bound = NearMiss, nil, "", bound
}

// decodeDelimiters decodes the percent-encoded delimiters of RFC 3986, section
// 2.2, that a path segment may also have raw (section 3.3, pchar). It reports
// whether there were any.
func decodeDelimiters(path string) (decoded string, any bool) {
	at := strings.IndexByte(path, '%')
	if at < 0 {
		return "", false
	}
	var out []byte
	for i := at; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if c := delimiterOf(path[i+1], path[i+2]); c != 0 {
				if out == nil {
					out = append(make([]byte, 0, len(path)), path[:i]...)
				}
				out = append(out, c)
				i += 2
				continue
			}
		}
		if out != nil {
			out = append(out, path[i])
		}
	}
	return string(out), out != nil
}

// delimiterOf is the delimiter that two upper-case hex digits stand for, or 0.
// "%3B" is none: a canonical path does not have it.
func delimiterOf(high, low byte) byte {
	switch {
	case high == '2' && (low == '1' || low == '4' || '6' <= low && low <= '9'):
		return 0x20 + low - '0'
	case high == '2' && 'A' <= low && low <= 'C':
		return 0x2A + low - 'A'
	case high == '3' && low == 'A':
		return ':'
	case high == '3' && low == 'D':
		return '='
	case high == '4' && low == '0':
		return '@'
	}
	return 0
}
