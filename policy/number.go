package policy

import (
	"slices"

	"github.com/apiguard/caddy-api-guard/policy/conformance"
	"github.com/apiguard/caddy-api-guard/policy/credential"
)

// NumRules is how many values Rule has.
const NumRules = int(numRules)

// numberLimits numbers the limits by name, so that who counts their decisions
// finds the counter without looking the name up.
func (p *Policy) numberLimits() {
	numberAll := func(limits []bound) {
		for i := range limits {
			name := limits[i].arithmetic.Name
			n := slices.Index(p.limitNames, name)
			if n < 0 {
				n = len(p.limitNames)
				p.limitNames = append(p.limitNames, name)
			}
			limits[i].number = n
		}
	}
	number := func(s *scope) {
		numberAll(s.limits)
		for i := range s.exceptions {
			numberAll(s.exceptions[i].limits)
		}
	}
	for _, s := range p.apis {
		number(s)
	}
	for _, s := range p.versions {
		number(s)
	}
	for _, s := range p.hosts {
		number(s)
	}
}

// LimitNames are the names of all limits, by Limited.Number.
func (p *Policy) LimitNames() []string { return p.limitNames }

// Reasons of Verdict.Unchecked besides those of package conformance: what passed
// while it streamed was larger than what is judged, or was not read to its end.
const (
	UncheckedTooLarge = "body-too-large"
	UncheckedNotRead  = "body-not-read"
	UncheckedNoRoom   = "too-many-bodies"
	// The same of an answer.
	UncheckedAnswerTooLarge = "response-too-large"
	UncheckedAnswerCut      = "response-incomplete"
)

// UncheckedReasons are all values of Verdict.Unchecked.
func UncheckedReasons() []string {
	return slices.Concat(conformance.UncheckedReasons(), credential.UncheckedReasons(),
		[]string{UncheckedTooLarge, UncheckedNotRead, UncheckedNoRoom, UncheckedAnswerTooLarge, UncheckedAnswerCut})
}
