package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Exception switches a rule of a version off for one integration until a date, or
// sets limits in place of those that bear their names. It is the only way to be
// looser than the policy.
type Exception struct {
	Name     string    // unlike those of the version's other exceptions
	Consumer string    // the integration's name
	Rule     Rule      // RuleNone: only Limits
	Limits   []Limit   // with buckets of their own
	Until    time.Time // from when on it holds no more

	limits []bound // what holds for the consumer, of an exception with limits or from RuleLimit
}

// exceptable are the rules that an exception may name: those that are judged once
// the version is known.
var exceptable = [...]Rule{RuleAudience, RuleLimit, RuleLifecycle, RuleUnknownRoute, RuleCredentials, RuleRequest, RuleResponse, RuleHeaders, RuleUpgrade}

// ParseExceptable reads the rule of an exception.
func ParseExceptable(s string) (Rule, error) {
	for _, rule := range exceptable {
		if s == rule.String() {
			return rule, nil
		}
	}
	return RuleNone, fmt.Errorf("rule %q: an exception is made from audience, limit, lifecycle, unknown_route, credentials, request, response, headers or upgrade", s)
}

// except applies the exceptions of the version for the consumer. The scope is
// copied into the verdict, so that nothing is allocated; what the answer tells
// about the version is not changed.
func (v *Verdict) except(now time.Time) {
	shared := v.scope
	for i := range shared.exceptions {
		e := &shared.exceptions[i]
		if e.Consumer != v.Consumer || !now.Before(e.Until) {
			continue
		}
		if v.scope == shared {
			v.excepted = *shared
			v.scope = &v.excepted
		}
		if e.Rule == RuleLimit || len(e.Limits) > 0 {
			v.scope.limits = e.limits
		}
		if e.Rule != RuleNone && e.Rule != RuleLimit {
			v.scope.rules.modes[e.Rule] = Off
		}
	}
}

// exceptions compiles the exceptions of a version, where the limits hold. Those of
// an exception take the place of all that bear their names, and count apart.
func (bs *bindings) exceptions(api *catalogue.API, version string, of []Exception, limits []bound) ([]Exception, error) {
	out := slices.Clone(of)
	for i := range out {
		e := &out[i]
		if e.Rule == RuleLimit || len(e.Limits) == 0 {
			continue
		}
		own, err := bs.bind(api, e.Limits, 0, api.Name, version, e.Name)
		if err != nil {
			return nil, err
		}
		for _, l := range limits {
			if !slices.ContainsFunc(e.Limits, func(in Limit) bool { return in.Name == l.arithmetic.Name }) {
				e.limits = append(e.limits, l)
			}
		}
		e.limits = append(e.limits, own...)
		link(e.limits)
		if len(e.limits) > MaxLimits {
			return nil, &catalogue.Error{API: api.Name, Version: version,
				Err: fmt.Errorf("%d limits hold for it with exception %q, %d are allowed: merge some", len(e.limits), e.Name, MaxLimits)}
		}
	}
	return out, nil
}
