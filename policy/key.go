package policy

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// KeyPart is one part of what a limit counts by.
type KeyPart struct {
	kind keyKind
	// name is the canonical header name, the JSON pointer, or the text with its
	// placeholder.
	name  string
	parts []KeyPart // of mixed text: what is constant and the placeholders, in turn
}

type keyKind uint8

const (
	keyClientIP keyKind = iota
	keyHeader
	keyConstant
	keyPlaceholder
	keyMixed
	keyBody
	keyHost
	keyConsumer
)

const (
	headerPlaceholder = "{" + headerVariable
	bodyPlaceholder   = "{http.api_guard.body."
	// consumerKey is the integration that the request comes from, else the client's
	// address: another value of a header buys nobody a fresh bucket.
	consumerKey = "{http.api_guard.consumer}"
)

// ParseKeyPart reads one argument of `key`: text with Caddy placeholders in
// their long form. The two forms that most limits use, the client's address and
// a header, are read without Caddy's replacer.
func ParseKeyPart(s string) (KeyPart, error) {
	switch {
	case s == "":
		return KeyPart{}, fmt.Errorf("reading key: it is empty; write a placeholder such as {client_ip}")
	case !closed(s):
		return KeyPart{}, fmt.Errorf("reading key %q: a brace of it has no other one; write a placeholder such as {client_ip}", s)
	case s == "{client_ip}" || s == "{http.vars.client_ip}":
		return KeyPart{kind: keyClientIP}, nil
	case s == "{host}" || s == "{http.request.host}":
		return KeyPart{kind: keyHost}, nil
	case s == consumerKey:
		return KeyPart{kind: keyConsumer}, nil
	case strings.Contains(s, consumerKey):
		return KeyPart{}, fmt.Errorf("reading key %q: write %s as a key of its own; several make one composite key", s, consumerKey)
	case strings.Contains(s, bodyPlaceholder):
		return parseBodyKey(s)
	case within(s, "{client_ip}", "{http.vars.client_ip}", "{http.request.remote.host}"):
		// In other text an IPv6 address would count by itself and not by its /64.
		return KeyPart{}, fmt.Errorf("reading key %q: write the client's address as a key of its own; several make one composite key", s)
	case strings.HasPrefix(s, headerPlaceholder) && strings.IndexByte(s, '}') == len(s)-1:
		name := s[len(headerPlaceholder) : len(s)-1]
		if name == "" || strings.ContainsAny(name, "*{") {
			return KeyPart{}, fmt.Errorf("reading key %q: name one header", s)
		}
		if name = http.CanonicalHeaderKey(name); name == "Host" {
			// net/http keeps it apart, but for a second one beside :authority, which names
			// no host of the request's.
			return KeyPart{kind: keyHost}, nil
		}
		return KeyPart{kind: keyHeader, name: name}, nil
	case !strings.Contains(s, "{"):
		return KeyPart{kind: keyConstant, name: s}, nil
	case s[0] == '{' && strings.IndexByte(s, '}') == len(s)-1:
		return parsePlaceholder(s)
	default:
		return parseMixedKey(s)
	}
}

// parsePlaceholder reads one that Caddy's replacer knows.
func parsePlaceholder(s string) (KeyPart, error) {
	if strings.HasSuffix(s, ".*}") || strings.HasSuffix(s, ".}") {
		// As Caddy's manual writes them. Every request would share one bucket.
		return KeyPart{}, fmt.Errorf("reading key %q: write the name that is meant behind the last dot", s)
	}
	return KeyPart{kind: keyPlaceholder, name: s}, nil
}

// closed reports whether each brace has its other one. What is nearly a placeholder
// would be the same text for every request: one bucket for all.
func closed(s string) bool {
	open := false
	for i := range len(s) {
		switch s[i] {
		case '{':
			if open {
				return false
			}
			open = true
		case '}':
			if !open {
				return false
			}
			open = false
		}
	}
	return !open
}

// ClientIP reports whether the part is the client's address, which proxies in
// front of Caddy decide about.
func (k KeyPart) ClientIP() bool {
	return k.kind == keyClientIP || k.kind == keyConsumer || strings.Contains(k.name, "client_ip")
}

// add puts the part's value for this request into a key. A part that is missing
// is one shared bucket, never no limit.
func (k KeyPart) add(kb *ratelimit.KeyBuilder, r *Request) {
	switch k.kind {
	case keyConsumer:
		if r.consumer != "" {
			kb.String(r.consumer)
			return
		}
		kb.Addr(r.Client)
	case keyClientIP:
		if !r.Client.IsValid() {
			kb.Missing()
			return
		}
		kb.Addr(r.Client)
	case keyConstant:
		kb.String(k.name)
	case keyBody:
		k.addBody(kb, r)
	default:
		k.addPlain(kb, k.value(r))
	}
}

// value is what the request has of a part that is text, in whatever spelling; empty for
// one that is missing.
func (k KeyPart) value(r *Request) string {
	switch k.kind {
	case keyHost:
		return r.Target.Host // canonical, in monitor too
	case keyHeader:
		// Of several lines upstream reads one: the others would buy a fresh bucket
		// for the same value.
		if values := r.Header[k.name]; len(values) == 1 {
			return k.plain(values[0])
		}
	case keyPlaceholder:
		if r.Expand == nil || several(k.name[1:len(k.name)-1], r) {
			return ""
		}
		if value, ok := r.Expand(k.name); ok {
			return k.plain(value)
		}
	case keyMixed:
		return k.mix(func(i int) string { return k.parts[i].value(r) })
	}
	return ""
}

// addPlain adds such a value as all of its spellings have it.
func (k KeyPart) addPlain(kb *ratelimit.KeyBuilder, plain string) {
	switch {
	case plain == "":
		kb.Missing()
	case k.kind == keyHeader || k.kind == keyPlaceholder:
		addValue(kb, plain)
	default:
		kb.String(plain)
	}
}

// within reports whether one of the placeholders stands in s beside other text.
func within(s string, placeholders ...string) bool {
	return slices.ContainsFunc(placeholders, func(p string) bool { return s != p && strings.Contains(s, p) })
}

// addValue adds a value of the request. An address counts as the client's does,
// IPv6 by its /64 and IPv4 in whatever form, whether a header field or a placeholder
// has it: a client has 2^64 of the former.
func addValue(kb *ratelimit.KeyBuilder, text string) {
	if addr, ok := address(text); ok {
		kb.Addr(addr)
		return
	}
	kb.String(text)
}

// address reads text that is an IP address and nothing else, but for an IPv6 zone.
func address(text string) (netip.Addr, bool) {
	text, _, _ = strings.Cut(text, "%")
	separated := false
	for i := range len(text) {
		switch c := text[i]; {
		case c == ':' || c == '.':
			separated = true
		case i > len("0000:0000:0000:0000:0000:ffff:255.255.255.255"), c < '0', c > '9' && c|0x20 < 'a', c|0x20 > 'f':
			return netip.Addr{}, false
		}
	}
	if !separated {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(text)
	return addr, err == nil
}
