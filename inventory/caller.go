package inventory

import (
	"net/http"
	"net/netip"
	"strings"
)

// Caller is what a request and its answer show about who called, and how. All of
// it is read during the call that it is given to; of its values only hashes and
// classes are kept.
type Caller struct {
	Addr        netip.Addr // the client's, as Caddy trusts it; invalid: not known
	Integration string     // the declared third party whose credential was presented; empty: none
	User        string     // whom Caddy authenticated; empty: nobody
	Certificate bool       // the client presented one

	Header   http.Header // the request's
	RawQuery string      // the request's, without the "?"
	Host     string      // that was asked, without port
	Answer   http.Header // the answer's
}

// traits are classes of what was seen, as a set of bits.
type traits uint32

const (
	traitBearer traits = 1 << iota
	traitBasic
	traitOtherScheme
	traitAPIKey
	traitCookie
	traitCertificate
	traitUser

	traitPublic
	traitPrivate
	traitLoopback

	traitAnyOrigin
	traitNullOrigin
	traitEchoedOrigin
	traitFixedOrigin
	traitOriginDenied
	traitCORSCredentials
)

const anyCredentials = traitBearer | traitBasic | traitOtherScheme | traitAPIKey | traitCookie | traitCertificate | traitUser

// credentialNames spell the kinds of credentials, in the order of answers.
var credentialNames = [...]struct {
	trait traits
	name  string
}{
	{traitBearer, "bearer"}, {traitBasic, "basic"}, {traitOtherScheme, "other"}, {traitAPIKey, "api-key"},
	{traitCookie, "cookie"}, {traitCertificate, "mtls"}, {traitUser, "user"},
}

// traits classifies the caller. What upstream was not asked about (forwarded is
// false) shows where it came from and nothing else: neither what it presented nor
// the answer has anything to do with upstream.
func (c *Caller) traits(keys []apiKey, forwarded bool) traits {
	t := networkOf(c.Addr)
	if forwarded {
		t |= c.credentials(keys) | c.cors()
	}
	return t
}

func networkOf(a netip.Addr) traits {
	a = a.Unmap()
	if a.Is4() {
		return networkOf4(a.As4())
	}
	switch {
	case !a.IsValid():
		return 0
	case a.IsLoopback():
		return traitLoopback
	case a.IsPrivate() || a.IsLinkLocalUnicast():
		return traitPrivate
	default:
		return traitPublic
	}
}

// networkOf4 goes by the networks that are reserved for a machine itself (RFC 1122,
// section 3.2.1.3), for private use (RFC 1918), for one link (RFC 3927), and for what lies
// between a provider and its customers (RFC 6598): nobody reaches them from the internet.
func networkOf4(a [4]byte) traits {
	switch {
	case a[0] == 127:
		return traitLoopback
	case a[0] == 10, a[0] == 172 && a[1]>>4 == 1, a[0] == 192 && a[1] == 168, a[0] == 169 && a[1] == 254, a[0] == 100 && a[1]>>6 == 1:
		return traitPrivate
	default:
		return traitPublic
	}
}

func (c *Caller) credentials(keys []apiKey) traits {
	var t traits
	if c.User != "" {
		t |= traitUser
	}
	if c.Certificate {
		t |= traitCertificate
	}
	if v := first(c.Header, "Authorization"); v != "" {
		t |= schemeOf(v)
	}
	cookies := c.Header["Cookie"]
	if len(cookies) > 0 {
		t |= traitCookie
	}
	for i := range keys {
		if keys[i].presented(c, cookies) {
			t |= traitAPIKey
			break
		}
	}
	return t
}

// schemeOf is the scheme of an Authorization field (RFC 9110, 11.1: its case does
// not matter).
func schemeOf(authorization string) traits {
	if strings.HasPrefix(authorization, "Bearer ") {
		return traitBearer // as nearly all spell it
	}
	scheme, _, _ := strings.Cut(authorization, " ")
	switch {
	case strings.EqualFold(scheme, "bearer"):
		return traitBearer
	case strings.EqualFold(scheme, "basic"):
		return traitBasic
	default:
		return traitOtherScheme
	}
}

// cors classifies what the answer lets browsers of other origins do.
func (c *Caller) cors() traits {
	origin, allowed := first(c.Header, "Origin"), first(c.Answer, "Access-Control-Allow-Origin")
	if allowed == "" {
		if origin == "" || sameHost(origin, c.Host) {
			return 0
		}
		return traitOriginDenied
	}
	var t traits
	switch {
	case allowed == "*":
		t = traitAnyOrigin
	case allowed == origin && origin != "null":
		t = traitEchoedOrigin
	case allowed == "null":
		t = traitNullOrigin
	case origin != "":
		t = traitFixedOrigin | traitOriginDenied
	default:
		t = traitFixedOrigin
	}
	if first(c.Answer, "Access-Control-Allow-Credentials") == "true" {
		t |= traitCORSCredentials
	}
	return t
}

// sameHost reports whether an origin is that of the host itself. Browsers send
// the field within one origin too, and then no answer needs to allow it.
func sameHost(origin, host string) bool {
	_, authority, ok := strings.Cut(origin, "://")
	if !ok || len(authority) < len(host) || !strings.EqualFold(authority[:len(host)], host) {
		return false
	}
	return len(authority) == len(host) || authority[len(host)] == ':'
}

func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// credentials spells the kinds that were seen, never nil.
func (t traits) credentials() []string {
	names := []string{}
	for _, c := range credentialNames {
		if t&c.trait != 0 {
			names = append(names, c.name)
		}
	}
	return names
}

// networks spells the classes of networks that were seen, never nil.
func (t traits) networks() []string {
	names := []string{}
	for _, n := range [...]struct {
		trait traits
		name  string
	}{{traitPublic, "public"}, {traitPrivate, "private"}, {traitLoopback, "loopback"}} {
		if t&n.trait != 0 {
			names = append(names, n.name)
		}
	}
	return names
}

// cors spells what the answers allowed.
func (t traits) cors() CORS {
	c := CORS{Origins: []string{}, Credentials: t&traitCORSCredentials != 0}
	if t&traitAnyOrigin != 0 {
		c.Origins = append(c.Origins, "*")
	}
	if t&traitNullOrigin != 0 {
		c.Origins = append(c.Origins, "null")
	}
	switch {
	case t&traitEchoedOrigin != 0 && t&traitOriginDenied == 0:
		c.Origins = append(c.Origins, "reflected")
	case t&(traitEchoedOrigin|traitFixedOrigin) != 0:
		c.Origins = append(c.Origins, "listed")
	}
	return c
}
