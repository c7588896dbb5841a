package policy

import (
	"fmt"
	"time"
)

// Exception switches a rule of a version off for one integration until a date. It
// is the only way to be looser than the policy.
type Exception struct {
	Name     string
	Consumer string // the integration's name
	Rule     Rule
	Until    time.Time // from when on it holds no more
}

// exceptable are the rules that an exception may name: those that are judged once
// the version is known.
var exceptable = [...]Rule{RuleAudience, RuleLifecycle, RuleUnknownRoute, RuleCredentials, RuleRequest, RuleResponse, RuleHeaders, RuleUpgrade}

// ParseExceptable reads the rule of an exception.
func ParseExceptable(s string) (Rule, error) {
	for _, rule := range exceptable {
		if s == rule.String() {
			return rule, nil
		}
	}
	return RuleNone, fmt.Errorf("rule %q: an exception is made from audience, lifecycle, unknown_route, credentials, request, response, headers or upgrade", s)
}

// except applies the exceptions of the version for the consumer. The scope is
// copied into the verdict, so that nothing is allocated; what the answer tells
// about the version is not changed.
func (v *Verdict) except(now time.Time) {
	if v.Consumer == "" {
		return
	}
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
		v.scope.rules.modes[e.Rule] = Off
	}
}
