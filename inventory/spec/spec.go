// Package spec holds API descriptions (OpenAPI 3.0, 3.1 and 3.2) as the rest of
// the guard needs them: read from files or memory, resolved by kin-openapi, and cut into
// operations. Nothing here matches a request or judges one; kin-openapi's own
// router and validator are not used.
package spec

import (
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// Document is one loaded API description. It is immutable and may be shared by
// several versions and configurations.
type Document struct {
	Name string   // the path or the URL as the configuration spells it, for messages
	Hash [32]byte // SHA-256 over the document and every file that it references
	Text []byte   // what Load was given; nil for one that LoadFile read
	JSON bool     // it is written in JSON, not in YAML
	// References are the files that it refers to, sorted, relative to its own
	// folder and with slashes.
	References []string
	OpenAPI    string // the specification's version as written, e.g. "3.0.3"
	Title      string // info.title
	Version    string // info.version

	// Servers are the document-level servers, variables expanded. Never empty:
	// a document without servers has the one that the specification assumes, "/".
	Servers []Server

	// Operations are sorted by template, then method.
	Operations []*Operation

	// Problems are the parts that could not be used. Each degrades alone: the
	// rest of the document works.
	Problems []Problem

	// Root is the resolved document, shared: nobody changes it.
	Root *openapi3.T

	// Schemas hold the schemas of Root that have SchemaMark; nil without any.
	Schemas *Schemas
}

// Base is the last element of the document's path or URL, without a query.
func (d *Document) Base() string { return baseOf(d.Name) }

func baseOf(name string) string {
	if !strings.Contains(name, "://") {
		return filepath.Base(name)
	}
	name, _, _ = strings.Cut(name, "?")
	return path.Base(name)
}

// Server is one base URL of a document, expanded to a single host and path.
// Scheme and port are ignored: what serves them is Caddy's business.
type Server struct {
	// Host is lower case without port or final dot; empty for a relative URL.
	// A label that a variable without enum fills is "*".
	Host string
	// Base is the canonical path without a trailing slash, empty for the root.
	// A segment that a variable without enum fills is "{name}".
	Base string
}

// Operation is one method of one path template.
type Operation struct {
	Document   *Document // that has it
	ID         string    // operationId, may be empty
	Method     string    // upper case for the standard methods, as written for others
	Template   string    // the key in `paths`, e.g. "/orders/{id}"
	Deprecated bool      // the document marks it
	// Sunset is when the operation ends (`x-sunset`); zero when it says nothing.
	Sunset time.Time

	// Servers are the servers in force for this operation: its own, else the
	// path item's, else the document's.
	Servers []Server

	// Upgrades are the protocols that a connection may become with the operation
	// (`x-api-guard-upgrade`), as the Upgrade field spells them.
	Upgrades []string

	// MultiSegment names the path parameters that may span several segments
	// (`x-multi-segment: true`).
	MultiSegment []string

	Path *openapi3.PathItem  // that has it; what it says holds for Op too
	Op   *openapi3.Operation // as kin-openapi resolved it
}

// Problem is a part of a document that is not in force, and why.
type Problem struct {
	Where  string // a JSON pointer into the document, or "METHOD /template"
	Reason string // a sentence for people
}
