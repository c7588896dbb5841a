package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// checkSecurity names each security scheme once that security asks for and nothing can
// look for: what a document thinks is shut would be open without a word.
func (d *Document) checkSecurity() {
	var schemes openapi3.SecuritySchemes
	if d.Root.Components != nil {
		schemes = d.Root.Components.SecuritySchemes
	}
	told := map[string]bool{}
	check := func(where string, asked openapi3.SecurityRequirements) {
		for _, requirement := range asked {
			for _, name := range slices.Sorted(maps.Keys(requirement)) {
				if why := SchemeProblem(schemes[name]); why != "" && !told[name] {
					told[name] = true
					d.problem(where, fmt.Sprintf("security asks for %q, and %s: it is not checked", name, why))
				}
			}
		}
	}
	check("/security", d.Root.Security)
	for _, op := range d.Operations {
		if op.Op.Security != nil {
			check(op.Method+" "+op.Template, *op.Op.Security)
		}
	}
}

// SchemeProblem says why nothing can look for the credential of a security scheme
// (OpenAPI 3.1.1, Security Scheme Object); "" when it can.
func SchemeProblem(ref *openapi3.SecuritySchemeRef) string {
	if ref == nil || ref.Value == nil {
		return "components.securitySchemes has no such scheme"
	}
	s := ref.Value
	switch strings.ToLower(s.Type) {
	case "apikey":
		switch s.In {
		case openapi3.ParameterInHeader, openapi3.ParameterInQuery, openapi3.ParameterInCookie:
			return ""
		}
		return fmt.Sprintf("its in is %q: write header, query or cookie", s.In)
	case "http":
		if s.Scheme == "" {
			return "it has no scheme: write one such as bearer or basic"
		}
		return ""
	case "oauth2", "openidconnect", "mutualtls":
		return ""
	}
	return fmt.Sprintf("its type is %q: write apiKey, http, oauth2, openIdConnect or mutualTLS", s.Type)
}
