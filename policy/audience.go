package policy

import (
	"net/netip"
	"strings"
)

// Audience is a named group of networks, from which a version may be reached.
type Audience struct {
	Name     string
	Networks []netip.Prefix
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

// AudienceNames are the names of a version's audiences, for people.
func AudienceNames(audiences []Audience) string {
	names := make([]string, len(audiences))
	for i := range audiences {
		names[i] = audiences[i].Name
	}
	return strings.Join(names, ", ")
}
