package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// A bucket's identity is its API, its version and its limit's name: a reload that
// changes numbers finds what was used.
func TestAReloadThatChangesTheNumbersKeepsWhatWasUsed(t *testing.T) {
	before := Limit{Name: "l", Rate: 3, Window: time.Hour}
	bucket := Limit{Name: "l", Rate: 3, Window: time.Hour, Algorithm: ratelimit.Bucket}
	for _, c := range []struct {
		name          string
		before, after Limit
		kept          bool
	}{
		{"nothing", before, before, true},
		{"the rate", before, Limit{Name: "l", Rate: 2, Window: time.Hour}, true},
		{"the window", before, Limit{Name: "l", Rate: 3, Window: 2 * time.Hour}, true},
		{"a shorter window", before, Limit{Name: "l", Rate: 3, Window: time.Minute}, true},
		{"the penalty", before, Limit{Name: "l", Rate: 3, Window: time.Hour, Penalty: time.Minute}, true},
		{"the cost", before, Limit{Name: "l", Rate: 3, Window: time.Hour, Cost: 2}, true},
		{"the operations", before, Limit{Name: "l", Rate: 3, Window: time.Hour, Operations: []string{"listOrders"}}, true},
		{"a bucket's rate", bucket, Limit{Name: "l", Rate: 2, Window: time.Hour, Algorithm: ratelimit.Bucket}, true},
		{"a bucket's burst", bucket, Limit{Name: "l", Rate: 3, Window: time.Hour, Burst: 2, Algorithm: ratelimit.Bucket}, true},
		{"the name", before, Limit{Name: "other", Rate: 3, Window: time.Hour}, false},
	} {
		f := newFixture(t, withLimits(c.before))
		ask := func(f *fixture) bool {
			return f.ask(t, call{line: "GET api.example /v2/orders"}).Rule != RuleLimit
		}
		for range 3 {
			if !ask(f) {
				t.Fatalf("%s: refused before it changed", c.name)
			}
		}
		after := newFixture(t, func(cfg *Config) {
			cfg.Table = f.table
			withLimits(c.after)(cfg)
		})
		if ask(after) == c.kept {
			t.Errorf("%s changed: what was used is kept: %v, want %v", c.name, !c.kept, c.kept)
		}
	}
}

func TestAnExceptionMayNotBringMoreLimitsThanBindARequest(t *testing.T) {
	for n, fits := range map[int]bool{MaxLimits - 1: true, MaxLimits: false} {
		var err error
		newFixture(t, func(cfg *Config) {
			limits := *cfg
			limits.Integrations = []Integration{{Name: "acme", Credentials: [][32]byte{{1}}}}
			limits.APIs = append([]API(nil), cfg.APIs...)
			limits.APIs[0].Versions = append([]Version(nil), cfg.APIs[0].Versions...)
			for i := range n {
				limits.Limits = append(limits.Limits, Limit{Name: fmt.Sprint("l", i), Rate: 1, Window: time.Hour})
			}
			limits.APIs[0].Versions[2].Exceptions = []Exception{{
				Name: "more", Consumer: "acme", Until: noon.AddDate(1, 0, 0), Limits: []Limit{{Name: "another", Rate: 1, Window: time.Hour}},
			}}
			_, err = New(limits)
		})
		if fits != (err == nil) || err != nil && !strings.Contains(err.Error(), `17 limits hold for it with exception "more"`) {
			t.Errorf("%d limits and one of an exception: %v", n, err)
		}
	}
}
