//go:build !race

// One goroutine does all of it, so that the race detector would only make it slow.

package inventory

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

var (
	truthRequests = flag.Int("truth", 6_000, "how many real requests the ground truth test sends for each document")
	truthSeed     = flag.Uint64("truth-seed", 42, "which paths are withheld, and what is sent")
	truthSeeds    = flag.Int("truth-seeds", 3, "of how many other seeds the ground truth is asked")
)

// realDocument is one of the API descriptions that stand beside the repository.
func realDocument(t testing.TB, name string) *spec.Document {
	t.Helper()
	root := os.Getenv("API_GUARD_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	path := filepath.Join(root, "specs", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("API_GUARD_REQUIRE_SHARED") != "" {
			t.Fatal(err)
		}
		t.Skipf("the real API description %s is not beside the repository; set API_GUARD_SHARED to its folder", name)
	}
	doc, err := spec.LoadFile(path, spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestTemplatesAgainstTheTruth withholds half of the paths of real API
// descriptions, sends traffic made from the whole, and asks how many withheld
// operations are found with their exact template, beside what the published rules
// of others find of the same requests: those that upstream knew, below the base
// path. Scans come on top of the real requests; of them a tenth is answered 200 by
// upstream, in the row with ! all. Operations that a remaining document's template
// stands for too cannot be told from that and are left out. The last rows are an
// API without any document, where there are no names to learn from.
func TestTemplatesAgainstTheTruth(t *testing.T) {
	for _, c := range []struct {
		document string
		withheld float64
		exact    float64 // the floors: exact templates, and requests in the right entry
		placed   float64
		scans    []mixture
	}{
		{"github/api.github.com.json", 0.5, 0.75, 0.95, []mixture{{}, {0.1, 0.1, ""}, {1, 0.1, ""}, {1, 1, ""}, {1, 1, "page"}, {1, 1, "echo"}}},
		{"box/v2024.0.json", 0.5, 0.75, 0.95, []mixture{{}, {0.1, 0.1, ""}, {1, 0.1, ""}, {1, 1, ""}, {1, 1, "page"}, {1, 1, "echo"}}},
		{"github/api.github.com.json", 1, 0, 0, []mixture{{}, {0.1, 0.1, ""}}},
		{"box/v2024.0.json", 1, 0, 0, []mixture{{}, {0.1, 0.1, ""}}},
	} {
		t.Run(fmt.Sprintf("%s/%.0f percent withheld", c.document, 100*c.withheld), func(t *testing.T) {
			doc := realDocument(t, c.document)
			t.Logf("%-22s | scans   | exact templates    | entries               | requests right: all, to withheld", "rules")
			var clean score
			for i, mix := range c.scans {
				g := newTruth(t, doc, c.withheld, *truthSeed)
				list := g.run(*truthRequests, mix)
				s := g.judge(list, g.ours)
				s.claimed = g.falselyConfirmed()
				t.Logf("%-22s | %v | %v", "API Guard", mix, s)
				if i == 0 {
					clean = s
				}
				if exact := float64(s.exact) / float64(s.called); exact < c.exact {
					t.Errorf("%v scans: %.3f of the templates are exact, want %.2f", mix, exact, c.exact)
				}
				if placed := float64(s.placed) / float64(s.requests); placed < c.placed {
					t.Errorf("%v scans: %.3f of the requests are in the right entry, want %.2f", mix, placed, c.placed)
				}
				// Three scanners confirm 400 of their own each, and what two of them asked for.
				if most := clean.claimed + 3*maxLone + len(scanWords); s.claimed > most {
					t.Errorf("%v scans: %d false entries are said to be confirmed, want %d at most", mix, s.claimed, most)
				}
				g.nothingIsLost(list)
				for op := range clean.found {
					if c.exact > 0 && !s.found[op] {
						t.Errorf("%v scans: lost %s %s", mix, g.ops[op].op.Method, g.ops[op].path)
					}
				}
				if mix.page != "" {
					continue // to the others' rules it is the row before
				}
				for _, r := range []struct {
					name string
					rival
				}{
					{"APIClarity", apiclarity}, {"Datadog", datadog}, {"trie K=30", &trie{k: 30}},
					{"APIClarity + trie K=30", &trie{first: apiclarity, k: 30}},
				} {
					t.Logf("%-22s | %v | %v", r.name, mix, g.theirs(list, r.rival))
				}
			}
		})
	}
}

// mixture is how many scans come for each real request, how many of those upstream
// answers with 200, and how: with answers of any length, with one page, or with one
// that repeats the path.
type mixture struct {
	scans, passes float64
	page          string
}

func (m mixture) String() string {
	how := ""
	if m.passes == 1 {
		how = "!" + m.page
	}
	return fmt.Sprintf("%-10s", fmt.Sprintf("%.0f %%%s", 100*m.scans, how))
}

// TestTemplatesHoldForEverySeed is the ground truth with other paths withheld and
// other values, several times over. Box's document is the hard one: where every
// operation with its {scope} is withheld, nothing says that "global" and "enterprise",
// each called as often as a name is, are values.
func TestTemplatesHoldForEverySeed(t *testing.T) {
	for _, c := range []struct {
		document      string
		exact, placed float64 // the floors
	}{
		{"github/api.github.com.json", 0.88, 0.95},
		{"box/v2024.0.json", 0.85, 0.96},
		{"box/v2025.0.json", 0.95, 0.95},
		{"vampi/openapi3.yml", 0.80, 0.95},
	} {
		t.Run(c.document, func(t *testing.T) {
			doc := realDocument(t, c.document)
			for seed := range uint64(*truthSeeds) {
				var clean score
				for i, mix := range []mixture{{}, {0.1, 0.1, ""}} {
					g := newTruth(t, doc, 0.5, seed+1)
					list := g.run(*truthRequests, mix)
					s := g.judge(list, g.ours)
					s.claimed = g.falselyConfirmed()
					if i == 0 {
						clean = s
					}
					exact, placed := float64(s.exact)/float64(s.called), float64(s.placed)/float64(s.requests)
					t.Logf("%-8d | %v | %v", seed+1, mix, s)
					if exact < c.exact || placed < c.placed {
						t.Errorf("seed %d, %v scans: %.3f of the templates are exact and %.3f of the requests in the right entry", seed+1, mix, exact, placed)
						g.explain(list)
					}
					g.nothingIsLost(list)
					for op := range clean.found {
						if !s.found[op] {
							t.Errorf("seed %d, %v scans: lost %s %s", seed+1, mix, g.ops[op].op.Method, g.ops[op].path)
						}
					}
				}
			}
		})
	}
}

// explain logs the operations that most requests are not in the right entry of.
func (g *truth) explain(list []request) {
	wrong, all, got := make(map[int]int), make(map[int]int), make(map[int]map[string]int)
	for i := range list {
		r := &list[i]
		if r.op < 0 || r.right || r.lost {
			if r.op >= 0 && r.lost && !g.ops[r.op].withheld {
				wrong[r.op]++
			}
			continue
		}
		all[r.op]++
		if template, there := g.ours(r); !there || template != g.ops[r.op].path {
			wrong[r.op]++
			if got[r.op] == nil {
				got[r.op] = make(map[string]int)
			}
			got[r.op][fmt.Sprint(template, " ", there)]++
		}
	}
	ops := slices.SortedFunc(maps.Keys(wrong), func(a, b int) int { return wrong[b] - wrong[a] })
	for _, op := range ops[:min(len(ops), 12)] {
		var some []string
		for _, text := range slices.SortedFunc(maps.Keys(got[op]), func(a, b string) int { return got[op][b] - got[op][a] }) {
			some = append(some, fmt.Sprintf("%d %s", got[op][text], text))
		}
		g.t.Logf("%d of %d: %s %s: %d wrong: %q", wrong[op], all[op], g.ops[op].op.Method, g.ops[op].path, len(some), some[:min(len(some), 4)])
	}
}
