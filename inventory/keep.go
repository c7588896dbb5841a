package inventory

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/store"
)

// Kept is something that outlives the process: a bucket of the store, and who
// fills it. The inventory's own are listed in Inventory.ownParts; others come by
// Inventory.Keep. To keep one more field of something that is kept already, add it
// to the struct that is written of it (savedRoute, savedHost, ...), where it is
// saved and where it is merged.
//
// A field that older files do not have reads as its zero value, and needs nothing
// more. One that is renamed or gets another meaning needs a new store.Schema.
type Kept struct {
	// Bucket is its name in the file. "format" is the store's own.
	Bucket string
	// Load is given every pair that the file has, once, before the first Save.
	// What was counted in the meantime stays: it merges. Key and value are not its
	// to keep. A pair that it returns an error for is skipped and counted as a gap.
	Load func(key, value []byte) error
	// Loaded, if any, is called when all of all buckets is loaded.
	Loaded func()
	// Save puts what changed since it was last asked, or all of it: when the file
	// is a new one. A nil value removes the key. It is asked about once a second,
	// by one goroutine, and at each query. What it put is written, sooner or later.
	Save func(all bool, put func(key, value []byte))
	// Peer, if any, is given what another node of a fleet has, each time that it
	// changes. It may come twice or late: the greater number counts. A nil value says
	// that the node has it no more. Pairs of a bucket without it stay on their node.
	Peer func(node string, key, value []byte) error
	// Share, if any, tells which values the other nodes get. Default: all.
	Share func(value []byte) bool

	// slices and saveSlice are of a bucket that may have very many pairs, none of which
	// needs another: in how many transactions what changed is to be written, and what
	// Save does for one of them.
	slices    func() int
	saveSlice func(slice, of int, put func(key, value []byte))
}

// StoreOptions say where the inventory is kept.
type StoreOptions struct {
	// File is where; empty: in memory only, for a node of a fleet.
	File string
	// Changed is told when the store's condition is another, and why.
	Changed func(Part)
}

const (
	// commitEvery is how long at least between two commits,
	commitEvery = time.Second
	// firstSight and how long when there is something new,
	firstSight = 100 * time.Millisecond
	// soonest and when somebody waits for it.
	soonest = 10 * time.Millisecond
	// A commit that took long makes the next one wait, so that the store takes a
	// fiftieth of the time, or a fifth when there is something new. Where somebody
	// waits it is commitEvery at most: he goes on without it after some seconds, and
	// what he was shown would be lost by a crash.
	commitShare, firstShare = 50, 5
	// patience is how long a start waits for the store.
	patience = time.Second
	// retryFirst and retryLast are how long a store that failed is left alone: it
	// doubles each time.
	retryFirst, retryLast = time.Second, 30 * time.Second
	// maxRemoved is how many removed keys are remembered until they are written.
	// With more of them everything is written anew.
	maxRemoved = 50_000
)

// Conditions of the store.
const (
	StoreOK       = "ok"
	StoreDegraded = "degraded"
	StoreMemory   = "memory"
)

// keeper writes the inventory to the store. Its goroutine owns what has no lock.
type keeper struct {
	options  StoreOptions
	parts    []Kept
	patience time.Duration // how long a start waits for the store

	store    *store.Store // nil: not open
	all      bool         // the file has nothing of what is in memory
	failed   []store.Pair // of the last commit that failed
	retry    time.Duration
	lastEnd  time.Time // of the last commit, or attempt
	lastTook time.Duration
	merged   bool // what the file has is in memory
	works    Part // the condition while it works

	failures atomic.Uint64
	unread   atomic.Uint64 // pairs that could not be loaded
	urgent   atomic.Bool   // something new is to be written
	asked    atomic.Bool   // somebody waits for it
	again    atomic.Bool   // everything is to be written
	wake     chan struct{} // one is enough
	cancel   context.CancelFunc
	done     chan struct{}

	mu      sync.Mutex // guards what follows
	part    Part
	loaded  chan struct{} // closed when loaded or given up; nil: never asked to
	waiters []chan struct{}
	open    bool // and works: waiting for a commit makes sense
}

var memoryPart = Part{Status: StoreMemory, Why: "the inventory is kept in memory and begins anew with the process"}

// Keep adds a bucket to the store. Call it before OpenStore.
func (inv *Inventory) Keep(k Kept) { inv.keeper.parts = append(inv.keeper.parts, k) }

// OpenStore opens the file, loads what it has into the inventory and keeps the two
// together until CloseStore. Call it once, before Run. It returns when all is
// loaded, or after a second: loading goes on then, and what there is in memory
// serves. Nothing that is wrong with the file is an error: Health tells.
func (inv *Inventory) OpenStore(o StoreOptions) {
	k := &inv.keeper
	k.options = o
	k.parts = append(inv.ownParts(), k.parts...)
	k.done = make(chan struct{})
	k.mu.Lock()
	k.loaded = make(chan struct{})
	if o.File != "" {
		k.part = Part{Status: StoreDegraded, Why: "the file is being loaded"}
	}
	k.mu.Unlock()
	inv.consumers.hold()
	inv.mu.Lock()
	inv.keeping, inv.keptEpoch = true, inv.epoch.Add(1)
	inv.mu.Unlock()

	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	go func() {
		defer close(k.done)
		inv.runStore(ctx)
	}()
	inv.startFleet()
	inv.AwaitStore(context.Background(), k.patience)
	inv.consumers.settle(nil)
}

// CloseStore writes what is not written yet and closes the file.
func (inv *Inventory) CloseStore() {
	if inv.keeper.cancel == nil {
		return
	}
	inv.keeper.cancel()
	<-inv.keeper.done
	inv.leaveFleet()
}

// AwaitStore waits until the store is loaded, or cannot be, for so long at most.
func (inv *Inventory) AwaitStore(ctx context.Context, atMost time.Duration) {
	k := &inv.keeper
	k.mu.Lock()
	loaded := k.loaded
	k.mu.Unlock()
	if loaded == nil {
		return
	}
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-loaded:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// loading reports whether the store still is.
func (k *keeper) loading() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.loaded == nil {
		return false
	}
	select {
	case <-k.loaded:
		return false
	default:
		return true
	}
}

// Settle waits until everything that could be seen before the call is in the
// store, so that an answer holds over a crash. It returns at once where there is
// no store, or none that works.
func (inv *Inventory) Settle(ctx context.Context) {
	k := &inv.keeper
	k.mu.Lock()
	if !k.open {
		k.mu.Unlock()
		return
	}
	written := make(chan struct{})
	k.waiters = append(k.waiters, written)
	k.mu.Unlock()
	k.asked.Store(true)
	k.rouse()
	select {
	case <-written:
	case <-ctx.Done():
	}
}

// hurry has what is new written soon.
func (k *keeper) hurry() {
	if k.urgent.CompareAndSwap(false, true) {
		k.rouse()
	}
}

// everything has all that there is written, and offered to the fleet.
func (k *keeper) everything() {
	k.again.Store(true)
	k.hurry()
}

func (k *keeper) rouse() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// set makes part the store's condition. open: it works, so that waiting for it
// makes sense.
func (k *keeper) set(part Part, open bool) {
	if k.become(part, open) && k.options.Changed != nil {
		k.options.Changed(part)
	}
}

// closed says that the file was closed as it should be, to those who ask. Nobody else
// is told: a process that ends is nothing to look into.
func (k *keeper) closed() {
	k.become(Part{Status: StoreDegraded, Why: "the file is closed"}, false)
}

// become sets the store's condition, and reports whether it was another.
func (k *keeper) become(part Part, open bool) (changed bool) {
	k.mu.Lock()
	changed = k.part != part
	k.part, k.open = part, open
	var waiters []chan struct{}
	if !open {
		waiters, k.waiters = k.waiters, nil
	}
	k.mu.Unlock()
	for _, w := range waiters {
		close(w)
	}
	return changed
}

// condition is the store's, for Health.
func (k *keeper) condition() Part {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.part
}
