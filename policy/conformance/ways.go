package conformance

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// dynamicAnchors notes the schemas that a dynamic reference may lead to.
func (p *preparedResources) dynamicAnchors(v any, resource, at string) {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			p.dynamicAnchors(e, resource, at+"/"+strconv.Itoa(i))
		}
	case map[string]any:
		if name, ok := v["$dynamicAnchor"].(string); ok {
			p.anchored[name] = append(p.anchored[name], resource+(&url.URL{Fragment: at}).String())
		}
		for key, e := range v {
			p.dynamicAnchors(e, resource, at+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(key))
		}
	}
}

// step is one schema that another one applies: to the same value, or to what is
// within it.
type step struct {
	to   *jsonschema.Schema
	kind int
}

const (
	sameValue = iota
	declaredMember
	patternMember
	eachItem
	someItem
)

// steps are the schemas that s applies.
func (l *library) steps(s *jsonschema.Schema) (list []step) {
	add := func(kind int, to ...*jsonschema.Schema) {
		for _, t := range to {
			if t != nil {
				list = append(list, step{t, kind})
			}
		}
	}
	add(sameValue, s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else)
	add(sameValue, slices.Concat(s.AllOf, s.AnyOf, s.OneOf)...)
	for _, t := range s.DependentSchemas {
		add(sameValue, t)
	}
	if d := s.DynamicRef; d != nil {
		add(sameValue, d.Ref)
		for _, at := range l.prepare().anchored[d.Anchor] {
			if t, err := l.compiler.Compile(at); err == nil && t != d.Ref {
				add(sameValue, t)
			}
		}
	}
	for _, t := range s.Properties {
		add(declaredMember, t)
	}
	for _, t := range s.PatternProperties {
		add(patternMember, t)
	}
	rest, _ := s.AdditionalProperties.(*jsonschema.Schema)
	add(declaredMember, rest, s.UnevaluatedProperties)
	add(eachItem, s.PrefixItems...)
	add(eachItem, s.Items2020, s.UnevaluatedItems)
	add(someItem, s.Contains)
	return list
}

// waysOf is what unit.explosive is for schemas as they were written: the most
// steps of one schema that lead back to it, where those into members of one kind
// count once, since a member takes one of them. A dynamic reference counts for
// the schema that it picks: it takes one of its targets.
func (l *library) waysOf(root *jsonschema.Schema) int {
	next := map[*jsonschema.Schema][]step{}
	for list := []*jsonschema.Schema{root}; len(list) > 0; list = list[1:] {
		if _, ok := next[list[0]]; ok {
			continue
		}
		next[list[0]] = l.steps(list[0])
		for _, st := range next[list[0]] {
			list = append(list, st.to)
		}
	}
	most := 1
	for s, steps := range next {
		if len(steps) < 2 {
			continue
		}
		same, kinds := 0, map[int]bool{}
		dynamic := false
		for _, st := range steps {
			if !leads(next, st.to, s) {
				continue
			}
			switch {
			case st.kind != sameValue:
				kinds[st.kind] = true
			case s.DynamicRef != nil && l.dynamicTarget(s, st.to):
				dynamic = true
			default:
				same++
			}
		}
		if dynamic {
			same++
		}
		most = max(most, same+max(howMany(kinds[declaredMember], kinds[patternMember]), howMany(kinds[eachItem], kinds[someItem])))
	}
	return most
}

func (l *library) dynamicTarget(s, to *jsonschema.Schema) bool {
	return to == s.DynamicRef.Ref || to.DynamicAnchor != "" && to.DynamicAnchor == s.DynamicRef.Anchor
}

func howMany(flags ...bool) (n int) {
	for _, f := range flags {
		if f {
			n++
		}
	}
	return n
}

// leads tells whether steps from one schema reach another.
func leads(next map[*jsonschema.Schema][]step, from, to *jsonschema.Schema) bool {
	seen := map[*jsonschema.Schema]bool{}
	for list := []*jsonschema.Schema{from}; len(list) > 0; list = list[1:] {
		if list[0] == to {
			return true
		}
		if seen[list[0]] {
			continue
		}
		seen[list[0]] = true
		for _, st := range next[list[0]] {
			list = append(list, st.to)
		}
	}
	return false
}

// ways counts how often the general engine may judge one part of a value.
type ways struct {
	l     *library
	steps map[*jsonschema.Schema][]step
	// met numbers the schemas as they are met, and open are those whose circle is not
	// known yet.
	met    map[*jsonschema.Schema]int
	open   []*jsonschema.Schema
	circle map[*jsonschema.Schema]int // the number of the schemas that lead back to one another
	known  map[*jsonschema.Schema]int
}

// through is how many times the general engine may judge one part of a value by what s
// applies, maxThrough+1 for more than that. What leads back counts once: see depthFor.
func (l *library) through(s *jsonschema.Schema) int {
	w := &ways{
		l: l, steps: map[*jsonschema.Schema][]step{}, met: map[*jsonschema.Schema]int{},
		circle: map[*jsonschema.Schema]int{}, known: map[*jsonschema.Schema]int{},
	}
	w.meet(s)
	return w.through(s)
}

// meet finds the circles (by Tarjan) of s and of what it applies. It returns the number
// of the schema met first that s leads back to.
func (w *ways) meet(s *jsonschema.Schema) (first int) {
	number := len(w.met) + 1
	first = number
	w.met[s], w.steps[s] = number, w.l.steps(s)
	w.open = append(w.open, s)
	for _, st := range w.steps[s] {
		switch {
		case w.met[st.to] == 0:
			first = min(first, w.meet(st.to))
		case w.circle[st.to] == 0:
			first = min(first, w.met[st.to])
		}
	}
	for first == number && w.circle[s] == 0 {
		last := len(w.open) - 1
		w.circle[w.open[last]] = number
		w.open = w.open[:last]
	}
	return first
}

func (w *ways) through(s *jsonschema.Schema) int {
	if n, ok := w.known[s]; ok {
		return n
	}
	w.known[s] = 1
	same, dynamic, within := 0, 0, 0
	for _, st := range w.steps[s] {
		switch {
		case st.kind != sameValue && w.circle[st.to] == w.circle[s]:
			within = max(within, 1)
		case st.kind != sameValue:
			within = max(within, w.through(st.to))
		case s.DynamicRef != nil && w.l.dynamicTarget(s, st.to):
			dynamic = max(dynamic, w.through(st.to))
		default:
			same = min(same+w.through(st.to), maxThrough+1)
		}
	}
	w.known[s] = min(max(same+dynamic+within, 1), maxThrough+1)
	return w.known[s]
}
