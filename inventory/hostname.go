package inventory

import (
	"net/netip"
	"strings"
)

// Hosts that stand for many.
const (
	hostInvalid = "(invalid)" // not a host name at all
	hostOther   = "(other)"   // the table of undeclared hosts was full
)

// maxHost is the length of a host name (RFC 1035, 2.3.4).
const maxHost = 253

// cleanHost is the canonical form of a host as a request names it: lower case,
// without port and final dot; an IP address as netip writes it. What is neither
// a name of letters, digits, hyphens and underscores nor an address is
// "(invalid)": it is attacker text without any use.
func cleanHost(h string) string {
	if len(h) > maxHost+8 {
		return hostInvalid
	}
	if strings.HasPrefix(h, "[") {
		inner, _, closed := strings.Cut(h[1:], "]")
		if !closed {
			return hostInvalid
		}
		return cleanAddress(inner)
	}
	switch strings.Count(h, ":") {
	case 0:
	case 1:
		h = h[:strings.IndexByte(h, ':')]
	default:
		return cleanAddress(h)
	}
	h = strings.ToLower(strings.TrimSuffix(h, "."))
	if h == "" || len(h) > maxHost {
		return hostInvalid
	}
	label := 0
	for i := range len(h) {
		c := h[i]
		switch {
		case c == '.':
			if label == 0 {
				return hostInvalid
			}
			label = 0
			continue
		case !isLower(c) && !isDigit(c) && c != '-' && c != '_':
			return hostInvalid
		}
		if label++; label > 63 {
			return hostInvalid
		}
	}
	if label == 0 {
		return hostInvalid
	}
	return h
}

func cleanAddress(s string) string {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return hostInvalid
	}
	// A zone is the name of an interface, which means nothing elsewhere. An IPv4 address
	// within IPv6 stays one: the catalogue matches it as it is spelled.
	return addr.WithZone("").String()
}
