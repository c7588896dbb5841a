package conformance

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

// unit is one schema that others refer to, or the root of a parameter's or
// body's schema, translated into JSON Schema 2020-12. Inner schemas that nobody
// refers to are part of their unit's doc.
type unit struct {
	url  string
	doc  any // map[string]any or bool; $ref values are urls of units
	refs []*unit
	// inPlace are the refs that judge the same value as the unit itself. A cycle
	// of them would never end.
	inPlace  []*unit
	branches int  // the most alternatives that one keyword has in it
	marked   bool // a schema in it is judged as it was written
	problems []string
	whole    []*unit // nothing may be left out of these: a looser one refuses more
	err      error   // it cannot be translated
}

var (
	errSelfReference = errors.New("the schema refers to itself without going into a property or an item")
	errDialect       = errors.New("its dialect is not JSON Schema 2020-12")
)

// root translates the schema of a parameter or body.
func (l *library) root(r *openapi3.SchemaRef) *unit {
	target, beside := l.siblings(r)
	if beside == nil {
		return l.unit(r.Value)
	}
	return l.add(r.Value, func(t *translator) any { return t.beside(target, beside, true) })
}

// unit translates a schema. The library's lock is held.
func (l *library) unit(s *openapi3.Schema) *unit {
	return l.add(s, func(t *translator) any { return t.schema(s, true) })
}

// add makes a unit once. It is known before it is translated, since schemas
// refer to themselves.
func (l *library) add(s *openapi3.Schema, doc func(*translator) any) *unit {
	if u, ok := l.units[s]; ok {
		return u
	}
	u := &unit{url: "schema:///" + strconv.Itoa(len(l.units))}
	l.units[s] = u
	l.byURL[u.url] = u
	u.doc = doc(&translator{l: l, u: u, legacy: l.legacy})
	return u
}

// reach calls visit for every unit that u reaches, u included.
func (u *unit) reach(visit func(*unit)) {
	seen := map[*unit]bool{u: true}
	for list := []*unit{u}; len(list) > 0; list = list[1:] {
		visit(list[0])
		for _, next := range list[0].refs {
			if !seen[next] {
				seen[next] = true
				list = append(list, next)
			}
		}
	}
}

// verify says why the schema at u cannot be compiled, if so.
func (u *unit) verify() error {
	var err error
	u.reach(func(v *unit) {
		if err == nil && v.err != nil {
			err = v.err
		}
		if err == nil && v.cyclic(func(v *unit) []*unit { return v.inPlace }, nil) {
			err = errSelfReference
		}
		for _, w := range v.whole {
			if left := w.problemsOf(); err == nil && len(left) > 0 {
				err = leftOut(left[0])
			}
		}
	})
	return err
}

// cyclic tells whether u leads back to itself over a unit that counts.
func (u *unit) cyclic(next func(*unit) []*unit, counts func(*unit) bool) bool {
	seen := map[*unit]bool{}
	for list := next(u); len(list) > 0; list = list[1:] {
		v := list[0]
		if v == u && (counts == nil || counts(u)) {
			return true
		}
		if !seen[v] {
			seen[v] = true
			list = append(list[:len(list):len(list)], next(v)...)
		}
	}
	return false
}

// explosive is how many ways an engine that has no memory could go at each level
// of a body's depth: the alternatives in a recursive schema. 1 is harmless.
func (u *unit) explosive() int {
	recursive, branches := false, 1
	u.reach(func(v *unit) {
		recursive = recursive || v.cyclic(func(v *unit) []*unit { return v.refs }, nil)
		branches = max(branches, v.branches)
	})
	if !recursive {
		return 1
	}
	return branches
}

// problemsOf are the keywords that are left out in the schema at u.
func (u *unit) problemsOf() []string {
	var all []string
	u.reach(func(v *unit) { all = append(all, v.problems...) })
	return all
}

// whole translates a schema that must hold as it is. An alternative of oneOf from which
// something was left out may match beside another one, and a condition or what `not`
// excludes then speaks of values that it does not mean: they would be refused.
func (t *translator) whole(r *openapi3.SchemaRef, inPlace bool) any {
	problems, refs := len(t.u.problems), len(t.u.refs)
	doc := t.ref(r, inPlace)
	if len(t.u.problems) > problems {
		t.failed(leftOut(t.u.problems[problems]))
	}
	t.u.whole = append(t.u.whole, t.u.refs[refs:]...)
	return doc
}

func leftOut(problem string) error {
	return fmt.Errorf("%s, and cannot be left out within oneOf, not, if or contains", problem)
}

func (t *translator) problem(format string, args ...any) {
	t.u.problems = append(t.u.problems, fmt.Sprintf(format, args...))
}

func (t *translator) failed(err error) {
	if t.u.err == nil {
		t.u.err = err
	}
}
