package ratelimit

import (
	"math/bits"
	"time"
)

// instant is a time in nanoseconds and, below that, in 1/Rate of one: what it
// takes for a bucket of any rate to be exact. A rate of 3 per second adds
// 333,333,333 1/3 ns a token, and three of them are a second, not one more and
// not one less.
type instant struct {
	ns   int64
	frac uint64 // less than the rate
}

// span is how long n tokens take at rate per window: whole nanoseconds, and the
// rest in 1/rate.
func span(n, window, rate uint64) (int64, uint64) {
	switch n {
	case 0:
		return 0, 0
	case 1:
		return int64(window / rate), window % rate
	case rate:
		return int64(window), 0
	}
	hi, lo := bits.Mul64(n, window)
	if hi >= rate {
		return 1<<62 - 1, 0 // far over MaxWindow; such limits are refused
	}
	whole, rest := bits.Div64(hi, lo, rate)
	return int64(min(whole, 1<<62-1)), rest
}

func (i instant) plus(n, window, rate uint64) instant {
	ns, frac := span(n, window, rate)
	i.ns += ns
	i.frac += frac
	if i.frac >= rate {
		i.frac -= rate
		i.ns++
	}
	return i
}

// since is how long the instant lies after another, in whole nanoseconds rounded
// up; 0 when it does not.
func (i instant) since(o instant) time.Duration {
	d := i.ns - o.ns
	if i.frac > o.frac {
		d++
	}
	return time.Duration(max(d, 0))
}

func (i instant) after(o instant) bool {
	return i.ns > o.ns || i.ns == o.ns && i.frac > o.frac
}

// arrival is the bucket's theoretical arrival time, not before now: now is a
// full bucket. A fraction of another rate is rounded up.
func (c *slot) arrival(rate uint64, now int64) instant {
	i := instant{ns: now}
	if c == nil {
		return i
	}
	tat := instant{int64(c.data[0]), uint64(c.total)}
	if tat.frac != 0 && uint64(c.epoch) != rate {
		tat = instant{ns: tat.ns + 1}
	}
	if tat.after(i) {
		return tat
	}
	return i
}

// checkBucket judges a cost, read only, as window.check does.
func checkBucket(d *Decision, c *slot, l *Limit, capacity, pending, cost uint64, now int64) {
	rate, window := uint64(l.Rate), uint64(l.Window)
	*d = Decision{RetryAfter: Never}
	if pending > capacity {
		return
	}
	tat := c.arrival(rate, now).plus(pending, window, rate)
	empty := instant{ns: now}.plus(capacity, window, rate) // the arrival time of an empty bucket
	if cost <= capacity {
		then := tat.plus(cost, window, rate)
		if !then.after(empty) {
			*d = Decision{Admitted: true}
			d.Remaining, d.Reset = tokens(then, empty, capacity, window, rate, now)
			return
		}
		if pending+cost <= capacity {
			d.RetryAfter = then.since(empty)
		}
	}
	d.Remaining, d.Reset = tokens(tat, empty, capacity, window, rate, now)
}

// tokens is how many whole tokens are in a bucket, and how long until there is
// one more, 0 for a full one.
func tokens(tat, empty instant, capacity, window, rate uint64, now int64) (int, time.Duration) {
	var n uint64
	if empty.after(tat) {
		ns, frac := uint64(empty.ns-tat.ns), empty.frac
		if frac < tat.frac {
			ns, frac = ns-1, frac+rate
		}
		hi, lo := bits.Mul64(ns, rate)
		lo, carry := bits.Add64(lo, frac-tat.frac, 0)
		// ns is at most capacity tokens long, so the quotient fits.
		n, _ = bits.Div64(hi+carry, lo, window)
	}
	if n >= capacity {
		return int(capacity), 0
	}
	more := instant{ns: now}.plus(capacity-n-1, window, rate)
	return int(n), tat.since(more)
}

// chargeBucket adds a cost that was admitted.
func (c *slot) chargeBucket(l *Limit, cost uint64, now int64) {
	rate, window := uint64(l.Rate), uint64(l.Window)
	tat := c.arrival(rate, now).plus(cost, window, rate)
	c.data[0], c.total = uint64(tat.ns), uint32(tat.frac)
	c.epoch, c.data[1] = uint32(rate), window
}

// bucketDebt is what is owed, in tokens rounded up.
func (c *slot) bucketDebt(now int64) uint32 {
	rate, window := uint64(c.epoch), c.data[1]
	tat := c.arrival(rate, now)
	ns := uint64(tat.ns - now)
	if tat.frac != 0 {
		ns++
	}
	if ns == 0 || window == 0 {
		return 0
	}
	hi, lo := bits.Mul64(ns, rate)
	if hi >= window {
		return maxCount
	}
	n, rest := bits.Div64(hi, lo, window)
	if rest != 0 {
		n++
	}
	return uint32(min(n, maxCount))
}
