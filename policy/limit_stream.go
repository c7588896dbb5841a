package policy

import (
	"net/http"
	"slices"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// AwaitsBody reports whether the body is to be kept while it passes, at most
// Rules.MaxBody of it, for ChargePassed.
func (v *Verdict) AwaitsBody() bool { return len(v.awaiting) > 0 }

// ChargePassed asks the limits in monitor that count by what is in the body, when
// it has passed. The body is whole or of no use; status is what upstream answered, 0
// for nothing. It reports whether one of them would have refused the request. What
// is on its way at one time cannot be counted then: of such a limit the rate and the
// quota are asked, the concurrency is not.
func (p *Policy) ChargePassed(r *Request, v *Verdict, body []byte, whole bool, status int) (refuses bool) {
	read := r.ReadBody
	defer func() { r.ReadBody = read }()
	r.ReadBody = func(int64) ([]byte, bool) { return body, whole }
	for _, b := range v.awaiting {
		if b.arithmetic.Algorithm == ratelimit.Concurrency || v.bound == MaxLimits {
			continue
		}
		c := ratelimit.Charge{
			Limit: &b.arithmetic, Key: b.keyFor(p.table, r), Cost: b.costOf(v.scope.costs, r), Shadow: true, When: ratelimit.Look,
		}
		counts := false
		switch b.count {
		case CountFailures:
			counts = status == 0 || slices.Contains(b.failures, status)
		case CountViolations:
			counts = v.violated
		default:
			c.When = b.when(r)
		}
		if c.Cost = v.unpaid(&c); c.Cost == 0 {
			continue
		}
		n := v.bound
		v.limits[n], v.charges[n], v.bound, v.table = b, c, n+1, p.table
		p.table.Take(v.charges[n:n+1], v.decisions[n:n+1])
		if counts {
			p.table.Settle(&v.charges[n], true)
			v.failed |= 1 << n
		}
		if !v.decisions[n].Admitted {
			v.Object(RuleLimit, Monitor, ReasonQuotaExceeded, http.StatusTooManyRequests)
			refuses = true
		}
	}
	v.awaiting = v.awaiting[:0]
	return refuses
}
