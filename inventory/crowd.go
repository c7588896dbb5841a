package inventory

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// sketchSize is how many registers a sketch has. 256 give a standard error of
// 6.5 % (1.04/sqrt(256)); small crowds are counted by the registers that are still
// empty, which is right but for those that share one: of a dozen one may be
// missing.
const sketchSize = 256

// sketch estimates how many distinct hashes were added (HyperLogLog). Requests
// write to it without a lock. A register is a byte, eight of them a word.
type sketch [sketchSize / 8]atomic.Uint64

func (s *sketch) add(hash uint64) {
	register := hash % sketchSize
	s.raise(register, uint64(bits.LeadingZeros64(hash|sketchSize-1))+1)
}

// raise makes a register at least rank.
func (s *sketch) raise(register, rank uint64) {
	word, shift := &s[register/8], register%8*8
	for {
		old := word.Load()
		if old>>shift&0xff >= rank {
			return
		}
		if word.CompareAndSwap(old, old&^(0xff<<shift)|rank<<shift) {
			return
		}
	}
}

// estimate is the number of distinct hashes in any of the sketches; nil ones are
// empty.
func estimate(sketches ...*sketch) uint64 {
	var sum float64
	empty := 0
	for i := range sketchSize {
		var rank uint64
		for _, s := range sketches {
			if s != nil {
				rank = max(rank, s[i/8].Load()>>(i%8*8)&0xff)
			}
		}
		if rank == 0 {
			empty++
		}
		sum += math.Ldexp(1, -int(rank))
	}
	const m = float64(sketchSize)
	n := 0.7213 / (1 + 1.079/m) * m * m / sum
	if n <= 2.5*m && empty > 0 {
		n = m * math.Log(m/float64(empty))
	}
	return uint64(math.Round(n))
}

// crowd is a sketch that costs nothing while there is one consumer only, as of
// most routes that no document has. Inventory.mu guards it.
type crowd struct {
	first  uint64
	sketch *sketch
}

func (c *crowd) add(hash uint64) {
	switch {
	case hash == 0 || hash == c.first:
		return
	case c.first == 0:
		c.first = hash
		return
	case c.sketch == nil:
		c.sketch = new(sketch)
		c.sketch.add(c.first)
	}
	c.sketch.add(hash)
}

// crowdOf is how many consumers called a route, as a document has it (hits, may
// be nil) and as it was seen otherwise.
func crowdOf(hits *sketch, c *crowd) uint64 {
	if hits == nil && c.sketch == nil {
		return min(c.first, 1)
	}
	seen := c.sketch
	if seen == nil && c.first != 0 {
		seen = new(sketch)
		seen.add(c.first)
	}
	return estimate(hits, seen)
}
