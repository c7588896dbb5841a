package ratelimit_test

import (
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
	"github.com/apiguard/caddy-api-guard/ratelimit/internal/limitertest"
)

// The table does what every limiter does: redisstore runs the same suite.
func TestTableIsALimiter(t *testing.T) {
	limitertest.Run(t, func(*testing.T) limitertest.Subject {
		now := time.Duration(0)
		table := ratelimit.NewTable(ratelimit.TableConfig{
			Slots: 4096, Now: func() int64 { return int64(now) }, Wall: func() time.Time { return limitertest.Start.Add(now) },
		})
		return limitertest.Subject{
			Nodes:   []ratelimit.Limiter{table},
			Advance: func(d time.Duration) { now += d },
		}
	})
}
