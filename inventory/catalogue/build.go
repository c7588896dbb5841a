package catalogue

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// builder gathers the claims of all versions by host, then compiles each host.
type builder struct {
	catalogue *Catalogue
	guards    map[*API]*guard
	bases     map[*API][]string // in order of appearance
	hosts     []*hostBuild
	byName    map[string]*hostBuild

	routes    map[routeKey]*Route
	templates map[*spec.Operation]*template
	compiled  map[string]*operations
	said      map[Problem]bool
}

// routeKey identifies a route.
type routeKey struct {
	version   *Version
	base      string
	operation *spec.Operation
}

// template is an operation's template, or why it is not in force.
type template struct {
	spec.Template
	number int // in order of appearance
	err    error
}

type hostBuild struct {
	host  *Host
	bases []*baseBuild
}

// baseBuild is a base path of a host.
type baseBuild struct {
	base     string
	shape    string
	segments []spec.Segment
	claims   []*claimBuild
	fallback *member
}

// claimBuild is one claim and the versions that make it.
type claimBuild struct {
	selector Selector
	members  []member
}

// member is a version that makes a claim, with what it serves there.
type member struct {
	api        *API
	version    *Version
	operations []*spec.Operation
}

func (m member) documented() bool { return len(m.version.Documents) > 0 }

func (m member) String() string {
	return fmt.Sprintf("version %q of API %q", m.version.Name, m.api.Name)
}

func newBuilder(apis []*API) *builder {
	b := &builder{
		catalogue: &Catalogue{
			APIs:  apis,
			hosts: hostTable{exact: make(map[string]*hostEntry), wildcard: make(map[string]*hostEntry)},
		},
		guards:    make(map[*API]*guard, len(apis)),
		bases:     make(map[*API][]string),
		byName:    make(map[string]*hostBuild),
		routes:    make(map[routeKey]*Route),
		templates: make(map[*spec.Operation]*template),
		compiled:  make(map[string]*operations),
		said:      make(map[Problem]bool),
	}
	for _, api := range apis {
		b.guards[api] = &guard{api: api}
	}
	return b
}

func (b *builder) problem(api *API, v *Version, where, reason string) {
	p := Problem{API: api.Name, Version: v.Name, Where: where, Reason: reason}
	if !b.said[p] {
		b.said[p] = true
		b.catalogue.Problems = append(b.catalogue.Problems, p)
	}
}

// claim files a version's reaches and refuses those that somebody else has.
func (b *builder) claim(api *API, v *Version, reaches []reach) error {
	for _, r := range reaches {
		at, err := b.base(r.host, r.base)
		if err != nil {
			return err
		}
		if h := b.byName[r.host].host; !slices.Contains(h.APIs, api) {
			h.APIs = append(h.APIs, api)
		}
		if !slices.Contains(b.bases[api], r.base) {
			b.bases[api] = append(b.bases[api], r.base)
		}
		m := member{api: api, version: v, operations: r.operations}
		c := at.claim(r.selector)
		for _, o := range c.members {
			if !o.documented() || !m.documented() {
				return fmt.Errorf("%s makes the same claim (%s); give one of them another path, host or selector", o, r)
			}
		}
		c.members = append(c.members, m)
		if err := at.fallBack(m, r); err != nil {
			return err
		}
	}
	return nil
}

// String says what is claimed.
func (r reach) String() string {
	text := "host " + r.host + ", path " + r.base
	if r.base == "" {
		text += "/"
	}
	if r.selector.Kind != 0 {
		text += ", " + r.selector.String()
	}
	return text
}

// base finds or makes a base path of a host.
func (b *builder) base(name, base string) (*baseBuild, error) {
	h := b.byName[name]
	if h == nil {
		h = &hostBuild{host: &Host{Index: len(b.hosts), Name: name}}
		b.byName[name] = h
		b.hosts = append(b.hosts, h)
		b.catalogue.Hosts = append(b.catalogue.Hosts, h.host)
	}
	segments, err := baseSegments(base)
	if err != nil {
		return nil, fmt.Errorf("the path %q: %w", base, err)
	}
	shape := spec.Template{Segments: segments}.Shape()
	for _, known := range h.bases {
		if known.shape == shape {
			return known, nil
		}
	}
	at := &baseBuild{base: base, shape: shape, segments: segments}
	h.bases = append(h.bases, at)
	patterns := 0
	for _, known := range h.bases {
		if strings.Contains(known.shape, "{}") {
			patterns++
		}
	}
	if patterns > maxPatternBases {
		return nil, fmt.Errorf("host %s has more than %d base paths with variables; set `path` for some versions", name, maxPatternBases)
	}
	return at, nil
}

func (at *baseBuild) claim(s Selector) *claimBuild {
	for _, c := range at.claims {
		if c.selector == s {
			return c
		}
	}
	c := &claimBuild{selector: s}
	at.claims = append(at.claims, c)
	return c
}

// fallBack makes the version the one that answers requests without a selector.
func (at *baseBuild) fallBack(m member, r reach) error {
	if !m.version.Default {
		return nil
	}
	if at.fallback == nil {
		at.fallback = &member{api: m.api, version: m.version, operations: slices.Clip(m.operations)}
		return nil
	}
	if at.fallback.version != m.version {
		return fmt.Errorf("%s is the default there too (host %s, path %s/); leave `default` to one of them", at.fallback, r.host, r.base)
	}
	for _, op := range m.operations {
		if !slices.Contains(at.fallback.operations, op) {
			at.fallback.operations = append(at.fallback.operations, op)
		}
	}
	return nil
}

// errShared is the advice where documents of one claim overlap.
var errShared = errors.New("documents that share a base path must not describe the same operation; give one of them another path, host or selector")
