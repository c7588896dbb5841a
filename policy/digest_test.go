package policy

import (
	"slices"
	"testing"
	"time"
)

func TestDifferencesTellOfTimesAsTheyAreConfigured(t *testing.T) {
	f := newFixture(t, func(cfg *Config) {
		for _, r := range []*Rules{&cfg.APIs[0].Rules, &cfg.APIs[0].Versions[2].Rules} {
			r.BodyTimeout, r.BodyIdleTimeout = time.Minute, 10*time.Second
		}
		cfg.APIs[0].Versions[2].Rules.BodyTimeout = 30 * time.Second
	})
	api := f.Catalogue().APIs[0]
	if got, want := f.Differences(api, api.Versions[2]), "request.body_timeout is 30s, and 1m in the api"; !slices.Contains(got, want) || len(got) != 1 {
		t.Errorf("%q, want %q alone", got, want)
	}
}
