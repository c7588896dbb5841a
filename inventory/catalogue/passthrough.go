package catalogue

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// Passthrough is what an operator declares to be no API: health probes, static
// files, challenges of certificate authorities. It has neither a version nor an
// operation.
type Passthrough struct {
	Name string // unlike those of all other passthroughs
	// Hosts are names as in Version.Hosts, addresses included. Empty: every host,
	// declared or not, since probes ask for addresses.
	Hosts []string
	// Paths are exact ("/healthz") or all below a prefix ("/assets/*"). Empty:
	// every path of Hosts.
	Paths []string
	// Methods are upper case. GET covers HEAD. Empty: every method.
	Methods []string
	Reason  string // why it is no API, for people
}

// Pass is one path of a passthrough on one of its hosts: what an inventory entry
// stands for.
type Pass struct {
	Index       int          // 0 to len(Catalogue.Passes)-1
	Passthrough *Passthrough // that it is one path of
	Host        string       // as requests are compared with it; AnyHost for every host
	Path        string       // as declared

	below string // the prefix with its slash, empty for an exact path
	depth int    // how many segments of a path it fixes
}

// AnyHost stands in Pass.Host for every host.
const AnyHost = "*"

// Method spells the methods for an entry: "GET, HEAD", or "*" for every one.
func (p *Pass) Method() string {
	if len(p.Passthrough.Methods) == 0 {
		return "*"
	}
	return strings.Join(p.Passthrough.Methods, ", ")
}

// Covers reports whether it covers the method and the canonical path.
func (p *Pass) Covers(method, path string) bool {
	if p.below == "" {
		if path != p.Path {
			return false
		}
	} else if !strings.HasPrefix(path, p.below) {
		return false
	}
	methods := p.Passthrough.Methods
	return len(methods) == 0 || slices.Contains(methods, method) || method == "HEAD" && slices.Contains(methods, "GET")
}

// passTable finds the passes of a host.
type passTable struct {
	exact    map[string][]*Pass
	patterns []passPattern // in declared order
	any      []*Pass
}

type passPattern struct {
	labels []string
	passes []*Pass
}

// Pass reports whether a request that Match resolved is declared to be no API, and
// makes m say so: Passed, with Pass, and Within in place of API and Version.
//
// It is no way round a policy. What a document has, in whatever spelling, belongs
// to the document; what a limit's operations name belongs to the limit; and of a
// passthrough and a version's claim the longer path holds, the claim if both are
// equally long. Ask only for requests whose target has one reading.
func (c *Catalogue) Pass(q *Query, m *Match) bool {
	switch m.Outcome {
	case UnknownHost, Unclaimed, NoDocument, NoRoute:
	default:
		return false
	}
	if len(c.Passes) == 0 || m.Bound != 0 {
		return false
	}
	depth := -1
	if m.API != nil {
		depth = strings.Count(m.Base, "/")
	}
	p := c.passes.find(q, depth)
	if p == nil {
		return false
	}
	m.Within, m.Outcome, m.Pass = m.Version, Passed, p
	m.API, m.Version, m.Base = nil, nil, ""
	return true
}

// find is the most specific pass that fixes more than depth segments; of equal ones
// that of the host's own name, then that of a pattern.
func (t *passTable) find(q *Query, depth int) *Pass {
	best := longest(nil, t.exact[q.Host], q, &depth)
	for i := range t.patterns {
		if matchLabels(t.patterns[i].labels, q.Host) {
			best = longest(best, t.patterns[i].passes, q, &depth)
		}
	}
	return longest(best, t.any, q, &depth)
}

// longest is best, or what is more specific than depth, which it raises.
func longest(best *Pass, passes []*Pass, q *Query, depth *int) *Pass {
	for _, p := range passes {
		if p.depth > *depth && p.Covers(q.Method, q.Path) {
			best, *depth = p, p.depth
		}
	}
	return best
}

// passOf compiles one path on one host.
func passOf(t *Passthrough, host, path string) (*Pass, error) {
	p := &Pass{Passthrough: t, Host: host, Path: path}
	fixed, all := path, false
	if prefix, ok := strings.CutSuffix(path, "/*"); ok {
		fixed, all = prefix, true
	}
	if path == "" || path[0] != '/' || strings.ContainsAny(fixed, "*?#{}\\ ") {
		return nil, fmt.Errorf("the path %q is no path: write an exact one such as /healthz, or all below one such as /assets/*", path)
	}
	trimmed := strings.TrimSuffix(fixed, "/")
	parsed, err := spec.ParseTemplate(trimmed)
	if err == nil && trimmed != "" {
		var canonical strings.Builder
		for _, s := range parsed.Segments {
			canonical.WriteString("/" + s.Parts[0].Literal)
		}
		if canonical.String() != trimmed {
			err = fmt.Errorf("requests have it as %s", canonical.String())
		}
	}
	if err != nil && trimmed != "" {
		return nil, fmt.Errorf("the path %q: %w", path, err)
	}
	p.depth = strings.Count(fixed, "/")
	if all {
		p.below = fixed + "/"
	} else {
		p.depth = strings.Count(trimmed, "/") + 1 // one more than a claim of that path
	}
	return p, nil
}

// passThrough compiles the passthroughs, when all claims are in.
func (b *builder) passThrough(list []*Passthrough) error {
	c := b.catalogue
	c.Passthroughs = list
	c.passes.exact = make(map[string][]*Pass)
	for i, t := range list {
		if slices.ContainsFunc(list[:i], func(o *Passthrough) bool { return o.Name == t.Name }) {
			return &Error{Passthrough: t.Name, Err: errors.New("two passthroughs have this name")}
		}
		if err := b.addPasses(t); err != nil {
			return &Error{Passthrough: t.Name, Err: err}
		}
	}
	return nil
}

func (b *builder) addPasses(t *Passthrough) error {
	if len(t.Hosts) == 0 && len(t.Paths) == 0 {
		return errors.New("it has neither hosts nor a path and would pass everything: add one of them")
	}
	paths := t.Paths
	if len(paths) == 0 {
		paths = []string{"/*"}
	}
	hosts := []string{AnyHost}
	if len(t.Hosts) > 0 {
		hosts = hosts[:0]
		for _, declared := range t.Hosts {
			host, err := spec.CanonicalHost(declared)
			if err != nil {
				return err
			}
			if host == AnyHost {
				return errors.New("the host * is every host: leave hosts out")
			}
			hosts = append(hosts, host)
		}
	}
	c := b.catalogue
	for _, host := range hosts {
		for _, path := range paths {
			p, err := passOf(t, host, path)
			if err != nil {
				return err
			}
			if p.below == "/" && host == AnyHost {
				return errors.New("the path /* on every host would pass everything: add hosts, or name longer paths")
			}
			if err := b.clash(p); err != nil {
				return err
			}
			p.Index = len(c.Passes)
			c.Passes = append(c.Passes, p)
			c.passes.add(p)
		}
	}
	return nil
}

// add files a pass under its host.
func (t *passTable) add(p *Pass) {
	switch {
	case p.Host == AnyHost:
		t.any = append(t.any, p)
	case !strings.Contains(p.Host, "*"):
		t.exact[p.Host] = append(t.exact[p.Host], p)
	default:
		labels := strings.Split(p.Host, ".")
		for i := range t.patterns {
			if slices.Equal(t.patterns[i].labels, labels) {
				t.patterns[i].passes = append(t.patterns[i].passes, p)
				return
			}
		}
		t.patterns = append(t.patterns, passPattern{labels, []*Pass{p}})
	}
}

// clash refuses a pass that could not hold, because something of more right has
// just what it names.
func (b *builder) clash(p *Pass) error {
	for _, o := range b.catalogue.Passes {
		if o.Host == p.Host && o.Path == p.Path && sharesMethod(o.Passthrough, p.Passthrough) {
			return fmt.Errorf("passthrough %q has %s on %s too; leave it to one of them", o.Passthrough.Name, p.Path, hostText(p.Host))
		}
	}
	for _, h := range b.hosts {
		if p.Host != AnyHost && p.Host != h.host.Name {
			continue
		}
		if p.below == "" {
			if err := b.documents(h, p); err != nil {
				return err
			}
			continue
		}
		for _, at := range h.bases {
			if p.Host == AnyHost || at.base != strings.TrimSuffix(p.below, "/") {
				continue
			}
			for _, c := range at.claims {
				if c.selector.Kind == 0 {
					return fmt.Errorf("%s answers for all of %s on host %s; name longer paths, or give the version another one", c.members[0], p.Path, h.host.Name)
				}
			}
		}
	}
	return nil
}

// documents refuses an exact path that a document has.
func (b *builder) documents(h *hostBuild, p *Pass) error {
	for _, r := range b.catalogue.Routes {
		if r.Path == p.Path && slices.Contains(r.Hosts, h.host) && p.Covers(r.Operation.Method, p.Path) {
			return fmt.Errorf("version %q of API %q documents %s %s on host %s, and what a document has is never passed through; leave the path or the method out",
				r.Version.Name, r.API.Name, r.Operation.Method, p.Path, h.host.Name)
		}
	}
	return nil
}

func sharesMethod(a, b *Passthrough) bool {
	return len(a.Methods) == 0 || len(b.Methods) == 0 ||
		slices.ContainsFunc(a.Methods, func(m string) bool { return slices.Contains(b.Methods, m) })
}

func hostText(host string) string {
	if host == AnyHost {
		return "every host"
	}
	return "host " + host
}
