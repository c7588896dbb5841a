// Package coverage proves which requests of a Caddy come by the guard. It walks
// the route trees of its HTTP servers, matchers included, for every host that
// they or the catalogue name, and says of each handler that something stands
// behind whether the guard stands before it. What it cannot read it never calls
// guarded.
//
// It reads servers that run and servers that were only decoded: where Caddy has
// loaded the modules it looks at those, else it decodes them itself and
// provisions nothing.
package coverage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// GuardID is the module that must stand before what answers.
const GuardID = "http.handlers.api_guard"

// Status says whether the guard stands before a handler.
type Status string

const (
	// Guarded: every request that gets there was judged.
	Guarded Status = "guarded"
	// Partial: only some requests that get there were judged, or what gets there
	// is not what was judged.
	Partial Status = "partial"
	// NotGuarded: requests get there without being judged.
	NotGuarded Status = "not guarded"
	// Rewritten: what is judged is not the client's own target.
	Rewritten Status = "rewritten before the guard"
	// NoCatchAll: hosts that no site of the listener has get an empty 200 that
	// the guard never sees.
	NoCatchAll Status = "no catch-all"
	// NoBackend: nothing is behind it but what the configuration says itself.
	NoBackend Status = "no-backend"
	// Opaque: a module that is not known here, so nothing can be said.
	Opaque Status = "opaque"
)

// OtherHosts stands for the hosts that no site of a listener names.
const OtherHosts = "(other hosts)"

// Entry is one handler as requests for one host get to it by one listener.
type Entry struct {
	// Listener is the address, as configured.
	Listener string `json:"listener"`
	// Host is a name, a pattern such as "*.example.com", or OtherHosts.
	Host string `json:"host"`
	// Route is where the handler stands, as a path in Caddy's JSON.
	Route string `json:"route"`
	// Handler is the module without "http.handlers.", or what else gets the request;
	// empty where that is not known.
	Handler string `json:"handler"`
	// Status says whether the guard stands before it.
	Status Status `json:"status"`
	// Why says what the status rests on.
	Why string `json:"why"`
	// Catalogue says that the host is one that serves a version.
	Catalogue bool `json:"catalogue"`
	// Open says that requests of the host get by the guard, or that this cannot be
	// ruled out.
	Open bool `json:"open"`
}

// Catalogue is what is declared.
type Catalogue struct {
	// Hosts are the names and patterns that serve versions.
	Hosts []string
	// Declares reports whether a name is one of them, or belongs to one.
	Declares func(host string) bool
}

// Server is an HTTP server with its name in Caddy's configuration.
type Server struct {
	Name   string            // its key in apps.http.servers
	Server *caddyhttp.Server // provisioned: the walk reads its routes and listeners
}

// Prove walks the servers. The entries are sorted by listener, host and route.
func Prove(servers []Server, catalogue Catalogue) []Entry {
	var entries []Entry
	reached := map[string]bool{}
	for _, s := range servers {
		for _, listener := range listeners(s.Server) {
			for _, host := range hostsOf(s.Server, catalogue.Hosts) {
				w := walker{server: s.Server, listener: listener, host: host, declared: host != OtherHosts && catalogue.Declares(host)}
				w.walkServer("apps.http.servers." + s.Name)
				if len(w.entries) > 0 {
					reached[host] = true
				}
				entries = append(entries, w.entries...)
			}
		}
		entries = append(entries, wrappers(s)...)
	}
	for _, host := range catalogue.Hosts {
		if !reached[host] {
			entries = append(entries, Entry{Host: host, Status: NoBackend, Catalogue: true,
				Why: "no site of this Caddy has anything behind it for this host of the catalogue"})
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.Listener, b.Listener), strings.Compare(a.Host, b.Host))
	})
	return entries
}

// listeners are the server's addresses; one without any listens on nothing.
func listeners(s *caddyhttp.Server) []string { return s.Listen }

// hostsOf are the hosts that requests to the server are walked for: those that a
// matcher names, those of the catalogue, and all others as one.
func hostsOf(s *caddyhttp.Server, declared []string) []string {
	names := map[string]bool{}
	for _, host := range declared {
		names[strings.ToLower(host)] = true
	}
	collectHosts(s, names)
	hosts := make([]string, 0, len(names)+1)
	for name := range names {
		hosts = append(hosts, name)
	}
	slices.Sort(hosts)
	return append(hosts, OtherHosts)
}

// Open are the entries by which requests for hosts of the catalogue get by the
// guard.
func Open(entries []Entry) []Entry {
	var open []Entry
	for _, e := range entries {
		if e.Open && e.Catalogue {
			open = append(open, e)
		}
	}
	return open
}

// SortServers names servers in a fixed order.
func SortServers(servers map[string]*caddyhttp.Server) []Server {
	var list []Server
	for name, s := range servers {
		list = append(list, Server{name, s})
	}
	slices.SortFunc(list, func(a, b Server) int { return strings.Compare(a.Name, b.Name) })
	return list
}
