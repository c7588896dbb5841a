package policy

import (
	"fmt"
	"time"
)

// Mode says what a rule does with a request that it would refuse.
type Mode uint8

const (
	// Enforce refuses it. The zero value, so that nothing is off by oversight.
	Enforce Mode = iota
	// Monitor records it and changes nothing on the wire.
	Monitor
	// Off does not look.
	Off
)

var modeNames = [...]string{Enforce: "enforce", Monitor: "monitor", Off: "off"}

// String is the name as configurations spell it.
func (m Mode) String() string { return modeNames[m] }

// ParseMode reads a mode as configurations spell it.
func ParseMode(s string) (Mode, error) {
	for m, name := range modeNames {
		if s == name {
			return Mode(m), nil
		}
	}
	return Enforce, fmt.Errorf("unrecognized mode %q: write enforce, monitor or off", s)
}

// Looser reports whether m lets pass what other does not.
func (m Mode) Looser(other Mode) bool { return m > other }

// Rule is one thing that the policy checks.
type Rule uint8

// The rules, in no order that means anything: Decide has that.
const (
	RuleNone Rule = iota
	RuleTarget
	RuleUnknownHost
	RuleAudience
	RuleLimit
	RuleLifecycle
	RuleUnknownRoute
	RuleCredentials
	RuleRequest
	RuleResponse
	RuleHeaders
	RuleUpgrade
	numRules
)

var ruleNames = [numRules]string{
	RuleTarget:       "target",
	RuleUnknownHost:  "unknown_host",
	RuleAudience:     "audience",
	RuleLimit:        "limit",
	RuleLifecycle:    "lifecycle",
	RuleUnknownRoute: "unknown_route",
	RuleCredentials:  "credentials",
	RuleRequest:      "request",
	RuleResponse:     "response",
	RuleHeaders:      "headers",
	RuleUpgrade:      "upgrade",
}

// String is the name as configurations spell it.
func (r Rule) String() string { return ruleNames[r] }

// AllRules are the rules, each of which has a mode.
func AllRules() []Rule {
	var all []Rule
	for r := RuleNone + 1; r < numRules; r++ {
		all = append(all, r)
	}
	return all
}

// RuleSet is a set of rules, a bit each.
type RuleSet uint16

// Has reports whether a rule is in the set.
func (s RuleSet) Has(r Rule) bool { return s>>r&1 != 0 }

// Names are the rules of the set, in the order of AllRules.
func (s RuleSet) Names() []string {
	var names []string
	for r := RuleNone + 1; r < numRules; r++ {
		if s.Has(r) {
			names = append(names, r.String())
		}
	}
	return names
}

// Rules are the modes and settings in force for a version, or for requests that
// belong to none.
type Rules struct {
	modes [numRules]Mode

	// MaxBody is the largest body that is judged, in bytes, before and after
	// decoding.
	MaxBody int64
	// BodyIdleTimeout is how long the guard waits for more of a body that it reads,
	// BodyTimeout how long for the whole of it.
	BodyIdleTimeout, BodyTimeout time.Duration
	// UnknownParameters is the mode for query parameters that no document has.
	UnknownParameters Mode
	// MaxResponse is the largest answer that is judged, in bytes, before and after
	// decoding.
	MaxResponse int64
	// InvalidStatus is the status of a request that does not conform.
	InvalidStatus int
}

// DefaultRules is the policy of a configuration that says nothing.
func DefaultRules() Rules {
	r := Rules{
		MaxBody: 1 << 20, MaxResponse: 1 << 20, BodyIdleTimeout: 10 * time.Second, BodyTimeout: time.Minute,
		UnknownParameters: Monitor, InvalidStatus: 400,
	}
	r.modes[RuleUnknownRoute] = Monitor
	r.modes[RuleResponse] = Monitor
	return r
}

// Mode is the mode of a rule.
func (r *Rules) Mode(rule Rule) Mode { return r.modes[rule] }

// SetMode sets the mode of a rule.
func (r *Rules) SetMode(rule Rule, m Mode) { r.modes[rule] = m }

// SetAll sets every rule, unknown parameters included, to m.
func (r *Rules) SetAll(m Mode) {
	for i := range r.modes {
		r.modes[i] = m
	}
	r.UnknownParameters = m
}

// stricter takes over from other every mode that is stricter.
func (r *Rules) stricter(other *Rules) {
	for i, m := range other.modes {
		r.modes[i] = min(r.modes[i], m)
	}
}
