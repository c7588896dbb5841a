package inventory

import (
	"math"
	"time"
)

// planWindow is how many days of traffic are kept apart, today among them.
const planWindow = 30

// days tells the requests of a counter apart by the day (UTC). The counter itself
// only grows and knows nothing of it: when a day ends it is looked at, and what
// came since it was last looked at was that day's. So requests pay nothing for it.
type days struct {
	day  int32  // since 1970, that base is the beginning of; 0: not looked at yet
	base uint64 // the counter then
	past *[planWindow - 1]uint32
}

func dayOf(now time.Time) int32 { return int32(now.Unix() / (24 * 60 * 60)) }

// roll closes the days that ended before today.
func (d *days) roll(count uint64, today int32) {
	if d.day >= today {
		return
	}
	if d.day == 0 {
		// A counter that is new today, or comes from a file that did not tell days
		// apart: then nobody knows when its requests came.
		d.day, d.base = today, count
		return
	}
	n := saturate(count - min(d.base, count))
	if d.past == nil && n > 0 {
		d.past = new([planWindow - 1]uint32)
	}
	if d.past != nil {
		for x := max(d.day, today-(planWindow-1)); x < today; x++ {
			d.past[x%(planWindow-1)] = 0
		}
		if d.day >= today-(planWindow-1) {
			d.past[d.day%(planWindow-1)] = n
		}
	}
	d.day, d.base = today, count
}

func saturate(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }

// window is the counter by day, the oldest first and today last.
func (d days) window(count uint64, today int32) [planWindow]uint64 {
	if d.past != nil {
		past := *d.past
		d.past = &past
	}
	d.roll(count, today)
	var w [planWindow]uint64
	w[planWindow-1] = count - min(d.base, count)
	if d.past != nil {
		for i := range planWindow - 1 {
			w[i] = uint64(d.past[(today-(planWindow-1)+int32(i))%(planWindow-1)])
		}
	}
	return w
}

// savedDays are days as the store has them.
type savedDays struct {
	Day  int32    `json:"day"`
	Base uint64   `json:"base"`
	Past []uint32 `json:"past,omitempty"`
}

func (d *days) save() *savedDays {
	if d.day == 0 {
		return nil
	}
	s := &savedDays{Day: d.day, Base: d.base}
	if d.past != nil {
		s.Past = d.past[:]
	}
	return s
}

// load takes over what an earlier process had.
func (d *days) load(s *savedDays) {
	if s == nil || s.Day <= 0 {
		return
	}
	*d = days{day: s.Day, base: s.Base}
	if len(s.Past) == planWindow-1 {
		d.past = new([planWindow - 1]uint32)
		copy(d.past[:], s.Past)
	}
}

// rollDays closes the days that ended. Inventory.mu is held for writing.
func (inv *Inventory) rollDays(now time.Time) {
	today := dayOf(now)
	if today == inv.rolled || inv.keeper.loading() {
		return
	}
	inv.rolled = today
	c := inv.consumers
	for i := range c.records {
		r := &c.records[i]
		r.days.roll(c.countOf(r), today)
	}
	inv.rollHistories(today)
	totals := inv.versionCounts()
	for k, v := range inv.versions {
		v.days.roll(totals[k], today)
		v.othersDays.roll(v.others.count.Load(), today)
	}
}

// versionCounts are the requests of each version, documented or not. Inventory.mu
// is held.
func (inv *Inventory) versionCounts() map[versionKey]uint64 {
	counts := make(map[versionKey]uint64, len(inv.versions))
	for k, v := range inv.versions {
		counts[k] = v.seen.count()
	}
	for _, e := range inv.routes {
		if e.hits == nil {
			continue
		}
		counts[versionKey{e.key.api, e.key.version}] += e.hits.count()
	}
	return counts
}

func (c *consumers) countOf(r *consumerRecord) uint64 {
	if r.slot == noSlot {
		return r.keptCount
	}
	return c.slots[r.slot].count.Load()
}

func (c *consumers) lastOf(r *consumerRecord) int64 {
	if r.slot == noSlot {
		return max(r.keptLast, r.first)
	}
	return max(c.slots[r.slot].last.Load(), r.first)
}
