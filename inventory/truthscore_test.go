//go:build !race

package inventory

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// score is what came out.
type score struct {
	called, exact int // withheld operations: with an answer of upstream, with their template
	entries       int // known entries
	wrong         int // of them, in no way an operation
	claimed       int // and yet said to be confirmed
	requests      int // real ones
	placed        int // in the right entry
	undocumented  int // of them, to withheld operations
	placedThere   int
	found         map[int]bool // the operations that are exact
}

func (s score) String() string {
	share := func(n, of int) string { return fmt.Sprintf("%5.1f %%", 100*float64(n)/float64(max(of, 1))) }
	return fmt.Sprintf("%s of %4d | %6d, %6d false, %6d said to be confirmed | %s | %s", share(s.exact, s.called), s.called, s.entries, s.wrong, s.claimed, share(s.placed, s.requests), share(s.placedThere, s.undocumented))
}

// judge holds templates against the truth. of gives the template of a request,
// without names, and whether there is such an entry.
func (g *truth) judge(list []request, of func(*request) (string, bool)) score {
	var s score
	type op struct{ method, path string }
	truths := make(map[op]bool)
	for i := range g.ops {
		truths[op{g.ops[i].op.Method, g.ops[i].path}] = true
	}
	called, exact, entries := make(map[int]bool), make(map[int]bool), make(map[op]bool)
	for i := range list {
		r := &list[i]
		if r.right || r.lost || r.op < 0 && r.status == 404 {
			if r.op >= 0 && (r.right || !g.ops[r.op].withheld) {
				s.requests++
				if r.right {
					s.placed++
				}
			}
			continue
		}
		template, there := of(r)
		if there && r.status != 404 {
			entries[op{r.method, template}] = true
		}
		if r.op < 0 {
			continue
		}
		right := there && template == g.ops[r.op].path
		s.requests++
		s.undocumented++
		if right {
			s.placed++
			s.placedThere++
		}
		if classOf(r.status) == 2 {
			called[r.op] = true
			if right {
				exact[r.op] = true
			}
		}
	}
	s.found = exact
	s.called, s.exact, s.entries = len(called), len(exact), len(entries)
	for e := range entries {
		if !truths[e] {
			s.wrong++
		}
	}
	return s
}

// falselyConfirmed counts the entries that are said to be confirmed and are in no way
// an operation.
func (g *truth) falselyConfirmed() int {
	type op struct{ method, path string }
	truths := make(map[op]bool)
	for i := range g.ops {
		truths[op{g.ops[i].op.Method, g.ops[i].path}] = true
	}
	n := 0
	for _, e := range g.routes {
		if e.shelf == shelfKnown && e.rank() == rankConfirmed && !truths[op{e.key.method, nameless(e.key.path)}] {
			n++
		}
	}
	return n
}

// ours is the template that a request's entry has now.
func (g *truth) ours(r *request) (string, bool) {
	q := catalogue.Query{Host: g.host, Method: r.method, Path: r.path, Header: http.Header{}}
	var m catalogue.Match
	g.cat.Match(&q, &m)
	ob := observation{rec: g.rec, match: m.Outcome, host: m.Host, base: m.Base, method: r.method, path: r.path, api: "real", version: "v1"}
	if m.API == nil {
		ob.api, ob.version = "", ""
	}
	k := g.keyOf(&ob, g.hosts[g.host], (&Outcome{Status: r.status, Forwarded: true}).worth())
	e := g.routes[k.id()]
	return nameless(k.path), e != nil && e.shelf != shelfNoise
}

func (g *truth) theirs(list []request, r rival) score {
	for i := range list {
		if q := &list[i]; !q.right && !q.lost && q.status != 404 {
			r.learn(strings.TrimPrefix(q.path, g.base))
		}
	}
	s := g.judge(list, func(q *request) (string, bool) { return g.base + r.template(strings.TrimPrefix(q.path, g.base)), true })
	s.claimed = s.wrong // they know one kind of evidence
	return s
}

// nothingIsLost asks for an entry for every documented operation, and for each real
// request that upstream answered well: the one that it would be counted in now, or the
// one that it was counted in before a name was told from the values at its place.
func (g *truth) nothingIsLost(list []request) {
	g.t.Helper()
	for i := range g.rec.slots {
		if e := g.rec.slots[i].entry; !g.listed(e) || g.routes[e.id] != e {
			g.t.Errorf("the documented %s %s is not listed", e.key.method, e.key.path)
		}
	}
	for i := range list {
		if r := &list[i]; r.op >= 0 && !r.right && !r.lost && classOf(r.status) == 2 {
			if template, there := g.ours(r); !there && !g.stoodFor(r) {
				g.t.Errorf("%s %s was answered %d, and %s is no entry", r.method, r.path, r.status, template)
			}
		}
	}
}

func (g *truth) stoodFor(r *request) bool {
	for _, e := range g.routes {
		if e.key.method == r.method && e.shelf == shelfKnown && e.seen.best == rankConfirmed && holds(e.key.path, r.path) {
			return true
		}
	}
	return false
}
