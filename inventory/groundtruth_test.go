//go:build !race

// One goroutine does all of it, so that the race detector would only make it slow.

package inventory

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

var (
	truthRequests = flag.Int("truth", 6_000, "how many real requests the ground truth test sends for each document")
	truthSeed     = flag.Uint64("truth-seed", 42, "which paths are withheld, and what is sent")
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

// truth is an API of which half of the paths are in no document, and traffic made
// from the whole.
type truth struct {
	*scene
	host    string
	rng     *rand.Rand // of the real requests
	noise   *rand.Rand // of the scans, so that they change nothing of the others
	ops     []truthOp
	weights []float64 // summed up
	cache   map[string]func() string
	base    string
}

type truthOp struct {
	op       *spec.Operation
	withheld bool
	path     string // its template with base, parameters without names
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// nameless is a template without the names of its parameters, which nobody can
// find out.
func nameless(template string) string { return parameter.ReplaceAllString(template, "{}") }

func newTruth(t testing.TB, doc *spec.Document, share float64, seed uint64) *truth {
	g := &truth{host: "api.example.com", rng: rand.New(rand.NewPCG(seed, 1)), cache: make(map[string]func() string)}
	g.noise = rand.New(rand.NewPCG(seed, 2))
	half := *doc
	half.Operations = nil
	var templates []string
	for _, op := range doc.Operations {
		templates = append(templates, op.Template)
	}
	templates = slices.Compact(slices.Sorted(slices.Values(templates)))
	g.rng.Shuffle(len(templates), func(i, j int) { templates[i], templates[j] = templates[j], templates[i] })
	withheld := make(map[string]bool)
	for _, template := range templates[:int(share*float64(len(templates)))] {
		withheld[template] = true
	}
	g.base = doc.Servers[0].Base
	for _, op := range doc.Operations {
		if strings.Contains(op.Template, "#") || op.Servers[0].Base != g.base {
			continue // another server's
		}
		if !withheld[op.Template] {
			half.Operations = append(half.Operations, op)
		}
		g.ops = append(g.ops, truthOp{op: op, withheld: withheld[op.Template], path: nameless(g.base + op.Template)})
	}
	for _, o := range g.ops {
		for _, p := range parameter.FindAllString(o.op.Template, -1) {
			g.value(o.op, p[1:len(p)-1])
		}
	}
	// Few are called often and most seldom: weights by rank.
	for _, rank := range g.rng.Perm(len(g.ops)) {
		g.weights = append(g.weights, 1/math.Pow(float64(rank+3), 0.9))
	}
	for i := range g.weights[1:] {
		g.weights[i+1] += g.weights[i]
	}
	v := &catalogue.Version{Name: "v1", Hosts: []string{g.host}, Claims: []catalogue.Claim{{Path: cmp.Or(g.base, "/")}}, Documents: []*spec.Document{&half}}
	cat, err := catalogue.New(catalogue.Config{APIs: []*catalogue.API{{Name: "real", Versions: []*catalogue.Version{v}}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, clock: &clock{noon}, cat: cat}
	s.Inventory = New(Options{Now: s.clock.now})
	s.rec = s.Bind(cat)
	s.Activate(s.rec)
	g.scene = s
	return g
}

// zipf draws one of n things, few of them often.
func (g *truth) zipf(n int, power float64) int {
	return int(math.Pow(float64(n), math.Pow(g.rng.Float64(), power))) % n
}

var (
	firstNames = strings.Fields("ada grace alan linus barbara ken dennis margaret edsger donald radia tim vint leslie john frances mary jean guido bjarne anders james brendan larry yukihiro rob robert ivan niklaus tony")
	things     = strings.Fields("blue red api web core data cloud fast tiny open deep smart dev ops test demo infra mobile legacy next old hello world shop store cart pay user auth edge mesh node graph stream batch query cache proxy agent build deploy site docs blog app client server tools utils kit lab hub flow")
)

func (g *truth) pick(words []string) string { return words[g.rng.IntN(len(words))] }

func (g *truth) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + g.rng.IntN(10))
	}
	b[0] = byte('1' + g.rng.IntN(9))
	return string(b)
}

func (g *truth) hex(n int) string {
	const alphabet = "0123456789abcdef"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[g.rng.IntN(16)]
	}
	return string(b)
}

// population is a set of values that requests draw from.
func (g *truth) population(n int, one func() string) func() string {
	values := make([]string, n)
	for i := range values {
		values[i] = one()
	}
	return func() string { return values[g.zipf(n, 0.8)] }
}

func (g *truth) slug() string {
	s := g.pick(things) + "-" + g.pick(things)
	switch g.rng.IntN(4) {
	case 0:
		return s + "-" + g.digits(1+g.rng.IntN(2))
	case 1:
		return g.pick(things) + g.pick(things)
	default:
		return s
	}
}

func (g *truth) login() string {
	s := g.pick(firstNames)
	switch g.rng.IntN(4) {
	case 0:
		return s + g.digits(2)
	case 1:
		return s + "-" + g.pick(things)
	case 2:
		return s + g.pick(firstNames)
	default:
		return s
	}
}

// value is a realistic value of a parameter, by its name and schema.
func (g *truth) value(op *spec.Operation, name string) string {
	if values := enumOf(op, name); len(values) > 0 {
		return values[g.rng.IntN(len(values))]
	}
	draw := g.cache[name]
	if draw == nil {
		draw = g.source(name)
		g.cache[name] = draw
	}
	return draw()
}

func (g *truth) source(name string) func() string {
	lower := strings.ToLower(name)
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(lower, p) })
	}
	switch {
	case has("gist_id"):
		return g.population(500, func() string { return g.hex(32) })
	case has("sha", "digest"):
		return g.population(3000, func() string { return g.hex(40) })
	case has("uuid", "guid", "delivery"):
		return g.population(3000, func() string {
			return g.hex(8) + "-" + g.hex(4) + "-4" + g.hex(3) + "-a" + g.hex(3) + "-" + g.hex(12)
		})
	case has("owner", "org", "username", "login", "account", "assignee", "enterprise", "collaborator", "user") && !has("_id"):
		return g.population(400, g.login)
	case has("number"):
		return g.population(900, func() string { return g.digits(1 + g.rng.IntN(4)) })
	case has("_id", "id"):
		return g.population(4000, func() string { return g.digits(5 + g.rng.IntN(6)) })
	case has("date"):
		return g.population(200, func() string { return fmt.Sprintf("2026-%02d-%02d", 1+g.rng.IntN(12), 1+g.rng.IntN(28)) })
	case has("extension"):
		return func() string { return g.pick([]string{"png", "jpg"}) }
	default: // repositories, branches, teams, environments, keys, names
		return g.population(600, g.slug)
	}
}

func enumOf(op *spec.Operation, name string) []string {
	var values []string
	for _, ref := range append(slices.Clone(op.Path.Parameters), op.Op.Parameters...) {
		if p := ref.Value; p != nil && p.In == "path" && p.Name == name && p.Schema != nil && p.Schema.Value != nil {
			for _, v := range p.Schema.Value.Enum {
				values = append(values, fmt.Sprint(v))
			}
		}
	}
	return values
}

// request is one that was sent.
type request struct {
	op     int // -1: a scanner's
	path   string
	method string
	status int
	right  bool // documented, and found
	lost   bool // a document has another operation that stands for it
}

// real is a request of a client to an operation.
func (g *truth) real() request {
	at, _ := slices.BinarySearch(g.weights, g.rng.Float64()*g.weights[len(g.weights)-1])
	op := g.ops[min(at, len(g.ops)-1)].op
	path := g.base + parameter.ReplaceAllStringFunc(op.Template, func(p string) string { return g.value(op, p[1:len(p)-1]) })
	status := 200
	switch n := g.rng.IntN(100); {
	case n < 4:
		status = 404
	case n < 7:
		status = []int{401, 403, 422}[g.rng.IntN(3)]
	case n < 8:
		status = 500
	case op.Method == "DELETE":
		status = 204
	}
	return request{op: min(at, len(g.ops)-1), path: path, method: op.Method, status: status}
}

var scanWords = strings.Fields(".env .git/config wp-admin/setup-config.php wp-login.php phpmyadmin admin/config.php backup.zip actuator/env actuator/heapdump cgi-bin/luci server-status console .aws/credentials vendor/phpunit/eval-stdin.php api/jsonws swagger.json graphql debug/pprof owa/auth autodiscover/autodiscover.xml")

// scan is a request of a scanner: a list of known probes, words of its own, and
// words below the paths of the API.
func (g *truth) scan(passes float64) request {
	g.rng, g.noise = g.noise, g.rng
	defer func() { g.rng, g.noise = g.noise, g.rng }()
	r := request{op: -1, method: "GET", status: 404}
	word := func() string { return g.pick(things) + fmt.Sprint("_", g.pick(things), g.rng.IntN(1000)) }
	switch g.rng.IntN(4) {
	case 0:
		r.path = g.base + "/" + g.pick(scanWords)
	case 1:
		r.path = g.base + "/" + word()
	case 2:
		r.path = g.base + "/" + g.pick(things) + "/" + word()
	default: // below a real path
		path := g.real().path
		r.path = path[:strings.LastIndexByte(path, '/')+1] + word()
		if strings.Count(r.path, "/") < 2+strings.Count(g.base, "/") {
			r.path = path + "/" + word()
		}
	}
	if g.rng.Float64() < passes {
		r.status = 200
	}
	return r
}

// send has a request matched, answered and recorded.
func (g *truth) send(r *request) {
	q := catalogue.Query{Host: g.host, Method: r.method, Path: r.path, Header: http.Header{}}
	var m catalogue.Match
	g.cat.Match(&q, &m)
	if r.op < 0 {
		g.rng, g.noise = g.noise, g.rng
		defer func() { g.rng, g.noise = g.noise, g.rng }()
	}
	o := g.at(answered(r.status))
	o.BodyLength = int64(g.rng.IntN(20_000))
	client := g.rng.IntN(250)
	addr := netip.AddrFrom4([4]byte{203, 0, 113, byte(client)})
	if r.op < 0 {
		addr = netip.AddrFrom4([4]byte{198, 51, 100, byte(g.rng.IntN(3))})
	}
	o.Caller = &Caller{Addr: addr, Header: http.Header{"Authorization": {"Bearer x"}}, Answer: http.Header{}}
	if m.Outcome == catalogue.Found {
		if r.op >= 0 {
			r.right = m.Route.Operation == g.ops[r.op].op
			r.lost = !r.right
		}
		g.rec.Hit(&m, o)
		return
	}
	g.rec.Observe(&m, g.host, r.method, r.path, o)
}

// run sends real requests and scans, mixed, over an hour and a half.
func (g *truth) run(real int, scans, passes float64) []request {
	var list []request
	next := func(r request) {
		g.send(&r)
		list = append(list, r)
		g.clock.advance(90 * time.Minute / time.Duration(real))
		if len(list)%256 == 0 {
			g.drain()
			g.lookAround(g.clock.t)
		}
	}
	for range real {
		next(g.real())
		if g.noise.Float64() < scans {
			next(g.scan(passes))
		}
	}
	g.drain()
	g.clock.advance(2 * time.Minute)
	g.lookAround(g.clock.t)
	return list
}

// score is what came out.
type score struct {
	called, exact int // withheld operations: with an answer of upstream, with their template
	entries       int // known entries
	wrong         int // of them, in no way an operation
	requests      int // real ones
	placed        int // in the right entry
	undocumented  int // of them, to withheld operations
	placedThere   int
	found         map[int]bool // the operations that are exact
}

func (s score) String() string {
	share := func(n, of int) string { return fmt.Sprintf("%5.1f %%", 100*float64(n)/float64(max(of, 1))) }
	return fmt.Sprintf("%s of %4d | %6d, %6d false | %s | %s", share(s.exact, s.called), s.called, s.entries, s.wrong, share(s.placed, s.requests), share(s.placedThere, s.undocumented))
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
	return g.judge(list, func(q *request) (string, bool) { return g.base + r.template(strings.TrimPrefix(q.path, g.base)), true })
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
		{"github/api.github.com.json", 0.5, 0.75, 0.95, []mixture{{0, 0}, {0.1, 0.1}, {1, 0.1}, {1, 1}}},
		{"box/v2024.0.json", 0.5, 0.75, 0.95, []mixture{{0, 0}, {0.1, 0.1}, {1, 0.1}, {1, 1}}},
		{"github/api.github.com.json", 1, 0, 0, []mixture{{0, 0}, {0.1, 0.1}}},
		{"box/v2024.0.json", 1, 0, 0, []mixture{{0, 0}, {0.1, 0.1}}},
	} {
		t.Run(fmt.Sprintf("%s/%.0f percent withheld", c.document, 100*c.withheld), func(t *testing.T) {
			doc := realDocument(t, c.document)
			t.Logf("%-22s | scans   | exact templates    | entries               | requests right: all, to withheld", "rules")
			var clean score
			for i, mix := range c.scans {
				g := newTruth(t, doc, c.withheld, *truthSeed)
				list := g.run(*truthRequests, mix.scans, mix.passes)
				s := g.judge(list, g.ours)
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
				g.nothingIsLost(list)
				for op := range clean.found {
					if c.exact > 0 && !s.found[op] {
						t.Errorf("%v scans: lost %s %s", mix, g.ops[op].op.Method, g.ops[op].path)
					}
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

// mixture is how many scans come for each real request, and how many of those upstream
// answers with 200.
type mixture struct{ scans, passes float64 }

func (m mixture) String() string {
	all := ""
	if m.passes == 1 {
		all = "!"
	}
	return fmt.Sprintf("%-7s", fmt.Sprintf("%.0f %%%s", 100*m.scans, all))
}

// nothingIsLost asks for an entry for every documented operation, and for each real
// request that upstream answered well.
func (g *truth) nothingIsLost(list []request) {
	g.t.Helper()
	for i := range g.rec.slots {
		if e := g.rec.slots[i].entry; !g.listed(e) || g.routes[e.id] != e {
			g.t.Errorf("the documented %s %s is not listed", e.key.method, e.key.path)
		}
	}
	for i := range list {
		if r := &list[i]; r.op >= 0 && !r.right && !r.lost && classOf(r.status) == 2 {
			if template, there := g.ours(r); !there {
				g.t.Errorf("%s %s was answered %d, and %s is no entry", r.method, r.path, r.status, template)
			}
		}
	}
}
