package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"time"
)

// exchangeChanges tells the others what changed here, and takes in what they told.
func (inv *Inventory) exchangeChanges(ctx context.Context) error {
	f := &inv.fleet
	f.mu.Lock()
	changes := f.changes
	f.changes = nil
	f.mu.Unlock()
	if len(changes) > 0 {
		if err := f.options.Board.Tell(ctx, f.node(), changes); err != nil {
			f.mu.Lock()
			f.changes = append(changes, f.changes...)
			f.mu.Unlock()
			return err
		}
	}
	told, next, err := f.options.Board.Told(ctx, f.node(), f.told)
	if err != nil {
		return err
	}
	f.told = next
	for _, c := range told {
		var e Event
		if json.Unmarshal(c.Data, &e) == nil {
			e.Node = f.nameOf(c.Node)
			inv.feed.log.add(e, time.Now().UnixNano())
			inv.keeper.hurry()
		}
	}
	return nil
}

// tell has the others told of a change. It reports how many earlier ones they will
// never be told of, because the board was away for too long.
func (f *fleet) tell(e Event) (dropped int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.joined {
		return 0
	}
	f.changes = append(f.changes, bytes.Clone(saved(e)))
	if n := len(f.changes) - maxTold; n > 0 {
		f.changes, dropped = f.changes[n:], n
	}
	return dropped
}

func (f *fleet) nameOf(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.peers[id]; p != nil && p.name != "" {
		return p.name
	}
	return id
}
