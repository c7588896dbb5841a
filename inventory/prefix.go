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
	text   string
	next   *branch
	domain domain
}

// holds reports whether the segment can be a value here. A placeholder of an earlier
// template is one where it can be told.
func (v *value) holds(segment string) bool {
	return segment == v.text || segmentHolds(v.text, segment) && v.domain.has(segment)
}

func (b *branch) add(path string, domains map[string]domain) {
	for rest, more := strings.TrimPrefix(path, "/"), true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		b = b.child(segment, domains)
	}
}

func (b *branch) child(segment string, domains map[string]domain) *branch {
	if strings.IndexByte(segment, '{') < 0 {
		if b.names[segment] == nil {
			if b.names == nil {
				b.names = make(map[string]*branch)
			}
			b.names[segment] = new(branch)
		}
		return b.names[segment]
	}
	whole, d := isPlaceholder(segment), domainOf(segment, domains)
	for i := range b.values {
		// Two names for one parameter are one place.
		if v := &b.values[i]; v.text == segment || whole && isPlaceholder(v.text) && v.domain.like(d) {
			v.domain = v.domain.join(d)
			return v.next
		}
	}
	next := new(branch)
	b.values = append(b.values, value{segment, next, d})
	return next
}

// step follows a segment of a path: text is what stands for it in a template, after
// is what follows it, "" for nothing. ok is false where no document goes on in that
// way. A name that does not go on so is a value where one that does is documented too.
// A segment that could be a parameter's value, but is a name elsewhere in the
// documents or a common one, is a value only if what follows agrees.
func (b *branch) step(words *vocabulary, segment, after string) (next *branch, text string, ok bool) {
	named := b.names[segment]
	if named != nil && (after == "" || named.goesOn(after)) {
		return named, segment, true
	}
	for i := range b.values {
		v := &b.values[i]
		if v.holds(segment) && (!words.named(segment) || v.next.goesOn(after)) {
			return v.next, v.text, true
		}
	}
	return named, segment, named != nil
}

// any reports whether a document goes on after b.
func (b *branch) any() bool { return b != nil && len(b.names)+len(b.values) > 0 }

// goesOn reports whether a document has the segment after b.
func (b *branch) goesOn(segment string) bool {
	return segment != "" && (b.names[segment] != nil || slices.ContainsFunc(b.values, func(v value) bool { return v.holds(segment) }))
}

// isPlaceholder reports whether a segment of a template is one parameter and
// nothing else.
func isPlaceholder(s string) bool {
	return len(s) > 2 && s[0] == '{' && strings.IndexByte(s, '}') == len(s)-1
}

// growBranches makes the trees of a configuration, and the set of the names that
// occur in its documents.
func (r *Recorder) growBranches() {
	r.branches, r.words = make(map[scope]*branch), newVocabulary()
	for i := range r.slots {
		k := &r.slots[i].entry.key
		b := r.branches[k.scope()]
		if b == nil {
			b = new(branch)
			r.branches[k.scope()] = b
		}
		domains := domainsOf(r.slots[i].route.Operation)
		b.add(k.path, domains)
		r.words.learn(k.path, domains)
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
