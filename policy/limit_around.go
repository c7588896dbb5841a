package policy

import "github.com/apiguard/caddy-api-guard/ratelimit"

// A guard may stand around another one, with a rewrite between them: the inner one judges
// the request as it is by then, and what it was charged before it is not charged again.

// charged reports whether a guard around this one has charged the bucket for the request,
// for what is to be charged now.
func (v *Verdict) charged(key ratelimit.Key, when ratelimit.When) bool {
	for o := v.around; o != nil; o = o.around {
		for i := range o.bound {
			if o.charges[i].Key == key && (o.charges[i].When != ratelimit.Look || when == ratelimit.Look) {
				return true
			}
		}
	}
	return false
}

// awaited reports whether a guard around this one will charge the limit when the body has
// passed.
func (v *Verdict) awaited(b *bound) bool {
	for o := v.around; o != nil; o = o.around {
		for _, l := range o.awaiting {
			if l.arithmetic.Space == b.arithmetic.Space {
				return true
			}
		}
	}
	return false
}

// violate notes that the rules do not let the request pass, also for the limits that a
// guard around this one has asked.
func (v *Verdict) violate() {
	for o := v; o != nil; o = o.around {
		o.violated = true
	}
}

// wouldExceedAround reports whether limits in monitor would not have admitted the request where
// a guard around this one asked them.
func (v *Verdict) wouldExceedAround() bool {
	for o := v.around; o != nil; o = o.around {
		if o.Would&(1<<RuleLimit) != 0 {
			return true
		}
	}
	return false
}

// tellsAround reports whether a guard around this one tells of a limit of the same name
// with no more remaining than i has, since a name may stand in a field once. Else those of
// that name are not told there.
func (v *Verdict) tellsAround(i int) bool {
	name := v.charges[i].Limit.Name
	for o := v.around; o != nil; o = o.around {
		for j := range o.bound {
			if o.charges[j].Limit.Name != name || o.hides(j) {
				continue
			}
			if v.decisions[i].Admitted && o.decisions[j].Remaining <= v.decisions[i].Remaining {
				return true
			}
			o.hidden |= 1 << j
		}
	}
	return false
}

// hides reports whether the fields do not tell of a limit that was asked.
func (v *Verdict) hides(i int) bool {
	return v.hidden>>i&1 == 1 || v.charges[i].Shadow || v.limits[i].hideFields || v.decisions[i].Unavailable
}
