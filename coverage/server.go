package coverage

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// each calls f with every route of a server.
func each(s *caddyhttp.Server, f func(*caddyhttp.Route)) {
	eachOf(s.Routes, f, 0)
	if s.Errors != nil {
		eachOf(s.Errors.Routes, f, 0)
	}
	for _, route := range s.NamedRoutes {
		eachOf(caddyhttp.RouteList{*route}, f, 0)
	}
}

func eachOf(routes caddyhttp.RouteList, f func(*caddyhttp.Route), depth int) {
	if depth > maxDepth {
		return
	}
	for i := range routes {
		f(&routes[i])
		for _, h := range handlers(&routes[i]) {
			for _, list := range nested(h.value) {
				eachOf(list, f, depth+1)
			}
		}
	}
}

// nested are the route lists within a handler.
func nested(value any) []caddyhttp.RouteList {
	var lists []caddyhttp.RouteList
	responses := func(all []caddyhttp.ResponseHandler) {
		for i := range all {
			lists = append(lists, all[i].Routes)
		}
	}
	switch h := value.(type) {
	case *caddyhttp.Subroute:
		lists = append(lists, h.Routes)
		if h.Errors != nil {
			lists = append(lists, h.Errors.Routes)
		}
	case *reverseproxy.Handler:
		responses(h.HandleResponse)
	case *intercept.Intercept:
		responses(h.HandleResponse)
	}
	return lists
}

// collectHosts adds the names and patterns of the server's matchers, in lower
// case.
func collectHosts(s *caddyhttp.Server, names map[string]bool) {
	var collect func(sets [][]module)
	collect = func(sets [][]module) {
		for _, set := range sets {
			for i := range set {
				m := &set[i]
				switch m.id {
				case "http.matchers.host":
					for _, name := range m.hosts() {
						if name != "" && !strings.Contains(name, "{") {
							names[name] = true
						}
					}
				case "http.matchers.not":
					if inner, ok := notOf(m); ok {
						collect(inner)
					}
				}
			}
		}
	}
	each(s, func(route *caddyhttp.Route) { collect(matchers(route.MatcherSets, route.MatcherSetsRaw)) })
}

// onlyStatic reports whether nothing is behind the routes but answers written in
// the configuration, such as the redirects to HTTPS that Caddy makes by itself.
func onlyStatic(routes caddyhttp.RouteList, s *caddyhttp.Server) bool {
	return onlyStaticIn(routes, s, map[string]bool{})
}

// onlyStaticIn is onlyStatic, named routes that were looked at aside.
func onlyStaticIn(routes caddyhttp.RouteList, s *caddyhttp.Server, invoked map[string]bool) bool {
	static := true
	eachOf(routes, func(route *caddyhttp.Route) {
		for _, h := range handlers(route) {
			switch {
			case h.id == "http.handlers.invoke":
				invoke, ok := h.value.(*caddyhttp.Invoke)
				switch {
				case !ok || s.NamedRoutes[invoke.Name] == nil:
					static = false
				case !invoked[invoke.Name]:
					invoked[invoke.Name] = true
					static = onlyStaticIn(caddyhttp.RouteList{*s.NamedRoutes[invoke.Name]}, s, invoked) && static
				}
			case h.id == "http.handlers.subroute", h.id == "http.handlers.headers", h.id == "http.handlers.rewrite",
				passing[h.id], answering[h.id] != "", h.id == "http.handlers.acme_server":
			default:
				static = false
			}
		}
	}, 0)
	return static
}

// catchAll is the site to add for an address that a server listens on.
func catchAll(s *caddyhttp.Server, listener string) string {
	address, err := caddy.ParseNetworkAddress(listener)
	if err != nil || address.IsUnixNetwork() {
		return "http:// { api_guard }" // a socket: the scheme alone
	}
	scheme := "http"
	if len(s.TLSConnPolicies) > 0 || address.StartPort == caddyhttp.DefaultHTTPSPort {
		scheme = "https"
	}
	return fmt.Sprintf("%s://:%d { api_guard }", scheme, address.StartPort)
}

// knownWrappers are the listener wrappers that pass each connection on to HTTP.
var knownWrappers = map[string]bool{
	"caddy.listeners.tls": true, "caddy.listeners.http_redirect": true, "caddy.listeners.proxy_protocol": true,
}

// wrappers reports listener wrappers that may take connections before HTTP does.
func wrappers(s Server) []Entry {
	var ids []string
	for _, raw := range s.Server.ListenerWrappersRaw {
		name, _ := inline(raw, "wrapper")
		ids = append(ids, "caddy.listeners."+name)
	}
	if len(ids) == 0 {
		ids = loadedWrappers(s.Server)
	}
	var entries []Entry
	for _, id := range ids {
		if knownWrappers[id] {
			continue
		}
		for _, listener := range listeners(s.Server) {
			entries = append(entries, Entry{Listener: listener, Host: OtherHosts, Route: "apps.http.servers." + s.Name + ".listener_wrappers",
				Handler: id[strings.LastIndexByte(id, '.')+1:], Status: Opaque, Open: true,
				Why: "this listener wrapper is not known here: it may take connections before HTTP does"})
		}
	}
	return entries
}

// loadedWrappers are the IDs of a provisioned server's wrappers. Caddy has loaded
// the option by then and emptied its exported field, so the loaded one is looked
// at, by type.
func loadedWrappers(s *caddyhttp.Server) []string {
	field := reflect.ValueOf(s).Elem().FieldByName("listenerWrappers")
	if !field.IsValid() || field.Kind() != reflect.Slice {
		return nil
	}
	var ids []string
	for i := range field.Len() {
		wrapper := field.Index(i).Elem()
		if !wrapper.IsValid() {
			continue
		}
		id := wrapper.Type().String()
		for _, info := range caddy.GetModules("caddy.listeners") {
			if reflect.TypeOf(info.New()) == wrapper.Type() || reflect.TypeOf(info.New()).Kind() == reflect.Pointer && reflect.TypeOf(info.New()).Elem() == wrapper.Type() {
				id = string(info.ID)
			}
		}
		if id == "caddyhttp.tlsPlaceholderWrapper" || id == "*caddyhttp.tlsPlaceholderWrapper" {
			id = "caddy.listeners.tls"
		}
		ids = append(ids, id)
	}
	return ids
}

// knownApps are Caddy's own apps, none of which but http passes requests on.
var knownApps = map[string]bool{
	"http": true, "tls": true, "pki": true, "events": true, "caddy.filesystems": true, "api_guard": true,
}

// Apps reports configured apps that may listen by themselves.
func Apps(names []string) []Entry {
	var entries []Entry
	for _, name := range names {
		if !knownApps[name] {
			entries = append(entries, Entry{Listener: "apps." + name, Host: OtherHosts, Route: "apps." + name, Handler: name, Status: Opaque, Open: true,
				Why: "this app is not known here: what it listens on and where it passes requests is not looked at"})
		}
	}
	return entries
}

// Servers reads the HTTP servers of an adapted configuration without provisioning
// anything.
func Servers(raw json.RawMessage) ([]Server, error) {
	var app struct {
		Servers map[string]*caddyhttp.Server `json:"servers"`
	}
	if len(raw) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &app); err != nil {
		return nil, err
	}
	for name, s := range app.Servers {
		if s == nil {
			return nil, fmt.Errorf("apps.http.servers.%s is null: write an object, or leave it out", name)
		}
		for route, r := range s.NamedRoutes {
			if r == nil {
				return nil, fmt.Errorf("apps.http.servers.%s.named_routes.%s is null: write an object, or leave it out", name, route)
			}
		}
	}
	return SortServers(app.Servers), nil
}
