package apiguard

import (
	"net"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// warnOfGaps warns of each listener that has no guarded catch-all: Caddy answers
// hosts that no site of it has with an empty 200, which no handler sees, so that
// they would be neither refused nor in the inventory.
func (app *App) warnOfGaps() {
	loaded, err := app.ctx.AppIfConfigured("http")
	if err != nil {
		return // nothing listens
	}
	http, ok := loaded.(*caddyhttp.App)
	if !ok {
		return
	}
	for name, server := range http.Servers {
		if guardsAll(server.Routes) || onlyStatic(server.Routes) {
			continue
		}
		app.logger.Warn("hosts that no site of this listener has are neither refused nor recorded: add a catch-all site with api_guard",
			zap.String("server", name), zap.Strings("listen", server.Listen), zap.Strings("add", catchAll(server)))
	}
}

// guardsAll reports whether every request that no other route ends gets to the
// guard: whether a route without matchers has it.
func guardsAll(routes caddyhttp.RouteList) bool {
	for _, route := range routes {
		if len(route.MatcherSets) > 0 {
			continue
		}
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *Handler:
				return true
			case *caddyhttp.Subroute:
				if guardsAll(h.Routes) {
					return true
				}
			}
		}
		if route.Terminal {
			return false
		}
	}
	return false
}

// onlyStatic reports whether nothing is behind the routes but answers written in
// the configuration, such as the redirects to HTTPS that Caddy makes by itself.
func onlyStatic(routes caddyhttp.RouteList) bool {
	for _, route := range routes {
		for _, handler := range route.Handlers {
			if sub, ok := handler.(*caddyhttp.Subroute); ok && onlyStatic(sub.Routes) {
				continue
			}
			module, ok := handler.(caddy.Module)
			if !ok {
				return false
			}
			switch module.CaddyModule().ID {
			case "http.handlers.static_response", "http.handlers.error", "http.handlers.headers", "http.handlers.vars":
			default:
				return false
			}
		}
	}
	return true
}

// catchAll is the site to add for each address that a server listens on.
func catchAll(server *caddyhttp.Server) []string {
	scheme := "http://"
	if len(server.TLSConnPolicies) > 0 {
		scheme = "https://"
	}
	var sites []string
	for _, address := range server.Listen {
		_, port, err := net.SplitHostPort(strings.TrimPrefix(address, "tcp/"))
		if err != nil {
			port = "" // a socket: the scheme alone
		} else {
			port = ":" + port
		}
		sites = append(sites, scheme+port+" { api_guard }")
	}
	return sites
}
