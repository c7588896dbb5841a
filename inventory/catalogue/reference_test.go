package catalogue

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// The reference matcher: linear and obvious. It tries every template at every
// split of the path and sorts what matches.

// refSpellings are the ways in which a path may be spelled otherwise.
func refSpellings(path string, fold bool) []string {
	if !fold {
		return []string{path}
	}
	path = strings.ToLower(path)
	if short, ok := strings.CutSuffix(path, "/"); ok {
		return []string{path, short}
	}
	return []string{path, path + "/"}
}

// refMatches lists the ways in which segments cover a template, each as one key
// per segment of the template: the smaller, the more concrete.
func refMatches(template []spec.Segment, path []string, fold bool) [][]string {
	if len(template) == 0 {
		if len(path) == 0 {
			return [][]string{nil}
		}
		return nil
	}
	if len(path) == 0 {
		return nil
	}
	first := template[0]
	var out [][]string
	prepend := func(key string, rest [][]string) {
		for _, r := range rest {
			out = append(out, append([]string{key}, r...))
		}
	}
	switch {
	case first.IsLiteral():
		text := first.Parts[0].Literal
		if fold {
			text = strings.ToLower(text)
		}
		if text == path[0] {
			prepend("a", refMatches(template[1:], path[1:], fold))
		}
	case first.IsParam() && first.Parts[0].Multi:
		for n := 1; n <= len(path); n++ {
			if path[0] == "" {
				break
			}
			prepend(fmt.Sprintf("d%03d", n), refMatches(template[1:], path[n:], fold))
		}
	case first.IsParam():
		if path[0] != "" {
			prepend("c", refMatches(template[1:], path[1:], fold))
		}
	default:
		if refCompound(first.Parts, path[0], fold) {
			prepend(fmt.Sprintf("b%03d%s", 999-literalBytes(first), shape(first)), refMatches(template[1:], path[1:], fold))
		}
	}
	return out
}

func refCompound(parts []spec.Part, text string, fold bool) bool {
	if len(parts) == 0 {
		return text == ""
	}
	if parts[0].Param == "" {
		literal := parts[0].Literal
		if fold {
			literal = strings.ToLower(literal)
		}
		rest, ok := strings.CutPrefix(text, literal)
		return ok && refCompound(parts[1:], rest, fold)
	}
	for n := 1; n <= len(text); n++ {
		if refCompound(parts[1:], text[n:], fold) {
			return true
		}
	}
	return false
}

// refFind is the path item for what follows the base path.
func refFind(ops []*spec.Operation, rest string, fold bool) []*spec.Operation {
	var best []string
	var shapeOf string
	for _, op := range ops {
		t, _ := spec.ParseTemplate(op.Template, op.MultiSegment...)
		for _, spelling := range refSpellings(rest, fold) {
			if spelling == "" {
				continue
			}
			for _, key := range refMatches(t.Segments, strings.Split(spelling[1:], "/"), fold) {
				if best == nil || slices.Compare(key, best) < 0 {
					best, shapeOf = key, t.Shape()
				}
			}
		}
	}
	if best == nil {
		return nil
	}
	var item []*spec.Operation
	for _, pass := range []bool{false, true} {
		for _, op := range ops {
			t, _ := spec.ParseTemplate(op.Template, op.MultiSegment...)
			s := t.Shape()
			if pass {
				s = singleShape(t)
			}
			if s == shapeOf && !slices.ContainsFunc(item, func(o *spec.Operation) bool { return o.Method == op.Method }) {
				item = append(item, op)
			}
		}
	}
	return item
}

// refClaim is one claim of the one API that the property test has.
type refClaim struct {
	version  *Version
	base     string
	selector *Selector
}

// refRest is what follows a base path, if it holds.
func refRest(base, path string, fold bool) (string, bool) {
	if fold {
		base, path = strings.ToLower(base), strings.ToLower(path)
	}
	want := strings.Split(base, "/")
	have := strings.Split(path, "/")
	if len(have) < len(want) {
		return "", false
	}
	for i, w := range want {
		if w != have[i] && (w != "{t}" || have[i] == "") {
			return "", false
		}
	}
	if len(have) == len(want) {
		return "", true
	}
	return "/" + strings.Join(have[len(want):], "/"), true
}

// refResolve follows the declared semantics word by word for one API.
func refResolve(all []refClaim, path string, header http.Header, fold bool) (outcome Outcome, version *Version, base string, held bool) {
	var holding []refClaim
	for _, c := range all {
		if _, ok := refRest(c.base, path, fold); ok {
			holding = append(holding, c)
		}
	}
	// The longest base path first, a literal one before one with a variable.
	slices.SortStableFunc(holding, func(x, y refClaim) int {
		return cmp.Or(strings.Count(y.base, "/")-strings.Count(x.base, "/"), strings.Count(x.base, "{")-strings.Count(y.base, "{"))
	})
	carries := func(c refClaim) bool {
		return c.selector != nil && slices.ContainsFunc(header[c.selector.Name], func(v string) bool { return v == c.selector.Value })
	}
	explicit := func(c refClaim) bool {
		if c.selector != nil {
			return carries(c)
		}
		return !c.version.Default || !slices.ContainsFunc(all, func(o refClaim) bool {
			return o.base == c.base && o.selector != nil && o.version != c.version
		})
	}
	var named []*Version
	first := ""
	for _, c := range holding {
		if !explicit(c) {
			continue
		}
		if named == nil {
			first = c.base
		} else if c.selector == nil && c.base != first {
			continue
		}
		if !slices.Contains(named, c.version) {
			named = append(named, c.version)
		}
	}
	switch {
	case len(named) > 1:
		return Ambiguous, nil, first, true
	case len(named) == 1:
		return Found, named[0], first, true
	}
	for _, c := range holding {
		for _, o := range holding {
			if o.base == c.base && o.selector != nil && len(header[o.selector.Name]) > 0 {
				return Unclaimed, nil, c.base, true
			}
		}
		for _, o := range holding {
			if o.base == c.base && o.version.Default {
				return Found, o.version, c.base, true
			}
		}
	}
	if len(holding) > 0 {
		return Unclaimed, nil, holding[0].base, true
	}
	return Unclaimed, nil, "", false
}

func refGot(m Match) string {
	text := m.Outcome.String()
	if m.Route != nil {
		text += " " + m.Route.Operation.Method + " " + m.Route.Operation.Template
	}
	if m.Version != nil {
		text += " in " + m.Version.Name
	}
	return text
}

func refShow(all []refClaim) string {
	var b strings.Builder
	for _, c := range all {
		fmt.Fprintf(&b, "\n%s default=%v base=%q select=%v", c.version.Name, c.version.Default, c.base, c.selector)
		for _, doc := range c.version.Documents {
			for _, op := range doc.Operations {
				fmt.Fprintf(&b, " [%s %s %v]", op.Method, op.Template, op.MultiSegment)
			}
		}
	}
	return b.String()
}

func refOutcome(cfg Config, all []refClaim, q *Query) string {
	outcome, v, base, held := refResolve(all, q.Path, q.Header, false)
	if outcome == Ambiguous {
		return "ambiguous"
	}
	result := "unclaimed"
	if v != nil {
		result = "no document in " + v.Name
		if len(v.Documents) > 0 {
			rest, _ := refRest(base, q.Path, false)
			if item := refFind(v.Documents[0].Operations, rest, false); item != nil {
				return refMethod(item, q.Method, v)
			}
			result = "no route in " + v.Name
		}
	}
	// Spelled otherwise?
	if outcome, v, base, _ := refResolve(all, q.Path, q.Header, true); outcome == Found {
		if len(v.Documents) > 0 {
			rest, _ := refRest(base, q.Path, true)
			if refFind(v.Documents[0].Operations, rest, true) != nil {
				return "near miss in " + v.Name
			}
		} else if !held {
			return "near miss in " + v.Name
		}
	}
	_, exact := refBindings(cfg, all, q.Path, held, false, nil)
	_, folded := refBindings(cfg, all, q.Path, held, true, nil)
	if folded && !exact {
		return strings.NewReplacer("unclaimed", "near miss", "no document", "near miss", "no route", "near miss").Replace(result)
	}
	return result
}

func refMethod(item []*spec.Operation, method string, v *Version) string {
	for _, m := range []string{method, map[string]string{"HEAD": "GET"}[method]} {
		for _, op := range item {
			if op.Method == m {
				return "found " + op.Method + " " + op.Template + " in " + v.Name
			}
		}
	}
	return "no method in " + v.Name
}

// refBindings tries every binding under every base path.
func refBindings(cfg Config, all []refClaim, path string, held, fold bool, holds func(op *spec.Operation, base string) bool) (bits uint64, any bool) {
	bases := []string{}
	for _, c := range all {
		bases = append(bases, c.base)
	}
	if !held {
		bases = append(bases, "")
	}
	for bit, b := range cfg.Bindings {
		for _, v := range cfg.APIs[0].Versions {
			for _, doc := range v.Documents {
				for _, op := range doc.Operations {
					t, _ := spec.ParseTemplate(op.Template, op.MultiSegment...)
					written, _ := spec.ParseTemplate(strings.SplitN(b.Name, " ", 2)[0])
					method := strings.SplitN(b.Operations[0], " ", 2)[0]
					if singleShape(t) != written.Shape() || !sameMethod(method, op.Method) {
						continue
					}
					for _, base := range bases {
						rest, ok := refRest(base, path, fold)
						if !ok || refFind([]*spec.Operation{op}, rest, fold) == nil {
							continue
						}
						any = true
						bound := *op
						bound.Method = method
						if holds != nil && holds(&bound, base) {
							bits |= 1 << bit
						}
					}
				}
			}
		}
	}
	return bits, any
}

func refBound(cfg Config, all []refClaim, q *Query, m *Match) uint64 {
	_, _, _, held := refResolve(all, q.Path, q.Header, false)
	bits, _ := refBindings(cfg, all, q.Path, held, true, func(op *spec.Operation, base string) bool {
		if op.Method != q.Method && (op.Method != "GET" || q.Method != "HEAD") {
			return false
		}
		if m.Route == nil {
			return true
		}
		segments, _ := baseSegments(base)
		t, _ := spec.ParseTemplate(op.Template, op.MultiSegment...)
		return !lessSpecific(append(slices.Clone(segments), t.Segments...), m.Route.segments)
	})
	return bits
}
