package inventory

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/getkin/kin-openapi/openapi3"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// clock is a clock that stands until it is moved. The goroutines of an inventory read it
// too.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func (c *clock) advance(by time.Duration) { c.set(c.now().Add(by)) }

// version declares a version with one document of the operations, written
// "METHOD /template", under path on hosts separated by spaces.
func version(name, hosts, path string, operations ...string) *catalogue.Version {
	v := &catalogue.Version{Name: name, Hosts: strings.Fields(hosts), Claims: []catalogue.Claim{{Path: path}}}
	if len(operations) == 0 {
		return v
	}
	d := &spec.Document{Name: name + ".yaml"}
	for _, op := range operations {
		method, tmpl, _ := strings.Cut(op, " ")
		d.Operations = append(d.Operations, &spec.Operation{Document: d, Method: method, Template: tmpl})
	}
	v.Documents = []*spec.Document{d}
	return v
}

func api(name string, versions ...*catalogue.Version) *catalogue.API {
	return &catalogue.API{Name: name, Owner: "team-" + name, Versions: versions}
}

// declare lists hosts and routes as the compiled catalogue does.
func declare(apis ...*catalogue.API) *catalogue.Catalogue {
	c := &catalogue.Catalogue{APIs: apis}
	byName := make(map[string]*catalogue.Host)
	for _, a := range apis {
		for _, v := range a.Versions {
			var hosts []*catalogue.Host
			for _, name := range v.Hosts {
				h := byName[name]
				if h == nil {
					h = &catalogue.Host{Index: len(c.Hosts), Name: name}
					byName[name] = h
					c.Hosts = append(c.Hosts, h)
				}
				h.APIs = append(h.APIs, a)
				hosts = append(hosts, h)
			}
			for _, d := range v.Documents {
				for _, op := range d.Operations {
					path := strings.TrimSuffix(v.Claims[0].Path, "/") + op.Template
					c.Routes = append(c.Routes, &catalogue.Route{Index: len(c.Routes), API: a, Version: v, Operation: op, Path: path, Hosts: hosts})
				}
			}
		}
	}
	return c
}

// scene is an inventory with a clock, an active configuration and a feed.
type scene struct {
	*Inventory
	t      testing.TB
	clock  *clock
	cat    *catalogue.Catalogue
	rec    *Recorder
	events []Event
}

func newScene(t testing.TB, o Options, apis ...*catalogue.API) *scene {
	s := &scene{t: t, clock: &clock{t: noon}}
	o.Now = s.clock.now
	o.Feed = func(e Event) { s.events = append(s.events, e) }
	s.Inventory = New(o)
	s.keeper.patience = time.Minute // a busy machine loads no file in a second
	s.load(apis...)
	return s
}

// load is a reload that succeeds.
func (s *scene) load(apis ...*catalogue.API) {
	s.cat = declare(apis...)
	s.rec = s.Bind(s.cat)
	s.Activate(s.rec)
}

// hit calls a documented operation.
func (s *scene) hit(host, method, path string, o Outcome) {
	s.t.Helper()
	for _, r := range s.cat.Routes {
		if r.Path != path || r.Operation.Method != method {
			continue
		}
		for _, h := range r.Hosts {
			if h.Name == host {
				s.rec.Hit(&catalogue.Match{Outcome: catalogue.Found, Host: h, API: r.API, Version: r.Version, Route: r}, s.at(o))
				return
			}
		}
	}
	s.t.Fatalf("no documented %s %s on %s", method, path, host)
}

// miss calls what no document has, in the version with that name ("": none), and
// lets the inventory record it.
func (s *scene) miss(outcome catalogue.Outcome, inVersion, host, method, path string, o Outcome) {
	m := catalogue.Match{Outcome: outcome}
	for _, h := range s.cat.Hosts {
		if h.Name == host {
			m.Host = h
		}
	}
	for _, a := range s.cat.APIs {
		for _, v := range a.Versions {
			if v.Name == inVersion {
				m.API, m.Version, m.Base = a, v, v.Claims[0].Path
			}
		}
	}
	s.rec.Observe(&m, host, method, path, s.at(o))
	s.settle()
}

func (s *scene) at(o Outcome) Outcome {
	if o.Time == 0 {
		o.Time = s.clock.now().UnixNano()
	}
	return o
}

// settle records all that is queued.
func (s *scene) settle() {
	s.drain()
	s.publish(s.clock.now())
}

func (s *scene) list(q RouteQuery) List[RouteEntry] {
	s.t.Helper()
	list, err := s.Routes(q)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// one is the only entry with that path.
func (s *scene) one(path string) RouteEntry {
	s.t.Helper()
	var found []RouteEntry
	for _, e := range s.list(RouteQuery{Path: []string{path}, Limit: 1000}).Items {
		if e.Path == path {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		s.t.Fatalf("%d entries with path %s, want 1: %+v", len(found), path, found)
	}
	return found[0]
}

func answered(status int) Outcome {
	return Outcome{Status: status, Forwarded: true, ContentType: "application/json", BodyLength: -1}
}

func refused(status int, rule, reason string) Outcome {
	return Outcome{Status: status, Verdict: Refuse, Rule: rule, Reason: reason}
}

// orders is an API with a retired, a current and a beta version.
func orders() *catalogue.API {
	v1 := version("v1", "legacy.example.com", "/v1", "GET /orders", "GET /orders/{id}")
	v1.Deprecated = noon.AddDate(-2, 0, 0)
	v1.Sunset = noon.AddDate(-1, 0, 0)
	v2 := version("v2", "api.example.com beta.example.com", "/v2", "GET /orders", "POST /orders", "GET /orders/{id}")
	v2.Docs = "https://docs.example.com/orders"
	v3 := version("v3", "next.example.com", "/", "GET /orders")
	v3.State = catalogue.StateBeta
	v3.Environment = "staging"
	return api("orders", v1, v2, v3)
}

// withAPIKeys is a document whose API keys stand in a header, the query and a
// cookie.
func withAPIKeys() *openapi3.T {
	scheme := func(in, name string) *openapi3.SecuritySchemeRef {
		return &openapi3.SecuritySchemeRef{Value: &openapi3.SecurityScheme{Type: "apiKey", In: in, Name: name}}
	}
	return &openapi3.T{Components: &openapi3.Components{SecuritySchemes: openapi3.SecuritySchemes{
		"a": scheme("header", "x-key"), "b": scheme("query", "key"), "c": scheme("cookie", "sid"),
	}}}
}
