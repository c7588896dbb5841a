package catalogue

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// maxBaseSegments is how deep a claimed path may be.
const maxBaseSegments = 8

// reach is a claim in force: one host, one base path and at most one selector of
// a version, with the operations that its documents serve there.
type reach struct {
	api        *API
	version    *Version
	host       string
	base       string
	selector   Selector // Kind 0: none
	operations []*spec.Operation
}

// place is a host and a base path.
type place struct{ host, base string }

// reaches resolves a version's claims against the servers of its documents.
func (b *builder) reaches(api *API, v *Version) ([]reach, error) {
	hosts := make([]string, 0, len(v.Hosts))
	for _, declared := range v.Hosts {
		host, err := spec.CanonicalHost(declared)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	claims := v.Claims
	if len(claims) == 0 {
		claims = []Claim{{}}
	}
	var all []reach
	for _, claim := range claims {
		selector, err := canonicalSelector(claim.Select, v.Name)
		if err != nil {
			return nil, err
		}
		base, err := canonicalBase(claim.Path)
		if err != nil {
			return nil, err
		}
		fixed := claim.Path != ""
		if len(v.Documents) == 0 {
			for _, host := range hosts {
				all = append(all, reach{api: api, version: v, host: host, base: base, selector: selector})
			}
			continue
		}
		for _, at := range b.places(api, v, hosts, base, fixed) {
			all = append(all, reach{
				api: api, version: v, host: at.host, base: at.base, selector: selector,
				operations: at.operations,
			})
		}
	}
	if len(all) == 0 {
		return nil, errors.New("it has neither hosts nor a document with an absolute server URL; add hosts")
	}
	return merge(all), nil
}

// served is a place with the operations that are served there.
type served struct {
	place
	operations []*spec.Operation
}

// places distributes the operations of a version over hosts and base paths. A
// document's server that every operation overrides claims nothing.
func (b *builder) places(api *API, v *Version, hosts []string, base string, fixed bool) []served {
	var all []served
	index := make(map[place]int)
	homeless := make(map[*spec.Document]int)
	add := func(s spec.Server, op *spec.Operation) bool {
		at := place{base: s.Base}
		if fixed {
			at.base = base
		} else if !b.usable(api, v, s.Base) {
			return true // said once, as a problem of the server
		}
		names := hosts
		if len(names) == 0 && s.Host != "" {
			names = []string{s.Host}
		}
		for _, at.host = range names {
			i, ok := index[at]
			if !ok {
				i = len(all)
				index[at] = i
				all = append(all, served{place: at})
			}
			if n := len(all[i].operations); op != nil && (n == 0 || all[i].operations[n-1] != op) {
				all[i].operations = append(all[i].operations, op)
			}
		}
		return len(names) > 0
	}
	for _, doc := range v.Documents {
		if len(doc.Operations) == 0 {
			for _, s := range serversOr(doc.Servers) {
				add(s, nil)
			}
		}
		for _, op := range doc.Operations {
			home := false
			for _, s := range serversOr(op.Servers) {
				home = add(s, op) || home
			}
			if !home {
				homeless[doc]++
			}
		}
	}
	for _, doc := range v.Documents {
		if n := homeless[doc]; n > 0 {
			b.problem(api, v, doc.Name, fmt.Sprintf("%d operations have only relative server URLs and the version names no hosts", n))
		}
	}
	return all
}

// usable checks the base path of a document's server and reports it once.
func (b *builder) usable(api *API, v *Version, base string) bool {
	_, err := baseSegments(base)
	if err == nil {
		return true
	}
	b.problem(api, v, "server "+base, err.Error())
	return false
}

// serversOr is the server that the specification assumes where none is given.
func serversOr(servers []spec.Server) []spec.Server {
	if len(servers) == 0 {
		return []spec.Server{{}}
	}
	return servers
}

// merge joins the reaches of one version that say the same.
func merge(all []reach) []reach {
	var out []reach
	for _, r := range all {
		i := slices.IndexFunc(out, func(o reach) bool {
			return o.host == r.host && o.base == r.base && o.selector == r.selector
		})
		if i < 0 {
			out = append(out, r)
			continue
		}
		seen := make(map[*spec.Operation]bool, len(out[i].operations))
		for _, op := range out[i].operations {
			seen[op] = true
		}
		for _, op := range r.operations {
			if !seen[op] {
				out[i].operations = append(slices.Clip(out[i].operations), op)
			}
		}
	}
	return out
}

// trimSpace removes optional white space (RFC 9110 5.6.3).
func trimSpace(s string) string { return strings.Trim(s, " \t") }

// canonicalBase is a claimed path as requests are compared with it: canonical,
// without a slash at the end, empty for the root.
func canonicalBase(path string) (string, error) {
	base := strings.TrimSuffix(path, "/")
	if base == "" {
		return "", nil
	}
	if strings.ContainsAny(base, "?#") {
		return "", fmt.Errorf("the path %q has a query or a fragment; claim a path only", path)
	}
	segments, err := baseSegments(base)
	if err != nil {
		return "", fmt.Errorf("the path %q: %w", path, err)
	}
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		if s.IsParam() {
			b.WriteString("{" + s.Parts[0].Param + "}")
		} else {
			b.WriteString(s.Parts[0].Literal)
		}
	}
	return b.String(), nil
}

// baseSegments cuts a base path. A segment is a literal or, from a variable of a
// server URL, "{name}".
func baseSegments(base string) ([]spec.Segment, error) {
	if base == "" {
		return nil, nil
	}
	t, err := spec.ParseTemplate(base)
	if err != nil {
		return nil, err
	}
	if len(t.Segments) > maxBaseSegments {
		return nil, fmt.Errorf("it has %d segments; at most %d can be claimed", len(t.Segments), maxBaseSegments)
	}
	for _, s := range t.Segments {
		if !s.IsLiteral() && !s.IsParam() {
			return nil, errors.New("a variable must be a whole segment")
		}
	}
	return t.Segments, nil
}
