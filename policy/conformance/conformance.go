// Package conformance judges requests against the operations of an API
// description. Every operation is compiled once, at its first use, into a plan:
// how each parameter is split, decoded and checked, and which schema each media
// type of the body has. kin-openapi loads and resolves the documents; it judges
// nothing here.
package conformance

import (
	"net/http"
	"runtime/debug"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Where says which part of a request an Error is about: the values of `in` in a
// problem document.
type Where string

// Where an error is.
const (
	InPath   Where = "path"
	InQuery  Where = "query"
	InHeader Where = "header"
	InCookie Where = "cookie"
	InBody   Where = "body"
)

// Error is one way in which a request is not what its document asks for. It
// never carries a submitted value; Pointer and Name may carry names that the
// client chose only where the document declares them.
type Error struct {
	In      Where  `json:"in"`      // one of the In constants
	Pointer string `json:"pointer"` // JSON pointer into the body or the parameter's value, "" for the whole
	Name    string `json:"name"`    // the parameter's name, "" for the body
	Keyword string `json:"keyword"` // the schema keyword or the rule that failed, e.g. "maximum", "required", "type", "unknown-parameter"
	Detail  string `json:"detail"`  // for people: what was expected
}

// MaxErrors is how many errors a Result carries at most.
const MaxErrors = 10

// Reason is why a request is refused.
type Reason uint8

// What a result says.
const (
	OK                   Reason = iota
	Invalid                     // 400 request-invalid
	BodyTooLarge                // 413 body-too-large
	MediaTypeUnsupported        // 415 media-type-unsupported
	Internal                    // 500 internal-error: judging panicked; never a pass
)

// Result is a judgement. The zero value means that the request conforms.
type Result struct {
	Reason Reason  // OK: it conforms, as far as it was checked
	Errors []Error // why, for Invalid
	// Undeclared are parameters that the document does not have. They do not set
	// Reason: the policy's `unknown_parameters` decides about them.
	Undeclared []Error
	// Accept is the value of the Accept header for MediaTypeUnsupported.
	Accept string
	// Unchecked says what could not be checked, e.g. "schema-unsupported". Empty
	// when all was.
	Unchecked string
	// Defect is the panic of Internal.
	Defect *Defect
}

// Defect is a panic while judging: a fault of this program, for its log.
type Defect struct {
	// Panic is what was panicked with, never nil.
	Panic any
	// Stack is the goroutine's, as text of runtime/debug.Stack.
	Stack []byte
}

// Recovered is the defect whose panic recover gave. It is called where it was recovered.
func Recovered(p any) *Defect { return &Defect{Panic: p, Stack: debug.Stack()} }

func failed(p any) Result { return Result{Reason: Internal, Defect: Recovered(p)} }

// Request is the head of a request that the catalogue has matched.
type Request struct {
	Path     string                                // canonical; Params are ranges of it
	Params   *[catalogue.MaxParams]catalogue.Range // by position in Route.Params
	RawQuery string                                // without the "?"
	Header   http.Header                           // keys in net/http's form
}
