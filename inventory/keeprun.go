package inventory

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/store"
)

// runStore opens the file and writes to it what is new, until ctx ends. It is the
// only goroutine that does.
func (inv *Inventory) runStore(ctx context.Context) {
	k := &inv.keeper
	if k.options.File != "" {
		inv.tryOpen()
	} else {
		close(k.loaded)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait := time.Until(k.due())
		if wait <= 0 {
			if k.store == nil && k.options.File != "" {
				inv.tryOpen()
			} else {
				inv.commit()
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-k.wake:
		case <-ctx.Done():
		}
	}
	if k.store == nil && k.options.File != "" {
		return
	}
	inv.commit()
	if k.all {
		inv.commit() // to the file that was begun in place of one that was removed
	}
	if k.store == nil {
		return
	}
	if err := k.store.Close(); err != nil {
		k.fail(err)
		return
	}
	k.closed()
}

// due is when to do something next.
func (k *keeper) due() time.Time {
	switch {
	case k.retry > 0:
		return k.lastEnd.Add(k.retry)
	case k.asked.Load():
		return k.lastEnd.Add(max(soonest, min(firstShare*k.lastTook, commitEvery)))
	case k.urgent.Load():
		return k.lastEnd.Add(max(firstSight, firstShare*k.lastTook))
	default:
		return k.lastEnd.Add(max(commitEvery, commitShare*k.lastTook))
	}
}

// tryOpen opens the file and merges what is in it, once: a file that is opened
// again, after something went wrong with it, gets what is in memory.
func (inv *Inventory) tryOpen() {
	k := &inv.keeper
	before := k.merged
	s, found, err := store.Open(k.options.File, func(p store.Pair) {
		if !before {
			k.merged = true
			k.load(&p)
		}
	})
	k.lastEnd = time.Now()
	if k.merged && !before {
		for _, p := range k.parts {
			if p.Loaded != nil {
				p.Loaded()
			}
		}
	}
	if err != nil {
		k.fail(err)
	} else {
		k.store, k.retry, k.merged = s, 0, true
		k.all = before || found.Damage != "" || found.Migrated
		k.works = Part{Status: StoreOK}
		switch {
		case found.Damage != "":
			k.failures.Add(1)
			k.works = Part{Status: StoreDegraded, Why: fmt.Sprintf("the file was damaged (%s) and set aside as %s; what could be read of it was kept, and a new one begun", found.Damage, filepath.Base(found.Aside))}
		case found.Migrated:
			k.works.Why = fmt.Sprintf("the file had schema %d and is brought to %d; %s is the file as it was, for a program of before", found.From, store.Schema(), filepath.Base(found.Backup))
		case found.Fresh && !before:
			k.works.Why = "a new file was begun"
		}
		k.set(k.works, true)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.loaded:
	default:
		close(k.loaded)
	}
}

// load gives a pair to whom it belongs to.
func (k *keeper) load(p *store.Pair) {
	for i := range k.parts {
		if k.parts[i].Bucket == p.Bucket {
			k.give(func() error { return k.parts[i].Load(p.Key, p.Value) })
		}
	}
}

// give calls who reads a pair. A panic over one is a pair that could not be read.
func (k *keeper) give(read func() error) {
	defer func() {
		if recover() != nil {
			k.unread.Add(1)
		}
	}()
	if err := read(); err != nil {
		k.unread.Add(1)
	}
}

// commit writes what changed, and tells those who wait for it.
func (inv *Inventory) commit() {
	k := &inv.keeper
	k.mu.Lock()
	waiters := k.waiters
	k.waiters = nil
	k.asked.Store(false)
	k.mu.Unlock()
	k.urgent.Store(false)
	began := time.Now()
	var wrote bool
	err := attempt(func() (err error) {
		ended := false
		defer func() {
			if !ended {
				k.again.Store(true) // what had been looked through is not known any more
			}
		}()
		wrote, err = inv.write()
		ended = true
		return err
	})
	if err != nil {
		k.fail(err)
	} else {
		k.retry = 0
		if k.store != nil {
			k.set(k.works, true)
		}
	}
	k.lastEnd = time.Now()
	if k.lastTook = k.lastEnd.Sub(began); !wrote && len(waiters) > 0 {
		// The next who asks need not wait for this one.
		k.lastTook = 0
	}
	for _, w := range waiters {
		close(w)
	}
}

// write writes what changed, and reports whether that was anything. All but the
// buckets that may have very many pairs is one transaction; those follow, in
// transactions of a bounded size: bbolt holds what a transaction writes, and every page
// that it touches, in memory. The key that consumers are hashed with is in the first, so
// that a crash between two leaves consumers that count less than routes do, and nothing
// that an answer has shown: who asked is told after the last.
func (inv *Inventory) write() (wrote bool, err error) {
	k := &inv.keeper
	if k.failed != nil {
		if err := k.store.Commit(k.failed); err != nil {
			return true, err
		}
		k.failed = nil
	}
	again := k.again.Swap(false)
	all := k.all || again || inv.removedTooMany()
	var pairs []store.Pair
	if removed := inv.beginSave(); !all {
		for _, r := range removed {
			pairs = append(pairs, store.Pair{Bucket: r.bucket, Key: r.key})
		}
	}
	buckets := make([]string, 0, len(k.parts))
	for i := range k.parts {
		p := &k.parts[i]
		buckets = append(buckets, p.Bucket)
		if !all && p.saveSlice != nil {
			continue
		}
		p.Save(all, putInto(&pairs, p.Bucket))
	}
	if all {
		// After the write, whatever comes of it: see fleet.offer.
		defer func() { inv.fleet.offer(k.parts, pairs, true) }()
		if k.store == nil {
			return false, nil
		}
		k.all = true
		err := k.store.Replace(buckets, pairs)
		k.all = err != nil
		return true, err
	}
	if wrote, err = inv.commitPairs(pairs); err != nil {
		return true, err
	}
	for i := range k.parts {
		p := &k.parts[i]
		if p.saveSlice == nil {
			continue
		}
		for slice, of := 0, p.slices(); slice < of; slice++ {
			pairs = nil
			p.saveSlice(slice, of, putInto(&pairs, p.Bucket))
			more, err := inv.commitPairs(pairs)
			wrote = wrote || more
			if err != nil {
				return true, err
			}
		}
	}
	return wrote, nil
}

// putInto collects pairs of a bucket.
func putInto(pairs *[]store.Pair, bucket string) func(key, value []byte) {
	return func(key, value []byte) {
		*pairs = append(*pairs, store.Pair{Bucket: bucket, Key: key, Value: value})
	}
}

// commitPairs writes pairs in one transaction, and offers them to the fleet. It reports
// whether there was anything to write.
func (inv *Inventory) commitPairs(pairs []store.Pair) (wrote bool, err error) {
	k := &inv.keeper
	// After the write, whatever comes of it: see fleet.offer.
	defer func() { inv.fleet.offer(k.parts, pairs, false) }()
	if k.store == nil || len(pairs) == 0 {
		return false, nil
	}
	if err := k.store.Commit(pairs); err != nil {
		k.failed = pairs
		return true, err
	}
	return true, nil
}

// fail says that the store does not work, and when to try again.
func (k *keeper) fail(err error) {
	k.failures.Add(1)
	k.retry = min(max(2*k.retry, retryFirst), retryLast)
	why := err.Error()
	switch {
	case errors.Is(err, store.ErrGone):
		// It may come back, with its folder: it is let go of for a new one only.
		s, _, openErr := store.Open(k.options.File, func(store.Pair) {})
		if openErr != nil {
			why += "; " + openErr.Error()
			break
		}
		_ = k.store.Close()
		k.store, k.failed, k.all = s, nil, true
		k.retry = retryFirst // of the new file nothing has failed yet
		k.works = Part{Status: StoreOK}
		why += "; a new file is begun"
	case errors.Is(err, store.ErrDamaged):
		aside, asideErr := k.store.SetAside()
		k.store, k.failed = nil, nil
		why += "; it is set aside as " + filepath.Base(aside)
		if asideErr != nil {
			why = err.Error() + "; " + asideErr.Error()
		}
	}
	k.set(Part{Status: StoreDegraded, Why: why + "; the inventory is kept in memory until it works again"}, false)
}
