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

// plus adds a time of the same rate.
func (i instant) plus(o instant, rate uint64) instant {
	i.ns += o.ns
	i.frac += o.frac
	if i.frac >= rate {
		i.frac -= rate
		i.ns++
	}
	return i
}

// tokens adds the time that n tokens take.
func (i instant) tokens(n, window, rate uint64) instant {
	var o instant
	o.ns, o.frac = span(n, window, rate)
	return i.plus(o, rate)
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

// A bucket's cell: epoch is the rate, word 0 the theoretical arrival time in ns, the upper
// half of word 5 the fraction of it, word 1 W in ns. The rest is kept so that it is divided
// once, not at each decision: words 2 and 3 are how long one token and the whole capacity
// take, word 4 the fractions of both, the lower half of word 5 the capacity that they were
// computed for.

// keeps tells whether what a cell keeps was computed for a limit.
func (c *large) keeps(rate, window, capacity uint64) bool {
	return c != nil && uint64(c.epoch) == rate && c.words()[1] == window && uint64(uint32(c.words()[5])) == capacity
}

// terms is how long one token and the whole of a limit's capacity take.
func (c *large) terms(rate, window, capacity uint64) (token, full instant) {
	if c.keeps(rate, window, capacity) {
		return instant{int64(c.words()[2]), uint64(uint32(c.words()[4]))}, instant{int64(c.words()[3]), c.words()[4] >> 32}
	}
	token.ns, token.frac = span(1, window, rate)
	full.ns, full.frac = span(capacity, window, rate)
	return token, full
}

// arrival is the bucket's theoretical arrival time, not before now: now is a
// full bucket. A fraction of another rate is rounded up.
func (c *large) arrival(rate uint64, now int64) instant {
	i := instant{ns: now}
	if c == nil {
		return i
	}
	tat := instant{int64(c.words()[0]), c.words()[5] >> 32}
	if tat.frac != 0 && uint64(c.epoch) != rate {
		tat = instant{ns: tat.ns + 1}
	}
	if tat.after(i) {
		return tat
	}
	return i
}

// checkBucket judges a cost, read only, as window.check does. Of a charge that is
// admitted it returns the arrival time that it leads to.
func checkBucket(d *Decision, c *large, l *Limit, capacity, pending, cost uint64, now int64) (then instant) {
	rate, window := uint64(l.Rate), uint64(l.Window)
	if pending > capacity {
		*d = Decision{RetryAfter: Never}
		return then
	}
	token, full := c.terms(rate, window, capacity)
	tat := c.arrival(rate, now)
	if pending != 0 {
		tat = tat.tokens(pending, window, rate)
	}
	empty := instant{ns: now}.plus(full, rate) // the arrival time of an empty bucket
	retry := Never
	if cost <= capacity {
		if then = tat.plus(token, rate); cost != 1 {
			then = tat.tokens(cost, window, rate)
		}
		if !then.after(empty) {
			*d = Decision{Admitted: true}
			d.Remaining, d.Reset = remaining(then, empty, capacity, window, rate, now)
			return then
		}
		if pending+cost <= capacity {
			retry = then.since(empty)
		}
	}
	*d = Decision{RetryAfter: retry}
	d.Remaining, d.Reset = remaining(tat, empty, capacity, window, rate, now)
	return then
}

// remaining is how many whole tokens are in a bucket, and how long until there is
// one more, 0 for a full one.
func remaining(tat, empty instant, capacity, window, rate uint64, now int64) (int, time.Duration) {
	if tat.after(empty) {
		return 0, tat.since(instant{ns: now}.tokens(capacity-1, window, rate))
	}
	ns, frac := uint64(empty.ns-tat.ns), empty.frac
	if frac < tat.frac {
		ns, frac = ns-1, frac+rate
	}
	hi, lo := bits.Mul64(ns, rate)
	lo, carry := bits.Add64(lo, frac-tat.frac, 0)
	// ns is at most capacity tokens long, so the quotient fits.
	n, part := bits.Div64(hi+carry, lo, window)
	if n >= capacity {
		return int(capacity), 0
	}
	// A token is a window in 1/rate, and part of one is there.
	return int(n), time.Duration((window - part + rate - 1) / rate)
}

// chargeBucket adds a cost, whether or not it fits. More than the clock will ever show
// refuses as long, and is kept as that.
func (c *large) chargeBucket(l *Limit, cost uint64, now int64) {
	rate, window := uint64(l.Rate), uint64(l.Window)
	then := c.arrival(rate, now).tokens(cost, window, rate)
	then.ns = min(then.ns, 1<<62-1)
	c.arrive(l, then)
}

// arrive writes an arrival time, and what is kept beside it.
func (c *large) arrive(l *Limit, then instant) {
	rate, window, capacity := uint64(l.Rate), uint64(l.Window), l.capacity()
	c.words()[0] = uint64(then.ns)
	if !c.keeps(rate, window, capacity) {
		token, full := (*large)(nil).terms(rate, window, capacity)
		c.epoch = uint32(rate)
		w := c.words()
		w[1], w[2], w[3], w[4] = window, uint64(token.ns), uint64(full.ns), token.frac|full.frac<<32
	}
	c.words()[5] = capacity | then.frac<<32
}

// bucketDebt is what is owed, in tokens rounded up.
func (c *large) bucketDebt(now int64) uint32 {
	rate, window := uint64(c.epoch), c.words()[1]
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
