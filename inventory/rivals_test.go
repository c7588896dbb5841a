//go:build !race

// One goroutine does all of it, so that the race detector would only make it slow.

package inventory

import (
	"regexp"
	"strings"
)

// rival is another way to make templates, by the published rules of other
// inventories: a judge beside ours, in code of our own.
type rival interface {
	// learn is given the path of each request that upstream knew.
	learn(path string)
	// template is asked when all is learned.
	template(path string) string
}

// bySegment is a rule that looks at one segment alone.
type bySegment struct {
	is  func(string) bool
	max int // segments beyond these are cut; 0: none
}

func (bySegment) learn(string) {}

func (r bySegment) template(path string) string {
	parts := strings.Split(path[1:], "/")
	if r.max > 0 && len(parts) > r.max {
		parts = parts[:r.max]
	}
	for i, s := range parts {
		if r.is(s) {
			parts[i] = "{}"
		}
	}
	return "/" + strings.Join(parts, "/")
}

// apiclarity: digits, a UUID, or at least 8 characters with 3 digits among them.
var apiclarity = bySegment{is: func(s string) bool {
	return s != "" && all(s, isDigit) || isUUID(s) || len(s) >= 8 && count(s, isDigit) >= 3
}}

// datadog: five expressions, the first that matches, in the first eight segments.
var datadog = bySegment{max: 8, is: func(s string) bool {
	hasDigit := count(s, isDigit) > 0
	return ddInt.MatchString(s) || hasDigit && (ddIntID.MatchString(s) || ddHex.MatchString(s) || ddHexID.MatchString(s)) || ddText.MatchString(s)
}}

var (
	ddInt   = regexp.MustCompile(`^[1-9][0-9]+$`)
	ddIntID = regexp.MustCompile(`^[0-9._-]{3,}$`)
	ddHex   = regexp.MustCompile(`^[A-Fa-f0-9]{6,}$`)
	ddHexID = regexp.MustCompile(`^[A-Fa-f0-9._-]{6,}$`)
	ddText  = regexp.MustCompile(`^(.{20,}|.*[%&'()*+,:=@].*)$`)
)

// trie is one of path segments in which a node with more than k children becomes a
// single one for all that follows, for good.
type trie struct {
	first bySegment // looks at segments before; may be empty
	k     int
	root  trieNode
}

type trieNode struct {
	kids map[string]*trieNode
	any  *trieNode
}

func (t *trie) prepare(path string) []string {
	if t.first.is != nil {
		path = t.first.template(path)
	}
	return strings.Split(path[1:], "/")
}

func (t *trie) learn(path string) {
	n := &t.root
	for _, s := range t.prepare(path) {
		n = n.grow(s, t.k)
	}
}

func (n *trieNode) grow(s string, k int) *trieNode {
	if n.any != nil {
		return n.any
	}
	if kid := n.kids[s]; kid != nil {
		return kid
	}
	if n.kids == nil {
		n.kids = make(map[string]*trieNode)
	}
	n.kids[s] = new(trieNode)
	if len(n.kids) <= k {
		return n.kids[s]
	}
	n.any = new(trieNode)
	for _, kid := range n.kids {
		n.any.merge(kid, k)
	}
	n.kids = nil
	return n.any
}

func (n *trieNode) merge(o *trieNode, k int) {
	if o.any != nil {
		n.grow("{}", 0).merge(o.any, k)
	}
	for s, kid := range o.kids {
		n.grow(s, k).merge(kid, k)
	}
}

func (t *trie) template(path string) string {
	var b strings.Builder
	n := &t.root
	for _, s := range t.prepare(path) {
		b.WriteByte('/')
		switch {
		case n != nil && n.any != nil:
			b.WriteString("{}")
			n = n.any
		default:
			b.WriteString(s)
			if n != nil {
				n = n.kids[s]
			}
		}
	}
	return b.String()
}
