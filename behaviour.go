package apiguard

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
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
	// has a guard in its error routes, or in those on an answer that is intercepted
	again bool
	// asks for requestUUID when the guard has refused a request
	identifies bool
	// has routes that go on with a request whose answer is intercepted
	intercepts bool
	// has another guard, or may have this one twice
	nests bool
}

// everything is what handlers may do of which nothing is known. To intercept answers is
// Caddy's own handler's.
var everything = behaviour{traces: true, names: true, rewrites: true, again: true, identifies: true, nests: true}

// look finds out what the handlers of the guard's server may do.
func (h *Handler) look() {
	h.looked.Do(func() {
		h.others, h.before = everything, everything
		if h.server != nil {
			h.others, h.before = behavioursOf(h.server, h)
		}
	})
}

// behavioursOf are what all handlers of a server may do, and what those may that can
// stand before a guard: whatever comes behind it does not get what it refuses. Of named
// routes it is not known where they are invoked, nor of what holds the guard in routes
// that are not known.
func behavioursOf(server *caddyhttp.Server, guard *Handler) (all, before behaviour) {
	b := behaviours{guard: guard}
	for _, route := range server.NamedRoutes {
		if route != nil {
			b.add(caddyhttp.RouteList{*route}, false)
		}
	}
	b.met = false
	b.add(server.Routes, false)
	if server.Errors != nil {
		b.add(server.Errors.Routes, true)
	}
	if !b.met {
		b.before = b.all
	}
	return b.all, b.before
}

// behaviours are what the handlers may do that were looked at, in their order.
type behaviours struct {
	guard       *Handler
	all, before behaviour
	met         bool // the guard
}

// add looks for the handlers that do, and for such as are not known here: they may,
// or hold one that does. failed says that they are error routes.
func (b *behaviours) add(routes caddyhttp.RouteList, failed bool) {
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
				b.all.identifies = true
				b.all.intercepts = b.all.intercepts || slices.ContainsFunc(h.HandleResponse, func(r caddyhttp.ResponseHandler) bool { return len(r.Routes) > 0 })
				b.addResponses(h.HandleResponse, true)
				continue
			case *headers.Handler:
				b.all.identifies = b.all.identifies || h.Response != nil && mentionsUUID(h.Response.HeaderOps)
				continue
			case *Handler:
				if h == b.guard {
					b.before, b.met = b.all, true
				} else {
					b.all.nests = true
				}
			}
			id := ""
			if module, ok := handler.(caddy.Module); ok {
				id = string(module.CaddyModule().ID)
			}
			b.all.add(id, failed)
		}
	}
}

func (b *behaviours) addResponses(list []caddyhttp.ResponseHandler, failed bool) {
	for _, response := range list {
		b.add(response.Routes, failed)
	}
}

// add takes in a handler of which no more than its ID is looked at.
func (b *behaviour) add(id string, failed bool) {
	switch {
	case !coverage.Known(id):
		intercepts := b.intercepts
		*b = everything
		b.intercepts = intercepts
	case id == "http.handlers.tracing":
		b.traces, b.identifies = true, true
	case id == "http.handlers.authentication":
		b.names = true
	case id == "http.handlers.map":
		b.names, b.identifies = true, true // it can set any placeholder, by any other, when that is asked for
	case id == "http.handlers.templates", id == "http.handlers.push":
		b.identifies = true
	case id == "http.handlers.rewrite":
		b.rewrites = true
	case id == coverage.GuardID:
		b.again = b.again || failed
	case id == "http.handlers.invoke": // of a named route, that may have one
		b.again, b.nests = b.again || failed, true
	}
}

// mentionsUUID reports whether what is done to the header of an answer depends on
// requestUUID.
func mentionsUUID(ops *headers.HeaderOps) bool {
	if ops == nil {
		return false
	}
	mentions := func(text string) bool { return strings.Contains(text, requestUUID) }
	for _, fields := range [...]http.Header{ops.Add, ops.Set} {
		for name, values := range fields {
			if mentions(name) || slices.ContainsFunc(values, mentions) {
				return true
			}
		}
	}
	for name, replacements := range ops.Replace {
		if mentions(name) || slices.ContainsFunc(replacements, func(r headers.Replacement) bool {
			return mentions(r.Search) || mentions(r.SearchRegexp) || mentions(r.Replace)
		}) {
			return true
		}
	}
	return slices.ContainsFunc(ops.Delete, mentions)
}
