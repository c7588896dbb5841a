package inventory

import "math/bits"

// Rules that verdicts are counted by. The set is fixed, so that counters need no
// map and no lock; a rule that is not in it counts as "other".
const numRules = 12

var ruleNames = [numRules]string{
	"target", "unknown_host", "audience", "limit", "lifecycle", "unknown_route",
	"credentials", "request", "response", "headers", "upgrade", "other",
}

// Indexes of rules that findings look at.
const (
	ruleAudience  = 2
	ruleLifecycle = 4
)

func ruleIndex(rule string) int {
	switch rule {
	case "target":
		return 0
	case "unknown_host":
		return 1
	case "audience":
		return 2
	case "limit":
		return 3
	case "lifecycle":
		return ruleLifecycle
	case "unknown_route":
		return 5
	case "credentials":
		return 6
	case "request":
		return 7
	case "response":
		return 8
	case "headers":
		return 9
	case "upgrade":
		return 10
	default:
		return 11
	}
}

// verdicts counts refusals by rule.
type verdicts struct {
	refused, would [numRules]uint64
}

// add counts an objection n times.
func (v *verdicts) add(objection int, n uint64) {
	if objection < numRules {
		v.refused[objection] += n
	} else {
		v.would[objection-numRules] += n
	}
}

// RuleSet is a set of rules, a bit each.
type RuleSet uint16

// RuleSetOf is the set of one rule.
func RuleSetOf(rule string) RuleSet { return 1 << ruleIndex(rule) }

// objections are the rules that did not let a request pass, a bit each: the one
// that refused it, or from bit numRules on those that would have. Of a request that
// was refused those are left out: it is no loss to them.
type objections uint32

func (o *Outcome) objections() objections {
	switch o.Verdict {
	case Refuse:
		return objections(RuleSetOf(o.Rule))
	case WouldRefuse:
		would := o.Would
		if would == 0 {
			would = RuleSetOf(o.Rule)
		}
		return objections(would) << numRules
	default:
		return 0
	}
}

// all yields the indexes of the set.
func (o objections) all(yield func(int) bool) {
	for ; o != 0; o &= o - 1 {
		if !yield(bits.TrailingZeros32(uint32(o))) {
			return
		}
	}
}
