package apiguard

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	caddymap "github.com/caddyserver/caddy/v2/modules/caddyhttp/map"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	caddyrewrite "github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/templates"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/tracing"
)

func TestSpansAndUsersAreLookedForWhereSomethingMayMakeThem(t *testing.T) {
	server := func(handlers ...caddyhttp.MiddlewareHandler) *caddyhttp.Server {
		return &caddyhttp.Server{Routes: caddyhttp.RouteList{{Handlers: handlers}}}
	}
	spans := caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{new(tracing.Tracing)}}}
	guard := new(Handler)
	nested := server(&caddyhttp.Subroute{Routes: spans}, guard)
	named := server(guard)
	named.NamedRoutes = map[string]*caddyhttp.Route{"traced": &spans[0]}
	holding := server(caddyhttp.MiddlewareHandler(stranger{}))
	holding.NamedRoutes = map[string]*caddyhttp.Route{"guarded": {Handlers: []caddyhttp.MiddlewareHandler{guard}}}
	traced := behaviour{traces: true, identifies: true}
	field := func(name, value string) caddyhttp.MiddlewareHandler {
		return &headers.Handler{Response: &headers.RespHeaderOps{HeaderOps: &headers.HeaderOps{Set: http.Header{name: {value}}}}}
	}
	failing := server(guard)
	failing.Errors = &caddyhttp.HTTPErrorConfig{Routes: spans}
	again := server(guard)
	again.Errors = &caddyhttp.HTTPErrorConfig{Routes: caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.Subroute{Routes: server(guard).Routes}}}}}
	within := server(&caddyhttp.Subroute{Routes: server(guard).Routes, Errors: &caddyhttp.HTTPErrorConfig{Routes: server(guard).Routes}})
	invoked := server(guard)
	invoked.Errors = &caddyhttp.HTTPErrorConfig{Routes: server(new(caddyhttp.Invoke)).Routes}
	intercepting := &intercept.Intercept{HandleResponse: []caddyhttp.ResponseHandler{{Routes: server(new(reverseproxy.Handler)).Routes}}}
	rejoining := &intercept.Intercept{HandleResponse: []caddyhttp.ResponseHandler{{Routes: server(new(Handler)).Routes}}}
	both := everything
	both.intercepts = true
	whole := &reverseproxy.Handler{HandleResponse: []caddyhttp.ResponseHandler{{Routes: spans}}}
	for name, c := range map[string]struct {
		server      *caddyhttp.Server
		all, before behaviour
	}{
		"nothing but a proxy":                 {server: server(guard, new(reverseproxy.Handler), new(headers.Handler))},
		"a subroute without":                  {server: server(&caddyhttp.Subroute{Routes: caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{guard}}}})},
		"tracing":                             {server(new(tracing.Tracing), guard), traced, traced},
		"tracing behind it":                   {server(guard, new(tracing.Tracing)), traced, behaviour{}},
		"tracing in a subroute":               {nested, traced, traced},
		"tracing in a named route":            {named, traced, traced},
		"tracing in error routes":             {failing, traced, behaviour{}},
		"tracing on a proxy's answers":        {server(guard, whole), traced, behaviour{}},
		"authentication":                      {server(new(caddyauth.Authentication), guard), behaviour{names: true}, behaviour{names: true}},
		"authentication behind it":            {server(guard, new(caddyauth.Authentication)), behaviour{names: true}, behaviour{}},
		"a map":                               {server(new(caddymap.Handler), guard), behaviour{names: true, identifies: true}, behaviour{names: true, identifies: true}},
		"both":                                {server(new(caddyauth.Authentication), new(tracing.Tracing), guard), behaviour{traces: true, names: true, identifies: true}, behaviour{traces: true, names: true, identifies: true}},
		"an intercept with routes":            {server(intercepting, guard), behaviour{identifies: true, intercepts: true}, behaviour{identifies: true, intercepts: true}},
		"one behind it that has some":         {server(guard, intercepting), behaviour{identifies: true, intercepts: true}, behaviour{}},
		"one and a handler that is not known": {server(intercepting, caddyhttp.MiddlewareHandler(stranger{}), guard), both, both},
		"one with a guard in them":            {server(rejoining, guard), behaviour{identifies: true, intercepts: true, again: true, nests: true}, behaviour{identifies: true, intercepts: true, again: true, nests: true}},
		"one that only changes the status":    {server(new(intercept.Intercept), guard), behaviour{identifies: true}, behaviour{identifies: true}},
		"a rewrite":                           {server(new(caddyrewrite.Rewrite), guard), behaviour{rewrites: true}, behaviour{rewrites: true}},
		"a guard in error routes":             {again, behaviour{again: true}, behaviour{}},
		"one in those of a subroute":          {within, behaviour{again: true}, behaviour{}},
		"one that is invoked there":           {invoked, behaviour{again: true, nests: true}, behaviour{}},
		"another guard behind it":             {server(guard, new(Handler)), behaviour{nests: true}, behaviour{}},
		"another around its subroute":         {server(new(Handler), &caddyhttp.Subroute{Routes: server(guard).Routes}), behaviour{nests: true}, behaviour{nests: true}},
		"one that a route may have twice":     {server(new(caddyhttp.Invoke), guard), behaviour{nests: true}, behaviour{nests: true}},
		"another on intercepted answers":      {server(guard, &intercept.Intercept{HandleResponse: []caddyhttp.ResponseHandler{{Routes: server(new(Handler)).Routes}}}), behaviour{again: true, identifies: true, intercepts: true, nests: true}, behaviour{}},
		"a handler that is not known":         {server(caddyhttp.MiddlewareHandler(stranger{}), guard), everything, everything},
		"one behind it":                       {server(guard, caddyhttp.MiddlewareHandler(stranger{})), everything, behaviour{}},
		"one that holds it":                   {server(caddyhttp.MiddlewareHandler(stranger{})), everything, everything},
		"it is in a named route":              {holding, everything, everything},
		"a field with the UUID":               {server(field("Set-Cookie", "id={http.request.uuid}"), guard), behaviour{identifies: true}, behaviour{identifies: true}},
		"one behind it with it":               {server(guard, field("X-Id", "{http.request.uuid}")), behaviour{identifies: true}, behaviour{}},
		"a field without":                     {server(field("X-Id", "{http.request.host}"), guard), behaviour{}, behaviour{}},
		"a page that is a template":           {server(new(templates.Templates), guard), behaviour{identifies: true}, behaviour{identifies: true}},
	} {
		if all, before := behavioursOf(c.server, guard); all != c.all || before != c.before {
			t.Errorf("%s: %+v, before it %+v, want %+v and %+v", name, all, before, c.all, c.before)
		}
	}
	nowhere := new(Handler)
	if nowhere.look(); nowhere.others != everything || nowhere.before != everything {
		t.Errorf("outside of a server: %+v, before it %+v", nowhere.others, nowhere.before)
	}
}

// A change of an answer's header depends on the UUID wherever it is mentioned.
func TestTheUUIDIsFoundInWhateverChangesAHeader(t *testing.T) {
	const id, other = "a{http.request.uuid}", "{http.request.host}"
	for name, c := range map[string]struct {
		ops  *headers.HeaderOps
		want bool
	}{
		"nothing":           {nil, false},
		"another value":     {&headers.HeaderOps{Add: http.Header{"A": {other}}, Set: http.Header{"B": {other}}, Delete: []string{"C"}, Replace: map[string][]headers.Replacement{"D": {{Search: "e", SearchRegexp: "f", Replace: other}}}}, false},
		"an added value":    {&headers.HeaderOps{Add: http.Header{"A": {other, id}}}, true},
		"a value that is":   {&headers.HeaderOps{Set: http.Header{"A": {id}}}, true},
		"a name":            {&headers.HeaderOps{Set: http.Header{id: {"a"}}}, true},
		"a name to delete":  {&headers.HeaderOps{Delete: []string{"A", id}}, true},
		"a text to look":    {&headers.HeaderOps{Replace: map[string][]headers.Replacement{"A": {{Search: id}}}}, true},
		"an expression":     {&headers.HeaderOps{Replace: map[string][]headers.Replacement{"A": {{SearchRegexp: id}}}}, true},
		"what replaces it":  {&headers.HeaderOps{Replace: map[string][]headers.Replacement{"A": {{Search: "a"}, {Replace: id}}}}, true},
		"where it replaces": {&headers.HeaderOps{Replace: map[string][]headers.Replacement{id: {{Search: "a"}}}}, true},
	} {
		if got := mentionsUUID(c.ops); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// stranger is a handler of a plugin.
type stranger struct{}

func (stranger) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { return nil }
