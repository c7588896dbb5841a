package inventory

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"
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
	ID      string `json:"id"`      // random, kept in the node's store; without one another after a restart
	Name    string `json:"name"`    // for people: its host name
	Beat    uint64 `json:"beat"`    // one more each time that it publishes
	Edition string `json:"edition"` // another one when all fields were published anew
	Version uint64 `json:"-"`       // of its fields, as Publish gave it
}

// FleetChange is a change that a node told of.
type FleetChange struct {
	Node string // FleetNode.ID of who told
	Data []byte // an Event as JSON
}

// FleetOptions say how a node takes part in a fleet.
type FleetOptions struct {
	Board Board  // where the nodes meet; required
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
			_ = attempt(func() error { return inv.publishShares(last) })
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
	err := attempt(func() error {
		if err := inv.publishShares(ctx); err != nil {
			return err
		}
		if err := inv.takeShares(ctx); err != nil {
			return err
		}
		return inv.exchangeChanges(ctx)
	})
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
