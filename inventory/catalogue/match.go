package catalogue

import (
	"net/http"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// MaxParams is how many path parameters a template may have.
const MaxParams = 16

// Outcome is what matching found.
type Outcome uint8

const (
	// UnknownHost: nobody declared the host.
	UnknownHost Outcome = iota
	// Ambiguous: the request claims two versions of one API.
	Ambiguous
	// Unclaimed: the host is declared, but no version claims the request. API and
	// Base are set when a version's path holds, or would in another letter case,
	// so that the API's limits hold too.
	Unclaimed
	// NoDocument: a version claims it, but has no document to find it in.
	NoDocument
	// NoRoute: the version's documents do not have the path.
	NoRoute
	// NearMiss: they do not have it, but would if it were spelled in another
	// letter case or with one trailing slash more or less, in the base path, in
	// the template, or in a template that a binding names, or without the name of a
	// script ("/index.php/orders"). API, Version and Base
	// are those of what it nearly is.
	NearMiss
	// NoMethod: they have the path, without this method. Allow is set.
	NoMethod
	// Found: Route is the documented operation.
	Found
	// Passed: it is declared to be no API (Catalogue.Pass).
	Passed
)

// Query is what a request is matched by. Host and Path are in canonical form
// (package policy/target).
type Query struct {
	Host     string      // without port
	Method   string      // letter case counts (RFC 9110, section 9.1)
	Path     string      // percent-encoded, beginning with "/"
	RawQuery string      // without the "?"
	Header   http.Header // that selectors read, keys in net/http's form
}

// Range is a byte range of Query.Path.
type Range struct {
	Start, End uint32 // bytes from Start on, before End
}

// Match is what the catalogue knows about a request. Its zero value is ready for
// Catalogue.Match, which overwrites all of it and allocates nothing.
type Match struct {
	Outcome Outcome  // says which of the others are set
	Host    *Host    // nil: nobody declared it
	API     *API     // nil where no API claims the request
	Version *Version // nil where no version claims it, or two do
	Route   *Route   // Found alone
	Base    string   // the claim's base path that held, in canonical form; for entries of unknown routes
	Bound   uint64   // bits of the bindings that hold (Binding.Bit), whatever the outcome
	Allow   string   // NoMethod: the value of the Allow header

	Pass   *Pass    // Passed
	Within *Version // Passed: the version whose claim it lies in, if any

	// Params are the ranges of the path parameters in Path, in the order of
	// Route.Params.
	Params [MaxParams]Range
}

// Host is a declared host, or a declared pattern of hosts.
type Host struct {
	Index int    // 0 to len(Catalogue.Hosts)-1
	Name  string // "api.example.com" or "*.example.com"
	APIs  []*API // that have a version on it, in declared order
}

// Route is one operation of one version under one base path: what an inventory
// entry of a documented operation stands for.
type Route struct {
	Index     int             // 0 to len(Catalogue.Routes)-1
	API       *API            // that Version belongs to
	Version   *Version        // whose document has the operation
	Operation *spec.Operation // the documented one; its Method is the route's
	Path      string          // base path + template, e.g. "/v2/orders/{id}"
	Params    []string        // names of the path parameters in order of appearance
	Hosts     []*Host         // where it is declared

	// Alternatives are operations of the same document with the same method and
	// the same path, told apart there by a fragment ("/files/{id}#share") or by
	// the name of a parameter only. A request for one may be meant for any.
	Alternatives []*spec.Operation

	segments []spec.Segment // of Path
	guard    *guard         // the bindings of the API
	bound    uint64         // the bindings that hold for every path of the route
	dynamic  bool           // some hold for some of its paths only
}
