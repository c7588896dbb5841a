package credential

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

const shop = `
openapi: 3.1.0
info: {title: shop, version: "1"}
security: [{key: []}]
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: x-api-key}
    query: {type: apiKey, in: query, name: api_key}
    cookie: {type: apiKey, in: cookie, name: session}
    raw: {type: apiKey, in: header, name: Authorization}
    basic: {type: http, scheme: basic}
    bearer: {type: http, scheme: Bearer}
    jwt: {type: http, scheme: bearer, bearerFormat: JWT}
    digest: {type: http, scheme: digest}
    odd: {type: http, scheme: "a,b\"c"}
    oauth: {type: oauth2, flows: {clientCredentials: {tokenUrl: https://id.example/token, scopes: {"orders:read": r, "orders:write": w}}}}
    oidc: {type: openIdConnect, openIdConnectUrl: https://id.example/.well-known/openid-configuration}
    mtls: {type: mutualTLS}
    strange: {type: quantum}
paths:
  /key: {get: {responses: {"200": {description: ok}}}}
  /none: {get: {security: [], responses: {"200": {description: ok}}}}
  /optional: {get: {security: [{key: []}, {}], responses: {"200": {description: ok}}}}
  /query: {get: {security: [{query: []}], responses: {"200": {description: ok}}}}
  /cookie: {get: {security: [{cookie: []}], responses: {"200": {description: ok}}}}
  /raw: {get: {security: [{raw: []}], responses: {"200": {description: ok}}}}
  /basic: {get: {security: [{basic: []}], responses: {"200": {description: ok}}}}
  /bearer: {get: {security: [{bearer: []}], responses: {"200": {description: ok}}}}
  /jwt: {get: {security: [{jwt: [admin]}], responses: {"200": {description: ok}}}}
  /digest: {get: {security: [{digest: []}], responses: {"200": {description: ok}}}}
  /odd: {get: {security: [{odd: []}], responses: {"200": {description: ok}}}}
  /oauth: {get: {security: [{oauth: ["orders:read", "orders:write"]}], responses: {"200": {description: ok}}}}
  /oauth-any: {get: {security: [{oauth: []}], responses: {"200": {description: ok}}}}
  /oidc: {get: {security: [{oidc: ["orders:read"]}], responses: {"200": {description: ok}}}}
  /mtls: {get: {security: [{mtls: []}], responses: {"200": {description: ok}}}}
  /strange: {get: {security: [{strange: []}], responses: {"200": {description: ok}}}}
  /missing: {get: {security: [{nowhere: []}], responses: {"200": {description: ok}}}}
  /both: {get: {security: [{key: [], basic: []}], responses: {"200": {description: ok}}}}
  /either: {get: {security: [{key: []}, {jwt: []}, {strange: [], basic: []}], responses: {"200": {description: ok}}}}
  /form:
    post:
      security: [{oauth: []}]
      requestBody: {content: {application/x-www-form-urlencoded: {schema: {type: object, properties: {access_token: {type: string}}}}}}
      responses: {"200": {description: ok}}
`

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// jwt is a token with these claims; its signature is nobody's.
func jwt(claims string) string { return b64(`{"alg":"RS256"}`) + "." + b64(claims) + ".c2ln" }

// requirements are those of the document by path.
func requirements(t *testing.T) map[string]*Requirement {
	t.Helper()
	d, err := spec.Load("shop.yaml", []byte(shop), spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*Requirement{}
	for _, op := range d.Operations {
		all[op.Template] = New(op, `the "shop"`)
	}
	return all
}

func TestCredentialsMustBeThereAndHaveTheFormOfTheirScheme(t *testing.T) {
	all := requirements(t)
	auth := func(s string) http.Header { return http.Header{"Authorization": {s}} }
	basic := base64.StdEncoding.EncodeToString([]byte("aladdin:opensesame!"))
	for _, row := range []struct {
		name      string
		path      string
		header    http.Header
		query     string
		tls       bool
		trusted   bool
		missing   bool
		unchecked string
	}{
		{name: "nothing asked", path: "/none"},
		{name: "optional and absent", path: "/optional"},
		{name: "the document's own requirement", path: "/key", missing: true},
		{name: "a key", path: "/key", header: http.Header{"X-Api-Key": {"k"}}},
		{name: "an empty key", path: "/key", header: http.Header{"X-Api-Key": {" "}}, missing: true},
		{name: "two keys", path: "/key", header: http.Header{"X-Api-Key": {"a", "b"}}, missing: true},
		{name: "a key in another field", path: "/key", header: http.Header{"Api-Key": {"k"}}, missing: true},
		{name: "a key in the query", path: "/query", query: "a=1&api_key=k"},
		{name: "its name encoded", path: "/query", query: "api%5Fkey=k"},
		{name: "an empty one", path: "/query", query: "api_key=", missing: true},
		{name: "two of them", path: "/query", query: "api_key=a&api_key=b", missing: true},
		{name: "a name that only begins so", path: "/query", query: "api_key2=a", missing: true},
		{name: "a key in a cookie", path: "/cookie", header: http.Header{"Cookie": {"a=1; session=k"}}},
		{name: "in a cookie line of its own", path: "/cookie", header: http.Header{"Cookie": {"a=1", "session=k"}}},
		{name: "an empty cookie", path: "/cookie", header: http.Header{"Cookie": {"session="}}, missing: true},
		{name: "another cookie", path: "/cookie", header: http.Header{"Cookie": {"xsession=k"}}, missing: true},
		{name: "a key in Authorization", path: "/raw", header: auth("anything")},
		{name: "none there", path: "/raw", missing: true},
		{name: "basic", path: "/basic", header: auth("Basic " + basic)},
		{name: "basic in another case", path: "/basic", header: auth("bAsIc  " + basic)},
		{name: "basic without padding", path: "/basic", header: auth("Basic " + strings.TrimRight(basic, "="))},
		{name: "basic without a colon", path: "/basic", header: auth("Basic " + b64("aladdin")), missing: true},
		{name: "basic that is no base64", path: "/basic", header: auth("Basic a:b"), missing: true},
		{name: "basic without anything", path: "/basic", header: auth("Basic"), missing: true},
		{name: "basic where bearer is asked", path: "/bearer", header: auth("Basic " + basic), missing: true},
		{name: "bearer", path: "/bearer", header: auth("Bearer abc")},
		{name: "a token as frameworks issue them", path: "/bearer", header: auth("Bearer 17|f3a9")},
		{name: "bearer without a token", path: "/bearer", header: auth("Bearer "), missing: true},
		{name: "bearer with two words", path: "/bearer", header: auth("Bearer a b"), missing: true},
		{name: "bearer with a list", path: "/bearer", header: auth("Bearer a,b"), missing: true},
		{name: "two lines", path: "/bearer", header: http.Header{"Authorization": {"Bearer a", "Bearer b"}}, missing: true},
		{name: "a JWT, whatever its claims", path: "/jwt", header: auth("Bearer " + jwt(`{"exp":1}`))},
		{name: "an encrypted JWT", path: "/jwt", header: auth("Bearer " + b64(`{"alg":"RSA-OAEP","enc":"A256GCM"}`) + ".a.b.c.d")},
		{name: "an opaque token where a JWT is asked", path: "/jwt", header: auth("Bearer abc"), missing: true},
		{name: "a JWT without a signature", path: "/jwt", header: auth("Bearer " + b64(`{"alg":"none"}`) + "." + b64(`{}`) + "."), missing: true},
		{name: "a JWT whose claims are no object", path: "/jwt", header: auth("Bearer " + jwt(`[]`)), missing: true},
		{name: "a JWT whose header has no alg", path: "/jwt", header: auth("Bearer " + b64(`{}`) + "." + b64(`{}`) + ".c2ln"), missing: true},
		{name: "a JWT in padded base64", path: "/jwt", header: auth("Bearer " + b64(`{"alg":"RS256"}`) + "=." + b64(`{}`) + ".c2ln"), missing: true},
		{name: "a token of 17 KiB", path: "/bearer", header: auth("Bearer " + strings.Repeat("a", 17<<10)), missing: true},
		{name: "another scheme of HTTP", path: "/digest", header: auth(`Digest username="a", response="b"`)},
		{name: "only its name", path: "/digest", header: auth(`Digest`), missing: true},
		{name: "the scopes in scope", path: "/oauth", header: auth("Bearer " + jwt(`{"scope":"orders:write other orders:read"}`))},
		{name: "the scopes in scp", path: "/oauth", header: auth("Bearer " + jwt(`{"scp":["orders:read","orders:write"]}`))},
		{name: "the scopes over two claims", path: "/oauth", header: auth("Bearer " + jwt(`{"scope":"orders:read","permissions":["orders:write"]}`))},
		{name: "a scope too few", path: "/oauth", header: auth("Bearer " + jwt(`{"scope":"orders:read"}`)), missing: true},
		{name: "a scope as a part of another", path: "/oauth", header: auth("Bearer " + jwt(`{"scope":"orders:read orders:write2"}`)), missing: true},
		{name: "no claim for scopes", path: "/oauth", header: auth("Bearer " + jwt(`{"sub":"a"}`)), unchecked: UncheckedScopes},
		{name: "an opaque token", path: "/oauth", header: auth("Bearer abc"), unchecked: UncheckedScopes},
		{name: "an opaque token where no scope is asked", path: "/oauth-any", header: auth("Bearer abc")},
		{name: "DPoP", path: "/oauth-any", header: auth("DPoP abc")},
		{name: "a token in the query", path: "/oauth-any", query: "access_token=abc", unchecked: UncheckedScopes},
		{name: "no token", path: "/oauth-any", missing: true},
		{name: "OpenID Connect", path: "/oidc", header: auth("Bearer " + jwt(`{"scope":"openid orders:read"}`))},
		{name: "OpenID Connect without the scope", path: "/oidc", header: auth("Bearer " + jwt(`{"scope":"openid"}`)), missing: true},
		{name: "a certificate", path: "/mtls", tls: true},
		{name: "no certificate", path: "/mtls", missing: true},
		{name: "no certificate from a trusted proxy", path: "/mtls", trusted: true, unchecked: UncheckedCertificate},
		{name: "a scheme that is not known", path: "/strange", unchecked: UncheckedScheme},
		{name: "a scheme that is not declared", path: "/missing", unchecked: UncheckedScheme},
		{name: "both", path: "/both", header: http.Header{"X-Api-Key": {"k"}, "Authorization": {"Basic " + basic}}},
		{name: "one of both", path: "/both", header: http.Header{"X-Api-Key": {"k"}}, missing: true},
		{name: "the first alternative", path: "/either", header: http.Header{"X-Api-Key": {"k"}}},
		{name: "the second alternative", path: "/either", header: auth("Bearer " + jwt(`{}`))},
		{name: "the third, of which a part is not known", path: "/either", header: auth("Basic " + basic), unchecked: UncheckedScheme},
		{name: "no alternative", path: "/either", header: auth("Bearer abc"), missing: true},
		{name: "a form that may carry the token", path: "/form", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, unchecked: UncheckedBodyToken},
		{name: "another body", path: "/form", header: http.Header{"Content-Type": {"application/json"}}, missing: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			requirement, known := all[row.path]
			if !known {
				t.Fatalf("no operation %s", row.path)
			}
			if row.header == nil {
				row.header = http.Header{}
			}
			got := requirement.Judge(&Request{Header: row.header, RawQuery: row.query, Certificate: row.tls, Trusted: func() bool { return row.trusted }})
			if got.Missing != row.missing || got.Unchecked != row.unchecked {
				t.Errorf("missing %v, unchecked %q", got.Missing, got.Unchecked)
			}
			if row.missing == (len(got.Challenges) == 0) {
				t.Errorf("challenges %q", got.Challenges)
			}
		})
	}
}

func TestChallengesNameWhatIsAskedAndWhatIsWrong(t *testing.T) {
	all := requirements(t)
	const realm = `realm="the \"shop\""`
	for _, row := range []struct {
		path, authorization string
		want                []string
	}{
		{"/key", "", []string{`ApiKey ` + realm + `, in="header", name="x-api-key"`}},
		{"/both", "", []string{`ApiKey ` + realm + `, in="header", name="x-api-key"`, `Basic ` + realm}},
		{"/oauth", "", []string{`Bearer ` + realm + `, scope="orders:read orders:write"`}},
		{"/oauth", "Bearer " + jwt(`{"scope":""}`), []string{`Bearer ` + realm + `, scope="orders:read orders:write", error="insufficient_scope"`}},
		{"/jwt", "Bearer abc", []string{`Bearer ` + realm + `, error="invalid_token"`}},
		{"/either", "", []string{`ApiKey ` + realm + `, in="header", name="x-api-key"`, `Bearer ` + realm, `Basic ` + realm}},
		{"/odd", "", []string{`abc ` + realm}},
		{"/mtls", "", []string{`MutualTLS ` + realm}},
	} {
		h := http.Header{}
		if row.authorization != "" {
			h.Set("Authorization", row.authorization)
		}
		got := all[row.path].Judge(&Request{Header: h})
		if diff := cmp.Diff(row.want, got.Challenges); diff != "" {
			t.Errorf("%s %q: %s", row.path, row.authorization, diff)
		}
	}
}

func FuzzAuthorizationIsJudgedWithoutPanic(f *testing.F) {
	for _, s := range []string{"", "Bearer a", "Basic YTpi", "Bearer " + jwt(`{"scope":"x"}`), "DPoP .", "Bearer ..", "Bearer a.b.c.d.e"} {
		f.Add(s, "api_key=1")
	}
	d, err := spec.Load("shop.yaml", []byte(shop), spec.Options{})
	if err != nil {
		f.Fatal(err)
	}
	var all []*Requirement
	for _, op := range d.Operations {
		all = append(all, New(op, "shop"))
	}
	f.Fuzz(func(t *testing.T, authorization, query string) {
		for _, q := range all {
			got := q.Judge(&Request{Header: http.Header{"Authorization": {authorization}, "Cookie": {authorization}}, RawQuery: query})
			for _, c := range got.Challenges {
				if strings.ContainsAny(c, "\r\n") {
					t.Errorf("challenge %q", c)
				}
			}
		}
	})
}

func TestAKeyThatIsThereCostsNoAllocation(t *testing.T) {
	all := requirements(t)
	r := &Request{Header: http.Header{"X-Api-Key": {"k"}, "Authorization": {"Bearer abc"}}, RawQuery: "a=1&api_key=k"}
	for _, path := range []string{"/key", "/bearer", "/query", "/oauth-any"} {
		if n := testing.AllocsPerRun(100, func() { all[path].Judge(r) }); n > 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}
