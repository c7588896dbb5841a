package credential

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// maxToken is how long a token may be that is looked into, in bytes. Servers take
// no longer header lines as a rule.
const maxToken = 16 << 10

// token judges the credential of Bearer and DPoP: one word; where the document
// says so a JWT; where it can be read, with the scopes that the operation asks for.
//
// RFC 6750 takes fewer characters than are taken here: frameworks issue tokens
// such as "17|f3a9…", and it is theirs to say whether they are good.
func (n *need) token(credential string) (finding, string) {
	if credential == "" || len(credential) > maxToken {
		return malformed, ""
	}
	for _, c := range []byte(credential) {
		if c <= ' ' || c >= 0x7F || c == '"' || c == ',' {
			return malformed, ""
		}
	}
	if !n.jwt && len(n.scopes) == 0 {
		return present, ""
	}
	claims, form := readJWT(credential)
	switch {
	case n.jwt && form == noJWT:
		return malformed, ""
	case len(n.scopes) == 0:
		return present, ""
	case form != readableJWT:
		return present, UncheckedScopes
	}
	granted, tells := scopesOf(claims)
	if !tells {
		return present, UncheckedScopes
	}
	for _, scope := range n.scopes {
		if !slices.Contains(granted, scope) {
			return insufficient, ""
		}
	}
	return present, ""
}

// form is what a token is.
type form uint8

const (
	noJWT form = iota
	// encryptedJWT is a JWE (RFC 7516): five parts, of which the header is readable.
	encryptedJWT
	readableJWT
)

// readJWT reads a token that has the form of a JWT (RFC 7519) in compact
// serialization. One without a signature is none: it proves nothing (RFC 8725,
// section 3.2).
func readJWT(s string) (claims map[string]json.RawMessage, f form) {
	parts := strings.Count(s, ".") + 1
	if parts != 3 && parts != 5 {
		return nil, noJWT
	}
	head, rest, _ := strings.Cut(s, ".")
	var alg string
	if header := readPart(head); header == nil || json.Unmarshal(header["alg"], &alg) != nil || alg == "" {
		return nil, noJWT
	}
	if parts == 5 {
		return nil, encryptedJWT
	}
	payload, signature, _ := strings.Cut(rest, ".")
	if signature == "" || !base64url(signature) {
		return nil, noJWT
	}
	if claims = readPart(payload); claims == nil {
		return nil, noJWT
	}
	return claims, readableJWT
}

// readPart reads a JSON object in base64url; nil when it is none.
func readPart(s string) map[string]json.RawMessage {
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return nil
	}
	return members
}

func base64url(s string) bool {
	for _, c := range []byte(s) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// scopeClaims are where issuers put what a token is good for: scope (RFC 9068,
// section 2.2.3) as a list in one text, and the others as arrays or as such texts.
var scopeClaims = [...]string{"scope", "scp", "scopes", "permissions", "roles"}

// scopesOf collects the scopes of a token; false when it does not tell any.
func scopesOf(claims map[string]json.RawMessage) (granted []string, tells bool) {
	for _, name := range scopeClaims {
		raw := claims[name]
		if raw == nil {
			continue
		}
		var list []string
		var text string
		switch {
		case json.Unmarshal(raw, &text) == nil:
			list = strings.Fields(text)
		case json.Unmarshal(raw, &list) != nil:
			continue
		}
		granted, tells = append(granted, list...), true
	}
	return granted, tells
}
