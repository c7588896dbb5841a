package inventory

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
)

const (
	// findEvery is how often findings are looked for without being asked.
	findEvery = time.Second
	// maxClosed is how many closed findings are kept, the latest. Those that are
	// open are bounded by what they are about: versions, hosts and routes.
	maxClosed = 1000
)

// findingKey is what makes a finding one and the same: what is wrong, and with
// what. Fields that its kind is not about are empty.
type findingKey struct {
	kind         findingKind
	api, version string
	host         string
	party        string // a third party
	route        routeID
}

// finding is something wrong, found at some time. Inventory.mu guards it.
type finding struct {
	key         findingKey
	route       *entry // nil: it is not about one
	proof       proof
	first, last int64
	closed      int64  // 0: open
	seen        uint64 // the latest sweep that found it
	told        bool   // the feed said that it opened, and not yet that it closed

	// Of what the store has. Set unsaved when it opens, closes or is told of.
	unsaved, kept bool
	keptLast      int64
}

// proof is what a finding rests on, for its evidence.
type proof struct {
	count     uint64
	consumers uint64 // of a version; those of a route are asked for when it is shown
	routes    uint64
	at        int64 // the latest request, or the hour
	best      rank
	why       why
	dropped   bool
	detail    string // of what rests on the configuration

	classes     dataclass.Set
	products    []string // that told their version
	environment string
}

// findings are all that are open, and those that were closed latest.
type findings struct {
	byKey  map[findingKey]*finding
	sweep  uint64
	closed int
}

// hold says that a finding holds. first and last are when what it rests on was
// seen, 0 where it rests on the configuration alone.
func (inv *Inventory) hold(now time.Time, k findingKey, e *entry, p proof, first, last int64) {
	f := inv.findings.byKey[k]
	if f == nil {
		f = &finding{key: k, first: cmp.Or(first, last, now.UnixNano()), closed: 1}
		inv.findings.byKey[k] = f
		inv.findings.closed++
	}
	f.route, f.proof, f.seen = e, p, inv.findings.sweep
	f.last = max(f.last, cmp.Or(last, now.UnixNano()))
	if f.closed != 0 {
		f.closed, f.unsaved = 0, true
		inv.findings.closed--
	}
}

// sweepFindings brings the findings up to date: it opens what holds now and
// closes what does not hold any more. Inventory.mu is held for writing.
func (inv *Inventory) sweepFindings(now time.Time) {
	if inv.active == nil || inv.keeper.loading() {
		// What the store knows to be open must not open anew.
		return
	}
	inv.weighLone()
	inv.findings.sweep++
	inv.findVersions(now, inv.findRoutes(now))
	inv.findHosts(now)
	inv.findUnguarded(now)
	inv.findCarried(now)
	for _, f := range inv.findings.byKey {
		if f.closed == 0 && f.seen != inv.findings.sweep {
			f.closed, f.unsaved = now.UnixNano(), true
			inv.findings.closed++
		}
	}
	inv.forgetClosed()
}

// open counts the open findings of each kind.
func (fs *findings) open() (n [numFindingKinds]uint64) {
	for k, f := range fs.byKey {
		if f.closed == 0 {
			n[k.kind]++
		}
	}
	return n
}

// forgetClosed keeps the latest of the closed findings. It lets go of a tenth at
// once, so that not every sweep has to sort.
func (inv *Inventory) forgetClosed() {
	if inv.findings.closed <= maxClosed+maxClosed/10 {
		return
	}
	var closed []*finding
	for _, f := range inv.findings.byKey {
		if f.closed != 0 {
			closed = append(closed, f)
		}
	}
	slices.SortFunc(closed, func(a, b *finding) int { return cmp.Compare(a.closed, b.closed) })
	for _, f := range closed[:len(closed)-maxClosed] {
		inv.forgetFinding(f)
	}
}

// forgetFinding lets go of a closed one.
func (inv *Inventory) forgetFinding(f *finding) {
	delete(inv.findings.byKey, f.key)
	inv.findings.closed--
	if f.kept {
		id := f.key.id()
		inv.remove(bucketFindings, id[:])
	}
}

// id hashes the key, as a route's.
func (k *findingKey) id() routeID {
	b := make([]byte, 0, 128)
	for _, s := range [...]string{k.kind.String(), k.api, k.version, k.host, string(k.route[:])} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = append(b, k.party...)
	sum := sha256.Sum256(b)
	return routeID(sum[:len(routeID{})])
}

// tellFindings queues events of findings that opened or closed since the feed was
// told, the severe first, as many as the feed has room for. The others wait for
// another look: whoever follows the feed must not keep one for open that is not.
func (inv *Inventory) tellFindings(now time.Time, room int) {
	if room <= 0 {
		return
	}
	due := smallest[finding]{keep: room, compare: func(a, b *finding) int {
		return cmp.Or(cmp.Compare(a.key.kind, b.key.kind), cmp.Compare(a.first, b.first))
	}}
	for _, f := range inv.findings.byKey {
		if f.told != (f.closed == 0) {
			due.add(f)
		}
	}
	for _, f := range due.sorted() {
		f.told, f.unsaved = f.closed == 0, true
		kind := EventFindingClosed
		if f.told {
			kind = EventFindingOpened
		}
		inv.announceFinding(kind, f, now)
	}
}

func (inv *Inventory) announceFinding(kind string, f *finding, now time.Time) {
	event := Event{
		Event: kind, Time: Time{now.UTC()}, API: f.key.api, Version: f.key.version, Host: f.key.host,
		Evidence: evidenceOf[f.proof.best], Reasons: []string{}, Count: f.proof.count,
		Finding: f.key.kind.String(), Severity: f.key.kind.severity(), ID: f.id(),
	}
	if f.route != nil {
		event.Method, event.Path = f.route.key.method, f.route.key.path
	}
	inv.outbox = append(inv.outbox, pending{event: event, placed: true})
}

func (f *finding) id() string {
	id := f.key.id()
	return id.String()
}
