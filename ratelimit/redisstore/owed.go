package redisstore

import (
	"sync"
	"sync/atomic"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

const (
	// maxOwed is of how many buckets it is remembered what they owe: 5 MB while
	// there is an outage and none otherwise.
	maxOwed = 65_536
	// maxReleases is how many holds are remembered that are over. Those that are not
	// end in Redis by themselves, two minutes after they began.
	maxReleases = 4096
	// tellBatch is how much is told at once.
	tellBatch = 64
)

// ledger is what was counted while Redis could not be asked: of each bucket what it
// owes of it at any time, as its limit counts. So an outage may be as long as it
// likes, and what a limit has forgotten by its end is not told.
type ledger struct {
	mu       sync.Mutex
	table    *ratelimit.Table // nil: there is nothing
	buckets  map[string]*debtor
	releases []*call
	lost     atomic.Uint64
}

type debtor struct {
	limit  *ratelimit.Limit // as it is told
	plain  ratelimit.Limit  // as it is counted here
	bucket *bucket
	untold int   // of the bucket's charges
	noted  int64 // what those were in all
}

// note takes what a call would have told.
func (o *ledger) note(s *Store, c *call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.unhold != "" && len(o.releases) < maxReleases {
		o.releases = append(o.releases, &call{op: opRelease, limit: c.limit, bucket: c.bucket, min: c.min, unhold: c.unhold})
	}
	if c.op != opCharge {
		return
	}
	if c.untold == 0 {
		c.untold = 1
		c.bucket.owes(1, false)
	}
	if o.table == nil {
		o.table = ratelimit.NewTable(ratelimit.TableConfig{Slots: maxOwed, ProtectedSlots: 1, Now: s.clock, Wall: s.wall})
		o.buckets = make(map[string]*debtor)
	}
	d := o.buckets[c.bucket.limit]
	if d == nil {
		if len(o.buckets) >= maxOwed {
			o.lost.Add(uint64(c.min))
			c.bucket.owes(-c.untold, true)
			return
		}
		d = &debtor{bucket: c.bucket}
		o.buckets[c.bucket.limit] = d
	}
	if d.bucket != c.bucket { // which has taken the place of a forgotten one
		d.bucket.owes(-d.untold, true)
		d.bucket, d.untold = c.bucket, 0
	}
	d.untold += c.untold
	d.noted += c.min
	if d.limit != c.limit {
		d.limit, d.plain = c.limit, *c.limit
		d.plain.Protect, d.plain.Penalty = false, 0
	}
	o.table.Settle(&ratelimit.Charge{Limit: &d.plain, Key: c.bucket.key, Cost: uint32(c.min), When: ratelimit.Look}, true)
}

// owes counts charges that Redis is to be told of, or not any more, since that was
// forgotten: then the table keeps its say.
func (b *bucket) owes(untold int, forgotten bool) {
	b.mu.Lock()
	b.untold += untold
	b.unsure = b.unsure || forgotten
	b.mu.Unlock()
}

// take gives what has to be told, and forgets it. What was held is let go last, when it
// has been told what became of it.
func (o *ledger) take(s *Store) []*call {
	o.mu.Lock()
	defer o.mu.Unlock()
	var calls []*call
	evicted := uint64(0)
	if o.table != nil {
		evicted = o.table.EvictedDebt()
	}
	o.lost.Add(evicted)
	for _, d := range o.buckets {
		owes := int64(o.table.Peek(&d.plain, d.bucket.key).Used)
		if owes < d.noted && evicted > 0 { // else the limit itself has forgotten it
			d.bucket.owes(0, true)
		}
		if owes == 0 {
			d.bucket.owes(-d.untold, false)
			continue
		}
		calls = append(calls, &call{op: opCharge, limit: d.limit, bucket: d.bucket, min: owes, untold: d.untold})
	}
	calls = append(calls, o.releases...)
	o.table, o.buckets, o.releases = nil, nil, nil
	return calls
}

// lose gives up on calls.
func (o *ledger) lose(calls []*call) {
	for _, c := range calls {
		if c.op == opCharge {
			o.lost.Add(uint64(c.min))
		}
	}
}

func (o *ledger) untold() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.lost.Load()
	if o.table != nil {
		n += o.table.EvictedDebt()
	}
	return n
}
