package apiguard

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	caddymap "github.com/caddyserver/caddy/v2/modules/caddyhttp/map"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	caddyrewrite "github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
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
	failing := server(guard)
	failing.Errors = &caddyhttp.HTTPErrorConfig{Routes: spans}
	again := server(guard)
	again.Errors = &caddyhttp.HTTPErrorConfig{Routes: caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.Subroute{Routes: server(guard).Routes}}}}}
	within := server(&caddyhttp.Subroute{Routes: server(guard).Routes, Errors: &caddyhttp.HTTPErrorConfig{Routes: server(guard).Routes}})
	invoked := server(guard)
	invoked.Errors = &caddyhttp.HTTPErrorConfig{Routes: server(new(caddyhttp.Invoke)).Routes}
	for name, c := range map[string]struct {
		server *caddyhttp.Server
		want   behaviour
	}{
		"nothing but a proxy":          {server(guard, new(reverseproxy.Handler), new(headers.Handler)), behaviour{}},
		"a subroute without":           {server(&caddyhttp.Subroute{Routes: caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{guard}}}}), behaviour{}},
		"tracing":                      {server(new(tracing.Tracing), guard), behaviour{traces: true}},
		"tracing in a subroute":        {nested, behaviour{traces: true}},
		"tracing in a named route":     {named, behaviour{traces: true}},
		"tracing in error routes":      {failing, behaviour{traces: true}},
		"tracing on a proxy's answers": {server(guard, &reverseproxy.Handler{HandleResponse: []caddyhttp.ResponseHandler{{Routes: spans}}}), behaviour{traces: true}},
		"authentication":               {server(new(caddyauth.Authentication), guard), behaviour{names: true}},
		"authentication behind it":     {server(guard, new(caddyauth.Authentication)), behaviour{names: true}},
		"a map":                        {server(new(caddymap.Handler), guard), behaviour{names: true}},
		"both":                         {server(new(caddyauth.Authentication), new(tracing.Tracing), guard), behaviour{traces: true, names: true}},
		"a rewrite":                    {server(new(caddyrewrite.Rewrite), guard), behaviour{rewrites: true}},
		"a guard in error routes":      {again, behaviour{again: true}},
		"one in those of a subroute":   {within, behaviour{again: true}},
		"one that is invoked there":    {invoked, behaviour{again: true}},
		"a handler that is not known":  {server(caddyhttp.MiddlewareHandler(stranger{}), guard), everything},
		"no server":                    {nil, everything},
	} {
		if got := (&Handler{server: c.server}).behaviour(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// stranger is a handler of a plugin.
type stranger struct{}

func (stranger) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { return nil }
