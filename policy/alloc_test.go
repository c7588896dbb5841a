//go:build !race

// The race detector makes pools forget, so that allocations can be counted
// without it only.

package policy

import (
	"net/http"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/allocs"
)

func TestDecidingADocumentedGetAllocatesNothing(t *testing.T) {
	f := threeLimits(t)
	r := request(t, f, call{line: "GET api.example /v2/orders?limit=10"})
	v := new(Verdict)
	if n := allocs.PerRun(100, func() {
		f.now += 1000
		f.Decide(r, v)
	}); n >= 1 || v.Outcome != Allow {
		t.Errorf("%v allocations, %s", n, v.Reason)
	}
}

func TestALimitByABearerTokenAllocatesNothing(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1000, Window: time.Minute, Key: keyOf(t, "{http.request.header.Authorization}")}))
	r := request(t, f, call{line: "GET api.example /v2/orders", header: http.Header{"Authorization": {"Bearer abc"}}})
	v := new(Verdict)
	if n := allocs.PerRun(100, func() {
		f.now += int64(time.Second)
		f.Decide(r, v)
	}); n >= 1 || v.Outcome != Allow {
		t.Errorf("%v allocations, %s", n, v.Reason)
	}
}

func TestAnOverrideCostsNoAllocation(t *testing.T) {
	f := threeLimits(t)
	r := request(t, f, call{line: "GET api.example /v2/orders?limit=10"})
	r.Overrides = []Override{{Rule: RuleRequest, Mode: Monitor, Until: until(1)}, {Rule: RuleLimit, Mode: Monitor, Until: until(1)}}
	v := new(Verdict)
	if n := allocs.PerRun(100, func() {
		f.now += 1000
		f.Decide(r, v)
	}); n >= 1 || v.Outcome != Allow {
		t.Errorf("%v allocations, %s", n, v.Reason)
	}
}
