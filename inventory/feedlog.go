package inventory

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
)

// maxLogged is how many changes are kept for those who ask for them later.
const maxLogged = 10_000

// EventLost stands in the feed where changes that were asked for are not kept any
// more. Its count is 0, since nobody knows how many there were.
const EventLost = "changes_lost"

// Logged is a change with its cursor: to ask for what came after it.
type Logged struct {
	Event
	Cursor string `json:"cursor"` // a decimal number that grows over restarts too
}

// feedLog keeps the latest changes, numbered. The number is the time in
// microseconds, or one more than the one before: so it grows over restarts too, and
// none comes twice, even where the store lost the latest.
type feedLog struct {
	mu      sync.Mutex
	entries []logEntry // oldest first
	last    uint64
	lost    uint64        // the highest number that is not kept any more
	more    chan struct{} // closed when something is added; nil: nobody waits
	written uint64        // what the store has
	removed []uint64      // and what it should not have any more
	keeping bool
}

type logEntry struct {
	number uint64
	event  Event
}

func newFeedLog(start int64) feedLog {
	return feedLog{lost: uint64(start)/1000 - 1}
}

func (l *feedLog) add(e Event, now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = max(l.last+1, l.lost+1, uint64(now)/1000)
	l.entries = append(l.entries, logEntry{l.last, e})
	l.drop(len(l.entries) - maxLogged)
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

// drop lets go of the n oldest.
func (l *feedLog) drop(n int) {
	if n <= 0 {
		return
	}
	for _, x := range l.entries[:n] {
		l.lost = max(l.lost, x.number)
		if l.keeping && x.number <= l.written {
			l.removed = append(l.removed, x.number)
		}
	}
	clear(l.entries[:n])
	l.entries = l.entries[n:]
}

// forgetBefore lets go of what is older than a time.
func (l *feedLog) forgetBefore(before int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.entries) && l.entries[n].event.Time.UnixNano() < before {
		n++
	}
	l.drop(n)
}

var errFeedCursor = errors.New("reading parameter since: neither a cursor nor a time: take cursor from a line of the feed, or write 2026-01-31T09:00:00Z")

// FeedSince is the number that a cursor or a time stands for; "" is the beginning
// of what is kept.
func FeedSince(s string) (since uint64, fromCursor bool, err error) {
	if s == "" {
		return 0, false, nil
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil && len(s) > 4 {
		return n, true, nil
	}
	at, err := parseSince(s)
	if err != nil || at.Unix() < 0 {
		return 0, false, errFeedCursor
	}
	return uint64(max(at.UnixMicro()-1, 0)), false, nil
}

// Changes gives up to limit changes after since, and a channel that is closed when
// there are more. lost: what was asked for begins with some that are not kept any
// more.
func (inv *Inventory) Changes(since uint64, limit int) (list []Logged, next uint64, lost bool, more <-chan struct{}) {
	l := &inv.feed.log
	l.mu.Lock()
	defer l.mu.Unlock()
	at, _ := slices.BinarySearchFunc(l.entries, since+1, func(x logEntry, n uint64) int { return cmp.Compare(x.number, n) })
	next, lost = since, since < l.lost
	for _, x := range l.entries[at:min(at+limit, len(l.entries))] {
		list = append(list, Logged{x.event, strconv.FormatUint(x.number, 10)})
		next = x.number
	}
	if lost {
		next = max(next, l.lost)
	}
	if l.more == nil {
		l.more = make(chan struct{})
	}
	return list, next, lost, l.more
}

// Lost is the line for changes that are not kept any more.
func (inv *Inventory) Lost() Logged {
	l := &inv.feed.log
	l.mu.Lock()
	defer l.mu.Unlock()
	return Logged{Event{Event: EventLost, Time: Time{inv.now().UTC()}, Evidence: EvidenceNone, Reasons: []string{}}, strconv.FormatUint(l.lost, 10)}
}

// FeedDropped counts changes that a follower was too slow for, with those that the
// feed drops.
func (inv *Inventory) FeedDropped(n uint64) { inv.feed.dropped.Add(n) }

func (l *feedLog) save(all bool, put func(key, value []byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keeping = true
	key := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	if !all {
		for _, n := range l.removed {
			put(key(n), nil)
		}
	}
	l.removed = nil
	for i := range l.entries {
		if x := &l.entries[i]; all || x.number > l.written {
			put(key(x.number), saved(x.event))
		}
	}
	l.written = l.last
}

func (l *feedLog) load(key, value []byte) error {
	if len(key) != 8 {
		return errKey
	}
	x := logEntry{number: binary.BigEndian.Uint64(key)}
	if err := json.Unmarshal(value, &x.event); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, x)
	return nil
}

// loaded puts what was loaded before what was added meanwhile.
func (l *feedLog) loaded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.SortFunc(l.entries, func(a, b logEntry) int { return cmp.Compare(a.number, b.number) })
	if n := len(l.entries); n > 0 {
		if l.last == 0 {
			l.written = l.entries[n-1].number
		}
		l.last = max(l.last, l.entries[n-1].number)
	}
	l.drop(len(l.entries) - maxLogged)
}

// lostUpTo is the highest number that is not kept any more, from this process or
// one before.
func (l *feedLog) lostUpTo() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

func (l *feedLog) setLost(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = n
}
