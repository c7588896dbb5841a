package redisstore

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/internal/needs"
	"github.com/apiguard/caddy-api-guard/internal/needs/mini"
	"github.com/apiguard/caddy-api-guard/ratelimit"
	"github.com/apiguard/caddy-api-guard/ratelimit/internal/limitertest"
)

// Three nodes do together what a table does alone.
func TestStoreIsALimiter(t *testing.T) {
	t.Run("miniredis", func(t *testing.T) {
		limitertest.Run(t, func(t *testing.T) limitertest.Subject {
			m := mini.Redis(t)
			return fleetOf(t, m.Addr(), takeScript, func(_ *redis.Client, now time.Time) { m.SetTime(now) })
		})
	})
	t.Run("redis-server", func(t *testing.T) {
		limitertest.Run(t, func(t *testing.T) limitertest.Subject {
			return fleetOf(t, needs.Redis(t).Addr, clockedScript(t), setClock)
		})
	})
}

// clockKey is where a real Redis under test finds the time, in a script that is the
// store's but for that.
const clockKey = "test-clock"

func clockedScript(t *testing.T) *redis.Script {
	t.Helper()
	const clock = "redis.call('TIME')"
	if strings.Count(takeSource, clock) != 1 {
		t.Fatalf("the script asks for %s more than once, or not at all", clock)
	}
	return redis.NewScript(strings.Replace(takeSource, clock, "redis.call('HMGET', '"+clockKey+"', 's', 'us')", 1))
}

func setClock(client *redis.Client, now time.Time) {
	client.HSet(context.Background(), clockKey, "s", now.Unix(), "us", now.Nanosecond()/1000)
}

// fleetOf is three nodes whose clocks, and Redis's, stand still but for Advance.
func fleetOf(t *testing.T, addr string, script *redis.Script, set func(*redis.Client, time.Time)) limitertest.Subject {
	var now atomic.Int64
	wall := func() time.Time { return limitertest.Start.Add(time.Duration(now.Load())) }
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	set(client, wall())
	var subject limitertest.Subject
	for range 3 {
		n := makeNode(t, addr, ratelimit.TableConfig{Slots: 4096, Secret: []byte("the fleet's"), Now: now.Load, Wall: wall})
		n.clock, n.wall, n.script = now.Load, wall, script
		run(t, n)
		await(t, "Redis", func() bool { return n.up.Load() })
		subject.Nodes = append(subject.Nodes, n)
	}
	subject.Advance = func(d time.Duration) {
		now.Add(int64(d))
		set(client, wall())
	}
	return subject
}
