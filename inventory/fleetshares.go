package inventory

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/store"
)

// offer takes what was written to the store, to publish it. It is called after the
// write, so that a node never publishes more than it has after a crash, as long as
// its disk works.
func (f *fleet) offer(parts []Kept, pairs []store.Pair, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.joined {
		return
	}
	f.offered = true
	if all {
		f.whole, f.needAll, f.pending, f.shared = true, false, make(map[string][]byte), make(map[string]bool)
	}
	for i := range pairs {
		p := &pairs[i]
		at := slices.IndexFunc(parts, func(k Kept) bool { return k.Bucket == p.Bucket })
		if at < 0 || parts[at].Peer == nil {
			continue
		}
		field, value := p.Bucket+"\x00"+string(p.Key), p.Value
		if share := parts[at].Share; share != nil {
			switch {
			case value != nil && share(value):
				f.shared[field] = true
			case f.shared[field]:
				// The others knew it, and are not to any more.
				value = nil
				delete(f.shared, field)
			default:
				continue
			}
		}
		f.pending[field] = value
	}
	if len(f.pending) > maxPending && !f.whole {
		f.needAll, f.pending = true, make(map[string][]byte)
	}
}

// lost reports whether everything has to be written and published anew.
func (f *fleet) lost() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.needAll
}

// publishShares publishes what waits.
func (inv *Inventory) publishShares(ctx context.Context) error {
	f := &inv.fleet
	if f.lost() {
		// All that there is is offered at the next write.
		inv.keeper.everything()
		inv.Settle(ctx)
	}
	f.mu.Lock()
	if !f.offered {
		// The store is not open. What this node counts is not kept, and with what
		// it has from before it would be counted twice later.
		f.mu.Unlock()
		return nil
	}
	whole, fields := f.whole, f.pending
	f.whole, f.pending = false, make(map[string][]byte)
	if whole {
		f.edition = newNodeID()
	}
	node := FleetNode{ID: f.id, Name: f.options.Name, Edition: f.edition}
	f.mu.Unlock()

	names := slices.Collect(maps.Keys(fields))
	for first := true; first || len(names) > 0; first = false {
		n := min(len(names), publishChunk)
		chunk := make(map[string][]byte, n)
		for _, name := range names[:n] {
			chunk[name] = fields[name]
		}
		f.beat++
		node.Beat = f.beat
		version, err := f.options.Board.Publish(ctx, node, whole && first, chunk)
		if err != nil {
			f.putBack(fields, names, whole && first)
			return err
		}
		if version != f.version+1 && !(whole && first) {
			// It is another board than it was, or an empty one.
			f.mu.Lock()
			f.needAll, f.pending = true, make(map[string][]byte)
			f.mu.Unlock()
			f.version = version
			return nil
		}
		f.version = version
		names = names[n:]
	}
	return nil
}

// putBack has fields published later, unless there is something newer.
func (f *fleet) putBack(fields map[string][]byte, names []string, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.whole = f.whole || whole
	for _, name := range names {
		if _, newer := f.pending[name]; !newer {
			f.pending[name] = fields[name]
		}
	}
}

// takeShares takes in what other nodes published.
func (inv *Inventory) takeShares(ctx context.Context) error {
	f := &inv.fleet
	nodes, err := f.options.Board.Nodes(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.ID == f.node() {
			continue
		}
		f.mu.Lock()
		p := f.peers[n.ID]
		if p == nil {
			p = &peer{id: n.ID}
			f.peers[n.ID] = p
		}
		p.name = n.Name
		if n.Edition != p.edition {
			// All of it is new; what it was before is kept where it was more.
			p.edition, p.version = n.Edition, 0
		}
		if n.Beat != p.beat {
			p.beat, p.heard = n.Beat, time.Now()
		}
		from := p.version
		f.mu.Unlock()
		if n.Version == from {
			continue
		}
		fields, version, err := f.options.Board.Since(ctx, n.ID, from)
		if err != nil {
			return err
		}
		for field, value := range fields {
			inv.takeField(p, field, value)
		}
		f.mu.Lock()
		p.version = version
		f.mu.Unlock()
	}
	return nil
}

// takeField gives a field to whom it belongs to; a nil value is one that the node
// removed. What cannot be read is left out: a
// newer node may have written it.
func (inv *Inventory) takeField(p *peer, field string, value []byte) {
	bucket, key, ok := strings.Cut(field, "\x00")
	if !ok {
		return
	}
	for i := range inv.keeper.parts {
		if k := &inv.keeper.parts[i]; k.Bucket == bucket && k.Peer != nil {
			inv.keeper.give(func() error { return k.Peer(p.id, []byte(key), value) })
		}
	}
}
