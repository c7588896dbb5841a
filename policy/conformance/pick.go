package conformance

import (
	"bytes"
	"net/http"
	"strings"
)

// Pick is the text of the string, number or boolean that a JSON pointer (RFC 6901)
// leads to in a body. It reports false when there is none: no such member, null,
// an array or object, or a body that cannot be read in one way only: of {"a":1,"A":2} Go
// and ASP.NET take the latter for a.
//
// Numbers that are equal have one text, 1 and 1.0 and the string "1" alike: what
// is looked up by it is often the same.
func Pick(body []byte, h http.Header, limit int64, pointer string) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	c, known := contentCoding(h)
	if !known {
		return "", false
	}
	body, err := c.decode(body, limit)
	if err != nil {
		return "", false
	}
	t := newTape()
	defer t.release()
	if t.read(body) != noFault {
		return "", false
	}
	at := uint32(0)
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if at, ok = t.child(at, unescapePointer.Replace(name)); !ok {
			return "", false
		}
	}
	switch t.toks[at].kind {
	case kindString:
		return string(t.text(at, nil)), true
	case kindNumber:
		d := parseDecimal(t.raw(at))
		return d.rat().RatString(), true
	case kindTrue:
		return "true", true
	case kindFalse:
		return "false", true
	default:
		return "", false
	}
}

// unescapePointer is RFC 6901 section 4: ~1 before ~0.
var unescapePointer = strings.NewReplacer("~1", "/", "~0", "~")

// child is the member of a name, or the element of an index, of the value at i.
func (t *tape) child(i uint32, name string) (uint32, bool) {
	self := t.toks[i]
	switch self.kind {
	case kindObject:
		want := []byte(name)
		found, near := uint32(0), 0
		for k := i + 1; k < self.next; k = t.toks[k+1].next {
			if text := t.text(k, nil); bytes.Equal(text, want) {
				found = k + 1
			} else if bytes.EqualFold(text, want) {
				near++
			}
		}
		return found, found != 0 && near == 0
	case kindArray:
		index, ok := arrayIndex(name)
		for k := i + 1; ok && k < self.next; k = t.toks[k].next {
			if index == 0 {
				return k, true
			}
			index--
		}
	}
	return 0, false
}

// arrayIndex reads digits without a leading zero (RFC 6901 section 4).
func arrayIndex(s string) (n int, ok bool) {
	if s == "" || len(s) > 6 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
