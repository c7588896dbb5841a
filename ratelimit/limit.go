package ratelimit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// Algorithm is how a limit counts.
type Algorithm uint8

const (
	// Window admits at most Rate in any interval of length Window. It may refuse
	// a charge up to Window/15 before an exact log of events would admit it.
	Window Algorithm = iota
	// Bucket admits Burst at once and then Rate per Window, evenly (GCRA). In the
	// first Window that adds up to Burst + Rate: who needs "never more than Rate
	// in any Window" wants the algorithm Window.
	Bucket
	// Concurrency admits Rate at one time: a charge is held until
	// [Table.Settle] lets go of it. It has no window.
	Concurrency
	// Quota admits Rate in each calendar Period, in UTC. Of what is used of it a
	// table can be asked, and told: see [Table.SaveQuotas].
	Quota
)

// String is the algorithm's name in configurations.
func (a Algorithm) String() string {
	switch a {
	case Window:
		return "window"
	case Bucket:
		return "bucket"
	case Concurrency:
		return "concurrency"
	case Quota:
		return "quota"
	}
	return "unknown"
}

const (
	// MaxRate bounds Rate, Burst and the cost of a charge that can ever fit:
	// counters have 24 bits.
	MaxRate = 1<<24 - 1
	// MinWindow is the shortest Window. A shorter one would protect nothing that
	// a second does not, and bounds how fast sub-window numbers are used up.
	MinWindow = time.Second
	// MaxWindow is the longest Window, and the longest time in which a Bucket may
	// refill from empty.
	MaxWindow = 31 * 24 * time.Hour
	// MaxCharges is how many charges one Take accepts, and so how many limits may
	// bind one request.
	MaxCharges = 16
	// MaxName is how many bytes a limit's name may have.
	MaxName = 64
)

// Limit is the immutable configuration of one limit. It holds no state: a table
// keeps debts, and reads rate and window from here at every decision, so a new
// configuration changes limits without touching the table.
type Limit struct {
	// Name stands in the response fields and in metrics: 1 to MaxName printable
	// ASCII characters.
	Name string

	// Space is the identity of the limit's buckets, from [SpaceOf]: limits with
	// equal spaces share them. Host, version and spelling of a request are no
	// part of it. Limits that share a space should agree in the rest.
	Space uint64

	// Rate is the N of "N per Window", 1 to MaxRate.
	Rate int

	// Window is the W of "N per W", MinWindow to MaxWindow, whole milliseconds. It
	// is 0 for the algorithms Concurrency and Quota.
	Window time.Duration

	// Period is what a Quota is for, and 0 for all other algorithms.
	Period Period

	// Burst is how much a Bucket holds, 1 to MaxRate; 0 means Rate. It must be 0
	// for the algorithm Window, where it would say nothing.
	Burst int

	// Algorithm is Window by default.
	Algorithm Algorithm

	// Protect keeps the limit's cells in a part of the table where a client with
	// debt is never evicted: when a set is full, newcomers share one cell. Under
	// attack that refuses newcomers too early; without it a full set forgets the
	// client that owes least.
	Protect bool

	// OnStoreFailure is what holds while a shared store cannot be asked. A [Table]
	// has none and reads nothing of it.
	OnStoreFailure StoreFailure

	// Penalty is how long a client is refused, whatever the limit has room for,
	// after it refused him: 0 for not at all, else MinWindow to MaxWindow. It
	// must be 0 for the algorithm Concurrency.
	Penalty time.Duration
}

// Validate reports what is out of bounds, and how to mend it. [Table.Take]
// refuses every charge to a limit that could not be computed.
func (l *Limit) Validate() error {
	switch {
	case len(l.Name) == 0 || len(l.Name) > MaxName:
		return fmt.Errorf("checking limit %q: a name has 1 to %d characters, this one %d", l.Name, MaxName, len(l.Name))
	case !printable(l.Name):
		return fmt.Errorf("checking limit %q: it stands in a header field, so write the name in printable ASCII", l.Name)
	case l.Algorithm > Quota:
		return fmt.Errorf("checking limit %q: algorithm %d does not exist; use window, bucket, concurrency or quota", l.Name, l.Algorithm)
	case l.Rate < 1 || l.Rate > MaxRate:
		return fmt.Errorf("checking limit %q: rate %d is not between 1 and %d; for more, use a shorter window", l.Name, l.Rate, MaxRate)
	case l.Algorithm == Concurrency && (l.Window != 0 || l.Burst != 0 || l.Penalty != 0):
		return fmt.Errorf("checking limit %q: window, burst and penalty have no meaning for concurrency; remove them", l.Name)
	case l.Algorithm == Concurrency && l.Period == 0:
		return nil
	case l.Algorithm != Quota && l.Period != 0:
		return fmt.Errorf("checking limit %q: a period has no meaning for a %s; remove it, or use quota", l.Name, l.Algorithm)
	case l.Algorithm == Quota && l.Period != Day && l.Period != Month:
		return fmt.Errorf("checking limit %q: period %d does not exist; use day or month", l.Name, l.Period)
	case l.Algorithm == Quota && (l.Window != 0 || l.Burst != 0):
		return fmt.Errorf("checking limit %q: window and burst have no meaning for a quota; remove them", l.Name)
	case l.Penalty != 0 && (l.Penalty < MinWindow || l.Penalty > MaxWindow):
		return fmt.Errorf("checking limit %q: penalty %s is not between %s and %s", l.Name, Span(l.Penalty), Span(MinWindow), Span(MaxWindow))
	case l.Algorithm == Quota:
		return nil
	case l.Window < MinWindow || l.Window > MaxWindow:
		return fmt.Errorf("checking limit %q: window %s is not between %s and %s", l.Name, Span(l.Window), Span(MinWindow), Span(MaxWindow))
	case l.Window%time.Millisecond != 0:
		return fmt.Errorf("checking limit %q: window %s is not a whole number of milliseconds", l.Name, l.Window)
	case l.Algorithm == Window && l.Burst != 0:
		return fmt.Errorf("checking limit %q: burst %d has no meaning for a window; remove it, or use algorithm bucket", l.Name, l.Burst)
	case l.Burst < 0 || l.Burst > MaxRate:
		return fmt.Errorf("checking limit %q: burst %d is not between 1 and %d; leave it out for the rate", l.Name, l.Burst, MaxRate)
	case l.Algorithm == Bucket && !l.refills():
		return fmt.Errorf("checking limit %q: burst %d takes more than %s to refill at %d per %s; use a smaller burst or a higher rate",
			l.Name, l.Burst, Span(MaxWindow), l.Rate, Span(l.Window))
	}
	return nil
}

// ValidateAll checks limits that will be charged together in one
// [Table.Take]: each by itself, and that there are not more than MaxCharges.
// Call it when the configuration is read: a Take with more charges refuses.
func ValidateAll(limits []*Limit) error {
	if len(limits) > MaxCharges {
		return fmt.Errorf("checking limits: %d limits bind one request, at most %d can; merge some, or bind them to fewer operations",
			len(limits), MaxCharges)
	}
	for i, l := range limits {
		if l == nil {
			return fmt.Errorf("checking limits: limit %d is nil", i)
		}
		if err := l.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// SpaceOf is the identity of a limit's buckets, usually of the API's and the
// limit's name. It is the same in every process, and parts do not run into each
// other: ("a", "bc") and ("ab", "c") differ.
func SpaceOf(parts ...string) uint64 {
	var length [8]byte
	h := sha256.New()
	for _, p := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write([]byte(p))
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// Capacity is how much fits at once: the largest cost that can be admitted.
func (l *Limit) Capacity() int { return int(l.capacity()) }

// capacity is how much fits at once: the largest cost that can be admitted.
func (l *Limit) capacity() uint64 {
	if l.Algorithm == Bucket && l.Burst != 0 {
		return uint64(l.Burst)
	}
	return uint64(l.Rate)
}

// Usable is Validate without the words and without what only concerns people:
// whether the arithmetic holds.
func (l *Limit) Usable() bool {
	return l != nil && uint(l.Rate-1) < MaxRate &&
		(uint64(l.Window-MinWindow) <= uint64(MaxWindow-MinWindow) && (l.Algorithm == Window || l.usableBucket()) ||
			l.Algorithm == Concurrency || l.Algorithm == Quota && (l.Period == Day || l.Period == Month))
}

func (l *Limit) usableBucket() bool {
	return l.Algorithm == Bucket && (l.Burst == 0 || l.Burst >= 1 && l.Burst <= MaxRate && l.refills())
}

// refills tells whether an empty bucket is full again within MaxWindow.
func (l *Limit) refills() bool {
	whole, rest := span(l.capacity(), uint64(l.Window), uint64(l.Rate))
	return whole < int64(MaxWindow) || whole == int64(MaxWindow) && rest == 0
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
