package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/policy/conformance"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// parseBodyKey reads {http.api_guard.body./pointer}, which stands alone.
func parseBodyKey(s string) (KeyPart, error) {
	pointer, ok := strings.CutPrefix(s, bodyPlaceholder)
	pointer, closed := strings.CutSuffix(pointer, "}")
	if !ok || !closed || len(pointer) < 2 || pointer[0] != '/' || strings.ContainsAny(pointer, "{}") {
		return KeyPart{}, fmt.Errorf("reading key %q: write a JSON pointer alone, such as %s/email}", s, bodyPlaceholder)
	}
	for rest := pointer; ; {
		_, after, found := strings.Cut(rest, "~")
		if !found {
			return KeyPart{kind: keyBody, name: pointer}, nil
		}
		if after == "" || after[0] != '0' && after[0] != '1' {
			return KeyPart{}, fmt.Errorf("reading key %q: in a JSON pointer \"~\" is written ~0, and \"/\" within a name ~1", s)
		}
		rest = after
	}
}

// Body reports whether the part stands in the request's body.
func (k KeyPart) Body() bool { return k.kind == keyBody }

// waits reports whether reading the part may wait for somebody: the client who sends
// the body, or whatever a placeholder of Caddy's or another module's asks.
func (k KeyPart) waits() bool {
	return k.kind == keyBody || k.kind == keyPlaceholder || slices.ContainsFunc(k.parts, KeyPart.waits)
}

// same reports whether both parts are one: the name of mixed text says its parts.
func (k KeyPart) same(other KeyPart) bool { return k.kind == other.kind && k.name == other.name }

// String is the part as a configuration has it.
func (k KeyPart) String() string {
	switch k.kind {
	case keyClientIP:
		return "{client_ip}"
	case keyConsumer:
		return consumerKey
	case keyHost:
		return "{http.request.host}"
	case keyHeader:
		return headerPlaceholder + k.name + "}"
	case keyBody:
		return bodyPlaceholder + k.name + "}"
	default:
		return k.name
	}
}

// addBody adds the value that a pointer leads to in the request's body.
func (k KeyPart) addBody(kb *ratelimit.KeyBuilder, r *Request) {
	if r.ReadBody != nil {
		if body, ok := r.ReadBody(r.bodyLimit); ok {
			if text, ok := conformance.Pick(body, r.Header, r.bodyLimit, k.name); ok {
				addFolded(kb, text)
				return
			}
		}
	}
	kb.Missing()
}

// addFolded adds text without regard to letter case and surrounding blanks, since
// what is behind most often looks accounts up so: "A@x" is no fresh bucket.
func addFolded(kb *ratelimit.KeyBuilder, text string) {
	if text = strings.ToLower(strings.TrimSpace(text)); text == "" {
		kb.Missing()
		return
	}
	kb.String(text)
}

// addText adds a part as an operator writes it; empty for one that is missing.
func (k KeyPart) addText(kb *ratelimit.KeyBuilder, text string) error {
	switch {
	case text == "":
		kb.Missing()
	case k.kind == keyClientIP:
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("key %s: that is no IP address", k)
		}
		kb.Addr(addr)
	case k.kind == keyConsumer:
		if addr, err := netip.ParseAddr(text); err == nil {
			kb.Addr(addr)
		} else {
			kb.String(text)
		}
	case k.kind == keyBody:
		addFolded(kb, text)
	case k.kind == keyMixed:
		plain, err := k.mixText(text)
		if err != nil {
			return err
		}
		k.addPlain(kb, plain)
	default:
		k.addPlain(kb, k.plainText(text))
	}
	return nil
}
