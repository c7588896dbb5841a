package inventory

import (
	"fmt"
	"math"
	"time"
)

// List is an answer with many items.
type List[T any] struct {
	Items []T `json:"items"` // never null
	// Next is the cursor of the following page, empty on the last one.
	Next string `json:"next"`
	// AsOf is when the answer was made.
	AsOf Time `json:"as_of"`
	// Complete is true when there are no gaps: nothing that this answer could
	// have listed was lost on the way.
	Complete bool  `json:"complete"`
	Gaps     []Gap `json:"gaps"` // what it cannot show; never null
}

// Gap is something that the answer cannot show, and why.
type Gap struct {
	Kind   string `json:"kind"`   // one of the Gap constants
	Detail string `json:"detail"` // a sentence for people
	Count  uint64 `json:"count"`  // how many requests (or entries) it hides
}

// Kinds of gaps.
const (
	// GapRoutes: the table of undocumented routes is full. What did not fit is
	// summed up in the entry whose path is "/**" and whose host is "(other)".
	GapRoutes = "routes-full"
	// GapHosts: the table of undeclared hosts is full. What did not fit is summed
	// up under the host "(other)".
	GapHosts = "hosts-full"
	// GapDropped: observations came faster than they could be recorded and were
	// dropped. Documented operations are never affected.
	GapDropped = "observations-dropped"
	// GapTrimmed: of refused and scanned routes only the latest are kept; the
	// hourly record of each host has the sums. Stated only by answers that could
	// hold such routes.
	GapTrimmed = "scans-trimmed"
	// GapSamples: requests were chosen to be looked at in full and were not, since too
	// many were under way or waiting at once: what they and their answers carry is not
	// known. Stated only by answers whose entries come of samples, and by Health.
	GapSamples = "samples-dropped"
	// GapConsumers: the table of consumers is full, or new ones came faster than
	// they could be recorded. What did not fit is summed up, a version each, in the
	// entry whose consumer is "(other)". Stated only by answers that list consumers.
	GapConsumers = "consumers-full"
	// GapRefusals: consumers' refusals by rule found no room. Stated only by answers
	// that list consumers.
	GapRefusals = "refusals-full"
	// GapInternal: recording an observation failed. That is a fault of the
	// inventory itself.
	GapInternal = "internal-error"
	// GapLoading: the store is still being loaded, so that what earlier processes
	// saw is missing.
	GapLoading = "store-loading"
	// GapCluster: the other nodes of the fleet cannot be heard.
	GapCluster = "cluster-down"
	// GapUnread: some of what the store has could not be read.
	GapUnread = "store-unread"
	// GapDocument: a document changed and could not be used, so the one before it
	// is still in force.
	GapDocument = "document-not-in-force"
	// GapUnchecked: something of requests to documented operations cannot be checked;
	// the findings operation-unchecked say what. Stated by Health alone, since no entry
	// is missing.
	GapUnchecked = "requests-unchecked"
)

// Time is a time as the answers spell it: RFC 3339, UTC, milliseconds; null when
// there is none.
type Time struct{ time.Time }

// MarshalJSON writes RFC 3339 in UTC, or null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().Truncate(time.Millisecond).AppendFormat(nil, `"`+time.RFC3339Nano+`"`), nil
}

// instant is the Time of Unix nanoseconds, none for 0.
func instant(ns int64) Time {
	if ns == 0 {
		return Time{}
	}
	return Time{time.Unix(0, ns).UTC()}
}

// nanoseconds are those of t since 1970, as entries count time. What is too far away
// for them (before 1678, after 2262) is as far as they go.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	default:
		return t.UnixNano()
	}
}

// newList begins an answer. trimmable: it could list refused or scanned routes.
// Inventory.mu is held.
func newList[T any](inv *Inventory, now time.Time, trimmable bool) List[T] {
	gaps := inv.gapsNow(trimmable)
	return List[T]{Items: []T{}, AsOf: Time{now.UTC()}, Complete: len(gaps) == 0, Gaps: gaps}
}

func (inv *Inventory) gapsNow(trimmable bool) []Gap {
	gaps := []Gap{}
	add := func(kind string, count uint64, detail string) {
		if count > 0 {
			gaps = append(gaps, Gap{Kind: kind, Count: count, Detail: detail})
		}
	}
	add(GapRoutes, inv.gaps.routes, "The table of undocumented routes is or was full; the count says how many requests have no entry of their own.")
	add(GapHosts, inv.gaps.hosts, `The table of undeclared hosts is or was full; the count says how many requests are summed up under "(other)" or were forgotten.`)
	add(GapDropped, inv.dropped.Load(), "Requests that no document has came faster than they could be recorded; the count says how many were not.")
	add(GapInternal, inv.gaps.internal, "Recording failed inside the inventory; the count says how often, and the log where.")
	add(GapUnread, inv.keeper.unread.Load(), "Something in the store could not be read; the count says how many entries.")
	if inv.keeper.loading() {
		add(GapLoading, 1, "The store is being loaded: what earlier processes saw is not all there yet.")
	}
	if inv.fleet.incomplete() {
		add(GapCluster, 1, "The exchange with the other nodes does not work: what they have counted since is missing.")
	}
	if trimmable {
		add(GapTrimmed, inv.gaps.trimmed, "Only the latest refused and scanned routes are kept; the count says how many were let go. The hourly records of the hosts have the sums.")
	}
	if outside := inv.reported.Load(); outside != nil {
		gaps = append(gaps, *outside...)
	}
	return gaps
}

// sampled has the list state what samples could not show.
func (l *List[T]) sampled(inv *Inventory) {
	l.Gaps = inv.sampler.gap(l.Gaps)
	l.Complete = len(l.Gaps) == 0
}

// gap adds what was not looked at to gaps.
func (q *sampler) gap(gaps []Gap) []Gap {
	n := q.dropped.Load()
	if n == 0 {
		return gaps
	}
	return append(gaps, Gap{Kind: GapSamples, Count: n, Detail: fmt.Sprintf(
		"%d requests at most are looked at in full at one time, and those that were slower than %v made room for others: the count says how many that were chosen were not looked at, nor their answers, for sensitive data, secrets and attacks. "+
			"Choose fewer (inventory sample, such as 0.1%% 2), or find out why answers take long; of an operation that is called again a later request is chosen.", maxSamples, unhurried)})
}

// Report replaces the gaps that are known outside of the inventory; every answer
// states them too.
func (inv *Inventory) Report(gaps []Gap) { inv.reported.Store(&gaps) }

// ListOf is an answer with items that do not come from the inventory, whose gaps
// it states when there is one.
func ListOf[T any](inv *Inventory, items []T) List[T] {
	if items == nil {
		items = []T{}
	}
	if inv == nil {
		return List[T]{Items: items, AsOf: Time{time.Now().UTC()}, Complete: true, Gaps: []Gap{}}
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	list := newList[T](inv, inv.now(), false)
	list.Items = items
	return list
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*t = Time{}
		return nil
	}
	return t.Time.UnmarshalJSON(data)
}
