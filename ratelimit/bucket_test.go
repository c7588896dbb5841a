package ratelimit

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// exactBucket holds tokens as a fraction and knows no rounding.
type exactBucket struct {
	capacity, tokens *big.Rat
	perNs            *big.Rat
	at               int64
}

func newExactBucket(l *Limit, now int64) *exactBucket {
	return &exactBucket{
		capacity: new(big.Rat).SetInt64(int64(l.capacity())),
		tokens:   new(big.Rat).SetInt64(int64(l.capacity())),
		perNs:    big.NewRat(int64(l.Rate), int64(l.Window)),
		at:       now,
	}
}

func (b *exactBucket) take(now int64, cost int64) bool {
	gained := new(big.Rat).Mul(b.perNs, new(big.Rat).SetInt64(now-b.at))
	b.tokens.Add(b.tokens, gained)
	b.at = now
	if b.tokens.Cmp(b.capacity) > 0 {
		b.tokens.Set(b.capacity)
	}
	c := new(big.Rat).SetInt64(cost)
	if b.tokens.Cmp(c) < 0 {
		return false
	}
	b.tokens.Sub(b.tokens, c)
	return true
}

func (b *exactBucket) clone() *exactBucket {
	c := *b
	c.tokens = new(big.Rat).Set(b.tokens)
	return &c
}

func (b *exactBucket) whole() int {
	return int(new(big.Int).Quo(b.tokens.Num(), b.tokens.Denom()).Int64())
}

func TestBucketIsExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := &Limit{Name: "b", Algorithm: Bucket, Window: genWindow(rt),
			Rate:  rapid.SampledFrom([]int{1, 2, 3, 7, 60, 999_999, 1_000_003, MaxRate}).Draw(rt, "rate"),
			Burst: rapid.SampledFrom([]int{0, 1, 2, 5, 100, MaxRate}).Draw(rt, "burst")}
		if l.Validate() != nil {
			rt.Skip("takes too long to refill")
		}
		m := &manual{ns: rapid.Int64Range(0, 1<<50).Draw(rt, "start")}
		table := tiny(m)
		model := newExactBucket(l, m.ns)
		token := l.Window / time.Duration(l.Rate)
		for range rapid.IntRange(1, 150).Draw(rt, "requests") {
			m.sleep(rapid.SampledFrom([]time.Duration{0, 0, 0, 1, token - 1, token, token + 1, 3 * token, l.Window, 100 * l.Window}).Draw(rt, "step"))
			cost := int64(rapid.SampledFrom([]uint64{1, 1, 1, 2, 3, l.capacity() / 2, l.capacity(), l.capacity() + 1}).Draw(rt, "cost"))
			cost = max(cost, 1)
			d := ask(table, l, "client", uint32(cost))
			want := model.take(m.ns, cost)
			if d.Admitted != want || d.Remaining != model.whole() {
				rt.Fatalf("%+v, an exact bucket says %v and holds %s", d, want, model.tokens.FloatString(9))
			}
			if d.Admitted {
				continue
			}
			if cost > int64(l.capacity()) {
				if d.RetryAfter != Never {
					rt.Fatalf("cost %d never fits, but %+v", cost, d)
				}
				continue
			}
			if d.RetryAfter < d.Reset || d.RetryAfter < 1 {
				rt.Fatalf("%+v", d)
			}
			m.sleep(d.RetryAfter - 1)
			if again := ask(table, l, "client", uint32(cost)); again.Admitted {
				rt.Fatalf("1 ns before Retry-After is over: %+v", again)
			}
			m.sleep(1)
			again := ask(table, l, "client", uint32(cost))
			if !again.Admitted || !model.take(m.ns, cost) {
				rt.Fatalf("Retry-After waited out, but %+v", again)
			}
		}
	})
}

func TestABucketOfThreeASecondGivesThreeASecondForADay(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: 3, Window: time.Second, Burst: 1, Algorithm: Bucket})
	admitted := 0
	for m.ns = 0; m.ns < int64(10_000*time.Second); {
		d := ask(table, l, "client", 1)
		if d.Admitted {
			admitted++
			continue
		}
		m.sleep(d.RetryAfter)
	}
	if admitted != 30_000 {
		t.Fatalf("%d admitted in 10,000 s, want 30,000: a fraction of a nanosecond was lost or won", admitted)
	}
}

func TestBucketAndWindowSayDifferentThingsAboutTheFirstWindow(t *testing.T) {
	for _, tc := range []struct {
		alg  Algorithm
		want int
	}{{Window, 60}, {Bucket, 119}} {
		m := &manual{}
		table := tiny(m)
		l := valid(t, Limit{Rate: 60, Window: time.Minute, Algorithm: tc.alg})
		admitted := 0
		for ; m.ns < int64(time.Minute); m.sleep(100 * time.Millisecond) {
			if ask(table, l, "client", 1).Admitted {
				admitted++
			}
		}
		if admitted != tc.want {
			t.Errorf("%s: %d admitted in the first minute, want %d", tc.alg, admitted, tc.want)
		}
	}
}

func TestAChangedRateKeepsTheTimeThatIsOwed(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	slow := valid(t, Limit{Rate: 3, Window: time.Second, Algorithm: Bucket})
	fast := valid(t, Limit{Rate: 7, Window: time.Second, Algorithm: Bucket})
	for range 3 {
		ask(table, slow, "client", 1)
	}
	if d := ask(table, fast, "client", 1); d.Admitted {
		t.Fatalf("a reload emptied a debt: %+v", d)
	}
	m.sleep(time.Second / 7)
	if d := ask(table, fast, "client", 1); d.Admitted {
		t.Fatalf("a token of the new rate is not due before 1/7 s, rounded up: %+v", d)
	}
	m.sleep(1)
	if d := ask(table, fast, "client", 1); !d.Admitted {
		t.Fatalf("%+v", d)
	}
}

func TestAFractionOfAnotherRateIsRoundedUp(t *testing.T) {
	c := large{small: small{meta: isLarge}}
	c.chargeBucket(&Limit{Rate: 3, Window: time.Second}, 1, 0)
	if got, want := c.arrival(3, 0), (instant{333_333_333, 1}); got != want {
		t.Errorf("at its own rate %+v, want %+v", got, want)
	}
	if got, want := c.arrival(7, 0), (instant{333_333_334, 0}); got != want {
		t.Errorf("at another rate %+v, want %+v", got, want)
	}
}

// What a cell keeps so that it is not divided again is of the limit that charged it. A
// limit of other numbers, after a reload, computes its own.
func TestWhatABucketKeepsIsWhatItWouldCompute(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := large{small: small{meta: isLarge}}
		now := rapid.Int64Range(0, 1<<50).Draw(rt, "start")
		for range rapid.IntRange(2, 40).Draw(rt, "charges") {
			l := &Limit{
				Name: "b", Algorithm: Bucket,
				Rate:   rapid.SampledFrom([]int{3, 7, MaxRate}).Draw(rt, "rate"),
				Window: rapid.SampledFrom([]time.Duration{time.Second, 1001 * time.Millisecond}).Draw(rt, "window"),
				Burst:  rapid.SampledFrom([]int{0, 1, 5}).Draw(rt, "burst"),
			}
			now += rapid.Int64Range(0, int64(time.Second)).Draw(rt, "step")
			pending, cost := rapid.Uint64Range(0, 2).Draw(rt, "pending"), rapid.Uint64Range(1, 3).Draw(rt, "cost")
			computes := c
			clear(computes.words()[2:5])
			computes.words()[5] &^= 1<<32 - 1
			var kept, computed Decision
			then := checkBucket(&kept, &c, l, l.capacity(), pending, cost, now)
			if at := checkBucket(&computed, &computes, l, l.capacity(), pending, cost, now); kept != computed || at != then {
				rt.Fatalf("%+v at %+v, computed afresh %+v at %+v", kept, then, computed, at)
			}
			if pending == 0 && kept.Admitted {
				c.arrive(l, then)
			} else {
				c.chargeBucket(l, cost, now)
			}
		}
	})
}

// What was only looked at is charged although it does not fit, as often as it happened.
func TestABucketThatOwesForCenturiesRefuses(t *testing.T) {
	table := tiny(&manual{})
	l := valid(t, Limit{Rate: 1, Window: MaxWindow, Algorithm: Bucket})
	charges, out := []Charge{{Limit: l, Key: 1, When: Look}}, make([]Decision, 1)
	for i := range 8000 {
		table.Settle(&charges[0], true)
		if table.Take(charges, out) {
			t.Fatalf("after %d charges to a bucket of one: %+v", i+1, out[0])
		}
	}
}
