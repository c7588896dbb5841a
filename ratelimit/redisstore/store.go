// Package redisstore shares limits among processes, through Redis from 6.2 on or
// Valkey from 7.2 on.
//
// A node takes tokens out of Redis before it uses them: a lease, which it decides from
// without asking again. How many those are goes by what the node has used lately and
// by what is left: a limit of a few is asked for one by one and exact, one of many
// costs Redis next to nothing, and what is not used within [LeaseTime] is lost, never
// given back. A refusal is remembered for as long, so that who is refused costs Redis
// one question a second.
//
// # Bound
//
// A lease of a limit of N is at most L = max(cost, min(MaxLease, N/8M)) with M nodes,
// and used within a second. So all nodes together admit, in any interval of a window
// W, at most N + M·L; a bucket, in an interval of length d, at most
// Burst + Rate·d/W + M·L. Where N < 16M, L is the cost of one request, which is used
// when it is granted, and the bound is N exactly. What was granted to a request that
// another limit refuses is returned.
//
// # What it does not do
//
// Limits on concurrency, and those in monitor mode, count on each node by itself.
package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

const (
	// Patience is how long a request waits for Redis by default, at most.
	Patience = 20 * time.Millisecond
	// LeaseTime is how long a lease may be used, and a refusal believed.
	LeaseTime = time.Second
	// MaxLease is how much a lease holds at most.
	MaxLease = 4096
	// maxBuckets is how many buckets a node remembers something of.
	maxBuckets = 32_768
)

// Config is how a store is made.
type Config struct {
	// Client is asked from goroutines of the store's own. It must keep to the deadline
	// of a call (ContextTimeoutEnabled) and try nothing twice. It is the caller's to
	// close, after Run.
	Client redis.UniversalClient
	// Table counts what is not shared, and everything while Redis cannot be asked. Its
	// secret must be the fleet's, since Redis's keys come from its keys.
	Table *ratelimit.Table
	// Prefix begins every key in Redis.
	Prefix string
	// Changed is told when Redis can be asked again, and when it cannot, and why.
	Changed func(err error)
	// Survived is told of each panic while Redis is asked, with the stack: it counts as an
	// answer that did not come.
	Survived func(panicked any, stack []byte)
	// Patience is how long a request waits for Redis at most; Patience when 0.
	Patience time.Duration
}

// Store is a [ratelimit.Limiter] whose limits are shared. Between New and Run it is a
// store that cannot be asked.
type Store struct {
	cfg    Config
	table  *ratelimit.Table
	node   string
	clock  func() int64 // in nanoseconds
	wall   func() time.Time
	script *redis.Script
	shards [64]shard
	shares sync.Map // share of a limit -> *ratelimit.Limit

	queues [flushers]chan *call
	nodes  atomic.Int64 // that were heard of lately, this one included

	up       atomic.Bool
	failed   atomic.Int64 // calls in a row
	failures atomic.Uint64
	asked    atomic.Uint64 // commands sent; each has its number
	why      atomic.Pointer[string]
	kick     chan struct{}

	owed ledger // counted while Redis could not be asked

	isTelling atomic.Bool
	telling   sync.WaitGroup
}

// New makes a store. It asks nothing and connects to nothing until Run.
func New(cfg Config) *Store {
	if cfg.Patience <= 0 {
		cfg.Patience = Patience
	}
	id := make([]byte, 8)
	rand.Read(id)
	base := time.Now()
	s := &Store{
		cfg: cfg, table: cfg.Table, node: hex.EncodeToString(id), script: takeScript,
		clock: func() int64 { return int64(time.Since(base)) }, wall: time.Now,
		kick: make(chan struct{}, 1),
	}
	for i := range s.queues {
		s.queues[i] = make(chan *call, 4096/flushers)
	}
	s.nodes.Store(1)
	why := "Redis has not been asked yet"
	s.why.Store(&why)
	return s
}

// Key begins a key in a space.
func (s *Store) Key(space uint64) ratelimit.KeyBuilder { return s.table.Key(space) }

// Failures counts what was asked of Redis in vain since the process began.
func (s *Store) Failures() uint64 { return s.failures.Load() }

// Asked counts the commands that were sent to Redis for limits.
func (s *Store) Asked() uint64 { return s.asked.Load() }

// Untold is how much was counted while Redis could not be asked and cannot be told to
// it any more, in tokens: so much more than the limits say can have been admitted at
// most, besides what [ratelimit.FailLocal] allows.
func (s *Store) Untold() uint64 { return s.owed.untold() }

// Nodes is how many nodes were heard of in the last seconds.
func (s *Store) Nodes() int { return int(s.nodes.Load()) }

// Health is nil when Redis can be asked, else why it cannot.
func (s *Store) Health() error {
	if s.up.Load() {
		return nil
	}
	return errors.New(*s.why.Load())
}

// Run asks Redis until the context ends, and then tells it what it was not told yet,
// if it can be asked and for a second at most: what is left counts as [Store.Untold].
func (s *Store) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, queue := range s.queues {
		wg.Go(func() { s.flush(ctx, queue) })
	}
	last, cancel := lasting(ctx, max(farewell, s.cfg.Patience))
	defer cancel()
	s.watch(ctx, last)
	wg.Wait()
	s.drain(last)
	s.telling.Wait()
	s.down(errors.New("the process ends"))
	s.drain(last) // of who has begun to ask meanwhile
	if owed := s.owed.take(s); len(owed) > 0 {
		s.owed.lose(owed)
	}
}

// lasting is a context that ends so much later than another one.
func lasting(ctx context.Context, longer time.Duration) (context.Context, context.CancelFunc) {
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(longer, cancel)
		context.AfterFunc(last, func() { timer.Stop() })
	})
	return last, cancel
}

func (s *Store) now() int64 { return s.clock() }

var _ ratelimit.Limiter = (*Store)(nil)
