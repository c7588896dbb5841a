package inventory

import "time"

const (
	// maxNoise is how many refused and scanned routes a host keeps.
	maxNoise = 1000
	// maxHours is how many hourly records a host keeps.
	maxHours = 24
)

// hostRecord is what was observed of a host, documented operations aside.
// Inventory.mu guards it.
type hostRecord struct {
	name      string
	seen      tally
	declared  bool // by the active configuration
	permanent bool // declared by it or one before
	baseline  baseline

	// Of the latest look, see weighLone: how many routes one consumer alone called, and
	// the consumers that have very many of them.
	lone int
	loud map[uint64]bool

	// Refused and scanned routes, a ring through noise: noise.next is the latest,
	// noise.prev the one seen longest ago.
	noise  entry
	noises int

	hours []hour // oldest first
	// told is what the feed last told of a scan, a power of ten, and when.
	told   uint64
	toldAt time.Time
	// peerHours are those of other nodes, as they last told.
	peerHours map[*peer][]savedHour

	mark          uint64 // as an entry's
	kept, unsaved bool
}

func newHostRecord(name string) *hostRecord {
	h := &hostRecord{name: name}
	h.noise.prev, h.noise.next = &h.noise, &h.noise
	return h
}

// pushNoise makes e the latest.
func (h *hostRecord) pushNoise(e *entry) {
	e.prev, e.next = &h.noise, h.noise.next
	e.prev.next, e.next.prev = e, e
	h.noises++
}

func (h *hostRecord) removeNoise(e *entry) {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
	h.noises--
}

// oldestNoise is the one seen longest ago, nil when there is none.
func (h *hostRecord) oldestNoise() *entry {
	if h.noises == 0 {
		return nil
	}
	return h.noise.prev
}
