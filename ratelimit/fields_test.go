package ratelimit

import (
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"pgregory.net/rapid"
)

func TestFieldsReadAsTheDraftWritesThem(t *testing.T) {
	limits := []*Limit{
		{Name: "per_client", Rate: 600, Window: time.Minute},
		{Name: "reset", Rate: 5, Window: 1500 * time.Millisecond},
		{Name: "even", Rate: 60, Window: time.Minute, Burst: 10, Algorithm: Bucket},
		{Name: `a "b" \c`, Rate: 1, Window: time.Hour, Algorithm: Bucket},
	}
	want := `"per_client";q=600;w=60, "reset";q=5;w=2, "even";q=10;w=10, "a \"b\" \\c";q=1;w=3600`
	if got := string(AppendPolicy([]byte("x"), limits)); got != "x"+want {
		t.Errorf("RateLimit-Policy\n got %s\nwant x%s", got, want)
	}
	want = `"per_client";r=599;t=61, "reset";r=0;t=1, "even";r=10, "a \"b\" \\c";r=0;t=12`
	got := string(AppendLimit(nil, limits, []Decision{
		{Admitted: true, Remaining: 599, Reset: time.Minute + 1}, {Reset: 1, RetryAfter: time.Second}, {Admitted: true, Remaining: 10}, {Reset: 12 * time.Second},
	}))
	if got != want {
		t.Errorf("RateLimit\n got %s\nwant %s", got, want)
	}
	if got := AppendPolicy(nil, nil); got != nil {
		t.Errorf("no limits, but %q", got)
	}
}

func TestFieldsAreStructuredFields(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var limits []*Limit
		var decisions []Decision
		for range rapid.IntRange(1, 4).Draw(rt, "limits") {
			limits = append(limits, &Limit{
				Name: rapid.String().Draw(rt, "name"), Rate: rapid.IntRange(1, MaxRate).Draw(rt, "rate"),
				Window: genWindow(rt), Burst: rapid.IntRange(0, MaxRate).Draw(rt, "burst"), Algorithm: Algorithm(rapid.IntRange(0, 1).Draw(rt, "algorithm")),
			})
			decisions = append(decisions, Decision{
				Remaining: rapid.IntRange(-1, MaxRate).Draw(rt, "remaining"), Reset: time.Duration(rapid.Int64Range(0, int64(MaxWindow)).Draw(rt, "reset")),
			})
		}
		policy, err := httpsfv.UnmarshalList([]string{string(AppendPolicy(nil, limits))})
		if err != nil || len(policy) != len(limits) {
			rt.Fatalf("%q: %v", AppendPolicy(nil, limits), err)
		}
		limit, err := httpsfv.UnmarshalList([]string{string(AppendLimit(nil, limits, decisions))})
		if err != nil || len(limit) != len(limits) {
			rt.Fatalf("%q: %v", AppendLimit(nil, limits, decisions), err)
		}
		for i, l := range limits {
			p, r := policy[i].(httpsfv.Item), limit[i].(httpsfv.Item)
			if p.Value != r.Value {
				rt.Fatalf("%q is called %q and %q", l.Name, p.Value, r.Value)
			}
			if l.Validate() == nil && p.Value != l.Name {
				rt.Fatalf("%q is called %q", l.Name, p.Value)
			}
			q, _ := p.Params.Get("q")
			w, _ := p.Params.Get("w")
			left, _ := r.Params.Get("r")
			if q.(int64) != int64(l.capacity()) || w.(int64) < 1 || left.(int64) < 0 {
				rt.Fatalf("%v %v %v", q, w, left)
			}
		}
	})
}

func TestRetryAfterIsTheLongestWaitInWholeSeconds(t *testing.T) {
	refused := func(d time.Duration) Decision { return Decision{RetryAfter: d} }
	for name, tc := range map[string]struct {
		decisions []Decision
		shadow    []bool
		seconds   int
		ok        bool
	}{
		"rounded up":                    {[]Decision{refused(1001 * time.Millisecond)}, nil, 2, true},
		"whole":                         {[]Decision{refused(3 * time.Second)}, nil, 3, true},
		"at least one":                  {[]Decision{refused(1)}, nil, 1, true},
		"the longest":                   {[]Decision{refused(time.Second), refused(time.Minute), refused(time.Second)}, nil, 60, true},
		"what was admitted is no wait":  {[]Decision{{Admitted: true, Reset: time.Hour}, refused(time.Second)}, nil, 1, true},
		"a shadow makes nobody wait":    {[]Decision{refused(time.Hour), refused(time.Second)}, []bool{true, false}, 1, true},
		"nothing was refused":           {[]Decision{{Admitted: true}}, nil, 0, false},
		"only shadows refused":          {[]Decision{refused(time.Hour)}, []bool{true}, 0, false},
		"waiting does not help":         {[]Decision{refused(time.Second), refused(Never)}, nil, 0, false},
		"a shadow that would never fit": {[]Decision{refused(time.Second), refused(Never)}, []bool{false, true}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			charges := make([]Charge, len(tc.decisions))
			for i, s := range tc.shadow {
				charges[i].Shadow = s
			}
			if seconds, ok := RetryAfterSeconds(charges, tc.decisions); seconds != tc.seconds || ok != tc.ok {
				t.Fatalf("%d, %v; want %d, %v", seconds, ok, tc.seconds, tc.ok)
			}
		})
	}
}

func TestFieldsAllocateNothingInABufferThatHolds(t *testing.T) {
	limits := []*Limit{{Name: "a", Rate: 5, Window: time.Minute}, {Name: "b", Rate: 60, Window: time.Hour, Algorithm: Bucket, Burst: 7}}
	decisions := []Decision{{Remaining: 3, Reset: time.Second}, {}}
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		buf = AppendPolicy(buf[:0], limits)
		buf = AppendLimit(buf, limits, decisions)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFields(b *testing.B) {
	limits := []*Limit{{Name: "per_client", Rate: 600, Window: time.Minute}, {Name: "per_account", Rate: 60, Window: time.Hour}, {Name: "global", Rate: 9999, Window: time.Hour}}
	decisions := []Decision{{Remaining: 3, Reset: time.Second}, {Remaining: 59, Reset: time.Hour}, {Remaining: 5555, Reset: time.Minute}}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendPolicy(buf[:0], limits)
		buf = AppendLimit(buf, limits, decisions)
	}
}
