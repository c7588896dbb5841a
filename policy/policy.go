package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
	"github.com/apiguard/caddy-api-guard/policy/credential"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// Config is what New compiles. The catalogue's declarations stand in it too,
// since limits bind operations of the catalogue.
type Config struct {
	Rules  Rules   // the policy
	Limits []Limit // of the policy: they hold for each API
	APIs   []API   // in declared order
	// Passthroughs are what is no API: only the rules target and audience hold.
	Passthroughs []*catalogue.Passthrough
	Table        ratelimit.Limiter // where all limits count
	// Formats are formats of strings that the policy defines; nil for none.
	Formats *conformance.Formats

	Integrations []Integration // declared third parties
	// Consumers are placeholders of values that integrations are recognised by,
	// besides the token of Authorization and API keys.
	Consumers []string
}

// API is one API with the rules and limits of its own.
type API struct {
	Declared *catalogue.API // the catalogue's
	Rules    Rules          // all in force: with what the policy says
	Limits   []Limit        // its own, beside the policy's
	Versions []Version      // in the order of Declared.Versions
}

// Version is one version with the rules and limits of its own.
type Version struct {
	Rules  Rules   // all in force: with what its API says
	Limits []Limit // its own, beside those of API and policy
	// Audience is who may reach the version; everybody when there is none.
	Audience []Audience
	// Exceptions are for integrations of the configuration.
	Exceptions []Exception
	// Upgrades are protocols that any operation of the version may upgrade to.
	Upgrades []string
}

// scope is the policy as it holds for one kind of request: those of a version,
// of an API without a version, of a known host that no API claims, or none of
// these.
type scope struct {
	rules  Rules
	limits []bound
	// costs, of an API, are what its operations cost.
	costs []operationCost
	life  life
	// audience are the networks that may reach the version.
	audience   networks
	exceptions []Exception
	// tenants, of a host, are the versions that it serves.
	tenants []tenant
	// vary, of a host, are the header fields that select a version there.
	vary []string
	// protocols are those that a request may upgrade to.
	protocols []string
}

type route struct {
	scope *scope
	// operations are the documented operation, and those that its document tells
	// apart by what no request carries.
	operations []*conformance.Operation
	// credentials are what each of them asks for, nil where none of them does.
	credentials []*credential.Requirement
	protocols   []string
	life        *operationLife // nil: as the version's
	spans       []spanParam
	method      bool // it has a parameter _method of its own
}

// Policy is the compiled policy. It is immutable and safe for concurrent use;
// only the limiter's table behind it holds state.
type Policy struct {
	table     ratelimit.Limiter
	formats   *conformance.Formats
	catalogue *catalogue.Catalogue
	consumers consumers
	nowhere   scope
	hosts     []*scope // by catalogue.Host.Index: requests that nobody claims
	passing   []*scope // by the same: what is passed through there, the last one on other hosts
	apis      map[*catalogue.API]*scope
	versions  map[*catalogue.Version]*scope
	routes    []route // by catalogue.Route.Index
	listed    []listed

	limitNames []string
}

// Catalogue is the catalogue that requests are matched in before Decide.
func (p *Policy) Catalogue() *catalogue.Catalogue { return p.catalogue }

// New compiles a configuration. An error names the API, version, limit or
// operation that is wrong.
func New(cfg Config) (*Policy, error) {
	p := &Policy{
		table:     cfg.Table,
		formats:   cfg.Formats,
		consumers: newConsumers(&cfg),
		nowhere:   scope{rules: cfg.Rules},
		apis:      make(map[*catalogue.API]*scope),
		versions:  make(map[*catalogue.Version]*scope),
	}
	var bindings bindings
	for i := range cfg.APIs {
		if err := p.addAPI(&cfg, &cfg.APIs[i], &bindings); err != nil {
			return nil, err
		}
	}
	if err := bindings.unresolved(cfg.Limits, cfg.APIs); err != nil {
		return nil, err
	}
	declared := make([]*catalogue.API, len(cfg.APIs))
	for i := range cfg.APIs {
		declared[i] = cfg.APIs[i].Declared
	}
	cat, err := catalogue.New(catalogue.Config{APIs: declared, Bindings: bindings.list, Passthroughs: cfg.Passthroughs})
	if err != nil {
		return nil, err
	}
	p.catalogue, p.listed = cat, bindings.listed
	cat.Problems = append(cat.Problems, bindings.problems...)
	p.linkSuccessors()
	p.addHosts(cfg.Rules)
	p.addPassing()
	p.numberLimits()
	p.addRoutes()
	return p, nil
}

func (p *Policy) addAPI(cfg *Config, api *API, bs *bindings) error {
	shared, err := bs.bind(api.Declared, slices.Concat(cfg.Limits, api.Limits), len(cfg.Limits), api.Declared.Name)
	if err != nil {
		return err
	}
	link(shared)
	costs, err := bs.costs(api.Declared, shared)
	if err != nil {
		return err
	}
	p.apis[api.Declared] = &scope{rules: api.Rules, limits: shared, costs: costs}
	for i, declared := range api.Declared.Versions {
		v := &api.Versions[i]
		own, err := bs.bind(api.Declared, v.Limits, 0, api.Declared.Name, declared.Name)
		if err != nil {
			return err
		}
		limits := slices.Concat(shared, own)
		link(limits)
		if len(limits) > MaxLimits {
			return &catalogue.Error{API: api.Declared.Name, Version: declared.Name,
				Err: fmt.Errorf("%d limits hold for it, %d are allowed: merge some", len(limits), MaxLimits)}
		}
		exceptions, err := bs.exceptions(api.Declared, declared.Name, v.Exceptions, limits)
		if err != nil {
			return err
		}
		p.versions[declared] = &scope{rules: v.Rules, limits: limits, costs: costs, protocols: v.Upgrades, audience: networksOf(v.Audience), exceptions: exceptions}
	}
	return nil
}

// addHosts gives each host the policy for requests that no version claims: the
// limits of every API that is served there, and the strictest of their rules, so
// that a path beside the claims is no way round them.
func (p *Policy) addHosts(rules Rules) {
	p.hosts = make([]*scope, len(p.catalogue.Hosts))
	for i, h := range p.catalogue.Hosts {
		s := &scope{rules: rules}
		for _, api := range h.APIs {
			of := p.apis[api]
			s.rules.stricter(&of.rules)
			s.limits = append(s.limits, of.limits...)
			s.costs = append(s.costs, of.costs...)
		}
		if len(s.limits) > MaxLimits {
			// More APIs on one host than a request can be charged for: the first
			// ones stand for all, and the host's unclaimed paths stay limited.
			s.limits = s.limits[:MaxLimits]
		}
		link(s.limits)
		p.hosts[i] = s
	}
	for _, r := range p.catalogue.Routes {
		for _, h := range r.Hosts {
			p.addTenant(h, r.API, r.Version)
		}
	}
	for _, api := range p.catalogue.APIs {
		for _, v := range api.Versions {
			for _, name := range v.Hosts {
				if h := p.catalogue.HostOf(name); h != nil {
					p.addTenant(h, api, v)
				}
			}
		}
	}
}

// addTenant gives a host one of its versions, and the fields that select it.
func (p *Policy) addTenant(h *catalogue.Host, api *catalogue.API, v *catalogue.Version) {
	s, one := p.hosts[h.Index], tenant{api, p.versions[v]}
	if slices.Contains(s.tenants, one) {
		return
	}
	s.tenants = append(s.tenants, one)
	for _, c := range v.Claims {
		if c.Select == nil {
			continue
		}
		if name := c.Select.Vary(); name != "" && !slices.Contains(s.vary, name) {
			s.vary = append(s.vary, name)
			slices.Sort(s.vary)
		}
	}
}

// Unchecked are the parts of requests to a documented route that are not checked, and
// why, as far as it is known. It is not before the first request to it was judged.
func (p *Policy) Unchecked(r *catalogue.Route) (what []string, known bool) {
	for _, o := range p.routes[r.Index].operations {
		problems, some := o.Known()
		what, known = append(what, problems...), known || some
	}
	return what, known
}

// selectingQuery are the query parameters that pick the version: declared by the
// configuration, whether the document has them or not.
func selectingQuery(v *catalogue.Version) []string {
	var names []string
	for _, c := range v.Claims {
		if c.Select != nil && c.Select.Kind == catalogue.SelectQuery {
			names = append(names, c.Select.Name)
		}
	}
	return names
}

func (p *Policy) addRoutes() {
	p.routes = make([]route, len(p.catalogue.Routes))
	for i, r := range p.catalogue.Routes {
		s := p.versions[r.Version]
		p.routes[i] = route{
			scope:     s,
			protocols: slices.Concat(s.protocols, r.Operation.Upgrades),
			spans:     spanParams(r),
			method:    declaresMethod(r),
			life:      newOperationLife(r.Version, r.Operation, successorURI(r.API, r.Version)),
		}
		for _, op := range append([]*spec.Operation{r.Operation}, r.Alternatives...) {
			p.routes[i].operations = append(p.routes[i].operations,
				conformance.New(op, r.Params, conformance.Config{MaxBody: s.rules.MaxBody, MaxResponse: s.rules.MaxResponse, Query: selectingQuery(r.Version), Formats: p.formats}))
		}
		p.routes[i].credentials = credentialsOf(r)
	}
}

func (p *Policy) linkSuccessors() {
	for api := range p.apis {
		for _, v := range api.Versions {
			p.versions[v].life = newLife(v, successorURI(api, v))
		}
	}
}

// successorURI is where a version's successor is: a URI as it stands, or the base
// path of the version that bears the name, with its host when it is another one.
func successorURI(api *catalogue.API, v *catalogue.Version) string {
	i := slices.IndexFunc(api.Versions, func(o *catalogue.Version) bool { return o.Name == v.Successor })
	if i < 0 {
		return v.Successor
	}
	next := api.Versions[i]
	base := "/"
	for _, c := range next.Claims {
		if c.Path != "" {
			base = c.Path
			break
		}
	}
	if len(next.Hosts) == 0 || slices.Contains(v.Hosts, next.Hosts[0]) || strings.Contains(next.Hosts[0], "*") {
		return base
	}
	return "//" + next.Hosts[0] + base
}

// ModeOf is the mode that a version's rule is configured with; that of the policy
// for a version that is not there.
func (p *Policy) ModeOf(api, version string, rule Rule) Mode {
	for v, s := range p.versions {
		if v.Name == version && slices.ContainsFunc(p.catalogue.APIs, func(a *catalogue.API) bool { return a.Name == api && slices.Contains(a.Versions, v) }) {
			return s.rules.modes[rule]
		}
	}
	return p.nowhere.rules.modes[rule]
}

// TellsOn reports whether a host's answers may tell of its versions: the rule
// lifecycle is enforced there.
func (p *Policy) TellsOn(h *catalogue.Host) bool {
	return p.hosts[h.Index].rules.modes[RuleLifecycle] == Enforce
}

// Admits reports whether a client is of the audience of a version.
func (p *Policy) Admits(v *catalogue.Version, client netip.Addr) bool {
	s := p.versions[v]
	return s != nil && s.audience.admit(client)
}

// SuccessorOf is where a version's successor is, as its Link field says it; empty
// when it has none.
func (p *Policy) SuccessorOf(v *catalogue.Version) string {
	for api := range p.apis {
		if slices.Contains(api.Versions, v) {
			return successorURI(api, v)
		}
	}
	return ""
}

// bindings collects the limits with `operations` over all APIs.
type bindings struct {
	list     []catalogue.Binding
	resolved map[string]bool // references of the policy's limits that some API resolves
	listed   []listed
	problems []catalogue.Problem
}

// add binds operations to a bit of catalogue.Match.Bound, and returns it.
func (bs *bindings) add(api *catalogue.API, name string, operations []string) (mask uint64, err error) {
	bit := uint(len(bs.list))
	if bit >= MaxBoundLimits {
		return 0, &catalogue.Error{API: api.Name, Limit: name,
			Err: fmt.Errorf("more than %d limits and costs name operations: merge some", MaxBoundLimits)}
	}
	bs.list = append(bs.list, catalogue.Binding{API: api, Bit: bit, Name: name, Operations: operations})
	return 1 << bit, nil
}

// bind compiles the limits of one scope. The first inherited ones come from the
// policy, whose operations need to exist in one API only.
func (bs *bindings) bind(api *catalogue.API, limits []Limit, inherited int, scope ...string) ([]bound, error) {
	out := make([]bound, 0, len(limits))
	for i := range limits {
		l := &limits[i]
		operations, level := l.Operations, "own"
		if i < inherited {
			level = "policy"
			if operations = bs.known(api, l.Operations); len(l.Operations) > 0 && len(operations) == 0 {
				continue
			}
		}
		var mask uint64
		if len(operations) > 0 {
			var err error
			if mask, err = bs.add(api, l.Name, operations); err != nil {
				return nil, err
			}
		}
		both, err := newBounds(l, mask, append([]string{level}, scope...)...)
		if err != nil {
			return nil, &catalogue.Error{API: api.Name, Limit: l.Name, Err: err}
		}
		out = append(out, both...)
		bs.listed = append(bs.listed, listed{limit: *l, scope: scope, operations: operations, bounds: both})
	}
	return out, nil
}

// known filters the references that some document of the API has. An API without
// documents takes "METHOD /template" as written.
func (bs *bindings) known(api *catalogue.API, refs []string) []string {
	var out []string
	documented := false
	for _, v := range api.Versions {
		documented = documented || len(v.Documents) > 0
	}
	for _, ref := range refs {
		if !documented && strings.Contains(ref, " /") || slices.ContainsFunc(api.Versions, func(v *catalogue.Version) bool { return catalogue.Describe(v.Documents, ref) }) {
			out = append(out, ref)
			if bs.resolved == nil {
				bs.resolved = make(map[string]bool)
			}
			bs.resolved[ref] = true
		}
	}
	return out
}

// unresolved is an error when an operation of a policy-wide limit is in no API.
func (bs *bindings) unresolved(limits []Limit, apis []API) error {
	for i := range limits {
		for _, ref := range limits[i].Operations {
			if bs.resolved[ref] {
				continue
			}
			var documents []*spec.Document
			for _, api := range apis {
				for _, v := range api.Declared.Versions {
					documents = append(documents, v.Documents...)
				}
			}
			return &catalogue.Error{Limit: limits[i].Name, Operation: ref, Err: fmt.Errorf("operation %q is in no document of any API%s", ref,
				catalogue.Suggest(ref, documents, `: write an operationId or "METHOD /template" as a document has it`))}
		}
	}
	return nil
}
