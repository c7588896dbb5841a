package redisstore

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// bucket is what this node knows of a client of one limit. All of it may be
// forgotten: what a lease has left is lost then, and Redis is asked again.
type bucket struct {
	mu     sync.Mutex
	key    ratelimit.Key
	limit  string // its key in Redis, with the kind that tells algorithms apart
	tokens int64  // of the lease
	until  int64  // the lease may be used
	size   int64  // of the last lease
	used   int64  // since it was asked for

	lead    *call // under way for the next lease
	claimed int64 // of that, by requests that wait for it

	gone bool // it was forgotten, and another one takes its place

	// What Redis may not know of what the client owes here. The node's own table has a
	// say for as long.
	untold int  // charges that it is to be told of, see call.untold
	open   bool // the table holds something that was let in without Redis
	unsure bool // something was forgotten before it was told, until all of it is paid

	// The last call that was sent when Redis, told of what was let in without it, had
	// nothing left: what that one and those before it are granted may be let in twice.
	spent uint64

	refused   int64 // until then,
	cost      int64 // what costs as much and more
	blocked   bool  // by a penalty
	remaining int64 // beside the lease, when Redis was last asked
	full      uint8 // the part of the limit that was used then, in 1/255
	reset     int64 // when that grows
	retry     int64 // when the refused cost fits

	// The floor is the last state that Redis told, and until when it means something.
	floor   []string
	inc     string
	cum     int64
	floored int64
}

// candidates is of how many buckets the one is forgotten that owes the least.
const candidates = 8

type shard struct {
	mu sync.Mutex
	m  map[string]*bucket
	_  [48]byte
}

var kinds = [...]byte{ratelimit.Window: 'w', ratelimit.Bucket: 'b', ratelimit.Quota: 'q'}

func (s *Store) bucket(l *ratelimit.Limit, k ratelimit.Key) *bucket {
	var text [17]byte
	name := append(strconv.AppendUint(text[:0], uint64(k), 36), kinds[l.Algorithm])
	sh := &s.shards[uint64(k)>>58]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if b := sh.m[string(name)]; b != nil {
		return b
	}
	if sh.m == nil {
		sh.m = make(map[string]*bucket)
	}
	for len(sh.m) >= maxBuckets/len(s.shards) {
		if !sh.forget(s.now()) {
			break
		}
	}
	st := s.table.Peek(l, k)
	b := &bucket{key: k, limit: string(name), unsure: st.Used > 0 || st.Held > 0}
	sh.m[b.limit] = b
	return b
}

// locked is the bucket that is not forgotten before it is unlocked: the one that takes its
// place then knows what the table was charged until then.
func (s *Store) locked(l *ratelimit.Limit, k ratelimit.Key) *bucket {
	for {
		b := s.bucket(l, k)
		if b.mu.Lock(); !b.gone {
			return b
		}
		b.mu.Unlock()
	}
}

// forget drops of a few buckets, whichever come, the one that owes the least: a flood of
// clients who were here once pushes out its own. Those that somebody judges by just now
// stay. sh.mu is held.
func (sh *shard) forget(now int64) bool {
	var found *bucket // locked
	least, seen := 0, 0
	for _, b := range sh.m { // Go's maps begin anywhere
		if seen++; b.mu.TryLock() {
			owes := 0
			if now < b.floored {
				owes = 1 + int(b.full)
			}
			if found != nil && owes >= least {
				b.mu.Unlock()
			} else {
				if found != nil {
					found.mu.Unlock()
				}
				found, least = b, owes
			}
		}
		if found != nil && (seen >= candidates || least == 0) {
			break
		}
	}
	if found == nil {
		return false
	}
	delete(sh.m, found.limit)
	found.gone = true
	found.mu.Unlock()
	return true
}

// redisKey has one hash slot of a cluster for each bucket.
func (s *Store) redisKey(b *bucket) string { return s.cfg.Prefix + "{" + b.limit + "}" }

// fits judges a cost by what this node knows: yes, no, or ask.
func (b *bucket) fits(cost, now int64) (yes, no bool) {
	if b.tokens >= cost && now < b.until && !(b.blocked && now < b.refused) {
		return true, false
	}
	return false, now < b.refused && (b.blocked || cost >= b.cost)
}

// doubted tells whether Redis may not know what the client owes here. b.mu is held.
func (b *bucket) doubted() bool { return b.untold > 0 || b.open || b.unsure }

// doubts refuses what this node's own table has no room for, until Redis knows what the
// client owes there, or he owes nothing any more. b.mu is held.
func (s *Store) doubts(b *bucket, c *ratelimit.Charge, need, now int64) (refused bool) {
	st := s.table.Peek(c.Limit, c.Key)
	if st.Held == 0 {
		b.open = false
		b.unsure = b.unsure && st.Used > 0
	}
	if !b.doubted() || int64(st.Remaining) >= need {
		return false
	}
	reset := int64(st.Reset)
	b.refused, b.cost, b.blocked = now+min(reset, int64(LeaseTime)), need, false
	b.retry, b.reset, b.remaining = now+reset, now+reset, 0
	if reset == 0 {
		b.retry = now + int64(time.Second) // nobody knows when what is held is settled
	}
	return true
}

// lease is how much a node may hold of a limit: the L of the package's bound.
func (s *Store) lease(l *ratelimit.Limit, cost int64) int64 {
	return max(cost, min(MaxLease, int64(l.Capacity())/(8*s.nodes.Load())))
}

// want is how much to ask for, so that no more than a lease is held: twice what the
// last one was when half of that has been used since, within its time, what was used of
// one whose time is over, and at first what is needed.
func (b *bucket) want(need, lease, now int64) int64 {
	switch {
	case b.size == 0 || now >= b.until+int64(LeaseTime):
		b.size = need
	case now >= b.until:
		b.size = max(b.used, 1)
	case 2*b.used >= b.size:
		b.size = 2 * b.size
	}
	b.size, b.used = min(b.size, lease), 0
	n := b.size
	if now < b.until {
		n -= b.tokens
	}
	return max(n, need)
}

// learn takes over an answer. A grant that came too late for who had asked is left for
// the next one, but the table has let in the one without it: when Redis, told of that, has
// nothing left, nothing is good any more of what was asked for before, in whatever order
// the answers come, and whatever Redis has forgotten in between: last is the last call
// that was sent by now. What was asked for before and is granted after that is lost.
func (b *bucket) learn(c *call, a *answer, now int64, last uint64) {
	if c.op == opCharge && c.untold > 0 && a.remaining == 0 {
		b.tokens, b.spent = 0, last
	}
	if a.granted > 0 && c.op == opTake && c.number > b.spent {
		if c.sent >= b.until {
			b.tokens = 0 // of a lease whose time is over
		}
		b.tokens += a.granted
		b.until = c.sent + int64(LeaseTime)
	}
	if a.inc == b.inc && a.cum < b.cum {
		return // it came later than the answer after it
	}
	b.floor, b.inc, b.cum = a.floor, a.inc, a.cum
	b.floored = now + int64(a.ttl)
	b.remaining, b.reset = a.remaining, now+int64(a.reset)
	if capacity := int64(c.limit.Capacity()); capacity > 0 {
		b.full = uint8((capacity - min(a.remaining, capacity)) * 255 / capacity)
	}
	switch {
	case a.blocked > 0:
		b.refused, b.cost, b.blocked, b.retry = now+int64(min(a.blocked, LeaseTime)), 0, true, now+int64(a.retry)
	case a.granted == 0 && c.min > 0 && a.remaining < c.min && c.op != opForget && c.op != opReturn:
		b.refused, b.cost, b.blocked, b.retry = now+int64(min(max(a.retry, 1), LeaseTime)), c.min, false, now+int64(a.retry)
	default:
		b.refused, b.blocked = 0, false
	}
}

// decide says what a refused, or admitted, charge is told.
func (b *bucket) decide(d *ratelimit.Decision, cost, capacity, now int64, admitted bool) {
	left := b.remaining
	if now < b.until {
		left += b.tokens
	}
	*d = ratelimit.Decision{Admitted: admitted, Remaining: int(min(left, capacity)), Reset: time.Duration(max(0, b.reset-now))}
	if admitted {
		return
	}
	if d.RetryAfter = time.Duration(max(b.retry-now, 1)); cost > capacity {
		d.RetryAfter = ratelimit.Never
	}
	if b.blocked {
		d.Remaining = 0
	}
	d.Reset = min(d.Reset, d.RetryAfter)
}

// fresh is a mark of a state that begins now.
func fresh() string { return strconv.FormatUint(rand.Uint64()>>12, 36) }
