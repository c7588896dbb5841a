package inventory

import (
	"slices"
	"strings"
)

// scope is what templates are learned within: nothing is ever folded across two
// versions, APIs or hosts.
type scope struct{ api, version, host string }

func (k *routeKey) scope() scope { return scope{k.api, k.version, k.host} }

// branch is a node of the tree of the documented templates of one scope. A path
// that no document has often begins as one that a document has:
// /repos/{owner}/{repo}/traffic beside /repos/{owner}/{repo}/branches. How far it
// does, the document says which segments are values and what they are called.
type branch struct {
	names  map[string]*branch
	values []value
}

// value is a segment with a parameter in it, as the document spells it.
type value struct {
	text string
	next *branch
}

func (b *branch) add(path string) {
	for rest, more := strings.TrimPrefix(path, "/"), true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		b = b.child(segment)
	}
}

func (b *branch) child(segment string) *branch {
	if strings.IndexByte(segment, '{') < 0 {
		if b.names[segment] == nil {
			if b.names == nil {
				b.names = make(map[string]*branch)
			}
			b.names[segment] = new(branch)
		}
		return b.names[segment]
	}
	whole := isPlaceholder(segment)
	for i := range b.values {
		// Two names for one parameter are one place.
		if v := &b.values[i]; v.text == segment || whole && isPlaceholder(v.text) {
			return v.next
		}
	}
	next := new(branch)
	b.values = append(b.values, value{segment, next})
	return next
}

// step follows a segment of a path: text is what stands for it in a template, after
// is what follows it, "" for nothing. ok is false where no document goes on in that
// way. A segment that could be a parameter's value, but is a name elsewhere in the
// documents or a common one, is a value only if what follows agrees.
func (b *branch) step(words vocabulary, segment, after string) (next *branch, text string, ok bool) {
	if next := b.names[segment]; next != nil {
		return next, segment, true
	}
	for i := range b.values {
		v := &b.values[i]
		if segmentHolds(v.text, segment) && (!words.has(segment) && !commonNames[segment] || v.next.goesOn(after)) {
			return v.next, v.text, true
		}
	}
	return nil, "", false
}

// goesOn reports whether a document has the segment after b.
func (b *branch) goesOn(segment string) bool {
	return segment != "" && (b.names[segment] != nil || slices.ContainsFunc(b.values, func(v value) bool { return segmentHolds(v.text, segment) }))
}

// vocabulary is what the documents of a configuration tell about names: which there
// are, and whether a parameter follows one. So it is known that what follows
// /repos/{owner}/{repo}/labels is a value, where the documents have /labels/{name}
// elsewhere and no name after it.
type vocabulary map[string]bool

func (v vocabulary) has(name string) bool {
	_, ok := v[name]
	return ok
}

func (v vocabulary) learn(path string) {
	before := ""
	for segment := range strings.SplitSeq(path, "/") {
		if strings.IndexByte(segment, '{') < 0 {
			if !v.has(segment) {
				v[segment] = false
			}
			before = segment
			continue
		}
		if before != "" && isPlaceholder(segment) {
			v[before] = true
		}
		before = ""
	}
}

// follows reports whether a segment is a value because of the name before it.
func (v vocabulary) follows(before, segment string) bool {
	return v[before] && !v.has(segment) && !commonNames[segment]
}

// isPlaceholder reports whether a segment of a template is one parameter and
// nothing else.
func isPlaceholder(s string) bool {
	return len(s) > 2 && s[0] == '{' && strings.IndexByte(s, '}') == len(s)-1
}

// among reports whether a value in path, where template has parameters, is a name
// elsewhere: then it is likelier a route beside that of the template.
func (v vocabulary) among(template, path string) bool {
	for more := true; more; {
		var t, p string
		t, template, more = strings.Cut(template, "/")
		p, path, _ = strings.Cut(path, "/")
		if isPlaceholder(t) && v.has(p) {
			return true
		}
	}
	return false
}

// growBranches makes the trees of a configuration, and the set of the names that
// occur in its documents.
func (r *Recorder) growBranches() {
	r.branches, r.words = make(map[scope]*branch), make(vocabulary)
	for i := range r.slots {
		k := &r.slots[i].entry.key
		b := r.branches[k.scope()]
		if b == nil {
			b = new(branch)
			r.branches[k.scope()] = b
		}
		b.add(k.path)
		r.words.learn(k.path)
	}
}

// baseOf is the base path of a version that holds path, the longest.
func (p *place) baseOf(path string) string {
	var best string
	try := func(base string) {
		n := strings.Count(base, "/")
		if n > strings.Count(best, "/") && holds(base, upTo(path, n)) {
			best = base
		}
	}
	if p == nil {
		return ""
	}
	for _, c := range p.version.Claims {
		try(strings.TrimSuffix(c.Path, "/"))
	}
	for _, d := range p.version.Documents {
		for _, s := range d.Servers {
			try(s.Base)
		}
	}
	return best
}

// upTo is the path's first n segments.
func upTo(path string, n int) string {
	for i := range len(path) {
		if path[i] == '/' {
			if n == 0 {
				return path[:i]
			}
			n--
		}
	}
	return path
}
