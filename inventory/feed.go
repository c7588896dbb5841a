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
	// feedWaiting is how many others may: a first sight must not be lost for having
	// met a second full of findings. 20 seconds let out as many.
	feedWaiting = 20 * (feedRate - feedReserve)
	// feedShare is how many of a second's places findings leave to others that wait.
	feedShare = 2
)

// pending is an event on its way to the feed.
type pending struct {
	event Event
	// urgent: an undocumented route is confirmed. It goes first, and is out within
	// two seconds.
	urgent bool
	// placed: free had a place for it, so it goes before those that wait and is
	// never dropped. Findings are.
	placed bool
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
	held    []Event         // urgent ones that wait
	waiting []Event         // others
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
	f.drain(&f.held, t, 0)
	for i := range events {
		if events[i].urgent {
			f.queue(&f.held, feedHeld, events[i].event, t, 0)
		}
	}
	for i := range events {
		if events[i].placed {
			if f.room(t, feedReserve) {
				f.send(events[i].event, t)
			} else { // an urgent one came between
				f.waiting = append(f.waiting, events[i].event)
			}
		}
	}
	f.drain(&f.waiting, t, feedReserve)
	for i := range events {
		if !events[i].urgent && !events[i].placed {
			f.queue(&f.waiting, feedWaiting, events[i].event, t, feedReserve)
		}
	}
	return f.left > before
}

// queue lets e out if nothing waits and there is room, has it wait if fewer than
// most do, and drops it otherwise.
func (f *feed) queue(waiting *[]Event, most int, e Event, t int64, reserve int) {
	switch {
	case len(*waiting) == 0 && f.room(t, reserve):
		f.send(e, t)
	case len(*waiting) < most:
		*waiting = append(*waiting, e)
	default:
		f.dropped.Add(1)
	}
}

// drain lets out what waits, as far as there is room.
func (f *feed) drain(waiting *[]Event, t int64, reserve int) {
	for len(*waiting) > 0 && f.room(t, reserve) {
		f.send((*waiting)[0], t)
		*waiting = (*waiting)[1:]
	}
}

// room reports whether fewer than feedRate-reserve events left in the second
// before t.
func (f *feed) room(t int64, reserve int) bool {
	return t-f.sent[(f.next+reserve)%feedRate] >= int64(time.Second)
}

// free is how many more events than those that are held could leave now, urgent
// ones and the share of others aside.
func (f *feed) free(now time.Time) int {
	n := -feedReserve - len(f.held) - min(len(f.waiting), feedShare)
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
