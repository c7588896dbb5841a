// Package credential judges whether a request presents what its operation's
// document asks for under `security`: that the credentials are there and have the
// form of their scheme. Whether they are valid (signatures, expiry, passwords) is
// for authentication handlers and the API to say; nothing here verifies them.
package credential

import (
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// Reasons of Result.Unchecked.
const (
	// UncheckedScheme: the document names a security scheme that it does not
	// declare, or one of a type that is not known here.
	UncheckedScheme = "security-scheme"
	// UncheckedScopes: the operation asks for scopes, and the token does not tell
	// its own: it is opaque, encrypted or has no claim for them.
	UncheckedScopes = "token-scopes"
	// UncheckedCertificate: a trusted proxy ended the TLS connection, so that the
	// client's certificate was shown to it.
	UncheckedCertificate = "client-certificate"
	// UncheckedBodyToken: the operation's form takes the access token in the body
	// (RFC 6750, section 2.2), which is not read for it.
	UncheckedBodyToken = "token-in-body"
)

// UncheckedReasons are all values of Result.Unchecked.
func UncheckedReasons() []string {
	return []string{UncheckedScheme, UncheckedScopes, UncheckedCertificate, UncheckedBodyToken}
}

// Request is what credentials are looked for in.
type Request struct {
	Header   http.Header // keys in net/http's form
	RawQuery string      // without the "?"
	// Certificate says that the client presented one on its TLS connection.
	Certificate bool
	// Trusted says whether a trusted proxy sent the request. It is asked only when
	// a certificate is missing.
	Trusted func() bool
}

// Result is a judgement. The zero value means that what is asked for is there.
type Result struct {
	Missing bool // none of the alternatives is there: 401
	// Challenges are values of WWW-Authenticate, when Missing.
	Challenges []string
	// Unchecked says what could not be checked of credentials that are there.
	Unchecked string
}

// Requirement is what an operation asks for: one of its alternatives. It is
// immutable. The nil Requirement asks for nothing.
type Requirement struct {
	alternatives [][]need
}

// New compiles the security requirements of an operation: its own, else its
// document's. It is nil when there are none, or when credentials are optional
// (an empty requirement is among them). realm names the API in challenges.
func New(op *spec.Operation, realm string) *Requirement {
	var asked openapi3.SecurityRequirements
	var schemes openapi3.SecuritySchemes
	if d := op.Document; d != nil && d.Root != nil {
		asked = d.Root.Security
		if d.Root.Components != nil {
			schemes = d.Root.Components.SecuritySchemes
		}
	}
	if op.Op != nil && op.Op.Security != nil {
		asked = *op.Op.Security
	}
	if len(asked) == 0 {
		return nil
	}
	q := new(Requirement)
	for _, requirement := range asked {
		if len(requirement) == 0 {
			return nil
		}
		var needs []need
		for name, scopes := range requirement {
			needs = append(needs, newNeed(schemes[name], scopes, realm, takesTokenInBody(op.Op)))
		}
		// The map has no order; challenges should have one.
		slices.SortFunc(needs, compareNeeds)
		q.alternatives = append(q.alternatives, needs)
	}
	return q
}

// Judge judges a request. Of several alternatives one that is wholly checked
// counts before one that is not.
func (q *Requirement) Judge(r *Request) Result {
	if q == nil {
		return Result{}
	}
	unchecked := ""
	for _, needs := range q.alternatives {
		met, why := meets(needs, r)
		if met && why == "" {
			return Result{}
		}
		if met && unchecked == "" {
			unchecked = why
		}
	}
	if unchecked != "" {
		return Result{Unchecked: unchecked}
	}
	return Result{Missing: true, Challenges: q.challenges(r)}
}

func meets(needs []need, r *Request) (met bool, unchecked string) {
	for i := range needs {
		switch got, why := needs[i].look(r); {
		case got != present:
			return false, ""
		case unchecked == "":
			unchecked = why
		}
	}
	return true, unchecked
}

// challenges are those of all alternatives (RFC 9110, section 11.6.1: at least one
// that applies), each once.
func (q *Requirement) challenges(r *Request) []string {
	var list []string
	for _, needs := range q.alternatives {
		for i := range needs {
			n := &needs[i]
			if n.challenge == "" {
				continue
			}
			got, _ := n.look(r)
			if challenge := n.challenge + got.parameter(n.kind); !slices.Contains(list, challenge) {
				list = append(list, challenge)
			}
		}
	}
	return list
}
