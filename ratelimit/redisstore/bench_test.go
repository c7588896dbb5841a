package redisstore

import (
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/needs"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// BenchmarkHotKey is one node's leased decisions on one key of a large limit, beside
// one round trip for each request, and how much Redis is asked for a thousand of them.
func BenchmarkHotKey(b *testing.B) {
	addr := needs.Redis(b).Addr
	b.Run("leased", func(b *testing.B) {
		n := ticking(b, addr)
		l := limit(b, ratelimit.Limit{Rate: ratelimit.MaxRate, Window: time.Second})
		before := n.Asked()
		bench(b, n, l)
		b.ReportMetric(float64(n.Asked()-before)/float64(b.N)*1000, "redis/1000")
	})
	b.Run("round-trip", func(b *testing.B) {
		n := ticking(b, addr)
		l := limit(b, ratelimit.Limit{Rate: ratelimit.MaxRate, Window: time.Second})
		k := keyOf(n, l, "hot")
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				n.askNow(opLook, l, k)
			}
		})
	})
	b.Run("refused", func(b *testing.B) {
		n := ticking(b, addr)
		l := limit(b, ratelimit.Limit{Rate: 1, Window: time.Hour})
		take(n, l, "hot", 1)
		before := n.Asked()
		bench(b, n, l)
		b.ReportMetric(float64(n.Asked()-before)/float64(b.N)*1000, "redis/1000")
	})
}

func bench(b *testing.B, n *Store, l *ratelimit.Limit) {
	k := keyOf(n, l, "hot")
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		charges, out := []ratelimit.Charge{{Limit: l, Key: k, Cost: 1}}, make([]ratelimit.Decision, 1)
		for pb.Next() {
			n.Take(charges, out)
		}
	})
}
