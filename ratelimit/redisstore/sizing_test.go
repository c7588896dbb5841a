package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/internal/needs"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// BenchmarkNewClients is one request each of many clients, the dearest that there is:
// nobody comes again within the time of a lease. It tells how long Redis itself works
// for one.
func BenchmarkNewClients(b *testing.B) {
	n := ticking(b, needs.Redis(b).Addr)
	for _, l := range sizes(b) {
		b.Run(l.Name, func(b *testing.B) {
			before, work := n.Asked(), scriptTime(b, n)
			var client atomic.Int64
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				charges, out := []ratelimit.Charge{{Limit: l, Cost: 1}}, make([]ratelimit.Decision, 1)
				for pb.Next() {
					charges[0].Key = keyOf(n, l, strconv.FormatInt(client.Add(1), 36))
					n.Take(charges, out)
				}
			})
			asked := n.Asked() - before
			b.ReportMetric(float64(asked)/float64(b.N)*1000, "redis/1000")
			b.ReportMetric((scriptTime(b, n)-work).Seconds()*1e6/float64(asked), "redis-µs/question")
		})
	}
}

// BenchmarkMemory is what a client takes in Redis: its value (MEMORY USAGE), and its
// part of all that Redis holds.
func BenchmarkMemory(b *testing.B) {
	for _, l := range sizes(b) {
		b.Run(l.Name, func(b *testing.B) {
			n := ticking(b, needs.Redis(b).Addr)
			ctx := context.Background()
			const clients = 2000
			before := usedMemory(b, n)
			for i := range clients {
				take(n, l, fmt.Sprint("client ", i), 1)
			}
			value, keys := int64(0), 0
			for it := n.cfg.Client.Scan(ctx, 0, "test:{*"+string(kinds[l.Algorithm])+"}", 1000).Iterator(); it.Next(ctx); keys++ {
				size, err := n.cfg.Client.MemoryUsage(ctx, it.Val()).Result()
				if err != nil {
					b.Fatal(err)
				}
				value += size
			}
			if keys != clients {
				b.Fatalf("%d keys of %d clients", keys, clients)
			}
			b.ReportMetric(float64(value)/clients, "value-B/client")
			b.ReportMetric(float64(usedMemory(b, n)-before)/clients, "B/client")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// TestAFullWindowInRedis is how large a value becomes that has charges in all parts of
// its window: the manual's upper end.
func TestAFullWindowInRedis(t *testing.T) {
	var now atomic.Int64
	addr := needs.Redis(t).Addr
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	n := makeNode(t, addr, ratelimit.TableConfig{Slots: 64, Secret: []byte("the fleet's"), Now: now.Load})
	n.clock, n.script = now.Load, clockedScript(t)
	setClock(client, noon)
	run(t, n)
	await(t, "Redis", func() bool { return n.up.Load() })
	l := limit(t, ratelimit.Limit{Rate: 600, Window: time.Minute})
	for i := range 64 {
		if !take(n, l, "client", 1).Admitted {
			t.Fatal("refused")
		}
		now.Store(int64(i+1) * int64(4*time.Second))
		setClock(client, noon.Add(time.Duration(now.Load())))
	}
	size := client.MemoryUsage(t.Context(), n.redisKey(n.bucket(l, keyOf(n, l, "client")))).Val()
	t.Logf("a window with charges in all its parts takes %d bytes", size)
	if size < 100 || size > 600 {
		t.Errorf("a full window takes %d bytes, and the manual says at most 600", size)
	}
}

// sizes are limits that a client meets once.
func sizes(t testing.TB) []*ratelimit.Limit {
	t.Helper()
	list := []*ratelimit.Limit{
		{Name: "window", Rate: 600, Window: time.Hour},
		{Name: "bucket", Rate: 600, Window: time.Hour, Algorithm: ratelimit.Bucket},
		{Name: "quota", Rate: 600, Algorithm: ratelimit.Quota, Period: ratelimit.Month},
	}
	for _, l := range list {
		l.Space = ratelimit.SpaceOf(t.Name(), l.Name)
		if err := l.Validate(); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// scriptTime is how long Redis has worked on the script.
func scriptTime(t testing.TB, n *Store) time.Duration {
	t.Helper()
	return time.Duration(info(t, n, "commandstats", "cmdstat_evalsha:calls=", "usec=")) * time.Microsecond
}

func usedMemory(t testing.TB, n *Store) int64 {
	t.Helper()
	return info(t, n, "memory", "used_memory:")
}

// info is a number of INFO's, after some texts.
func info(t testing.TB, n *Store, section string, after ...string) int64 {
	t.Helper()
	text, err := n.cfg.Client.Info(context.Background(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range after {
		if _, text, _ = strings.Cut(text, mark); text == "" {
			return 0
		}
	}
	number := text[:strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })]
	v, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		t.Fatalf("INFO %s says %.40q", section, text)
	}
	return v
}
