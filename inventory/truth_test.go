//go:build !race

package inventory

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

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
	page    string // how long the answers to scans that pass are, see mixture
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
	s := &scene{t: t, clock: &clock{t: noon}, cat: cat}
	s.Inventory = New(Options{Now: s.clock.now})
	s.rec = s.Bind(cat)
	s.Activate(s.rec)
	g.scene = s
	return g
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
	if r.op < 0 && r.status == 200 {
		switch g.page {
		case "page":
			o.BodyLength, o.ContentType = 1_234, "text/html"
		case "echo":
			o.BodyLength, o.ContentType = int64(1_234+len(r.path)), "text/html"
		}
	}
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
func (g *truth) run(real int, mix mixture) []request {
	g.page = mix.page
	var list []request
	next := func(r request) {
		g.send(&r)
		list = append(list, r)
		g.clock.advance(90 * time.Minute / time.Duration(real))
		if len(list)%256 == 0 {
			g.drain()
			g.lookAround(g.clock.now())
		}
	}
	for range real {
		next(g.real())
		if g.noise.Float64() < mix.scans {
			next(g.scan(mix.passes))
		}
	}
	g.drain()
	g.clock.advance(2 * time.Minute)
	g.lookAround(g.clock.now())
	return list
}
