package ratelimit

import (
	"testing"
	"time"
)

func TestASpanIsWrittenAsLimitsAreConfigured(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"1s": time.Second, "90s": 90 * time.Second, "1m": time.Minute, "5m": 300 * time.Second, "90m": 90 * time.Minute,
		"1h": time.Hour, "36h": 36 * time.Hour, "1d": 24 * time.Hour, "31d": 31 * 24 * time.Hour,
		"1.5s": 1500 * time.Millisecond, "0s": 0, "-5h": -5 * time.Hour,
	} {
		if got := Span(d); got != want {
			t.Errorf("%d ns: %s, want %s", d, got, want)
		}
	}
}
