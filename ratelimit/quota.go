package ratelimit

import "time"

// Period is the calendar span of a [Quota], in UTC.
type Period uint8

const (
	// Day is from 00:00 UTC to 00:00 UTC.
	Day Period = iota + 1
	// Month is from the first of a month, 00:00 UTC, to the first of the next.
	Month
)

// String is the period's name in configurations.
func (p Period) String() string {
	switch p {
	case Day:
		return "day"
	case Month:
		return "month"
	}
	return "unknown"
}

// longest is how long the period may be.
func (p Period) longest() time.Duration {
	if p == Day {
		return 24 * time.Hour
	}
	return 31 * 24 * time.Hour
}

// at is the number of the period that a time is in, and how long that lasts yet.
func (p Period) at(wall time.Time) (number uint32, left time.Duration) {
	wall = wall.UTC()
	year, month, day := wall.Date()
	if p == Day {
		return uint32(wall.Unix() / (24 * 3600)), time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC).Sub(wall)
	}
	return uint32(year*12 + int(month) - 1), time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC).Sub(wall)
}

// A quota's cell: window is the period, epoch its number, the total what is used. Word 1
// is when the period ends on the table's own clock, which is what the search for a victim
// goes by, and word 2 the whole key, for a store. A new period begins by the calendar
// alone, unless the calendar was wrong.

// quotaUsed is what is used of a period. A wall clock that steps back stays in the
// cell's period: nothing comes back by it, until that period would have ended by the
// table's own clock. Else a wall clock that showed another year for a minute would shut
// a client out for that year. A cell of another kind of period, after a
// reload, keeps its count as long as its own period lasts.
func (c *large) quotaUsed(p Period, number uint32, now int64) uint32 {
	switch {
	case c == nil || c.total() == 0:
		return 0
	case Period(c.window) == p && c.epoch == number:
		return c.total()
	case (Period(c.window) != p || c.epoch > number) && c.ends() > now:
		return c.total()
	}
	return 0
}

// checkQuota judges a cost, read only, as window.check does.
func checkQuota(d *Decision, c *large, l *Limit, owed, cost uint64, wall time.Time, now int64) {
	number, left := l.Period.at(wall)
	used, capacity := uint64(c.quotaUsed(l.Period, number, now))+owed, l.capacity()
	if used+cost <= capacity {
		*d = Decision{Admitted: true, Remaining: int(capacity - used - cost), Reset: left}
		return
	}
	*d = Decision{RetryAfter: left, Reset: left}
	if used < capacity {
		d.Remaining = int(capacity - used)
	}
	if owed+cost > capacity {
		d.RetryAfter = Never
	}
	if used == 0 {
		d.Reset = 0
	}
}

// chargeQuota adds a cost that was admitted.
func (c *large) chargeQuota(l *Limit, k Key, cost uint64, wall time.Time, now int64) {
	number, left := l.Period.at(wall)
	used := c.quotaUsed(l.Period, number, now)
	if Period(c.window) == l.Period && used != 0 {
		number = max(number, c.epoch)
	}
	n := *c
	n.window, n.epoch = uint32(l.Period), number
	n.setTotal(uint32(min(uint64(used)+cost, maxCount)))
	n.setEnds(now + int64(left))
	n.words()[2] = uint64(k)
	c.become(&n)
}

// quotaDebt is what is used until the period ends.
func (c *large) quotaDebt(now int64) uint32 {
	if c.ends() > now {
		return c.total()
	}
	return 0
}

func (t *Table) wall() time.Time {
	if t.wallClock != nil {
		return t.wallClock()
	}
	return time.Now()
}
