package admissions

import (
	"testing"
	"time"
)

func TestWorst(t *testing.T) {
	var l Log
	const s = time.Second
	for _, at := range []time.Duration{5 * s, 0, 1 * s, 2 * s} {
		l.Add(at, at+s/2, 2)
	}
	l.Add(2*s, 9*s, 1) // nobody knows when
	for interval, want := range map[time.Duration]int{s / 4: 0, s / 2: 2, s: 2, 3 * s / 2: 4, 3 * s: 6, 10 * s: 9} {
		if got := l.Worst(interval); got != want {
			t.Errorf("within %s: %d, want %d", interval, got, want)
		}
	}
	if l.Total() != 9 {
		t.Errorf("in all %d", l.Total())
	}
}
