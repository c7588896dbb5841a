package policy

import "github.com/apiguard/caddy-api-guard/ratelimit"

// A guard may stand around another one, with a rewrite between them: the inner one judges
// the request as it is by then, and what it was charged before it is not charged again.

// unpaid is what is left of the cost of a charge, once guards around this one have charged
// the same cell for the request. What is in monitor has another one than what is enforced.
func (v *Verdict) unpaid(c *ratelimit.Charge) uint32 {
	cost := c.Cost
	for o := v.around; o != nil; o = o.around {
		for i := range o.bound {
			if paid := &o.charges[i]; paid.Key == c.Key && paid.Shadow == c.Shadow && (paid.When != ratelimit.Look || c.When == ratelimit.Look) {
				cost -= min(cost, paid.Cost)
			}
		}
	}
	return cost
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
// guard around this one has asked. Where the answer has begun that one may have settled
// them: a body in monitor is judged later.
func (v *Verdict) violate() {
	v.violated = true
	for o := v.around; o != nil; o = o.around {
		if o.violated {
			continue
		}
		o.violated = true
		for i := range o.bound {
			if o.limits[i].count == CountViolations && o.open>>i&1 == 0 {
				o.failed |= 1 << i
				o.table.Settle(&o.charges[i], true)
			}
		}
	}
}

// fail charges what limits count as failures where guards around this one have asked them:
// what upstream said here may never get there.
func (v *Verdict) fail(counts func(*bound) bool) {
	for o := v.around; o != nil; o = o.around {
		o.settle(CountFailures, counts, true)
	}
}

// RefusedWithin settles what counts by upstream's status where a guard within this one has
// refused the request: what comes of it is no answer of upstream.
func (v *Verdict) RefusedWithin() { v.settle(CountFailures, noneCounts, false) }

// Answers tells guards around this one, before they see it, that the answer is a refusal.
func (v *Verdict) Answers() {
	for o := v.around; o != nil; o = o.around {
		o.RefusedWithin()
	}
}

// wouldExceedAround reports whether limits in monitor would not have admitted the request where
// a guard around this one asked them.
func (v *Verdict) wouldExceedAround() bool {
	for o := v.around; o != nil; o = o.around {
		if o.Would.Has(RuleLimit) {
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
