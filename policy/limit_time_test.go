package policy

import (
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// Limits go by when the request arrived, as long as nothing has waited since. A client
// who sends a body slowly decides when he is judged: if his request counted as of its
// first byte, it would be forgotten as much earlier than the limit says.
func TestLimitsGoByTheTimeOfArrivalUnlessTheKeyWaits(t *testing.T) {
	for _, c := range []struct {
		name    string
		key     []string
		arrival bool
	}{
		{"the client", []string{"{client_ip}"}, true},
		{"a header", []string{"{http.request.header.X-Account}"}, true},
		{"a body", []string{"{http.api_guard.body./email}"}, false},
		{"a placeholder", []string{"{some.module.account}"}, false},
		{"the client and a placeholder", []string{"{client_ip}", "{some.module.account}"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, func(cfg *Config) {
				cfg.Table = ratelimit.NewTable(ratelimit.TableConfig{Slots: 8})
				withLimits(
					Limit{Name: "l", Rate: 2, Window: time.Minute, Algorithm: ratelimit.Bucket, Operations: []string{"resetPassword"}, Key: keyOf(t, c.key...)},
					Limit{Name: "other", Rate: 100, Window: time.Minute},
				)(cfg)
			})
			passes := func(arrived time.Time) bool {
				r := request(t, f, call{line: "POST api.example /v2/reset", now: arrived})
				r.ReadBody = func(int64) ([]byte, bool) { return []byte(`{"email":"a@x"}`), true }
				r.Expand = func(string) (string, bool) { return "a", true }
				v := new(Verdict)
				f.Decide(r, v)
				return v.Rule != RuleLimit
			}
			if !passes(time.Now().Add(time.Hour)) {
				t.Fatal("the first is refused")
			}
			// A bucket that was charged in an hour is empty before that.
			if passes(time.Now()) == c.arrival {
				t.Errorf("the table's clock decided: %v", c.arrival)
			}
		})
	}
}
