package inventory

import (
	"testing"
	"time"
)

// A disk that takes long for each commit is given time between two of them, but not all
// that somebody waits for what he is to be shown.
func TestASlowDiskIsSparedUnlessSomebodyWaits(t *testing.T) {
	for name, c := range map[string]struct {
		took          time.Duration
		asked, urgent bool
		retry, due    time.Duration
	}{
		"counts":                            {took: time.Millisecond, due: commitEvery},
		"counts, a slow disk":               {took: time.Second, due: 50 * time.Second},
		"something new":                     {took: time.Millisecond, urgent: true, due: firstSight},
		"something new, a slow disk":        {took: time.Second, urgent: true, due: 5 * time.Second},
		"somebody waits":                    {took: time.Millisecond, asked: true, urgent: true, due: soonest},
		"somebody waits, a disk under load": {took: 100 * time.Millisecond, asked: true, due: 500 * time.Millisecond},
		"somebody waits, a slow disk":       {took: time.Second, asked: true, urgent: true, due: time.Second},
		"a store that failed":               {took: time.Second, asked: true, retry: 30 * time.Second, due: 30 * time.Second},
	} {
		k := keeper{lastEnd: noon, lastTook: c.took, retry: c.retry}
		k.asked.Store(c.asked)
		k.urgent.Store(c.urgent)
		if got := k.due().Sub(noon); got != c.due {
			t.Errorf("%s: the next commit is after %s, want %s", name, got, c.due)
		}
	}
}
