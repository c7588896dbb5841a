package ratelimit

import (
	"math"
	"time"
)

// Never is the RetryAfter of a charge that no waiting can make fit: it costs
// more than its limit holds.
const Never time.Duration = math.MaxInt64

// When says when a charge is made.
type When uint8

const (
	// Now: by the call that admits it.
	Now When = iota
	// Later: the call that admits it holds it, as if it were charged, until
	// [Table.Settle] says whether it counts. It is how failures are counted that
	// only the answer tells.
	Later
	// Look: the call asks whether it fits and charges nothing. Settle charges what
	// turns out to count.
	Look
)

// Charge asks one limit for one client.
type Charge struct {
	Limit *Limit // the one that is asked; not nil
	Key   Key    // of Limit.Space
	// Cost is how much of the limit this takes; 0 counts as 1, so that a
	// forgotten cost is not a free request. What is free carries no charge.
	Cost uint32
	// Shadow computes and remembers as the limit would, in a cell of its own: a
	// limit in monitor mode. It never refuses the call, and never reads, changes
	// or displaces what is enforced.
	Shadow bool
	// When is Now for what counts in any case. A Concurrency limit holds its
	// charge whatever this says.
	When When
	// Ticket is the limiter's: what Settle needs to find what Take has held
	// elsewhere. It is 0 for a charge that the table holds.
	Ticket int64
}

// holds tells whether an admitted charge has to be settled.
func (c *Charge) holds() bool { return c.When == Later || c.Limit.Algorithm == Concurrency }

func (c *Charge) cost() uint64 { return uint64(max(c.Cost, 1)) }

// Decision is what one limit says to one charge.
type Decision struct {
	// Admitted: this limit has room. The call may still be refused by another.
	Admitted bool
	// Remaining is what the limit has left: after this charge and the ones before
	// it when the call is admitted, untouched when it is refused.
	Remaining int
	// RetryAfter is how long this charge has to wait to fit, if nobody else uses
	// the limit meanwhile; 0 when it fits, [Never] when it cannot. It is exact to
	// the nanosecond, except in a shared cell of a protected set that is full,
	// where it may be too short.
	RetryAfter time.Duration
	// Unavailable: it is refused because the store that it is shared in cannot be
	// asked, not because it is used up.
	Unavailable bool
	// Reset is how long until Remaining next grows, never more than RetryAfter; 0
	// when nothing is owed.
	Reset time.Duration
}

// RetryAfterSeconds is the value of a Retry-After field for a refused call: the
// longest wait of the refused, enforced charges in whole seconds, at least 1.
// ok is false when there is none, or when waiting does not help and the field
// should be left out. (RFC 9110 section 10.2.3)
func RetryAfterSeconds(charges []Charge, decisions []Decision) (seconds int, ok bool) {
	var longest time.Duration
	for i, d := range decisions[:min(len(charges), len(decisions))] {
		if !d.Admitted && !charges[i].Shadow {
			longest = max(longest, d.RetryAfter)
			ok = true
		}
	}
	if !ok || longest == Never {
		return 0, false
	}
	return max(1, int(ceilSeconds(longest))), true
}

func ceilSeconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}
