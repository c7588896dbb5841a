package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// listed is a limit of the configuration as it holds in one API or version.
type listed struct {
	limit      Limit
	scope      []string // API, the version for a limit that stands in one, and its exception
	operations []string
	bounds     []bound
}

// LimitEntry is one limit in force, for people. It holds no key: who is limited
// is asked for one at a time.
type LimitEntry struct {
	Limit       string   `json:"limit"`                 // as the configuration names it
	API         string   `json:"api"`                   // whose requests it binds
	Version     string   `json:"version,omitempty"`     // of a limit that stands in one
	Exception   string   `json:"exception,omitempty"`   // of one that holds for its consumer alone
	Operations  []string `json:"operations,omitempty"`  // that it binds, as configured; none: all
	Key         []string `json:"key"`                   // what it counts by, as configured
	Rate        string   `json:"rate,omitempty"`        // "N/W", such as "100/1m"
	Algorithm   string   `json:"algorithm,omitempty"`   // of the rate: window or bucket
	Burst       int      `json:"burst,omitempty"`       // how much a bucket holds
	Count       string   `json:"count,omitempty"`       // requests, failures, unknown or violations
	Statuses    []int    `json:"statuses,omitempty"`    // that count as failures
	Cost        uint32   `json:"cost,omitempty"`        // of a request; left out: its document's, else 1
	Penalty     string   `json:"penalty,omitempty"`     // a duration, such as "5m"
	Quota       string   `json:"quota,omitempty"`       // "N/day" or "N/month", by the calendar in UTC
	Concurrency int      `json:"concurrency,omitempty"` // requests on their way at one time
	// OnStoreFailure is deny or allow; left out it is local.
	OnStoreFailure string `json:"on_store_failure,omitempty"`
	Protect        bool   `json:"protect"` // no flood of other keys evicts its buckets
	Headers        bool   `json:"headers"` // answers have the RateLimit fields of it
	Mode           string `json:"mode"`    // enforce, monitor or off
}

// Limits are all limits in force, in the order of the configuration.
func (p *Policy) Limits() []LimitEntry {
	out := make([]LimitEntry, 0, len(p.listed))
	for i := range p.listed {
		out = append(out, p.listed[i].entry())
	}
	return out
}

func (e *listed) entry() LimitEntry {
	l := &e.limit
	out := LimitEntry{
		Limit: l.Name, API: e.scope[0], Operations: e.operations, Concurrency: l.Concurrency,
		Protect: l.Protect, Headers: !l.HideFields, Mode: l.Mode.String(), Cost: l.Cost,
	}
	if len(e.scope) > 1 {
		out.Version = e.scope[1]
	}
	if len(e.scope) > 2 {
		out.Exception = e.scope[2]
	}
	for _, part := range keyOrClient(l.Key) {
		out.Key = append(out.Key, part.String())
	}
	if l.Rate != 0 {
		out.Rate = strconv.Itoa(l.Rate) + "/" + ratelimit.Span(l.Window)
		out.Algorithm, out.Count = l.Algorithm.String(), l.Count.String()
		if l.Algorithm == ratelimit.Bucket {
			out.Burst = capacityOf(&e.bounds[0].arithmetic)
		}
	}
	if l.Quota != 0 {
		out.Quota, out.Count = strconv.Itoa(l.Quota)+"/"+l.Period.String(), l.Count.String()
	}
	if l.OnStoreFailure != ratelimit.FailLocal {
		out.OnStoreFailure = l.OnStoreFailure.String()
	}
	if l.Count == CountFailures {
		out.Statuses = l.Failures
	}
	if l.Penalty != 0 {
		out.Penalty = ratelimit.Span(l.Penalty)
	}
	return out
}

// Bucket is what one key has used of one limit. Times are seconds.
type Bucket struct {
	Limit   string `json:"limit"`             // as the configuration names it
	API     string `json:"api"`               // as in LimitEntry
	Version string `json:"version,omitempty"` // of a limit that stands in one
	// Exception is that of a limit which holds for its consumer alone.
	Exception string `json:"exception,omitempty"`
	Mode      string `json:"mode"` // of the limit: enforce, monitor or off
	// Of the rate.
	Used      int     `json:"used"`
	Remaining int     `json:"remaining"` // what fits now
	Pending   int     `json:"pending"`   // on their way, and counted as failures until they are answered
	Reset     float64 `json:"reset"`     // until remaining next grows
	Blocked   float64 `json:"blocked"`   // that a penalty lasts yet
	// Quota is what is used of the calendar's period, of a limit that has one.
	Quota *QuotaUse `json:"quota,omitempty"`
	// Concurrent is how many requests are on their way, of a limit on that.
	Concurrent *int `json:"concurrent,omitempty"`
}

// QuotaUse is what one key has used of a quota. Reset is seconds.
type QuotaUse struct {
	Used      int     `json:"used"`      // in the period so far
	Remaining int     `json:"remaining"` // what fits before it ends
	Reset     float64 `json:"reset"`     // until the period ends; 0 when nothing is used
}

// ErrNoLimit says that no limit in force has the name.
var ErrNoLimit = errors.New("there is no such limit")

// Buckets looks at the buckets that a key has of the limits of a name: one in each
// API, and version, where it holds. An empty api or version is any. The key has a
// text for each part that is no constant, in the order of the configuration, as
// the request has it; an empty one is a part that is missing.
func (p *Policy) Buckets(limit, api, version string, key []string) ([]Bucket, error) {
	var out []Bucket
	err := p.eachBucket(limit, api, version, key, func(e *listed, kb ratelimit.KeyBuilder) {
		entry := Bucket{Limit: limit, API: e.scope[0], Mode: e.limit.Mode.String()}
		if len(e.scope) > 1 {
			entry.Version = e.scope[1]
		}
		if len(e.scope) > 2 {
			entry.Exception = e.scope[2]
		}
		for i := range e.bounds {
			b := &e.bounds[i]
			peek := p.table.Peek
			if b.mode == Monitor {
				peek = p.table.PeekShadow
			}
			st := peek(&b.arithmetic, kb.SumIn(b.arithmetic.Space))
			if b.arithmetic.Algorithm == ratelimit.Concurrency {
				entry.Concurrent = &st.Held
				continue
			}
			entry.Blocked = max(entry.Blocked, st.Blocked.Seconds())
			if b.arithmetic.Algorithm == ratelimit.Quota {
				entry.Quota = &QuotaUse{st.Used, st.Remaining, st.Reset.Seconds()}
				entry.Pending = max(entry.Pending, st.Held)
				continue
			}
			entry.Used, entry.Remaining, entry.Pending = st.Used, st.Remaining, st.Held
			entry.Reset = st.Reset.Seconds()
		}
		out = append(out, entry)
	})
	return out, err
}

// Forget clears what a key has used of the limits of a name, penalties included,
// and reports how many buckets owed something. What is on its way stays.
func (p *Policy) Forget(limit, api, version string, key []string) (forgotten int, err error) {
	err = p.eachBucket(limit, api, version, key, func(e *listed, kb ratelimit.KeyBuilder) {
		for i := range e.bounds {
			l := &e.bounds[i].arithmetic
			if p.table.Forget(l, kb.SumIn(l.Space)) {
				forgotten++
			}
		}
	})
	return forgotten, err
}

func (p *Policy) eachBucket(limit, api, version string, key []string, do func(*listed, ratelimit.KeyBuilder)) error {
	found := false
	for i := range p.listed {
		e := &p.listed[i]
		if e.limit.Name != limit || api != "" && e.scope[0] != api || version != "" && (len(e.scope) < 2 || e.scope[1] != version) {
			continue
		}
		kb, err := p.keyOfTexts(keyOrClient(e.limit.Key), key)
		if err != nil {
			return err
		}
		found = true
		do(e, kb)
	}
	if !found {
		return ErrNoLimit
	}
	return nil
}

func (p *Policy) keyOfTexts(parts []KeyPart, texts []string) (ratelimit.KeyBuilder, error) {
	kb := p.table.Key(0)
	var asked []string
	for _, part := range parts {
		if part.kind != keyConstant {
			asked = append(asked, part.String())
		}
	}
	switch {
	case len(asked) == 0 && len(texts) > 0:
		return kb, errors.New("the limit counts by nothing of a request: all share one bucket, so give no key")
	case len(asked) == 1 && len(texts) != 1:
		return kb, fmt.Errorf("the limit counts by %s: give key once", asked[0])
	case len(asked) != len(texts):
		return kb, fmt.Errorf("the limit counts by %s: give key %d times, in that order", strings.Join(asked, " "), len(asked))
	}
	for _, part := range parts {
		if part.kind == keyConstant {
			kb.String(part.name)
			continue
		}
		if err := part.addText(&kb, texts[0]); err != nil {
			return kb, err
		}
		texts = texts[1:]
	}
	return kb, nil
}
