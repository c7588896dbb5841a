package inventory

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/store"
)

// Board is where the nodes of a fleet put what they counted, for the others to read.
// One goroutine calls it. Whatever it loses (it may lose all), the nodes put there
// again.
type Board interface {
	// Publish says that a node lives and sets fields of it; a nil value removes
	// one. whole: these are all of them. It gives the node's version, which is one
	// more with each call; if it is not, something was lost.
	Publish(ctx context.Context, n FleetNode, whole bool, fields map[string][]byte) (version uint64, err error)
	// Nodes are those that ever published and are not forgotten.
	Nodes(ctx context.Context) ([]FleetNode, error)
	// Since are a node's fields that were set after a version, and the version
	// that they make it.
	Since(ctx context.Context, id string, version uint64) (fields map[string][]byte, now uint64, err error)
	// Tell adds changes to the feed of the fleet.
	Tell(ctx context.Context, id string, changes [][]byte) error
	// Told are the changes that other nodes added after a position, "" for now.
	Told(ctx context.Context, id, after string) (changes []FleetChange, next string, err error)
}

// FleetNode is a node as the board has it.
type FleetNode struct {
	ID      string `json:"id"`
	Name    string `json:"name"`    // for people: its host name
	Beat    uint64 `json:"beat"`    // one more each time that it publishes
	Edition string `json:"edition"` // another one when all fields were published anew
	Version uint64 `json:"-"`
}

// FleetChange is a change that a node told of.
type FleetChange struct {
	Node string
	Data []byte
}

// FleetOptions say how a node takes part in a fleet.
type FleetOptions struct {
	Board Board
	Name  string // of this node, for people
	// Key is the fleet's for hashing consumers, so that they are the same ones on
	// each node. Default: each node has one of its own.
	Key []byte
	// Every is how often nodes exchange. Default: twice a second.
	Every time.Duration
	// Changed is told when the board works, or does so no more, and why.
	Changed func(Part)
}

const (
	defaultExchange = 500 * time.Millisecond
	// boardPatience is how long the board may take for one exchange.
	boardPatience = 5 * time.Second
	// publishChunk is how many fields are published at once.
	publishChunk = 500
	// maxPending is how many fields may wait for a board that is not there; with
	// more of them all is published when it is.
	maxPending = 50_000
	// maxTold is how many changes may wait, the latest.
	maxTold = 1000
	// maxSilent is how long a node is said to be heard from.
	maxSilent = 10 * time.Second
)

// peer is another node.
type peer struct {
	id, name string
	beat     uint64
	edition  string
	version  uint64
	heard    time.Time // when it was last found to have published
}

// fleet is this node's part of one. Its goroutine owns what has no lock.
type fleet struct {
	options FleetOptions
	beat    uint64
	version uint64 // of this node on the board
	edition string
	told    string // position in the feed of the fleet
	cancel  context.CancelFunc
	done    chan struct{}

	mu      sync.Mutex
	joined  bool
	id      string
	pending map[string][]byte // fields to publish
	shared  map[string]bool   // fields that are on the board, of buckets that share a part
	needAll bool              // all are to be published, and not offered yet
	whole   bool              // pending are all
	offered bool              // something was: this node's id is settled
	changes [][]byte          // to tell
	peers   map[string]*peer
	part    Part
}

// Conditions of the cluster.
const (
	ClusterOK   = "ok"
	ClusterDown = "down"
	ClusterOff  = "off"
)

// JoinFleet has this node exchange what it counts with others. Call it once, before
// OpenStore, which begins it: what is published is what is kept. CloseStore ends it,
// after publishing what is not published yet, if the board is there.
func (inv *Inventory) JoinFleet(o FleetOptions) {
	if o.Every <= 0 {
		o.Every = defaultExchange
	}
	f := &inv.fleet
	f.options = o
	f.mu.Lock()
	f.joined, f.needAll = true, true
	f.pending, f.shared, f.peers = make(map[string][]byte), make(map[string]bool), make(map[string]*peer)
	f.part = Part{Status: ClusterDown, Why: "not connected yet"}
	f.mu.Unlock()
	if o.Key != nil {
		inv.consumers.share(o.Key)
	}
}

// startFleet begins the exchange, if this is a node of a fleet.
func (inv *Inventory) startFleet() {
	f := &inv.fleet
	if !f.hasJoined() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel, f.done = cancel, make(chan struct{})
	go func() {
		defer close(f.done)
		inv.runFleet(ctx)
	}()
}

func (inv *Inventory) leaveFleet() {
	if inv.fleet.cancel != nil {
		inv.fleet.cancel()
		<-inv.fleet.done
	}
}

func (inv *Inventory) runFleet(ctx context.Context) {
	f := &inv.fleet
	// The node is the one that the store says it is.
	inv.AwaitStore(ctx, boardPatience)
	ticker := time.NewTicker(f.options.Every)
	defer ticker.Stop()
	for {
		inv.exchange(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = inv.publishShares(last)
			return
		}
	}
}

func newNodeID() string { return strings.ToLower(rand.Text())[:16] }

// settle makes the node the one that the store says it is.
func (f *fleet) settle(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id != "" && !f.offered {
		f.id = id
	}
}

func (f *fleet) node() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.id
}

func (f *fleet) hasJoined() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.joined
}

// exchange publishes what is new here and takes in what is new elsewhere.
func (inv *Inventory) exchange(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, boardPatience)
	defer cancel()
	err := inv.publishShares(ctx)
	if err == nil {
		err = inv.takeShares(ctx)
	}
	if err == nil {
		err = inv.exchangeChanges(ctx)
	}
	part := Part{Status: ClusterOK}
	if err != nil {
		part = Part{Status: ClusterDown, Why: err.Error() + "; this node answers with what it knew of the others, and goes on alone until it works again"}
	}
	f := &inv.fleet
	f.mu.Lock()
	changed := f.part != part
	f.part = part
	f.mu.Unlock()
	if changed && f.options.Changed != nil {
		f.options.Changed(part)
	}
}

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
			if err := k.Peer(p.id, []byte(key), value); err != nil {
				inv.keeper.unread.Add(1)
			}
		}
	}
}

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

// tell has the others told of a change.
func (f *fleet) tell(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.joined {
		return
	}
	f.changes = append(f.changes, bytes.Clone(saved(e)))
	if n := len(f.changes) - maxTold; n > 0 {
		f.changes = f.changes[n:]
	}
}

func (f *fleet) nameOf(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.peers[id]; p != nil && p.name != "" {
		return p.name
	}
	return id
}

// peerOf is the node with that id.
func (f *fleet) peerOf(id string) *peer {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.peers[id]
	if p == nil {
		p = &peer{id: id}
		f.peers[id] = p
	}
	return p
}

// Cluster is the condition of the exchange with other nodes.
type Cluster struct {
	Part
	Node  string `json:"node"`  // this one's id; empty without a cluster
	Nodes []Peer `json:"nodes"` // the others
}

// Peer is another node of the fleet.
type Peer struct {
	Node  string `json:"node"`
	Name  string `json:"name"`
	Heard Time   `json:"heard"` // when it was last heard from
	Live  bool   `json:"live"`  // it was within ten seconds
}

func (f *fleet) condition() Cluster {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := Cluster{Part: f.part, Nodes: []Peer{}}
	if !f.joined {
		c.Status = ClusterOff
		return c
	}
	c.Node = f.id
	for _, id := range slices.Sorted(maps.Keys(f.peers)) {
		p := f.peers[id]
		c.Nodes = append(c.Nodes, Peer{Node: p.id, Name: p.name, Heard: Time{p.heard.UTC()}, Live: time.Since(p.heard) < maxSilent})
	}
	return c
}

// incomplete reports whether answers cannot tell what the other nodes have.
func (f *fleet) incomplete() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.joined && f.part.Status != ClusterOK
}
