package apiguard

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/apiguard/caddy-api-guard/coverage"
)

// behaviour is what handlers of a server may do that a request would have to be asked
// about: to look for it costs some 100 ns, which those who have no such handler need
// not pay. It is found out once, at the first request.
type behaviour struct {
	traces bool // makes spans
	names  bool // says who the user is, in userPlaceholder
	// changes targets, maybe before the guard
	rewrites bool
	// has a guard in its error routes
	again bool
}

// everything is what handlers may do of which nothing is known.
var everything = behaviour{traces: true, names: true, rewrites: true, again: true}

func (h *Handler) behaviour() behaviour {
	h.looked.Do(func() {
		h.others = everything
		if h.server != nil {
			h.others = behaviourOf(h.server)
		}
	})
	return h.others
}

func behaviourOf(server *caddyhttp.Server) (b behaviour) {
	for _, route := range server.NamedRoutes {
		if route != nil {
			b.add(caddyhttp.RouteList{*route}, false)
		}
	}
	b.add(server.Routes, false)
	if server.Errors != nil {
		b.add(server.Errors.Routes, true)
	}
	return b
}

// add looks for the handlers that do, and for such as are not known here: they may,
// or hold one that does. failed says that they are error routes.
func (b *behaviour) add(routes caddyhttp.RouteList, failed bool) {
	for _, route := range routes {
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *caddyhttp.Subroute:
				b.add(h.Routes, failed)
				if h.Errors != nil {
					b.add(h.Errors.Routes, true)
				}
				continue
			case *reverseproxy.Handler:
				b.addResponses(h.HandleResponse, failed)
				continue
			case *intercept.Intercept:
				b.addResponses(h.HandleResponse, failed)
				continue
			}
			id := ""
			if module, ok := handler.(caddy.Module); ok {
				id = string(module.CaddyModule().ID)
			}
			switch {
			case !coverage.Known(id):
				*b = everything
			case id == "http.handlers.tracing":
				b.traces = true
			case id == "http.handlers.authentication", id == "http.handlers.map":
				b.names = true // map can set any placeholder
			case id == "http.handlers.rewrite":
				b.rewrites = true
			case id == coverage.GuardID, id == "http.handlers.invoke": // of a named route, that may have one
				b.again = b.again || failed
			}
		}
	}
}

func (b *behaviour) addResponses(list []caddyhttp.ResponseHandler, failed bool) {
	for _, response := range list {
		b.add(response.Routes, failed)
	}
}
