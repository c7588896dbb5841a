package policy

import "net/netip"

// proven is the client's address where it can be relied on. In early data anybody may
// bear any address, also where the rule target is in monitor and lets it pass.
func (r *Request) proven() netip.Addr {
	if r.Early {
		return netip.Addr{}
	}
	return r.Client
}

// notAdmitted is why a client is kept from what is for an audience: once the handshake
// is complete, one that was too early may belong to it.
func (r *Request) notAdmitted() Reason {
	if r.Early {
		return ReasonTooEarly
	}
	return ReasonAudienceDenied
}
