package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Override gives a rule another mode for a while, looser or stricter, whatever the
// configuration says.
type Override struct {
	Rule Rule // that it is about
	Mode Mode // that the rule has for the time
	// API and Version narrow it down; empty: all. A version needs an API.
	API, Version string
	// Limit is the name of the limit that RuleLimit is about; empty: all.
	Limit string
	// Until is from when on it holds no more.
	Until time.Time
}

// ParseRule reads a rule as configurations spell it.
func ParseRule(s string) (Rule, error) {
	if i := slices.Index(ruleNames[:], s); i > 0 {
		return Rule(i), nil
	}
	return RuleNone, fmt.Errorf("unrecognized rule %q%s: write one of %s", s, catalogue.Nearly(s, ruleNames[1:]), strings.Join(ruleNames[1:], ", "))
}

// holds reports whether the override is about a rule of what the request reached.
func (o *Override) holds(rule Rule, r *Request) bool {
	if o.Rule != rule || !r.Now.Before(o.Until) {
		return false
	}
	m := &r.Match
	return o.API == "" || m.API != nil && m.API.Name == o.API &&
		(o.Version == "" || m.Version != nil && m.Version.Name == o.Version)
}

// overridden is the mode of a rule under the overrides in force; the latest one
// wins.
func (r *Request) overridden(rule Rule, mode Mode) Mode {
	for i := range r.Overrides {
		if o := &r.Overrides[i]; o.holds(rule, r) {
			mode = o.Mode
		}
	}
	return mode
}

// limitMode is the mode of a limit under the overrides in force.
func (r *Request) limitMode(b *bound) Mode {
	if len(r.Overrides) == 0 {
		return b.mode
	}
	return r.overriddenLimit(b)
}

func (r *Request) overriddenLimit(b *bound) Mode {
	mode := b.mode
	for i := range r.Overrides {
		if o := &r.Overrides[i]; o.holds(RuleLimit, r) && (o.Limit == "" || o.Limit == b.arithmetic.Name) {
			mode = o.Mode
		}
	}
	return mode
}

// override applies the overrides to the rules of a request. The scope is copied
// into the verdict, as for an exception.
func (v *Verdict) override(r *Request) {
	for i := range r.Overrides {
		o := &r.Overrides[i]
		if !o.holds(o.Rule, r) {
			continue
		}
		if v.scope != &v.excepted {
			v.excepted = *v.scope
			v.scope = &v.excepted
		}
		v.scope.rules.modes[o.Rule] = o.Mode
		if o.Rule == RuleRequest {
			v.scope.rules.UnknownParameters = max(v.scope.rules.UnknownParameters, o.Mode)
		}
	}
}
