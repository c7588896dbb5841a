package apiguard

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/apiguard/caddy-api-guard/coverage"
)

// trace adds what the guard knows to the span that Caddy's handler `tracing` has
// made around it, as api_guard.api, .version, .operation, .verdict, .rule and
// .reason; what is empty is left out.
func (x *exchange) trace() {
	if !x.traced || x.facts == nil {
		return
	}
	span := trace.SpanFromContext(x.r.Context())
	if !span.IsRecording() {
		return
	}
	f := x.facts
	attributes := make([]attribute.KeyValue, 0, 6)
	for _, a := range [...]struct {
		key   attribute.Key
		value string
	}{
		{"api_guard.api", f.api}, {"api_guard.version", f.version}, {"api_guard.operation", f.operation},
		{"api_guard.verdict", f.verdict}, {"api_guard.rule", f.rule}, {"api_guard.reason", f.reason},
	} {
		if a.value != "" {
			attributes = append(attributes, a.key.String(a.value))
		}
	}
	span.SetAttributes(attributes...)
}

// mayBeTraced reports whether some handler of the server makes spans. It is found out
// once, at the first request, since to look for a span walks the whole context of a
// request: 150 ns that those who trace nothing need not pay.
func (h *Handler) mayBeTraced() bool {
	h.looked.Do(func() { h.traced = h.server == nil || serverTraces(h.server) })
	return h.traced
}

func serverTraces(server *caddyhttp.Server) bool {
	for _, route := range server.NamedRoutes {
		if route != nil && routesTrace(caddyhttp.RouteList{*route}) {
			return true
		}
	}
	return routesTrace(server.Routes) || server.Errors != nil && routesTrace(server.Errors.Routes)
}

// routesTrace looks for Caddy's handler for spans, and for handlers that are not
// known here: they may make spans, or hold one that does.
func routesTrace(routes caddyhttp.RouteList) bool {
	for _, route := range routes {
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *caddyhttp.Subroute:
				if routesTrace(h.Routes) || h.Errors != nil && routesTrace(h.Errors.Routes) {
					return true
				}
				continue
			case *reverseproxy.Handler:
				if responsesTrace(h.HandleResponse) {
					return true
				}
				continue
			case *intercept.Intercept:
				if responsesTrace(h.HandleResponse) {
					return true
				}
				continue
			}
			module, ok := handler.(caddy.Module)
			if !ok || module.CaddyModule().ID == "http.handlers.tracing" || !coverage.Known(string(module.CaddyModule().ID)) {
				return true
			}
		}
	}
	return false
}

func responsesTrace(list []caddyhttp.ResponseHandler) bool {
	for _, response := range list {
		if routesTrace(response.Routes) {
			return true
		}
	}
	return false
}
