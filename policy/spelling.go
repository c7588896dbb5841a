package policy

import (
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy/target"
)

// spanParam is a path parameter in which a documented operation allows what is
// refused elsewhere: an encoded slash, or ";" by the matrix style.
type spanParam struct {
	index            int // in catalogue.Route.Params
	slash, semicolon bool
}

func spanParams(r *catalogue.Route) []spanParam {
	var out []spanParam
	for i, name := range r.Params {
		p := spanParam{index: i, slash: slices.Contains(r.Operation.MultiSegment, name)}
		for _, list := range [...]openapi3.Parameters{r.Operation.Path.Parameters, r.Operation.Op.Parameters} {
			if declared := list.GetByInAndName(openapi3.ParameterInPath, name); declared != nil {
				p.semicolon = declared.Style == openapi3.SerializationMatrix
			}
		}
		if p.slash || p.semicolon {
			out = append(out, p)
		}
	}
	return out
}

// malformed reports whether the target can be read in two ways: it is not
// canonical, it has something that only a matched operation could justify and
// does not, its query names another method, or its method is no standard one, in no
// document and in no passthrough.
func (p *Policy) malformed(r *Request) bool {
	m := &r.Match
	if r.Problem != "" || p.overridden(r) || m.Outcome != catalogue.Found && !target.StandardMethod(r.Method) && !passes(m, r.Method) {
		return true
	}
	if r.Target.Conditional == "" {
		return false
	}
	var spans [catalogue.MaxParams]target.Span
	n := 0
	if m.Outcome == catalogue.Found {
		for _, s := range p.routes[m.Route.Index].spans {
			at := m.Params[s.index]
			spans[n] = target.Span{Start: int(at.Start), End: int(at.End), Slash: s.slash, Semicolon: s.semicolon}
			n++
		}
	}
	return r.Target.Settle(spans[:n]...) != ""
}

// passes reports whether a passthrough names the method.
func passes(m *catalogue.Match, method string) bool {
	return m.Outcome == catalogue.Passed && slices.Contains(m.Pass.Passthrough.Methods, method)
}

// targetMode is the mode for a malformed target: the stricter of what holds for
// the version that it seems to reach and for its host, since nobody knows which
// version upstream would take it for.
func (p *Policy) targetMode(v *Verdict, r *Request) Mode {
	mode := v.scope.rules.modes[RuleTarget]
	if host := r.Match.Host; host != nil {
		mode = min(mode, r.overridden(RuleTarget, p.hosts[host.Index].rules.modes[RuleTarget]))
	}
	return mode
}
