package inventory

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The estimates of many sketches of one size must lie about that size as the
// standard error of 256 registers says: no bias, and neither wider nor narrower.
func TestSketchesEstimateWithTheirStandardError(t *testing.T) {
	const sketches = 300
	r := rand.NewPCG(1, 2)
	for _, n := range []int{0, 1, 10, 100, 500, 3_000, 30_000} {
		var sum, squares float64
		for range sketches {
			var s sketch
			for range n {
				h := r.Uint64()
				s.add(h)
				s.add(h) // again: it counts once
			}
			e := float64(estimate(nil, &s)) - float64(n)
			sum, squares = sum+e, squares+e*e
		}
		size := max(float64(n), 1)
		bias, deviation := sum/sketches/size, math.Sqrt(squares/sketches)/size
		if math.Abs(bias) > 0.02 {
			t.Errorf("%d are estimated %.1f %% off on average", n, 100*bias)
		}
		if deviation > 0.08 || n > 1_000 && deviation < 0.05 {
			t.Errorf("the estimates of %d deviate by %.1f %%", n, 100*deviation)
		}
	}
}

func TestSketchesOfOneRouteAreOneCrowd(t *testing.T) {
	r := rand.NewPCG(3, 4)
	var a, b, both sketch
	for i := range 4_000 {
		h := r.Uint64()
		both.add(h)
		if i < 3_000 {
			a.add(h)
		}
		if i >= 1_000 {
			b.add(h)
		}
	}
	if got, want := estimate(&a, &b), estimate(&both); got != want {
		t.Errorf("two sketches say %d, one of all hashes %d", got, want)
	}
}
