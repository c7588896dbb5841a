package ratelimit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/dchest/siphash"
)

const (
	// DefaultSlots is TableConfig.Slots when that is 0.
	DefaultSlots = 262_144
	// MaxSlots is the most that either part of a table has: 4.4 GiB, and 560 MiB where a
	// process has an address space of 32 bits.
	MaxSlots = 1 << (20 + 6*bits.UintSize/64)
)

// TableConfig is how a table is made. The zero value is a working default of
// 22 MiB, which the operating system hands out as clients come, in large pages where
// it can.
type TableConfig struct {
	// Slots is how many debts the table keeps, rounded up to sets of 8 and at
	// most MaxSlots; DefaultSlots when 0 or less. A slot is 70 bytes. Two windows of
	// which not more than 255 are used share one, and so do two penalties.
	Slots int

	// ProtectedSlots is the same for the limits that say Protect; a quarter of
	// Slots when 0 or less. Such a slot is 78 bytes, and has one debt.
	ProtectedSlots int

	// Now is a clock in nanoseconds from any beginning; nil is the process's
	// monotonic clock. It may be called while sets are locked, so it must not call
	// the table. A clock that steps back reads as one that stands still.
	Now func() int64

	// Wall is the calendar's clock, for quotas; nil is time.Now.
	Wall func() time.Time

	// Secret keys the hash of clients, so that nobody can choose clients that meet
	// in one set. An empty one is drawn; give one to a table that must understand
	// another one's keys, such as that of another process.
	Secret []byte
}

// Table keeps what clients owe. Its size never changes, and it may be used by
// many goroutines at once and outlive configurations: it holds no limits.
type Table struct {
	sets     []set
	fits     []fit        // one for each set
	locks    []sync.Mutex // a power of two: several sets share one
	ordinary uint32       // sets before this index are for limits without Protect
	held     holds
	shared   []large // one for each protected set: where newcomers go when it is full
	seed     [2]uint64
	salt     uint64
	base     time.Time
	now      func() int64

	wallClock func() time.Time
	dirty     []uint64 // a bit for each group of sets that has quotas to be saved

	// What follows is written while running, on a cache line of its own.
	_      [64]byte
	latest atomic.Int64 // the latest reading of now
	evicts struct {
		cells, debt, shadows, shared atomic.Uint64
	}
}

// NewTable makes a table.
func NewTable(cfg TableConfig) *Table {
	slots := cfg.Slots
	if slots <= 0 {
		slots = DefaultSlots
	}
	protected := cfg.ProtectedSlots
	if protected <= 0 {
		protected = slots / 4
	}
	ordinary, guarded := setsFor(slots), setsFor(protected)
	secret := cfg.Secret
	if len(secret) == 0 {
		secret = make([]byte, 32)
		rand.Read(secret)
	}
	digest := sha256.Sum256(secret)
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(digest[8*i:]) }
	sets := make([]set, ordinary+guarded)
	askHugePages(sets)
	return &Table{
		sets:     sets,
		fits:     make([]fit, len(sets)),
		locks:    make([]sync.Mutex, min(maxLocks, 1<<bits.Len(uint(len(sets)-1)))),
		ordinary: uint32(ordinary),
		shared:   make([]large, guarded),
		seed:     [2]uint64{word(0), word(1)},
		salt:     word(2),
		base:     time.Now(),
		now:      cfg.Now,

		wallClock: cfg.Wall,
		dirty:     make([]uint64, maxGroups/64),
	}
}

func setsFor(slots int) int { return max(1, (min(slots, MaxSlots)+lines-1)/lines) }

// Bytes is how much memory the table holds. It is the same before the first
// client and after the last.
func (t *Table) Bytes() int64 {
	return int64(len(t.sets))*int64(unsafe.Sizeof(set{})+unsafe.Sizeof(fit{})) +
		int64(len(t.shared))*int64(unsafe.Sizeof(large{})) + int64(len(t.locks))*int64(unsafe.Sizeof(sync.Mutex{}))
}

// clock reads the time once for a call, before that locks: a call that was held up in
// between comes to cells that others have judged by later times. A cell then stands
// where those have left it, as if the time were the latest of theirs: a window counts in
// its latest sub-window, a bucket from its arrival time. What was forgotten by then was
// rightly forgotten, for that time has passed too, and whoever was given a cell in the
// meantime took it from somebody who owed nothing. So each charge counts at a moment
// between the reading and the decision, and by these moments the bounds hold without
// exception. That is all that anybody can observe: a call may as well be held up once it
// has let go of its locks. It errs towards refusing, where it was held up for longer
// than its limit takes to give something back.
func (t *Table) clock() int64 {
	if t.now == nil {
		return int64(time.Since(t.base))
	}
	now := t.now()
	for {
		latest := t.latest.Load()
		if now <= latest {
			return latest
		}
		if t.latest.CompareAndSwap(latest, now) {
			return now
		}
	}
}

// place is where a key's cell is if it is anywhere. A set's index comes from the
// key's top bits, the identity from the lowest: in a default table two keys share a
// cell when 58 bits agree.
func (t *Table) place(l *Limit, k Key, shadow bool) (index uint32, d identity) {
	first, sets := uint64(0), uint64(t.ordinary)
	if l.Protect && !shadow {
		// Shadows of protected limits have nothing to protect, and must not fill
		// the sets of those that have.
		first, sets = sets, uint64(len(t.shared))
	}
	at, _ := bits.Mul64(uint64(k), sets)
	holds := kinds[l.Algorithm%algorithms]
	if shadow {
		holds |= kindShadow
	}
	return uint32(first + at), identity(k)<<(64-keyBits)>>(64-keyBits-4) | identity(holds)
}

// maxLocks is how many locks a table has at most: so few that they stay in the
// processor's cache while the sets come from memory, and many more than there are
// processors.
const maxLocks = 8192

// lockOf is the lock of a set.
func (t *Table) lockOf(index uint32) *sync.Mutex { return &t.locks[t.stripe(index)] }

// stripe is the index of a set's lock.
func (t *Table) stripe(index uint32) uint32 { return index & uint32(len(t.locks)-1) }

// fingerprint tells tables of one secret from others, and nothing of the secret.
func (t *Table) fingerprint() uint64 {
	return siphash.Hash(t.seed[0], t.seed[1], []byte("fingerprint"))
}

// sharedOf is the shared cell of a set, nil for a set without protection.
func (t *Table) sharedOf(index uint32) *large {
	if index < t.ordinary {
		return nil
	}
	return &t.shared[index-t.ordinary]
}
