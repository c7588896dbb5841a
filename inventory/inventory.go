// Package inventory is what exists: every host and operation that is declared,
// that was seen, or both. Documented operations are counted in fixed atomic
// counters; everything else goes through a bounded queue to one goroutine, which
// templates, weighs and keeps it within fixed bounds. No request waits for the
// inventory. Queries read a consistent state of it.
//
// Everything is in memory, and with OpenStore in a file too, which is written within
// a second. What is stored are names, templates and counts: never a query, header or
// body value, never a client's address.
package inventory

import (
	"context"
	"hash/maphash"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how an inventory works. The zero value is usable.
type Options struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Feed gets the changes, from the inventory's goroutine only and 10 a second
	// at most; further ones are dropped and counted. While it runs nothing else
	// is recorded. Default: nobody listens.
	Feed func(Event)
	// Survived is told of each panic while recording, with the stack. Default: nobody is.
	Survived func(panicked any, stack []byte)
	// MaxRoutes is how many undocumented routes are held (and, apart from them,
	// how many refused and scanned ones). Default 10,000.
	MaxRoutes int
	// MaxHosts is how many undeclared hosts are held. Default 256.
	MaxHosts int
	// MaxConsumers is how many consumers are held, each version apart. Default
	// 100,000.
	MaxConsumers int
}

const (
	// queueLength is how many observations may wait. A full queue of the longest
	// paths holds about 10 MiB.
	queueLength = 4096
	// batchLength is how many of them are recorded under one lock.
	batchLength = 256
	// tickEvery is how often held events and dates are looked after.
	tickEvery = 100 * time.Millisecond
	// pathBudget is how many bytes of path an entry may have on average, of those
	// that MaxRoutes bounds, before the table counts as full.
	pathBudget = 512
)

// Inventory is what was observed, next to what is declared. Make one per process
// and keep it over configurations.
type Inventory struct {
	now       func() time.Time
	survived  func(panicked any, stack []byte)
	maxRoutes int
	maxHosts  int
	start     int64 // Unix nanoseconds
	seed      maphash.Seed

	queue   chan observation
	running atomic.Bool
	dropped atomic.Uint64
	// reported are the gaps that are known outside.
	reported atomic.Pointer[[]Gap]
	// epoch counts walks over entries whose order may change under them, see
	// position. It begins at the start's time, so that a cursor of an earlier
	// process is older than every epoch of this one.
	epoch  atomic.Uint64
	feed   feed
	keeper keeper
	fleet  fleet
	// retention is in nanoseconds.
	retention atomic.Int64
	// consumers has a part that requests use and a part that mu guards.
	consumers *consumers
	sampler   sampler

	// mu guards all below. Requests never take it.
	mu        sync.RWMutex
	active    *Recorder
	gen       uint64 // how many configurations were activated
	routes    map[routeID]*entry
	known     quota
	noise     quota
	probable  int // known entries that are probable, so that confirmed ones may push them out
	unproven  int // and that are unproven
	overflow  *entry
	gone      shapes // documented by an earlier configuration, not by the active one
	hosts     map[string]*hostRecord
	strangers int // undeclared hosts held
	versions  map[versionKey]*versionRecord
	templates templates
	learned   map[routeID]*learned
	nodes     int // of all of what is learned
	findings  findings
	flows     map[flowKey]*flow
	looked    time.Time // when findings were last looked for without being asked
	swept     time.Time // when old entries were last forgotten
	began     time.Time // with the monotonic clock's reading, if now gives it
	steadiness
	rolled  int32 // the day that counts by the day are of
	reviews map[routeID]*review
	moves   map[routeID]routeID // of routes that were folded, to what they are part of
	outbox  []pending
	gaps    gapCounts

	// Of what is kept in the store.
	keeping bool // there is one
	removed []removal
	// keptEpoch began with the latest save, saveEpoch with the one before it.
	keptEpoch, saveEpoch uint64
	keptMeta             []byte
}

// quota is how much a kind of entry takes.
type quota struct {
	entries int
	bytes   int
}

func (q *quota) add(e *entry)    { q.entries++; q.bytes += len(e.key.path) }
func (q *quota) remove(e *entry) { q.entries--; q.bytes -= len(e.key.path) }

// full reports whether max entries, or as many bytes as they may have, are held.
func (q *quota) full(max int) bool { return q.entries >= max || q.bytes >= max*pathBudget }

// versionRecord is what was observed of a version.
type versionRecord struct {
	key       versionKey
	index     uint64 // 1, 2, ...: the same over configurations
	seen      tally
	state     string // at the last look; empty: never looked
	consumers int    // that called it, those without room aside
	days      days   // of all its requests

	// Verdicts of the rule lifecycle at the last look, and when they last grew.
	refusedRetired, passedRetired grown
	refusedAudience               grown // and of the rule audience

	kept []byte // as the store has it

	// Consumers without room, counted by requests directly.
	others      consumerSlot
	othersFirst atomic.Int64
	othersDays  days
}

// gapCounts count requests, or entries, that no answer shows.
type gapCounts struct {
	routes, hosts, trimmed, internal uint64
}

// New makes an inventory. It starts nothing: see Run.
func New(o Options) *Inventory {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxRoutes <= 0 {
		o.MaxRoutes = 10_000
	}
	if o.MaxHosts <= 0 {
		o.MaxHosts = 256
	}
	if o.MaxConsumers <= 0 {
		o.MaxConsumers = 100_000
	}
	inv := &Inventory{
		now:       o.Now,
		survived:  o.Survived,
		began:     o.Now(),
		maxRoutes: o.MaxRoutes,
		maxHosts:  o.MaxHosts,
		start:     o.Now().UnixNano(),
		seed:      maphash.MakeSeed(),
		queue:     make(chan observation, queueLength),
		feed:      feed{emit: o.Feed, log: newFeedLog(o.Now().UnixNano())},
		consumers: newConsumers(o.MaxConsumers),
		routes:    make(map[routeID]*entry),
		hosts:     make(map[string]*hostRecord),
		versions:  make(map[versionKey]*versionRecord),
		templates: newTemplates(),
		learned:   make(map[routeID]*learned),
		flows:     make(map[flowKey]*flow),
		findings:  findings{byKey: make(map[findingKey]*finding)},
		reviews:   make(map[routeID]*review),
	}
	inv.epoch.Store(uint64(inv.start))
	inv.keeper.part, inv.keeper.wake = memoryPart, make(chan struct{}, 1)
	inv.keeper.patience = patience
	inv.fleet.id = newNodeID()
	inv.feed.tell = inv.fleet.tell
	inv.OnSample(inv.inspect)
	inv.Retain(0)
	inv.sampler.queue = make(chan *Sample, maxSamples)
	inv.Sample(DefaultSampling)
	inv.OnSample(inv.learnSample)
	return inv
}

// Run records what Observe queued until ctx ends, then what is still queued, and
// returns. One Run at a time: a second one returns at once.
func (inv *Inventory) Run(ctx context.Context) {
	if !inv.running.CompareAndSwap(false, true) {
		return
	}
	defer inv.running.Store(false)
	// What the store has must not be announced as if it were new.
	inv.AwaitStore(ctx, inv.keeper.patience)
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case ob := <-inv.queue:
			inv.record(&ob)
		case a := <-inv.consumers.arrivals:
			inv.recordArrivals(a)
		case s := <-inv.sampler.queue:
			inv.study(s)
		case <-ticker.C:
			inv.tick()
		case <-ctx.Done():
			inv.drain()
			return
		}
	}
}

// drain records what is queued now.
func (inv *Inventory) drain() {
	for {
		select {
		case ob := <-inv.queue:
			inv.record(&ob)
		case a := <-inv.consumers.arrivals:
			inv.recordArrivals(a)
		case s := <-inv.sampler.queue:
			inv.study(s)
		default:
			return
		}
	}
}

// CatchUp records all that is queued and looks after what time brings about, at once.
// It is for programs that record without Run.
func (inv *Inventory) CatchUp() {
	inv.drain()
	inv.tick()
}

// recordArrivals takes in a consumer and what else is queued, up to a batch.
func (inv *Inventory) recordArrivals(first arrival) {
	defer inv.survive()
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.welcome(&first)
	for range batchLength - 1 {
		select {
		case a := <-inv.consumers.arrivals:
			inv.welcome(&a)
		default:
			return
		}
	}
}

// record takes in first and what else is queued, up to a batch.
func (inv *Inventory) record(first *observation) {
	defer inv.survive()
	now := inv.now()
	inv.learnBatch(first, now)
	inv.publish(now)
}

func (inv *Inventory) learnBatch(first *observation, now time.Time) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.learn(first, now)
	for range batchLength - 1 {
		select {
		case ob := <-inv.queue:
			inv.learn(&ob, now)
		default:
			return
		}
	}
}

// tick looks after what happens without a request.
func (inv *Inventory) tick() {
	defer inv.survive()
	now := inv.now()
	inv.lookAround(now)
	inv.publish(now)
}

func (inv *Inventory) lookAround(now time.Time) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.watchDates(now)
	inv.rollDays(now)
	inv.foldDue(now)
	if since := now.Sub(inv.swept); since >= sweepEvery || since < 0 {
		inv.swept = now
		if inv.trusts(now, now.Sub(inv.began)) {
			inv.forgetOld(now)
		}
	}
	if since := now.Sub(inv.looked); since >= findEvery || since < 0 {
		inv.looked = now
		inv.sweepFindings(now)
		inv.tellFindings(now, inv.feed.free(now)-len(inv.outbox))
	}
}

// survive keeps the goroutine, and with it the process, alive when recording
// panics; the gap says so, and Options.Survived is told.
func (inv *Inventory) survive() {
	if p := recover(); p != nil {
		inv.mu.Lock()
		inv.gaps.internal++
		inv.mu.Unlock()
		if inv.survived != nil {
			inv.survived(p, debug.Stack())
		}
	}
}

// publish hands events to the feed. The lock is not held while it does: whatever
// the feed waits for, queries do not.
func (inv *Inventory) publish(now time.Time) {
	inv.mu.Lock()
	events := inv.outbox
	inv.outbox = nil
	inv.mu.Unlock()
	if inv.feed.publish(events, now) {
		inv.keeper.hurry()
	}
}
