package conformance

import (
	"sync/atomic"
	"unicode/utf8"
)

// maxNames is up to how many declared names an object is judged while it is read.
const maxNames = 256

// nameSet is a set of declared names that an object has.
type nameSet [maxNames / 64]uint64

// extra is a name that the schema does not declare.
type extra struct {
	key        uint32
	start, end uint32
}

// order is what an object's members are found by while they are read. They
// mostly come in one order, which is learned from the bodies themselves: a member
// that comes as expected costs one comparison.
type order struct {
	quoted []string        // `"name":` of each declared name, empty where it may be written otherwise
	child  []*node         // what holds for its value
	other  *node           // what holds for the values of other names
	next   []atomic.Uint32 // by the position of a name plus one: what mostly follows, plus one
}

func newOrder(o *objectRules) *order {
	if len(o.names) > maxNames || len(o.patterns) > 0 || o.nameSchema != nil || len(o.dependents) > 0 {
		return nil
	}
	by := &order{other: anything, next: make([]atomic.Uint32, len(o.names)+1)}
	if o.rest != nil {
		by.other = o.rest
	}
	for i, name := range o.names {
		by.quoted = append(by.quoted, quotedName(name))
		child := o.nodes[i]
		if child == nil {
			child = by.other
		}
		by.child = append(by.child, child)
	}
	return by
}

// quotedName is how a member's name stands in JSON, colon included, empty for a
// name that JSON must or cannot escape.
func quotedName(name string) string {
	if !utf8.ValidString(name) {
		return ""
	}
	for _, c := range []byte(name) {
		if c < ' ' || c == '"' || c == '\\' {
			return ""
		}
	}
	return `"` + name + `":`
}

// anyObject are the rules of an object of which nothing is asked.
var anyObject = func() *objectRules {
	o := &objectRules{min: -1, max: -1}
	o.index()
	o.order = newOrder(o)
	return o
}()

func (s *pass) object(n *node, p, depth int) int {
	if n.types&typeObject == 0 || depth > maxDepth {
		return no
	}
	o := n.object
	if o == nil {
		o = anyObject
	}
	by := o.order
	if by == nil || n.values != nil {
		return s.taped(n, p, depth)
	}
	src, self, extras := s.src, p, len(s.r.extras)
	var has nameSet
	count, last := 0, 0
	p = s.space(p + 1)
	if p < len(src) && src[p] == '}' {
		return o.counted(&has, 0, p+1)
	}
	for {
		at := int(by.next[last].Load()) - 1
		if at >= 0 && begins(src, p, by.quoted[at]) {
			p += len(by.quoted[at])
		} else {
			if p >= len(src) || src[p] != '"' {
				return no
			}
			end, flags, f := scanText(src, p+1)
			if f != noFault {
				return no
			}
			if flags&flagEscaped != 0 {
				return s.anew(n, self, p, depth, extras)
			}
			name := src[p+1 : end]
			key := nameKey(name)
			if at = o.find(key, name); at >= 0 {
				by.learn(last, at, p)
			} else if s.repeats(key, p+1, end, extras) {
				return s.anew(n, self, p, depth, extras)
			}
			if p = s.space(end + 1); p >= len(src) || src[p] != ':' {
				return no
			}
			p++
		}
		child := by.other
		if at >= 0 {
			bit := uint64(1) << (at & 63)
			if has[at>>6]&bit != 0 {
				return no
			}
			has[at>>6] |= bit
			child, last = by.child[at], at+1
		}
		if p = s.value(child, s.space(p), depth+1); p < 0 {
			return no
		}
		count++
		if p = s.space(p); p >= len(src) {
			return no
		}
		switch src[p] {
		case ',':
			p = s.space(p + 1)
		case '}':
			s.r.extras = s.r.extras[:extras]
			return o.counted(&has, count, p+1)
		default:
			return no
		}
	}
}

// counted is end for an object that has so many members and what is required, or no.
func (o *objectRules) counted(has *nameSet, count, end int) int {
	if o.needed&^has[0] != 0 || count < o.min || o.max >= 0 && count > o.max {
		return no
	}
	return end
}

func begins(src []byte, p int, with string) bool {
	return len(src)-p >= len(with) && string(src[p:p+len(with)]) == with
}

// learn remembers what followed a name, for the first time or now and then, so
// that bodies in different orders do not make processors contend for the memory.
func (by *order) learn(last, at, p int) {
	if by.quoted[at] != "" && (p&7 == 0 || by.next[last].Load() == 0) {
		by.next[last].Store(uint32(at) + 1)
	}
}

// repeats notes a name that is not declared and tells whether it may stand there
// already, or there are too many to compare.
func (s *pass) repeats(key uint32, start, end, from int) bool {
	r := s.r
	if len(r.extras)-from >= smallObject {
		return true
	}
	for _, e := range r.extras[from:] {
		if e.key == key && string(s.src[e.start:e.end]) == string(s.src[start:end]) {
			return true
		}
	}
	r.extras = append(r.extras, extra{key, uint32(start), uint32(end)})
	return false
}

// anew judges an object of which a part has been read from its beginning, on the
// tape.
func (s *pass) anew(n *node, self, p, depth, extras int) int {
	if s.again += p - self; s.again > len(s.src) {
		return no
	}
	s.r.extras = s.r.extras[:extras]
	return s.taped(n, self, depth)
}
