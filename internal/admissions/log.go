// Package admissions notes what a limit admitted, for tests of how much that was in
// the worst interval.
package admissions

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Log is what was admitted: when it was asked for, when that was known, and its cost.
type Log struct {
	mu       sync.Mutex
	asked    []event
	answered []event
	total    int
}

type event struct {
	at   time.Duration
	cost int
}

// Add notes an admission, which happened between two times.
func (l *Log) Add(asked, answered time.Duration, cost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, event{asked, cost})
	l.answered = append(l.answered, event{answered, cost})
	l.total += cost
}

// Total is the cost of all.
func (l *Log) Total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// Worst is how much was admitted at least in some interval of this length: what is
// more than a limit's bound is an error of the limit, and none of the clock's.
func (l *Log) Worst(interval time.Duration) (worst int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	byTime := func(a, b event) int { return cmp.Compare(a.at, b.at) }
	slices.SortFunc(l.asked, byTime)
	slices.SortFunc(l.answered, byTime)
	begun, over, next := 0, 0, 0 // cost asked for before the interval, answered by its end
	for i := range l.asked {
		if i > 0 {
			begun += l.asked[i-1].cost
		}
		for next < len(l.answered) && l.answered[next].at <= l.asked[i].at+interval {
			over += l.answered[next].cost
			next++
		}
		worst = max(worst, over-begun)
	}
	return worst
}
