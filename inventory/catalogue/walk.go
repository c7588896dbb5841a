package catalogue

import "strings"

// segmentEnd is where the segment that begins at start ends.
func segmentEnd(path string, start int) int {
	if i := strings.IndexByte(path[start:], '/'); i >= 0 {
		return start + i
	}
	return len(path)
}

// find is the value of the most concrete template that covers path[pos:], or 0.
// At each segment a literal is preferred to a compound, that to a bare parameter
// and that to a multi-segment one; a branch that dead-ends is left again. Each
// node is entered once at most, those behind a multi-segment parameter once for
// each segment, so that the work has a bound that the path cannot lift.
func (t *tree) find(path string, pos int, at int32, k int, params *[MaxParams]Range) int32 {
	for {
		n := &t.nodes[at]
		if pos >= len(path) {
			return t.end(at)
		}
		if t.fold && n.value != 0 && pos == len(path)-1 {
			return n.value
		}
		start := pos + 1
		end := segmentEnd(path, start)
		next := int32(0)
		if n.literals {
			next = t.child(at, path[start:end])
		}
		if n.param|n.multi == 0 && n.count == 0 {
			if next == 0 {
				return 0
			}
			at, pos = next, end
			continue
		}
		if next != 0 {
			if v := t.find(path, end, next, k, params); v != 0 {
				return v
			}
		}
		if start == end {
			return 0 // a parameter is never empty
		}
		for i := range t.compounds[n.compounds : n.compounds+uint32(n.count)] {
			c := &t.compounds[n.compounds+uint32(i)]
			if !c.match(path, start, end, t.fold, k, params) {
				continue
			}
			if v := t.find(path, end, c.next, k+c.params(), params); v != 0 {
				return v
			}
		}
		if n.param != 0 {
			if params != nil && k < MaxParams {
				params[k] = Range{Start: uint32(start), End: uint32(end)}
			}
			if n.multi == 0 {
				at, pos = n.param, end
				k++
				continue
			}
			if v := t.find(path, end, n.param, k+1, params); v != 0 {
				return v
			}
		}
		return t.findSpan(path, start, n.multi, k, params)
	}
}

// end is the value at the end of the path. A folded tree lets a template have
// one slash more.
func (t *tree) end(at int32) int32 {
	if v := t.nodes[at].value; v != 0 || !t.fold {
		return v
	}
	if next := t.child(at, ""); next != 0 {
		return t.nodes[next].value
	}
	return 0
}

// findSpan lets a multi-segment parameter begin at start: up to the first
// literal that leads to a template, else to the end of the path.
func (t *tree) findSpan(path string, start int, at int32, k int, params *[MaxParams]Range) int32 {
	if at == 0 {
		return 0
	}
	for end := segmentEnd(path, start); end < len(path); {
		stop := segmentEnd(path, end+1)
		if next := t.child(at, path[end+1:stop]); next != 0 {
			if v := t.find(path, stop, next, k+1, params); v != 0 {
				if params != nil && k < MaxParams {
					params[k] = Range{Start: uint32(start), End: uint32(end)}
				}
				return v
			}
		}
		end = stop
	}
	v := t.nodes[at].value
	if v != 0 && params != nil && k < MaxParams {
		params[k] = Range{Start: uint32(start), End: uint32(len(path))}
	}
	return v
}

// visit tells q every template of a folded tree that covers path[pos:].
func (t *tree) visit(path string, pos int, at int32, q *boundQuery) {
	n := &t.nodes[at]
	if pos >= len(path) {
		q.add(n.value)
		if next := t.child(at, ""); next != 0 {
			q.add(t.nodes[next].value)
		}
		return
	}
	if pos == len(path)-1 {
		q.add(n.value)
	}
	start := pos + 1
	end := segmentEnd(path, start)
	if next := t.child(at, path[start:end]); next != 0 {
		t.visit(path, end, next, q)
	}
	if start == end {
		return
	}
	for i := range t.compounds[n.compounds : n.compounds+uint32(n.count)] {
		c := &t.compounds[n.compounds+uint32(i)]
		if c.match(path, start, end, t.fold, 0, nil) {
			t.visit(path, end, c.next, q)
		}
	}
	if n.param != 0 {
		t.visit(path, end, n.param, q)
	}
	if n.multi == 0 {
		return
	}
	q.add(t.nodes[n.multi].value)
	for end < len(path) {
		stop := segmentEnd(path, end+1)
		if next := t.child(n.multi, path[end+1:stop]); next != 0 {
			t.visit(path, stop, next, q)
		}
		end = stop
	}
}
