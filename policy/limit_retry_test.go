package policy

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// Retry-After is the first whole second at which the request is admitted, for every
// algorithm and for several that refuse at once.
func TestRetryAfterAdmitsWhenItIsWaitedOutAndRefusesASecondEarlier(t *testing.T) {
	window := Limit{Name: "window", Rate: 3, Window: time.Minute}
	bucket := Limit{Name: "bucket", Rate: 7, Window: time.Minute, Burst: 3, Algorithm: ratelimit.Bucket}
	daily := Limit{Name: "daily", Quota: 3, Period: ratelimit.Day}
	for name, limits := range map[string][]Limit{
		"window":           {window},
		"bucket":           {bucket},
		"a day's quota":    {daily},
		"a month's quota":  {{Name: "monthly", Quota: 3, Period: ratelimit.Month}},
		"penalty":          {{Name: "penalty", Rate: 3, Window: time.Minute, Penalty: 15 * time.Minute}},
		"bucket, penalty":  {{Name: "penalty", Rate: 7, Window: time.Minute, Burst: 3, Algorithm: ratelimit.Bucket, Penalty: 3 * time.Second}},
		"failures":         {{Name: "failures", Rate: 3, Window: time.Minute, Count: CountFailures, Failures: DefaultFailures()}},
		"cost":             {{Name: "cost", Rate: 7, Window: time.Minute, Cost: 2}},
		"protected":        {{Name: "protected", Rate: 3, Window: time.Minute, Protect: true}},
		"window, bucket":   {window, bucket},
		"all of them":      {window, bucket, daily},
		"a rate and quota": {{Name: "both", Rate: 3, Window: time.Minute, Quota: 100, Period: ratelimit.Month}},
	} {
		t.Run(name, func(t *testing.T) {
			for wait := 1; wait <= 3; wait++ {
				c := newWaiting(t, limits)
				for range wait - 1 {
					c.sleep(time.Duration(c.refused(t)) * time.Second)
				}
				seconds := c.refused(t)
				c.sleep(time.Duration(seconds-1) * time.Second)
				if v := c.ask(t); v.Reason != ReasonQuotaExceeded {
					t.Fatalf("wait %d: admitted a second before Retry-After: %d is over", wait, seconds)
				}

				c = newWaiting(t, limits) // whom no earlier try has cost a new penalty
				for range wait {
					seconds = c.refused(t)
					c.sleep(time.Duration(seconds) * time.Second)
				}
				if v := c.ask(t); v.Outcome == Refuse {
					t.Fatalf("wait %d: Retry-After: %d waited out, and refused: %s", wait, seconds, v.Reason)
				}
			}
		})
	}
}

// waiting is a client that guesses wrongly until it is told to wait.
type waiting struct {
	*fixture
	clock int64
}

func newWaiting(t *testing.T, limits []Limit) *waiting {
	t.Helper()
	w := &waiting{clock: 12_345_678_912}
	w.fixture = newFixture(t, func(cfg *Config) {
		cfg.APIs[0].Limits = limits
		cfg.Table = ratelimit.NewTable(ratelimit.TableConfig{
			Slots: 64, Now: func() int64 { return w.clock }, Wall: func() time.Time { return noon.Add(time.Duration(w.clock)) },
		})
	})
	return w
}

func (w *waiting) sleep(d time.Duration) { w.clock += int64(d) }

func (w *waiting) ask(t *testing.T) *Verdict {
	t.Helper()
	v := w.fixture.ask(t, call{line: "GET api.example /v2/orders"})
	v.Answered(http.StatusUnauthorized)
	v.Close()
	return v
}

// refused asks until it is refused, and returns its Retry-After.
func (w *waiting) refused(t *testing.T) (seconds int) {
	t.Helper()
	for range 10 {
		v := w.ask(t)
		if v.Reason != ReasonQuotaExceeded {
			w.sleep(1234567 * time.Microsecond)
			continue
		}
		h := http.Header{}
		v.SetRefusal(h, new(FieldValues))
		seconds, err := strconv.Atoi(h.Get("Retry-After"))
		if err != nil || seconds < 1 {
			t.Fatalf("Retry-After %q", h.Get("Retry-After"))
		}
		return seconds
	}
	t.Fatal("nothing is refused")
	return 0
}
