package conformance

import (
	"net/http"
	"strings"
)

// cookies judges the cookie parameters.
func (j *judge) cookies(h http.Header) {
	lines := h["Cookie"]
	all := ""
	if len(lines) == 1 {
		all = lines[0]
	} else if len(lines) > 1 { // HTTP/2 may split them (RFC 9113 section 8.2.3)
		all = strings.Join(lines, ";")
	}
	for i := range j.rules.cookie {
		p := &j.rules.cookie[i]
		text, count := cookieValue(all, p.name)
		members := p.exploded(shapeObject) && j.cookieMembers(p, all)
		switch {
		case count == 0 && !members:
			if p.required {
				j.missing(p)
			}
		case count > 1 && !p.multiple():
			j.fault(p, faultRepeated)
		default:
			j.judge(p, source{text: text, all: all, many: count > 1})
		}
	}
}

// cookieValue is the value of the first cookie of a name, and how many there
// are.
func cookieValue(all, name string) (value string, count int) {
	for all != "" {
		var n, v string
		n, v, all = nextPair(all, ";")
		if n != name {
			continue
		}
		if count == 0 {
			value = unquoted(v)
		}
		count++
	}
	return value, count
}

// unquoted takes the quotes off a cookie's value (RFC 6265 section 4.1.1).
func unquoted(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return v[1 : len(v)-1]
	}
	return v
}

// cookieMembers tells whether a cookie is a declared property of an exploded
// object. Cookies are open: other names are never its members.
func (j *judge) cookieMembers(p *parameter, all string) bool {
	for all != "" {
		var name string
		name, _, all = nextPair(all, ";")
		if _, ok := p.hint.props[name]; ok {
			return true
		}
	}
	return false
}

func (j *judge) cookieArray(b *reading, p *parameter, all string) {
	self := b.open(kindArray)
	count := uint32(0)
	for all != "" {
		var name, value string
		name, value, all = nextPair(all, ";")
		if name == p.name {
			b.scalar(unquoted(value), p.hint.itemTypes())
			count++
		}
	}
	b.close(self, count)
}

func (j *judge) cookieObject(b *reading, p *parameter, all string) {
	self := b.open(kindObject)
	count := uint32(0)
	for all != "" {
		var name, value string
		name, value, all = nextPair(all, ";")
		if _, ok := p.hint.props[name]; ok {
			b.member(name, unquoted(value), p.hint)
			count++
		}
	}
	b.closeObject(self, count)
}
