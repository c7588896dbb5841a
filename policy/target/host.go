package target

import (
	"net/netip"
	"strings"
)

const (
	maxName  = 253 // RFC 1035 section 2.3.4, without the root's dot
	maxLabel = 63
)

// canonicalHost returns the name and the authority of s, a host with or without
// port, in canonical form. Addresses that only look like numbers ("127.1",
// "0x7f.1") are names: nobody here resolves them.
func canonicalHost(s string, tls bool) (host, authority string, problem Problem) {
	if s == "" {
		return "", "", HostMissing
	}
	if s[0] == '[' {
		return canonicalAddress(s, tls)
	}
	var (
		label = 0 // where the label begins
		upper = false
		i     int
	)
scan:
	for ; i < len(s); i++ {
		c := s[i]
		if class[c]&inHost != 0 {
			continue
		}
		switch {
		case c == '.':
			if i == label || i-label > maxLabel {
				return "", "", HostLabel
			}
			label = i + 1
		case 'A' <= c && c <= 'Z':
			upper = true
		case c == ':':
			break scan
		case strings.IndexByte(s[i:], '@') >= 0:
			return "", "", Userinfo
		case c >= 0x80:
			return "", "", NonASCII
		default:
			return "", "", HostCharacter
		}
	}
	name, rest := s[:i], s[i:]
	if i == label && i > 0 { // one final dot: the same name, spelled absolutely
		name = s[:i-1]
	} else if i-label > maxLabel {
		return "", "", HostLabel
	}
	port, problem := readPort(rest, tls)
	switch {
	case problem != "":
		return "", "", problem
	case name == "":
		return "", "", HostMissing
	case len(name) > maxName:
		return "", "", HostTooLong
	}
	if upper {
		name = strings.ToLower(name)
	}
	switch {
	case port == "":
		return name, name, ""
	case upper || len(name) != i:
		return name, name + port, ""
	}
	return name, s, ""
}

// readPort reads what follows a host: nothing, or ":" and a port. It returns the
// port with its colon, empty when it is the scheme's default.
func readPort(rest string, tls bool) (port string, problem Problem) {
	switch {
	case rest == "":
		return "", ""
	case strings.IndexByte(rest, '@') >= 0:
		return "", Userinfo
	case len(rest) < 2 || len(rest) > 6 || rest[0] != ':' || rest[1] == '0':
		return "", BadPort
	}
	n := 0
	for i := 1; i < len(rest); i++ {
		c := rest[i]
		if c < '0' || c > '9' {
			return "", BadPort
		}
		n = n*10 + int(c-'0')
	}
	switch {
	case n > 65535:
		return "", BadPort
	case tls && n == 443, !tls && n == 80:
		return "", ""
	}
	return rest, ""
}

// canonicalAddress is canonicalHost for an address in brackets.
func canonicalAddress(s string, tls bool) (host, authority string, problem Problem) {
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return "", "", HostAddress
	}
	text := s[1:end]
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", "", HostAddress
	}
	port, problem := readPort(s[end+1:], tls)
	if problem != "" {
		return "", "", problem
	}
	// RFC 5952 section 4 text, compared first: a canonical one is not copied.
	var buf [64]byte
	if canonical := addr.AppendTo(buf[:0]); string(canonical) != text {
		text = string(canonical)
		return text, "[" + text + "]" + port, ""
	}
	if port == "" {
		return text, s[:end+1], ""
	}
	return text, s, ""
}
