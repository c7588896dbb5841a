package policy

import (
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

func threeLimits(t testing.TB) *fixture {
	return newFixture(t, withLimits(
		Limit{Name: "client", Rate: 1_000_000, Window: time.Second, Algorithm: ratelimit.Bucket},
		Limit{Name: "all", Rate: 1_000_000, Window: time.Second, Algorithm: ratelimit.Bucket, Key: keyOf(t, "all")},
		Limit{Name: "list", Rate: 1_000_000, Window: time.Second, Operations: []string{"listOrders"}},
	))
}

// BenchmarkDecide is a documented GET with a parameter under three limits, matched
// already (BenchmarkMatch in inventory/catalogue is the other half).
func BenchmarkDecide(b *testing.B) {
	f := threeLimits(b)
	r := request(b, f, call{line: "GET api.example /v2/orders?limit=10"})
	v := new(Verdict)
	b.ReportAllocs()
	for b.Loop() {
		f.now += 10_000 // a tenth of what the limits let pass, however long it runs
		f.Decide(r, v)
		if v.Outcome != Allow {
			b.Fatal(v.Reason)
		}
	}
}

func BenchmarkDecideRefuses(b *testing.B) {
	f := newFixture(b, withLimits(Limit{Name: "one", Rate: 1, Window: time.Hour}))
	r := request(b, f, call{line: "GET api.example /v2/orders?limit=10"})
	v := new(Verdict)
	f.Decide(r, v)
	b.ReportAllocs()
	for b.Loop() {
		f.Decide(r, v)
		if v.Reason != ReasonQuotaExceeded {
			b.Fatal(v.Reason)
		}
	}
}
