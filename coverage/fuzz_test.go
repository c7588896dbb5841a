package coverage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/coverage"
)

// What the proof calls guarded is held against Caddy's own routing: program is made
// into routes of which Caddy runs one copy, with a guard and backends that write down
// what gets to them, while the proof reads the other. A request that gets to a backend
// without being judged, or as another than the one that was judged, must find an entry
// that says so. text is any configuration: it is read or an error, twice the same.
func FuzzProve(f *testing.F) {
	for _, program := range []string{
		"\x01\x00\x00\x00\x02\x00\x01",                             // the guard before a proxy
		"\x01\x00\x00\x00\x01\x01",                                 // a proxy alone
		"\x02\x01\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01", // the guard for a path
		"\x02\x01\x00\x05\x02\x01\x00\x00\x00\x00\x00\x00\x02\x00\x01",
		"\x03\x02\x01\x03\x01\x01\x00\x00\x01\x01\x04\x07\x00\x01\x01\x02\x00\x01",
		"\x01\x00\x00\x00\x03\x03\x00\x00\x01", "\x01\x00\x00\x00\x02\x06\x01\x00\x00\x00\x02\x00\x01\x02\x01", "\x01\x00\x00\x00\x02\x07\x00\x01\x01\x00\x00\x00\x02\x00\x01",
	} {
		f.Add([]byte(program), "")
	}
	for _, text := range []string{
		`{"servers":{"s":{"listen":[":80"],"routes":[{"handle":[{"handler":"invoke","name":"a"}]}],"named_routes":{"a":{"handle":[{"handler":"invoke","name":"a"},{"handler":"invoke","name":"a"}]}}}}}`,
		`{"servers":{"s":{"listen":[":80"],"routes":[{"handle":[{"handler":"invoke","name":"a"},{"handler":"invoke","name":"a"}]}],"named_routes":{` +
			`"a":{"handle":[{"handler":"invoke","name":"b"},{"handler":"invoke","name":"b"}]},"b":{"handle":[{"handler":"invoke","name":"a"},{"handler":"api_guard"}]}}}}}`,
		`{"servers":{"s":{"listen":[":80"],"routes":[{"match":[{"host":null,"path":["*"],"not":[{}]}],"handle":[null,{},{"handler":7},{"handler":"reverse_proxy","handle_response":[{"routes":[{}]}]}]}],"errors":{}}}}`,
		`{"servers":{"s":null}}`, `{"servers":{"s":{"listen":["bad"],"named_routes":{"a":null},"routes":[{"handle":[{"handler":"subroute","errors":null,"routes":null}]}],"errors":null}}}`,
		`{"servers":{"s":{"listen":[":80"],"listener_wrappers":[{"wrapper":"x"},{}],"routes":[{"group":"g","terminal":true,"handle":[{"handler":"rewrite","uri":"{http.request.uri}"},{"handler":"file_server"}]}]}}}`,
	} {
		f.Add([]byte{}, text)
	}
	f.Fuzz(func(t *testing.T, program []byte, text string) {
		if len(program) > 256 || len(text) > 4096 {
			return
		}
		proveText(t, text)
		if len(program) > 0 {
			simulate(t, program)
		}
	})
}

func proveText(t *testing.T, text string) {
	servers, err := coverage.Servers(json.RawMessage(text))
	if err != nil {
		return
	}
	entries := proveFor(servers)
	again, _ := coverage.Servers(json.RawMessage(text))
	if second := proveFor(again); !reflect.DeepEqual(entries, second) {
		t.Fatalf("the second proof says something else: %v, then %v", entries, second)
	}
	for _, e := range entries {
		if e.Status == "" || e.Why == "" {
			t.Fatalf("an entry without a status or a reason: %+v", e)
		}
		if e.Status == coverage.Guarded && !strings.Contains(text, "guard") && !strings.Contains(text, `\u`) {
			t.Fatalf("guarded by nothing: %+v", e)
		}
	}
}

var fuzzedHosts = []string{"api.example.com", "beta.example.com"}

func proveFor(servers []coverage.Server) []coverage.Entry {
	return coverage.Prove(servers, coverage.Catalogue{Hosts: fuzzedHosts, Declares: func(h string) bool { return slices.Contains(fuzzedHosts, h) }})
}

// quiet is a context in which handlers log nothing.
var quiet = sync.OnceValue(func() caddy.Context {
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output":"discard"}`), Level: "ERROR"}}}},
	})
	if err != nil {
		panic(err)
	}
	return ctx
})

// simulate sends requests through the routes of a program and holds what gets to its
// backends against the proof.
func simulate(t *testing.T, program []byte) {
	ctx, cancel := caddy.NewContext(quiet())
	defer cancel()
	read := coverage.Server{Name: "s", Server: new(caddyhttp.Server)}
	if err := json.Unmarshal((&routeMaker{t: t, left: program}).server(), read.Server); err != nil {
		t.Fatal(err)
	}
	maker := &routeMaker{t: t, left: program, ctx: &ctx}
	running := new(caddyhttp.Server)
	if err := json.Unmarshal(maker.server(), running); err != nil {
		t.Fatal(err)
	}
	if !maker.load(running) {
		return // Caddy does not take it
	}
	entries := proveFor([]coverage.Server{read})

	for _, host := range []string{"beta.example.com", "api.example.com", "new.example.com", "other.test"} {
		said := map[string]coverage.Entry{} // by route, the worst
		for _, e := range entries {
			if e.Host == walkedAs(host, entries) && (e.Open || said[e.Route].Route == "") {
				said[e.Route] = e
			}
		}
		for _, path := range []string{"/", "/v1", "/v1/orders", "/v2/x.json", "/old/v1/orders"} {
			for _, method := range []string{"GET", "POST"} {
				for _, variant := range []int{0, 1, 2, 3} { // with a header field, refused
					v := &visit{refuse: variant&1 == 1, method: method, host: host, path: path}
					r := httptest.NewRequest(method, "http://"+host+path, nil)
					if variant&2 == 2 {
						r.Header.Set("X-A", "1")
					}
					v.walk(running, r)
					for _, reached := range v.backends {
						e, known := said[reached.route]
						if !known {
							t.Fatalf("%s %s%s gets to %s, of which the proof says nothing:\n%s\n%s", method, host, path, reached.route, maker.text, text(entries))
						}
						if !e.Open && !reached.judged && !strings.HasPrefix(reached.path, "/fixed") {
							t.Fatalf("%s %s%s (refused: %v) gets to %s as %s, and the proof says %s: %s\n%s", method, host, path, v.refuse, reached.route, reached.path, e.Status, e.Why, maker.text)
						}
					}
				}
			}
		}
	}
}

// walkedAs is the host of the entries that speak for a request.
func walkedAs(host string, entries []coverage.Entry) string {
	for _, as := range []string{host, "*" + host[strings.IndexByte(host, '.'):]} {
		if slices.ContainsFunc(entries, func(e coverage.Entry) bool { return e.Host == as }) {
			return as
		}
	}
	return coverage.OtherHosts
}

// Named routes that each invoke the next one twice are more than anybody can follow:
// the proof ends, and says where it did.
func TestRoutesThatAreTooManyToFollowAreTold(t *testing.T) {
	named := map[string]any{}
	for i := range 40 {
		next := map[string]any{"handler": "invoke", "name": fmt.Sprint(i + 1)}
		named[fmt.Sprint(i)] = map[string]any{"handle": []any{next, next}}
	}
	named["20"] = map[string]any{"handle": []any{map[string]any{"handler": "vars"}}}
	config, err := json.Marshal(map[string]any{"servers": map[string]any{"s": map[string]any{
		"listen": []string{":80"}, "routes": []any{map[string]any{"handle": []any{map[string]any{"handler": "invoke", "name": "0"}}}}, "named_routes": named,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	servers, err := coverage.Servers(config)
	if err != nil {
		t.Fatal(err)
	}
	entries := coverage.Prove(servers, coverage.Catalogue{})
	if len(entries) == 0 || !slices.ContainsFunc(entries, func(e coverage.Entry) bool {
		return e.Status == coverage.Opaque && e.Open && strings.Contains(e.Why, "more than are looked at")
	}) {
		t.Errorf("the proof says %s", text(entries))
	}
}

// visit is a request under way.
type visit struct {
	refuse             bool // what the guard does
	method, host, path string
	judged             []judgement
	backends           []backend
}

type judgement struct{ method, host, path string }

type backend struct {
	route, path string
	judged      bool
}

type visitKey struct{}

func (v *visit) walk(s *caddyhttp.Server, r *http.Request) {
	w := httptest.NewRecorder()
	r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, s)
	end := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	if err := s.Routes.Compile(end).ServeHTTP(w, r); err != nil && s.Errors != nil {
		r = s.Errors.WithError(r, err)
		_ = s.Errors.Routes.Compile(end).ServeHTTP(w, r)
	}
}

// guardMark stands for the guard: it judges the client's own target or another one.
type guardMark struct{}

func (guardMark) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	v := r.Context().Value(visitKey{}).(*visit)
	if v.refuse {
		return caddyhttp.Error(http.StatusForbidden, errors.New("refused"))
	}
	v.judged = append(v.judged, judgement{r.Method, r.Host, r.URL.Path})
	return next.ServeHTTP(w, r)
}

// backendMark stands for a proxy.
type backendMark struct{ route string }

func (b backendMark) ServeHTTP(_ http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	v := r.Context().Value(visitKey{}).(*visit)
	v.backends = append(v.backends, backend{b.route, r.URL.Path, slices.ContainsFunc(v.judged, func(j judgement) bool {
		// A prefix or suffix may come or go: it is still the one that was judged.
		own := j == judgement{v.method, v.host, v.path}
		return own && r.Method == j.method && r.Host == j.host && (strings.Contains(r.URL.Path, j.path) || strings.Contains(j.path, r.URL.Path))
	})})
	return nil
}

// routeMaker makes a program into a server. With a context the guard and the proxies
// are left out of the JSON, and put in by load.
type routeMaker struct {
	t     *testing.T
	left  []byte
	ctx   *caddy.Context
	depth int
	text  string

	refused bool
}

func (m *routeMaker) next(n int) int {
	if len(m.left) == 0 {
		return 0
	}
	b := int(m.left[0])
	m.left = m.left[1:]
	return b % n
}

func (m *routeMaker) server() []byte {
	s := map[string]any{"listen": []string{":80"}, "routes": m.routes()}
	if m.next(3) == 1 {
		s["errors"] = map[string]any{"routes": m.routes()}
	}
	named := map[string]any{}
	for _, name := range []string{"a", "b"} {
		m.depth = 2 // they end somewhere
		named[name] = m.route(name == "b")
	}
	s["named_routes"] = named
	b, err := json.Marshal(s)
	if err != nil {
		m.t.Fatal(err)
	}
	m.text = string(b)
	return b
}

func (m *routeMaker) routes() []any {
	m.depth++
	defer func() { m.depth-- }()
	list := []any{}
	for range m.next(4) {
		list = append(list, m.route(m.depth < 3))
	}
	return list
}

func (m *routeMaker) route(invokes bool) map[string]any {
	route := map[string]any{}
	if sets := m.sets(m.next(3), 0); len(sets) > 0 {
		route["match"] = sets
	}
	if g := m.next(4); g > 1 {
		route["group"] = []string{"", "", "g", "h"}[g]
	}
	if m.next(4) == 1 {
		route["terminal"] = true
	}
	handlers := []any{}
	for range m.next(4) {
		handlers = append(handlers, m.handler(invokes))
	}
	route["handle"] = handlers
	return route
}

func (m *routeMaker) sets(n, depth int) []any {
	var sets []any
	for range n {
		set := map[string]any{}
		for range 1 + m.next(2) {
			switch m.next(7) {
			case 0, 1:
				set["path"] = m.some("/v1/*", "/v1", "/v2/*", "/V1/orders", "*", "/v1/orders/*", "*.json", "/v1*")
			case 2:
				set["method"] = m.some("GET", "POST", "get")
			case 3, 4:
				set["host"] = m.some("beta.example.com", "*.example.com", "api.example.com", "other.test", "BETA.example.com")
			case 5:
				set["header"] = map[string][]string{"X-A": {"1"}}
			default:
				if depth < 2 {
					set["not"] = m.sets(1+m.next(2), depth+1)
				}
			}
		}
		sets = append(sets, set)
	}
	return sets
}

func (m *routeMaker) some(of ...string) []string {
	list := []string{of[m.next(len(of))]}
	if m.next(3) == 1 {
		list = append(list, of[m.next(len(of))])
	}
	return list
}

func (m *routeMaker) handler(invokes bool) map[string]any {
	switch m.next(10) {
	case 0:
		return map[string]any{"handler": "api_guard"}
	case 1, 9:
		return map[string]any{"handler": "reverse_proxy", "upstreams": []any{map[string]any{"dial": "127.0.0.1:9"}}}
	case 2:
		return map[string]any{"handler": "static_response", "body": "x"}
	case 3:
		h := map[string]any{"handler": "rewrite"}
		switch m.next(6) {
		case 0:
			h["strip_path_prefix"] = "/old"
		case 1:
			h["uri"] = "/fixed"
		case 2:
			h["uri"] = "/old{http.request.uri}"
		case 3:
			h["method"] = "PUT"
		case 4:
			h["uri"] = "/q/{http.request.method}"
		default:
			h["path_regexp"] = []any{map[string]any{"find": "v1", "replace": "v9"}}
		}
		return h
	case 4:
		return map[string]any{"handler": "headers", "request": map[string]any{"set": map[string]any{[]string{"Host", "X-A", "host"}[m.next(3)]: []string{"1"}}}}
	case 5:
		return map[string]any{"handler": "error", "status_code": 404}
	case 6:
		if invokes {
			return map[string]any{"handler": "invoke", "name": []string{"a", "b"}[m.next(2)]}
		}
		return map[string]any{"handler": "vars", "x": "1"}
	default:
		if m.depth >= 3 {
			return map[string]any{"handler": "encode"}
		}
		h := map[string]any{"handler": "subroute"}
		if m.next(3) == 1 {
			h["errors"] = map[string]any{"routes": m.routes()}
		}
		h["routes"] = m.routes()
		return h
	}
}

// load loads matchers and handlers as Caddy does, with marks for guards and proxies,
// and reports whether Caddy does.
func (m *routeMaker) load(s *caddyhttp.Server) bool {
	m.loadRoutes(s.Routes, "apps.http.servers.s.routes")
	if s.Errors != nil {
		m.loadRoutes(s.Errors.Routes, "apps.http.servers.s.errors.routes")
	}
	for name, route := range s.NamedRoutes {
		list := caddyhttp.RouteList{*route}
		m.loadRoutes(list, "named_routes."+name)
		*route = list[0]
	}
	return !m.refused
}

func (m *routeMaker) loadRoutes(routes caddyhttp.RouteList, at string) {
	for i := range routes {
		route := &routes[i]
		raw := route.HandlersRaw
		route.HandlersRaw = nil
		for j, text := range raw {
			route.Handlers = append(route.Handlers, m.loadHandler(text, fmt.Sprintf("%s[%d].handle[%d]", at, i, j)))
		}
		if err := route.Provision(*m.ctx, nil); err != nil {
			m.refused = true // a host twice, say
		}
	}
}

func (m *routeMaker) loadHandler(text json.RawMessage, at string) caddyhttp.MiddlewareHandler {
	var fields map[string]json.RawMessage
	var name string
	if json.Unmarshal(text, &fields) != nil || json.Unmarshal(fields["handler"], &name) != nil {
		m.t.Fatalf("%s", text)
	}
	delete(fields, "handler")
	switch name {
	case "api_guard":
		return guardMark{}
	case "reverse_proxy":
		return backendMark{at}
	case "subroute":
		var s caddyhttp.Subroute
		if err := json.Unmarshal(text, &s); err != nil {
			m.t.Fatal(err)
		}
		m.loadRoutes(s.Routes, at+".routes")
		if s.Errors != nil {
			m.loadRoutes(s.Errors.Routes, at+".errors.routes")
		}
		return &s
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		m.t.Fatal(err)
	}
	h, err := m.ctx.LoadModuleByID("http.handlers."+name, rest)
	if err != nil {
		m.t.Fatalf("%s: %v", text, err)
	}
	return h.(caddyhttp.MiddlewareHandler)
}
