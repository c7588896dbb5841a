package policy

import (
	"net/netip"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Audience is a named group of networks, from which a version may be reached.
type Audience struct {
	Name     string         // as declared
	Networks []netip.Prefix // a client in any of them belongs to it
}

// networks are those of a version's audiences; none admit everybody.
type networks []netip.Prefix

func networksOf(audiences []Audience) networks {
	var out networks
	for _, a := range audiences {
		out = append(out, a.Networks...)
	}
	return out
}

// admit reports whether a client at addr is of the audience. One whose address is
// not known is not.
func (n networks) admit(addr netip.Addr) bool {
	if len(n) == 0 {
		return true
	}
	// An IPv4 client may come in by an IPv6 socket, and a zone is the server's.
	addr = addr.Unmap().WithZone("")
	for _, network := range n {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// tenant is a version as its host has it.
type tenant struct {
	api   *catalogue.API
	scope *scope
}

// admits reports whether a client may ask for what was matched. Where no version
// is known, because the path lies beside them or the selecting header was left out,
// it may if some version of the host, or of the API whose path it is, admits it:
// a host for an audience has no door for others. What claims several versions has
// to be admitted by all of them.
func (p *Policy) admits(m *catalogue.Match, s *scope, client netip.Addr) bool {
	if m.Version != nil || m.Host == nil {
		return s.audience.admit(client)
	}
	tenants, some, of := p.hosts[m.Host.Index].tenants, false, 0
	for i := range tenants {
		if m.API != nil && tenants[i].api != m.API {
			continue
		}
		admitted := tenants[i].scope.audience.admit(client)
		if !admitted && m.Outcome == catalogue.Ambiguous {
			return false
		}
		some = some || admitted
		of++
	}
	return some || of == 0
}

// AudienceNames are the names of a version's audiences, for people.
func AudienceNames(audiences []Audience) string {
	names := make([]string, len(audiences))
	for i := range audiences {
		names[i] = audiences[i].Name
	}
	return strings.Join(names, ", ")
}
