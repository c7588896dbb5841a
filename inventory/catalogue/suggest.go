package catalogue

import (
	"cmp"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// maxSuggestions is how many names an error proposes.
const maxSuggestions = 3

// Suggest ends an error about an operation that no document has, with those that are
// most like it; where none is, with otherwise.
func Suggest(ref string, documents []*spec.Document, otherwise string) string {
	var known []string
	for _, d := range documents {
		for _, op := range d.Operations {
			if op.ID != "" {
				known = append(known, op.ID)
			}
			known = append(known, op.Method+" "+op.Template)
		}
	}
	if near := nearest(ref, known); len(near) > 0 {
		return "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return otherwise
}

// nearest are the names most like a name that does not exist, the likest first;
// none where nothing is like it.
func nearest(name string, known []string) []string {
	type scored struct {
		name     string
		distance int
	}
	var all []scored
	want := strings.ToLower(name)
	limit := max(2, len(want)/3)
	for _, k := range known {
		if d := distance(want, strings.ToLower(k), limit); d <= limit {
			all = append(all, scored{k, d})
		}
	}
	slices.SortFunc(all, func(x, y scored) int {
		return cmp.Or(cmp.Compare(x.distance, y.distance), cmp.Compare(x.name, y.name))
	})
	all = slices.Compact(all)
	var out []string
	for _, s := range all[:min(len(all), maxSuggestions)] {
		out = append(out, s.name)
	}
	return out
}

// Misspelt is the known name that one is meant to be which has at most two letters too
// many, too few or wrong, and no more than half of them; empty where there is none. Case
// is none, and _ is -.
func Misspelt(name string, known []string) string {
	plain := strings.NewReplacer("_", "-").Replace
	name = plain(strings.ToLower(name))
	most := min(2, len(name)/2)
	best, least := "", most+1
	for _, k := range known {
		if d := edits(name, plain(strings.ToLower(k)), most); d < least {
			best, least = k, d
		}
	}
	return best
}

// Nearly asks, within a message, for the known name that one is nearly, see [Misspelt];
// empty where there is none.
func Nearly(name string, known []string) string {
	if near := Misspelt(name, known); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}

// distance is the Levenshtein distance, or more than limit when it would be. The
// end of a longer name counts little: people leave base paths in.
func distance(a, b string, limit int) int {
	if strings.HasSuffix(a, b[strings.IndexByte(b, ' ')+1:]) && len(b) > 4 {
		return 1
	}
	return edits(a, b, limit)
}

// edits is the Levenshtein distance, or more than limit when it would be.
func edits(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
