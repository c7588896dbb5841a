package inventory

import "strings"

// shapes are templates of documented operations, to find the one that stands for
// a path that the matcher did not give one for: the path of an operation that a
// reload took out of its document, or one that is documented with another method
// only. Only the inventory's goroutine and Activate look here, so a list by host
// and number of segments is fast enough.
type shapes map[shapeKey][]*entry

type shapeKey struct {
	host     string
	segments int
}

func (s shapes) add(e *entry) {
	k := shapeKey{e.key.host, strings.Count(e.key.path, "/")}
	s[k] = append(s[k], e)
}

// find is the first entry of the host whose template holds path and that
// suits.
func (s shapes) find(host, path string, suits func(*entry) bool) *entry {
	for _, e := range s[shapeKey{host, strings.Count(path, "/")}] {
		if holds(e.key.path, path) && suits(e) {
			return e
		}
	}
	return nil
}

// holds reports whether the documented template stands for path, which may be a
// template itself: segment by segment, a literal by itself and a parameter by
// anything but nothing.
func holds(template, path string) bool {
	for {
		t, moreT, okT := strings.Cut(template, "/")
		p, moreP, okP := strings.Cut(path, "/")
		if okT != okP || !segmentHolds(t, p) {
			return false
		}
		if !okT {
			return true
		}
		template, path = moreT, moreP
	}
}

func segmentHolds(t, p string) bool {
	open := strings.IndexByte(t, '{')
	if open < 0 {
		return t == p
	}
	head, tail := t[:open], t[strings.LastIndexByte(t, '}')+1:]
	return len(p) > len(head)+len(tail) && strings.HasPrefix(p, head) && strings.HasSuffix(p, tail)
}
