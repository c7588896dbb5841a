package policy

import (
	"net/http"
	"slices"
	"strings"
)

// stripped are the header fields by which frameworks, and proxies behind this one,
// let a client replace the method, the URL or the address that the guard has
// judged.
var stripped = []string{
	// the method
	"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Forwarded-Method", "X-Original-Method",
	// the URL
	"X-Original-Url", "X-Rewrite-Url", "X-Original-Uri", "X-Rewrite-Uri", "X-Override-Url", "X-Original-Host", "X-Http-Host-Override",
	"X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Path", "X-Forwarded-Port", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Server",
	"X-Envoy-Original-Path", "X-Envoy-Original-Host", "X-Waws-Unencoded-Url", "X-Url-Scheme", "Front-End-Https",
	// the client
	"Forwarded", "X-Forwarded", "Forwarded-For", "X-Forwarded-By", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Cf-Connecting-Ipv6",
	"Client-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "Fastly-Client-Ip", "Fly-Client-Ip", "X-Remote-Ip", "X-Remote-Addr", "X-Originating-Ip",
	"Proxy-Client-Ip", "Wl-Proxy-Client-Ip", "X-Proxyuser-Ip", "X-Azure-Clientip", "X-Azure-Socketip", "X-Envoy-External-Address", "X-Envoy-Internal",
	"X-Appengine-User-Ip", "X-Vercel-Forwarded-For",
	// what CGI makes HTTP_PROXY of, which libraries take for their own proxy
	"Proxy",
}

// Fields says of a request's header what is in it that hardly any request has, so that
// what is about these is not looked for one by one.
type Fields uint8

const (
	// FieldsFraming: Connection, Content-Length, Expect or Trailer, which
	// target.HeaderProblem judges.
	FieldsFraming Fields = 1 << iota
	// FieldsStripped: what Strip judges, Upgrade or one of StrippedHeaders.
	FieldsStripped
)

// FieldsOf looks through a header once. Its keys are in net/http's canonical form,
// but those of StrippedHeaders may come in any spelling.
func FieldsOf(h http.Header) (has Fields) {
	for key := range h {
		switch key {
		case "Connection", "Content-Length", "Expect", "Trailer":
			has |= FieldsFraming
		case "Upgrade":
			has |= FieldsStripped
		default:
			if has&FieldsStripped == 0 && overriding(key) != "" {
				has |= FieldsStripped
			}
		}
	}
	return has
}

// strippedOf are the names of a length.
var strippedOf = func() (of [32][]string) {
	for _, name := range stripped {
		of[len(name)] = append(of[len(name)], name)
	}
	return of
}()

// StrippedHeaders are the names of the header fields that the rule `headers`
// removes, in canonical form. Spellings with "_" or "." for "-", which CGI and
// some frameworks fold into the same variable, count as the same name.
func StrippedHeaders() []string { return slices.Clone(stripped) }

// Strip removes what the rules `headers` and `upgrade` do not let pass, unless a
// trusted proxy set it, and returns what it removed or, in monitor, would have:
// names from a fixed list. Nothing is refused.
func (v *Verdict) Strip(h http.Header, trusted func() bool) (removed, wouldRemove []string) {
	if mode := v.scope.rules.modes[RuleHeaders]; mode != Off {
		for key := range h {
			name := overriding(key)
			if name == "" {
				continue
			}
			if trusted() {
				break
			}
			if mode == Enforce {
				delete(h, key)
				removed = append(removed, name)
			} else {
				wouldRemove = append(wouldRemove, name)
			}
		}
	}
	upgrade := h["Upgrade"]
	if len(upgrade) == 0 || v.scope.rules.modes[RuleUpgrade] == Off || v.upgrades(upgrade) {
		return removed, wouldRemove
	}
	if v.scope.rules.modes[RuleUpgrade] != Enforce {
		return removed, append(wouldRemove, "Upgrade")
	}
	// Without Upgrade nothing becomes a tunnel, whatever Connection says
	// (RFC 9110, section 7.8). HTTP2-Settings is of no use but to smuggle h2c.
	delete(h, "Upgrade")
	delete(h, "Http2-Settings")
	return append(removed, "Upgrade"), wouldRemove
}

// upgrades reports whether the operation or its version declares the protocol.
func (v *Verdict) upgrades(asked []string) bool {
	return len(asked) == 1 && v.protocols != nil && slices.ContainsFunc(v.protocols, func(p string) bool {
		return strings.EqualFold(p, asked[0])
	})
}

// overriding is the listed name that a header key stands for, or "".
func overriding(key string) string {
	if len(key) >= len(strippedOf) {
		return ""
	}
	for _, name := range strippedOf[len(key)] {
		if sameName(name, key) {
			return name
		}
	}
	return ""
}

// sameName looks from the end, since most names begin with "X-".
func sameName(name, key string) bool {
	for i := len(name) - 1; i >= 0; i-- {
		c := key[i]
		if c == '_' || c == '.' {
			c = '-'
		}
		if c|0x20 != name[i]|0x20 {
			return false
		}
	}
	return true
}
