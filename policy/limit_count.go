package policy

import (
	"net/http"
	"slices"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// Count is what uses a limit up. A limit that is used up refuses every request
// that it binds, whatever it counts.
type Count uint8

const (
	// CountRequests counts each request that it admits.
	CountRequests Count = iota
	// CountFailures counts answers of upstream with a status of Limit.Failures, and
	// requests that got none. A request on its way counts as if it failed.
	CountFailures
	// CountUnknown counts requests for paths and methods that no document has.
	// Where there is no document nothing is unknown.
	CountUnknown
	// CountViolations counts requests that the rules target and request refuse, or
	// would.
	CountViolations
)

var countNames = [...]string{
	CountRequests: "requests", CountFailures: "failures", CountUnknown: "unknown", CountViolations: "violations",
}

// String is the count as configurations spell it.
func (c Count) String() string { return countNames[c] }

// ParseCount reads what a limit counts.
func ParseCount(s string) (Count, bool) {
	i := slices.Index(countNames[:], s)
	return Count(max(i, 0)), i >= 0
}

// DefaultFailures are the statuses that mean a wrong guess.
func DefaultFailures() []int { return []int{http.StatusUnauthorized, http.StatusForbidden} }

// when is how a limit is charged for a request. What it counts may be known at
// once, or only by the answer.
func (b *bound) when(r *Request) ratelimit.When {
	switch b.count {
	case CountFailures:
		return ratelimit.Later
	case CountUnknown:
		if unknown(r) {
			return ratelimit.Now
		}
		return ratelimit.Look
	case CountViolations:
		return ratelimit.Look
	default:
		return ratelimit.Now
	}
}

func unknown(r *Request) bool {
	switch r.Match.Outcome {
	case catalogue.Unclaimed, catalogue.NoRoute, catalogue.NoMethod:
		return !preflight(r) && !r.Own
	default:
		return false
	}
}

// leaveOpen notes which of the charges that were just admitted have to be settled.
func (v *Verdict) leaveOpen() {
	for i := range v.bound {
		b := v.limits[i]
		if v.decisions[i].Admitted && b.arithmetic.Algorithm == ratelimit.Concurrency ||
			v.decisions[i].Admitted && b.count == CountFailures || b.count == CountViolations {
			v.open |= 1 << i
		}
	}
}

// settle ends what is open of one kind of limit: all of it, or only what counts.
func (v *Verdict) settle(of Count, counts func(*bound) bool, only bool) {
	for i := 0; v.open>>i != 0; i++ {
		b := v.limits[i]
		if v.open>>i&1 == 0 || b.count != of || b.arithmetic.Algorithm == ratelimit.Concurrency {
			continue
		}
		counted := counts(b)
		if only && !counted {
			continue
		}
		v.open &^= 1 << i
		v.table.Settle(&v.charges[i], counted)
		if counted {
			v.failed |= 1 << i
		}
		if d := &v.decisions[i]; of == CountFailures && !counted && v.charges[i].When == ratelimit.Later {
			d.Remaining += int(v.charges[i].Cost) // it was taken off as if it failed
			if d.Remaining >= capacityOf(&b.arithmetic) {
				d.Reset = 0
			}
		} else if of == CountViolations && counted {
			d.Remaining = max(0, d.Remaining-int(v.charges[i].Cost))
		}
	}
}

func noneCounts(*bound) bool { return false }
func allCount(*bound) bool   { return true }

// Answered settles what counts by upstream's status. Call it before the client
// sees the answer, since it may guess again as soon as it does.
func (v *Verdict) Answered(status int) {
	if v.open != 0 || v.around != nil {
		v.settleFailures(status)
	}
}

func (v *Verdict) settleFailures(status int) {
	counts := func(b *bound) bool { return slices.Contains(b.failures, status) }
	v.fail(counts)
	v.settle(CountFailures, counts, false)
}

// Unanswered settles what counts by upstream's status for a request that got
// none: nobody knows what upstream would have said, so it counts.
func (v *Verdict) Unanswered() {
	v.fail(allCount)
	v.settle(CountFailures, allCount, false)
}

// Judged settles what counts by the verdict, once that is final.
func (v *Verdict) Judged() {
	if v.open != 0 {
		v.settleViolations()
	}
}

func (v *Verdict) settleViolations() {
	v.settle(CountViolations, func(*bound) bool { return v.violated }, false)
}

// Refused settles a request that was not passed on. Upstream has not judged it,
// so it is no failure.
func (v *Verdict) Refused() {
	if v.open != 0 {
		v.settle(CountFailures, noneCounts, false)
		v.Judged()
	}
}

// Close ends whatever is still open. It must be called when the request ends,
// however it does; what has got no answer by then counts as a failure.
func (v *Verdict) Close() {
	v.around = nil
	if v.open != 0 {
		v.close()
	}
}

func (v *Verdict) close() {
	v.Unanswered()
	v.Judged()
	for i := 0; v.open>>i != 0; i++ {
		if v.open>>i&1 == 1 {
			v.open &^= 1 << i
			v.table.Settle(&v.charges[i], false)
		}
	}
}

// chargeViolation charges the limits on violations for a request that is refused
// before limits are asked.
func (p *Policy) chargeViolation(v *Verdict, r *Request) {
	limits := v.scope.limits
	for i := range limits {
		b := &limits[i]
		if b.count == CountViolations && b.arithmetic.Algorithm != ratelimit.Concurrency && b.binds(r) {
			c := ratelimit.Charge{
				Limit: &b.arithmetic, Key: b.keyFor(p.table, r), Cost: b.costOf(nil, r), Shadow: r.limitMode(b) == Monitor, When: ratelimit.Look,
			}
			if c.Cost = v.unpaid(&c); c.Cost != 0 {
				p.table.Settle(&c, true)
			}
		}
	}
}
