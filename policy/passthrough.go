package policy

import (
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// addPassing gives each host the rules for what is passed through on it: target as
// it stands there, and no other. The audience is that of the version in whose
// claim the path lies; beside all claims, that of the host's versions together.
func (p *Policy) addPassing() {
	p.passing = make([]*scope, len(p.hosts)+1)
	for i := range p.passing {
		of := &p.nowhere
		if i < len(p.hosts) {
			of = p.hosts[i]
		}
		s := &scope{rules: of.rules}
		s.rules.SetAll(Off)
		s.rules.modes[RuleTarget] = of.rules.modes[RuleTarget]
		p.passing[i] = s
	}
}

func (p *Policy) passingOn(h *catalogue.Host) *scope {
	if h == nil {
		return p.passing[len(p.passing)-1]
	}
	return p.passing[h.Index]
}

// pass judges what is declared to be no API.
func (p *Policy) pass(r *Request, v *Verdict) {
	v.vary = nil // no version was selected
	of, m := &p.nowhere, r.Match
	switch {
	case m.Within != nil:
		of = p.versions[m.Within]
		m.Version = m.Within
	case m.Host != nil:
		of = p.hosts[m.Host.Index]
	}
	if !p.admits(&m, of, r.proven()) {
		reason := r.notAdmitted()
		v.Object(RuleAudience, r.overridden(RuleAudience, of.rules.modes[RuleAudience]), reason, reasonText[reason].status)
	}
}
