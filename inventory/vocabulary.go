package inventory

import (
	"maps"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// vocabulary is what the documents of a configuration tell about segments: which
// names there are, what kinds of parameters follow one, and which words are values.
// So it is known that what follows /repos/{owner}/{repo}/labels is a value, where the
// documents have /labels/{name} elsewhere and no name after it; and that "draft" is
// one, where a parameter elsewhere has it in its enum.
type vocabulary struct {
	names  map[string]follower
	values map[string]bool
}

// follower says which values follow a name.
type follower uint8

const (
	followedByText follower = 1 << iota
	followedByInteger
)

func newVocabulary() *vocabulary {
	return &vocabulary{names: make(map[string]follower), values: make(map[string]bool)}
}

func (v *vocabulary) has(name string) bool {
	if v == nil {
		return false
	}
	_, ok := v.names[name]
	return ok
}

// named reports whether a segment is a name wherever it stands, as far as is known.
func (v *vocabulary) named(segment string) bool {
	return v.has(segment) || commonNames[segment] || isAction(segment)
}

func (v *vocabulary) learn(path string, domains map[string]domain) {
	before := ""
	for segment := range strings.SplitSeq(path, "/") {
		if strings.IndexByte(segment, '{') < 0 {
			v.names[segment] |= 0
			before = segment
			continue
		}
		d := domainOf(segment, domains)
		for word := range d.words {
			v.values[word] = true
		}
		if before != "" && isPlaceholder(segment) && !isVersion(before, 1, false) {
			switch {
			case d.words != nil:
			case d.integer:
				v.names[before] |= followedByInteger
			default:
				v.names[before] |= followedByText
			}
		}
		before = ""
	}
}

// follows reports whether a segment is a value because of the name before it.
func (v *vocabulary) follows(before, segment string) bool {
	if v == nil || v.named(segment) {
		return false
	}
	f := v.names[before]
	return f&followedByText != 0 || f&followedByInteger != 0 && isInteger(segment)
}

// isValue reports whether a word is one that a parameter somewhere may have, and no
// name.
func (v *vocabulary) isValue(word string) bool {
	return v != nil && v.values[word] && !v.named(word)
}

// among reports whether a value in path, where template has parameters, is a name
// elsewhere, or a common one: then it is likelier a route beside that of the template.
func (v *vocabulary) among(template, path string) bool {
	for more := true; more; {
		var t, p string
		t, template, more = strings.Cut(template, "/")
		p, path, _ = strings.Cut(path, "/")
		if isPlaceholder(t) && v.named(p) {
			return true
		}
	}
	return false
}

// isAction reports whether a name says what is done rather than what it is done to:
// it is a verb, or begins with one: "remove", "generate-notes", "disable_all".
func isAction(name string) bool {
	if i := strings.IndexAny(name, "-_:"); i >= 0 {
		name = name[:i]
	}
	return actions[name]
}

var actions = func() map[string]bool {
	set := make(map[string]bool)
	for name := range strings.FieldsSeq(`
		add remove delete create update replace set unset get list bulk generate enable disable activate deactivate
		start stop cancel retry rerun restart resume pause approve reject accept decline dismiss lock unlock
		merge revert convert transfer restore clone copy move rename send resend publish unpublish
		subscribe unsubscribe follow unfollow attach detach assign unassign invite revoke rotate renew
		check change validate verify calculate estimate suggest lookup sync refresh review upload download`) {
		set[name] = true
	}
	return set
}()

// domain is what a document says of the values of a path parameter; the zero value
// says nothing.
type domain struct {
	integer bool
	words   map[string]bool // its enum; nil: none
}

// has reports whether a segment, or a placeholder of an earlier template, can be a
// value.
func (d domain) has(segment string) bool {
	switch {
	case d.words != nil:
		return d.words[segment]
	case d.integer:
		return isInteger(segment) || segment == "{integer}"
	default:
		return true
	}
}

// like reports whether two parameters at one place are one: anything but an enum
// beside what is none.
func (d domain) like(o domain) bool { return (d.words == nil) == (o.words == nil) }

func (d domain) join(o domain) domain {
	d.integer = d.integer && o.integer
	if d.words != nil {
		d.words = maps.Clone(d.words)
		maps.Copy(d.words, o.words)
	}
	return d
}

func domainOf(segment string, domains map[string]domain) domain {
	if !isPlaceholder(segment) {
		return domain{}
	}
	return domains[segment[1:len(segment)-1]]
}

// domainsOf are the path parameters of an operation of which its document says
// something, by name.
func domainsOf(op *spec.Operation) map[string]domain {
	var domains map[string]domain
	take := func(list openapi3.Parameters) {
		for _, ref := range list {
			if ref == nil || ref.Value == nil || ref.Value.In != openapi3.ParameterInPath || ref.Value.Schema == nil || ref.Value.Schema.Value == nil {
				continue
			}
			if domains == nil {
				domains = make(map[string]domain)
			}
			domains[ref.Value.Name] = schemaDomain(ref.Value.Schema.Value)
		}
	}
	if op.Path != nil {
		take(op.Path.Parameters)
	}
	if op.Op != nil {
		take(op.Op.Parameters)
	}
	return domains
}

func schemaDomain(s *openapi3.Schema) domain {
	d := domain{integer: s.Type.Is(openapi3.TypeInteger)}
	for _, v := range s.Enum {
		text, ok := v.(string)
		if !ok {
			return domain{integer: d.integer}
		}
		if d.words == nil {
			d.words = make(map[string]bool)
		}
		d.words[text] = true
	}
	return d
}
