package coverage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// condition is one thing that must hold of a request for a point to be reached:
// that one of some sets of tests holds, or that a route was the one chosen of its
// group. All conditions of a point hold together.
type condition struct {
	at   int // when it was tested, as walker.clock
	sets [][]test

	group, route string // of a group
}

// test is a matcher that the host does not decide.
type test struct {
	name string
	text string
	args []string // of path and method
}

// evaluate holds matchers against a host. impossible: no request for it can match.
// Else the sets that remain, none of them when each request matches.
func evaluate(sets [][]module, host string) (remaining [][]test, impossible bool) {
	if len(sets) == 0 {
		return nil, false
	}
	for _, set := range sets {
		tests, possible := evaluateSet(set, host)
		switch {
		case !possible:
		case len(tests) == 0:
			return nil, false
		default:
			remaining = append(remaining, tests)
		}
	}
	return remaining, len(remaining) == 0
}

func evaluateSet(set []module, host string) (tests []test, possible bool) {
	for i := range set {
		m := &set[i]
		switch m.id {
		case "http.matchers.host":
			names := m.hosts()
			if slices.ContainsFunc(names, func(p string) bool { return strings.Contains(p, "{") }) {
				tests = append(tests, newTest(m))
			} else if !slices.ContainsFunc(names, func(p string) bool { return covers(p, host) }) {
				return nil, false
			}
		case "http.matchers.not":
			inner, ok := notOf(m)
			if !ok {
				tests = append(tests, newTest(m))
				continue
			}
			remaining, impossible := evaluate(inner, host)
			switch {
			case impossible:
			case len(remaining) == 0:
				return nil, false
			default:
				tests = append(tests, test{name: "not", text: fmt.Sprint(remaining)})
			}
		case "http.matchers.path":
			if slices.Contains(m.strings(), "*") {
				continue
			}
			tests = append(tests, newTest(m))
		default:
			tests = append(tests, newTest(m))
		}
	}
	slices.SortFunc(tests, func(a, b test) int { return strings.Compare(a.name+a.text, b.name+b.text) })
	return tests, true
}

// notOf are the sets that the matcher `not` negates.
func notOf(m *module) ([][]module, bool) {
	switch not := m.value.(type) {
	case *caddyhttp.MatchNot:
		return matchers(not.MatcherSets, not.MatcherSetsRaw), true
	case caddyhttp.MatchNot:
		return matchers(not.MatcherSets, not.MatcherSetsRaw), true
	default:
		return nil, false
	}
}

func newTest(m *module) test {
	t := test{name: m.name()}
	if m.id == "http.matchers.path" || m.id == "http.matchers.method" {
		t.args = m.strings()
		for i, arg := range t.args {
			if m.id == "http.matchers.path" {
				t.args[i] = strings.ToLower(arg)
			}
		}
	}
	text, ok := m.text()
	if !ok {
		// Nothing else is the same.
		text = fmt.Sprintf("%p", m.value)
	}
	t.text = text
	return t
}

// covers reports whether each name that the host stands for matches a pattern.
func covers(pattern, host string) bool {
	if host == OtherHosts {
		return false
	}
	if !strings.Contains(pattern, "*") {
		return strings.EqualFold(pattern, host)
	}
	p, h := strings.Split(pattern, "."), strings.Split(host, ".")
	if len(p) != len(h) {
		return false
	}
	for i := range p {
		if p[i] != "*" && !strings.EqualFold(p[i], h[i]) {
			return false
		}
	}
	return true
}

// implies reports whether what meets c, all of it, meets d.
func (c *condition) implies(d *condition) bool {
	if c.group != "" || d.group != "" {
		return c.group == d.group && c.route == d.route
	}
	for _, set := range c.sets {
		if !slices.ContainsFunc(d.sets, func(wider []test) bool { return setImplies(set, wider) }) {
			return false
		}
	}
	return true
}

func setImplies(set, wider []test) bool {
	for i := range wider {
		if !slices.ContainsFunc(set, func(t test) bool { return t.implies(&wider[i]) }) {
			return false
		}
	}
	return true
}

func (t *test) implies(wider *test) bool {
	if t.name != wider.name {
		return false
	}
	if t.text == wider.text {
		return true
	}
	switch t.name {
	case "method":
		return len(t.args) > 0 && subset(t.args, wider.args, func(a, b string) bool { return strings.EqualFold(a, b) })
	case "path":
		return len(t.args) > 0 && subset(t.args, wider.args, pathWithin)
	}
	return false
}

func subset(args, wider []string, within func(arg, wider string) bool) bool {
	for _, arg := range args {
		if !slices.ContainsFunc(wider, func(w string) bool { return within(arg, w) }) {
			return false
		}
	}
	return true
}

// plainPath splits a path pattern that is a path or a prefix.
func plainPath(pattern string) (text string, prefix, ok bool) {
	text, prefix = strings.CutSuffix(pattern, "*")
	return text, prefix, !strings.ContainsAny(text, "*%{\\[?")
}

func pathWithin(pattern, wider string) bool {
	a, aPrefix, ok := plainPath(pattern)
	b, bPrefix, ok2 := plainPath(wider)
	switch {
	case !ok || !ok2:
		return pattern == wider
	case bPrefix:
		return strings.HasPrefix(a, b)
	default:
		return !aPrefix && a == b
	}
}

// excludes reports whether nothing can meet both c and d.
func (c *condition) excludes(d *condition) bool {
	if c.group != "" || d.group != "" {
		return c.group == d.group && c.route != d.route
	}
	for _, a := range c.sets {
		for _, b := range d.sets {
			if !setsExclude(a, b) {
				return false
			}
		}
	}
	return true
}

func setsExclude(a, b []test) bool {
	for i := range a {
		for j := range b {
			if a[i].excludes(&b[j]) {
				return true
			}
		}
	}
	return false
}

func (t *test) excludes(o *test) bool {
	if t.name != o.name || len(t.args) == 0 || len(o.args) == 0 {
		return false
	}
	for _, a := range t.args {
		for _, b := range o.args {
			if t.name == "method" && strings.EqualFold(a, b) || t.name == "path" && pathsMeet(a, b) {
				return false
			}
		}
	}
	return true
}

func pathsMeet(a, b string) bool {
	x, xPrefix, ok := plainPath(a)
	y, yPrefix, ok2 := plainPath(b)
	switch {
	case !ok || !ok2:
		return true
	case xPrefix && strings.HasPrefix(y, x), yPrefix && strings.HasPrefix(x, y):
		return true
	default:
		return x == y
	}
}

// describe says what conditions ask for, for people.
func describe(conditions []condition) string {
	var parts []string
	for i := range conditions {
		c := &conditions[i]
		if c.group != "" {
			continue // its own tests say it
		}
		var sets []string
		for _, set := range c.sets {
			var tests []string
			for _, t := range set {
				if len(t.args) > 0 {
					tests = append(tests, t.name+" "+strings.Join(t.args, " "))
				} else {
					tests = append(tests, t.name+" "+t.text)
				}
			}
			sets = append(sets, strings.Join(tests, " and "))
		}
		parts = append(parts, strings.Join(sets, " or "))
	}
	return strings.Join(parts, ", ")
}
