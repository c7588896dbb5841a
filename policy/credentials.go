package policy

import (
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy/credential"
)

// credentialsOf compiles what a route asks for. It is nil when one of the
// operations that no request tells apart asks for nothing.
func credentialsOf(r *catalogue.Route) []*credential.Requirement {
	var all []*credential.Requirement
	for _, op := range append([]*spec.Operation{r.Operation}, r.Alternatives...) {
		asked := credential.New(op, r.API.Name)
		if asked == nil {
			return nil
		}
		all = append(all, asked)
	}
	return all
}

// unauthenticated objects to a request without the credentials that the document
// asks for. A CORS preflight never carries any (Fetch standard, section 4.8).
func (v *Verdict) unauthenticated(asked []*credential.Requirement, r *Request) (refused bool) {
	if v.scope.rules.modes[RuleCredentials] == Off || preflight(r) {
		return false
	}
	head := credential.Request{Header: r.Header, RawQuery: r.Target.RawQuery, Certificate: r.Certificate, Trusted: r.Trusted}
	var challenges []string
	unchecked := ""
	for _, requirement := range asked {
		got := requirement.Judge(&head)
		if !got.Missing && got.Unchecked == "" {
			return false
		}
		if !got.Missing && unchecked == "" {
			unchecked = got.Unchecked
		}
		challenges = append(challenges, got.Challenges...)
	}
	if unchecked != "" {
		v.Unchecked = unchecked
		return false
	}
	v.Challenges = challenges
	return v.object(RuleCredentials, ReasonCredentialsMissing)
}
