// Package catalogue is what an operator declares to exist: APIs, their versions,
// the hosts, paths and selectors that each version answers for, and the
// documents that describe them. It compiles the declaration into one matcher for
// all hosts and versions and resolves a request to its host, version and
// operation. A Catalogue is immutable: one per configuration.
package catalogue

import (
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// API is a logical product with one policy over all its versions.
type API struct {
	Name     string     // unlike those of all other APIs of the configuration
	Owner    string     // the team that answers for it; may be empty
	Purpose  string     // a sentence; may be empty
	Versions []*Version // in declared order
}

// Version is one line of an API: "v2", "2025.0".
type Version struct {
	Name string // unlike those of all other versions of the API

	// Hosts are the names that serve the version, exact or "*.example.com".
	// When empty, the absolute server URLs of the documents give the hosts.
	Hosts []string

	// Claims say which requests on those hosts are this version's. Each is an
	// alternative. When empty, there is one claim without path and selector.
	Claims []Claim

	// Default makes the version answer requests that carry no selector at all.
	Default bool

	// Documents describe the version; none where there is nothing to find operations in.
	Documents []*spec.Document

	State       State     // StateDesign, StateBeta or StateActive; the rest follows from the dates
	Deprecated  time.Time // from then on, inclusive; zero: no date
	Sunset      time.Time // retired from then on, inclusive; zero: no date
	Brownouts   []Window  // when it answers as if it were retired
	Successor   string    // name of a version of the same API, or a URL
	Docs        string    // URL for people
	Environment string    // "production", "staging", ...; empty: not declared
	Owner       string    // empty: the API's
}

// Claim is a path prefix, a selector, or both.
type Claim struct {
	// Path is a canonical path prefix such as "/v2" ("/" is the root). It
	// replaces the path of every server of the documents. When empty the
	// documents' servers give the paths; without a document it is the root.
	Path string
	// Select is nil when the claim is by path alone.
	Select *Selector
}

// State is where a version stands in its life.
type State uint8

// The states.
const (
	StateActive State = iota
	StateBeta
	// StateDesign: it is declared and not served yet.
	StateDesign
	StateDeprecated
	StateRetired

	// NumStates is how many states there are.
	NumStates = int(StateRetired) + 1
)

// String is the state as configurations and answers spell it.
func (s State) String() string {
	switch s {
	case StateBeta:
		return "beta"
	case StateDesign:
		return "design"
	case StateDeprecated:
		return "deprecated"
	case StateRetired:
		return "retired"
	default:
		return "active"
	}
}

// StateAt is the version's state at t. It is the one place that turns dates into
// a state: a version is deprecated from its Deprecated time on and retired from
// its Sunset time on, both inclusive.
func (v *Version) StateAt(t time.Time) State {
	switch {
	case !v.Sunset.IsZero() && !t.Before(v.Sunset):
		return StateRetired
	case !v.Deprecated.IsZero() && !t.Before(v.Deprecated):
		return StateDeprecated
	default:
		return v.State
	}
}

// Window is a time in which a version takes a rest.
type Window struct {
	From, To time.Time // it holds at From, and at To no more
}

// BrownoutAt reports whether the version takes a rest at t.
func (v *Version) BrownoutAt(t time.Time) bool {
	for i := range v.Brownouts {
		if w := &v.Brownouts[i]; !t.Before(w.From) && t.Before(w.To) {
			return true
		}
	}
	return false
}

// Binding ties a named group of operations (a limit's `operations`) to an API.
// The references resolve in every document of the API, and the methods and
// templates they name bind under every base path, host and selector of that API,
// in versions without a document too.
type Binding struct {
	// API is the one that is bound. Nil means every API of the catalogue: each
	// reference must then resolve in one of them at least.
	API        *API
	Bit        uint     // 0 to 63, one space for the catalogue; Match.Bound carries 1<<Bit when the binding holds
	Name       string   // the limit's name, for messages
	Operations []string // operationIds or "METHOD /template"
}

// Config is what New compiles.
type Config struct {
	APIs         []*API         // in declared order
	Bindings     []Binding      // of the limits that name operations
	Passthroughs []*Passthrough // what is no API, in declared order
}
