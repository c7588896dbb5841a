package policy

import (
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// Resume makes the verdict on a request that was passed on, and has got no answer but
// an error of Caddy, one on the same request that is passed on again: to the upstream
// of an error route. Nothing is counted a second time. Limits on what is on its way
// hold it again, and so do those on failures unless it has counted as one, since
// another upstream says now whether it is. Those on violations wait for what is judged
// of the body only now. It reports whether one of them refuses it.
func (v *Verdict) Resume() (refused bool) {
	var again [MaxLimits]int // of v.charges
	var charges [MaxLimits]ratelimit.Charge
	var decisions [MaxLimits]ratelimit.Decision
	n := 0
	for i := range v.bound {
		b := v.limits[i]
		concurrency := b.arithmetic.Algorithm == ratelimit.Concurrency
		if !concurrency && b.count == CountViolations && !v.violated {
			v.open |= 1 << i
		}
		if !v.decisions[i].Admitted || !concurrency && (b.count != CountFailures || v.failed>>i&1 == 1) {
			continue
		}
		again[n], charges[n] = i, v.charges[i]
		charges[n].Ticket = 0
		n++
	}
	if n == 0 {
		return false
	}
	admitted := v.table.TakeAt(time.Time{}, charges[:n], decisions[:n]) // it is later now
	for k, i := range again[:n] {
		v.charges[i], v.decisions[i] = charges[k], decisions[k]
		if admitted && decisions[k].Admitted {
			v.open |= 1 << i
		}
	}
	if !admitted {
		v.exceed()
		return true
	}
	v.wouldExceed()
	return false
}
