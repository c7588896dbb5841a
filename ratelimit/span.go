package ratelimit

import (
	"strconv"
	"time"
)

// Span writes a duration as limits are configured, in the largest of d, h, m and s that
// it is a whole number of: 1m and 90s, where [time.Duration] writes 1m0s and 1m30s.
func Span(d time.Duration) string {
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if d != 0 && d%unit.length == 0 {
			return strconv.FormatInt(int64(d/unit.length), 10) + unit.name
		}
	}
	return d.String()
}
