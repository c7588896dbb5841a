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

	// doubted: Redis may not know what the client owes here, since this node has
	// decided alone and not told it yet, or has forgotten the bucket and could not tell
	// it what it has lost. The node's own table has a say until all of it is paid.
	doubted bool

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
	if len(sh.m) >= maxBuckets/len(s.shards) {
		delete(sh.m, sh.victim(s.now()))
	}
	b := &bucket{key: k, limit: string(name), doubted: s.table.Peek(l, k).Used > 0}
	sh.m[b.limit] = b
	return b
}

// victim is of a few buckets, whichever come, the one that owes the least: a flood of
// clients who were here once pushes out its own. sh.mu is held.
func (sh *shard) victim(now int64) string {
	name, least, seen := "", 1<<8, 0
	for other, b := range sh.m { // Go's maps begin anywhere
		owes := 1<<8 - 1 // it is being asked for
		if b.mu.TryLock() {
			if owes = 0; now < b.floored {
				owes = 1 + int(b.full)
			}
			b.mu.Unlock()
		}
		if name == "" || owes < least {
			name, least = other, owes
		}
		if seen++; seen == candidates || least == 0 {
			break
		}
	}
	return name
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

// doubts refuses what this node's own table has no room for, until the client owes
// nothing there any more. b.mu is held.
func (s *Store) doubts(b *bucket, c *ratelimit.Charge, need, now int64) (refused bool) {
	st := s.table.Peek(c.Limit, c.Key)
	if st.Used == 0 {
		b.doubted = false
		return false
	}
	if int64(st.Remaining) >= need {
		return false
	}
	b.refused, b.cost, b.blocked = now+min(int64(st.Reset), int64(LeaseTime)), need, false
	b.retry, b.reset, b.remaining = now+int64(st.Reset), now+int64(st.Reset), 0
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

// learn takes over an answer.
func (b *bucket) learn(c *call, a *answer, now int64) {
	if a.granted > 0 && c.op == opTake {
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
