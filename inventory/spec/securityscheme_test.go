package spec

import (
	"strings"
	"testing"
)

// What a document asks for and nothing can look for is told, each scheme once, however
// many operations ask for it; what can be looked for, and what nobody asks for, is not.
func TestSecuritySchemesThatNothingCanLookForAreTold(t *testing.T) {
	doc, err := Load("a.yaml", []byte(`openapi: 3.1.0
info: {title: T, version: '1'}
security: [{key: [], gone: []}]
paths:
  /a:
    get: {responses: {'200': {description: ok}}}
    post: {security: [{typo: []}, {}], responses: {'200': {description: ok}}}
  /b:
    get: {security: [{elsewhere: []}, {typo: [], gone: []}], responses: {'200': {description: ok}}}
    put: {security: [{nameless: []}], responses: {'200': {description: ok}}}
    delete: {security: [{basic: []}, {token: [read]}, {oidc: []}, {tls: []}, {query: []}, {cookie: []}], responses: {'200': {description: ok}}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    query: {type: apiKey, in: query, name: key}
    cookie: {type: apiKey, in: cookie, name: key}
    typo: {type: htpp, scheme: bearer}
    elsewhere: {type: apiKey, in: body, name: key}
    nameless: {type: http}
    unused: {type: strange}
    basic: {type: http, scheme: basic}
    token: {type: oauth2, flows: {implicit: {authorizationUrl: /a, scopes: {read: r}}}}
    oidc: {type: openIdConnect, openIdConnectUrl: /o}
    tls: {type: mutualTLS}
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range doc.Problems {
		got = append(got, p.Where+": "+p.Reason)
	}
	want := []string{
		`/security: security asks for "gone", and components.securitySchemes has no such scheme`,
		`POST /a: security asks for "typo", and its type is "htpp"`,
		`GET /b: security asks for "elsewhere", and its in is "body"`,
		`PUT /b: security asks for "nameless", and it has no scheme`,
	}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}
