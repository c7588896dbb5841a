package main

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Naive is the rival that one writes in an hour: openapi3filter with gorillamux, as
// their documentation shows it, in a handler of Caddy's.
type Naive struct {
	Spec   string `json:"spec"`
	router routers.Router
}

func init() {
	caddy.RegisterModule(new(Naive))
	httpcaddyfile.RegisterHandlerDirective("bench_naive", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		n := new(Naive)
		return n, n.UnmarshalCaddyfile(h.Dispenser)
	})
}

// CaddyModule returns the Caddy module information.
func (*Naive) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_naive", New: func() caddy.Module { return new(Naive) }}
}

// UnmarshalCaddyfile reads `bench_naive FILE`.
func (n *Naive) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&n.Spec) {
		return d.ArgErr()
	}
	return nil
}

// Provision reads the document.
func (n *Naive) Provision(caddy.Context) error {
	doc, err := openapi3.NewLoader().LoadFromFile(n.Spec)
	if err != nil {
		return err
	}
	n.router, err = gorillamux.NewRouter(doc)
	return err
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (n *Naive) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	route, params, err := n.router.FindRoute(r)
	if err != nil {
		return caddyhttp.Error(http.StatusNotFound, err)
	}
	err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route})
	if err != nil {
		return caddyhttp.Error(http.StatusBadRequest, err)
	}
	return next.ServeHTTP(w, r)
}

var _ caddyhttp.MiddlewareHandler = (*Naive)(nil)
