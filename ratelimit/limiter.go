package ratelimit

import "time"

// Limiter decides about charges: a [Table] alone, or one that shares its limits with
// other processes.
type Limiter interface {
	// Key begins a key in a space.
	Key(space uint64) KeyBuilder
	// Take asks all limits and charges all of them or none; see [Table.Take]. It may
	// set the Ticket of a charge, which Settle needs.
	Take(charges []Charge, out []Decision) (admitted bool)
	// TakeAt is Take for a caller who has read the clock; see [Table.TakeAt].
	TakeAt(at time.Time, charges []Charge, out []Decision) (admitted bool)
	// Settle ends what an admitted Take has left open; see [Table.Settle].
	Settle(c *Charge, counts bool)
	// Peek looks at a client's cell without charging it; see [Table.Peek].
	Peek(l *Limit, k Key) State
	// PeekShadow looks at the cell of charges with Shadow, which is another one.
	PeekShadow(l *Limit, k Key) State
	// Forget clears what a client owes and the penalty.
	Forget(l *Limit, k Key) bool
}

var _ Limiter = (*Table)(nil)

// StoreFailure is what a limit does while the store that it is shared in cannot be
// asked.
type StoreFailure uint8

const (
	// FailLocal counts on each node by itself, against the node's share of the
	// limit.
	FailLocal StoreFailure = iota
	// FailDeny refuses: see [Decision.Unavailable].
	FailDeny
	// FailAllow admits without counting.
	FailAllow
)

var storeFailures = [...]string{FailLocal: "local", FailDeny: "deny", FailAllow: "allow"}

// String is its name in configurations.
func (f StoreFailure) String() string { return storeFailures[f] }

// ParseStoreFailure reads its name in configurations.
func ParseStoreFailure(s string) (StoreFailure, bool) {
	for f, name := range storeFailures {
		if s == name {
			return StoreFailure(f), true
		}
	}
	return FailLocal, false
}
