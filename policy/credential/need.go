package credential

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// kind is how a security scheme's credential is sent.
type kind uint8

const (
	kindUnknown kind = iota
	kindHeaderKey
	kindQueryKey
	kindCookieKey
	kindBasic
	kindBearer
	kindToken // OAuth 2.0 and OpenID Connect
	kindHTTP  // any other scheme of Authorization
	kindCertificate
)

// need is one scheme of an alternative.
type need struct {
	kind   kind
	name   string // of the header field (canonical), query parameter or cookie; of an HTTP scheme
	jwt    bool   // the token must have the form of a JWT
	scopes []string
	inBody bool // a form of the operation may carry the token

	challenge string // for WWW-Authenticate; empty for a scheme that is not known
}

func compareNeeds(a, b need) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.name, b.name), strings.Compare(a.challenge, b.challenge))
}

func newNeed(ref *openapi3.SecuritySchemeRef, scopes []string, realm string, inBody bool) need {
	if spec.SchemeProblem(ref) != "" {
		return need{}
	}
	s := ref.Value // of a known type, and a key in a known place
	in := `realm=` + quote(realm)
	switch strings.ToLower(s.Type) {
	case "apikey":
		n := need{name: s.Name, challenge: `ApiKey ` + in + `, in=` + quote(s.In) + `, name=` + quote(s.Name)}
		switch s.In {
		case openapi3.ParameterInHeader:
			n.kind, n.name = kindHeaderKey, http.CanonicalHeaderKey(s.Name)
		case openapi3.ParameterInQuery:
			n.kind = kindQueryKey
		default: // a cookie
			n.kind = kindCookieKey
		}
		return n
	case "http":
		switch scheme := strings.ToLower(s.Scheme); scheme {
		case "basic":
			return need{kind: kindBasic, name: scheme, challenge: `Basic ` + in}
		case "bearer":
			// In 3.1 the list beside it names roles, which no request carries.
			return need{kind: kindBearer, name: scheme, jwt: strings.EqualFold(s.BearerFormat, "jwt"), challenge: `Bearer ` + in}
		default:
			return need{kind: kindHTTP, name: scheme, challenge: token(s.Scheme) + ` ` + in}
		}
	case "oauth2", "openidconnect":
		n := need{kind: kindToken, name: "bearer", scopes: scopes, inBody: inBody, challenge: `Bearer ` + in}
		if len(scopes) > 0 {
			n.challenge += `, scope=` + quote(strings.Join(scopes, " "))
		}
		return n
	default: // mutualTLS
		return need{kind: kindCertificate, challenge: `MutualTLS ` + in}
	}
}

// quote writes a quoted-string (RFC 9110, section 5.6.4). What no header field may
// carry becomes a question mark.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7F:
			b.WriteByte('?')
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// token leaves of a scheme's name what a token may have.
func token(s string) string {
	return strings.Map(func(c rune) rune {
		if c > ' ' && c < 0x7F && !strings.ContainsRune("\"(),/:;<=>?@[\\]{}", c) {
			return c
		}
		return -1
	}, s)
}

// takesTokenInBody tells whether a form of the operation declares access_token.
func takesTokenInBody(op *openapi3.Operation) bool {
	if op == nil || op.RequestBody == nil || op.RequestBody.Value == nil {
		return false
	}
	form := op.RequestBody.Value.Content["application/x-www-form-urlencoded"]
	return form != nil && form.Schema != nil && form.Schema.Value != nil && form.Schema.Value.Properties["access_token"] != nil
}

// finding is what a request shows of a scheme.
type finding uint8

const (
	absent finding = iota
	malformed
	insufficient
	present
)

// parameter is the error of a challenge (RFC 6750, section 3.1).
func (f finding) parameter(k kind) string {
	if k != kindBearer && k != kindToken {
		return ""
	}
	switch f {
	case malformed:
		return `, error="invalid_token"`
	case insufficient:
		return `, error="insufficient_scope"`
	default:
		return ""
	}
}

// look looks for the credential, and says what of one that is there cannot be
// checked.
func (n *need) look(r *Request) (got finding, unchecked string) {
	switch n.kind {
	case kindHeaderKey:
		return oneValue(r.Header[n.name]), ""
	case kindQueryKey:
		return queryKey(r.RawQuery, n.name), ""
	case kindCookieKey:
		return cookieKey(r.Header["Cookie"], n.name), ""
	case kindCertificate:
		switch {
		case r.Certificate:
			return present, ""
		case r.Trusted != nil && r.Trusted():
			return present, UncheckedCertificate
		default:
			return absent, ""
		}
	case kindUnknown:
		return present, UncheckedScheme
	}
	scheme, credential, ok := authorization(r.Header["Authorization"])
	switch {
	case !ok:
		return malformed, ""
	case n.kind == kindToken && scheme == "":
		if queryKey(r.RawQuery, "access_token") == present {
			return present, UncheckedScopes // RFC 6750, section 2.3
		}
		if n.inBody && strings.HasPrefix(first(r.Header["Content-Type"]), "application/x-www-form-urlencoded") {
			return present, UncheckedBodyToken
		}
		return absent, ""
	case n.kind == kindToken && strings.EqualFold(scheme, "dpop"): // RFC 9449
	case !strings.EqualFold(scheme, n.name):
		return absent, ""
	}
	switch n.kind {
	case kindBasic:
		return basic(credential), ""
	case kindBearer, kindToken:
		return n.token(credential)
	default:
		if credential == "" && n.name != "negotiate" {
			return malformed, ""
		}
		return present, ""
	}
}

// authorization cuts the one line of the field into scheme and credential.
// Several lines are read differently by different servers.
func authorization(lines []string) (scheme, credential string, ok bool) {
	switch len(lines) {
	case 0:
		return "", "", true
	case 1:
		scheme, credential, _ = strings.Cut(strings.Trim(lines[0], " \t"), " ")
		return scheme, strings.Trim(credential, " "), true
	default:
		return "", "", false
	}
}

func oneValue(lines []string) finding {
	switch {
	case len(lines) == 0:
		return absent
	case len(lines) > 1 || strings.Trim(lines[0], " \t") == "":
		return malformed
	default:
		return present
	}
}

func queryKey(raw, name string) finding {
	got := absent
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key != name {
			if !strings.ContainsAny(key, "%+") {
				continue
			}
			if decoded, err := url.QueryUnescape(key); err != nil || decoded != name {
				continue
			}
		}
		if got != absent || value == "" {
			return malformed
		}
		got = present
	}
	return got
}

func cookieKey(lines []string, name string) finding {
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			// A name that stands twice is no error: cookies of several paths do.
			if key, value, ok := strings.Cut(strings.Trim(pair, " \t"), "="); ok && key == name && value != "" {
				return present
			}
		}
	}
	return absent
}

// basic is RFC 7617: the base64 of a user, a colon and a password. The padding may
// be missing, as some clients leave it out.
func basic(credential string) finding {
	credential = strings.TrimRight(credential, "=")
	if credential == "" || len(credential) > maxToken {
		return malformed
	}
	var buf [256]byte
	decoded, err := base64.RawStdEncoding.AppendDecode(buf[:0], []byte(credential))
	if err != nil {
		return malformed
	}
	for _, c := range decoded {
		if c == ':' {
			return present
		}
	}
	return malformed
}

func first(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}
