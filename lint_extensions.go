package apiguard

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// ownPrefix begins the names of extensions that are nobody else's.
const ownPrefix = "x-api-guard-"

// ownExtensions are those that are read, with the kinds of objects that may have them.
var ownExtensions = map[string][]string{
	"x-api-guard-cost":    {"operation"},
	"x-api-guard-upgrade": {"operation"},
	"x-data-class":        {"schema", "parameter"},
}

// ownNames are the names of ownExtensions, sorted.
var ownNames = slices.Sorted(maps.Keys(ownExtensions))

// startKinds are the kinds of objects whose extensions a start looks at: there are few
// of them, and what they say binds requests.
var startKinds = []string{"document", "info", "path item", "operation"}

// lintExtensions looks for extensions that are meant for API Guard and are not in
// force: their name is misspelt, or they stand where nobody reads them. Each is told
// once for a document. deep looks at schemas, parameters and all else but what a start
// looks at.
func lintExtensions(d *spec.Document, deep bool, add func(where, detail string)) {
	places := map[string][]string{}
	var order []string
	walk := d.ExtendedOperations
	if deep {
		walk = d.Extended
	}
	walk(maybeOurs, func(o spec.Extended) {
		if deep && slices.Contains(startKinds, o.Kind) {
			return
		}
		for _, name := range o.Names {
			if what := misplaced(name, o.Kind); what != "" {
				if places[what] == nil {
					order = append(order, what)
				}
				places[what] = append(places[what], o.Pointer+"/"+name)
			}
		}
	})
	for _, what := range order {
		where := places[what][0]
		if more := len(places[what]) - 1; more > 0 {
			where += fmt.Sprintf(" and %d more", more)
		}
		add(where, what)
	}
}

// maybeOurs is false for nearly all names of others, which are not worth a closer look.
func maybeOurs(name string) bool {
	return len(name) >= len("x-data-class")-2 && (name[0] == 'x' || name[0] == 'X')
}

// misplaced says what is wrong with an extension at an object of a kind, if it is one
// of ours or meant to be; else nothing.
func misplaced(name, kind string) string {
	kinds, ours := ownExtensions[name]
	switch {
	case ours && kind == "$ref":
		return name + " beside a $ref is not in force: write it at what the reference leads to, or for this place alone put the $ref into an allOf"
	case ours && !slices.Contains(kinds, kind):
		return fmt.Sprintf("%s at %s is not in force: it is read at %s", name, withArticle(kind), withArticle(strings.Join(kinds, " or ")))
	case ours || name == spec.SchemaMark && kind == "schema":
		return ""
	}
	if near := catalogue.Misspelt(name, ownNames); near != "" {
		return fmt.Sprintf("%q is not in force: it is probably meant to be %s", name, near)
	}
	if strings.HasPrefix(strings.ToLower(name), ownPrefix) {
		return fmt.Sprintf("%q is not in force: there are x-api-guard-cost and x-api-guard-upgrade, both at an operation", name)
	}
	return ""
}

func withArticle(noun string) string {
	switch {
	case noun == "document" || noun == "info" || noun == "paths":
		return "the " + noun
	case strings.ContainsRune("aeiou", rune(noun[0])):
		return "an " + noun
	default:
		return "a " + noun
	}
}
