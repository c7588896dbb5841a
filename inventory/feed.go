package inventory

import (
	"sync/atomic"
	"time"
)

const (
	// feedRate is how many events may leave within any second.
	feedRate = 10
	// feedReserve of them are kept for urgent events, so that a flood of others
	// does not hold them up.
	feedReserve = 5
	// feedHeld is how many urgent events may wait for their turn: as many as two
	// seconds let out.
	feedHeld = 2 * feedRate
)

// pending is an event on its way to the feed.
type pending struct {
	event Event
	// urgent: an undocumented route is confirmed. It waits rather than being
	// dropped, and is out within two seconds.
	urgent bool
}

// feed lets out at most 10 events in any second. Only the inventory's goroutine
// uses it, besides dropped.
type feed struct {
	emit    func(Event)     // may be nil
	log     feedLog         // has a lock of its own
	tell    func(Event) int // has the other nodes of a fleet told, and drops so many; may be nil
	sent    [feedRate]int64 // when the latest ones left, Unix nanoseconds; a ring
	next    int             // of sent: the oldest
	left    uint64          // how many did
	held    []Event
	dropped atomic.Uint64
}

// publish lets out what there is room for, and reports whether that was anything.
func (f *feed) publish(events []pending, now time.Time) bool {
	before := f.left
	t := now.UnixNano()
	for i := range f.sent {
		// A clock that was put back must not close the feed until it is there again.
		f.sent[i] = min(f.sent[i], t)
	}
	for len(f.held) > 0 && f.room(t, 0) {
		e := f.held[0]
		f.held = f.held[1:]
		f.send(e, t)
	}
	for i := range events {
		if !events[i].urgent {
			continue
		}
		switch {
		case len(f.held) == 0 && f.room(t, 0):
			f.send(events[i].event, t)
		case len(f.held) < feedHeld:
			f.held = append(f.held, events[i].event)
		default:
			f.dropped.Add(1)
		}
	}
	for i := range events {
		if events[i].urgent {
			continue
		}
		if len(f.held) > 0 || !f.room(t, feedReserve) {
			f.dropped.Add(1)
			continue
		}
		f.send(events[i].event, t)
	}
	return f.left > before
}

// room reports whether fewer than feedRate-reserve events left in the second
// before t.
func (f *feed) room(t int64, reserve int) bool {
	return t-f.sent[(f.next+reserve)%feedRate] >= int64(time.Second)
}

// free is how many more events than those that are held could leave at t, urgent
// ones aside.
func (f *feed) free(now time.Time) int {
	n := -feedReserve - len(f.held)
	for _, sent := range f.sent {
		if now.UnixNano()-sent >= int64(time.Second) {
			n++
		}
	}
	return n
}

func (f *feed) send(e Event, t int64) {
	f.sent[f.next] = t
	f.next = (f.next + 1) % feedRate
	f.left++
	f.log.add(e, t)
	if f.tell != nil {
		f.dropped.Add(uint64(f.tell(e)))
	}
	if f.emit != nil {
		f.emit(e)
	}
}
