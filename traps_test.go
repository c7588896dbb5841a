package apiguard

import (
	"strings"
	"testing"
)

// What Caddy does that once took plugins by surprise. The first, state lost by a
// reload that failed, is in documents_test.go and module_test.go; goroutines that
// no context ends are in watch_test.go; the two about the admin endpoint need a
// Caddy that runs and are in caddytest.

func TestLimitOfNothingIsAConfigurationErrorInJSONToo(t *testing.T) {
	for _, rate := range []string{"0/1m", "-1/1m", "0/s"} {
		app := smallApp(t)
		app.API[0].Limit = []*Limit{{Name: "l", Rate: rate}}
		if _, err := provision(t, app); err == nil || !strings.Contains(err.Error(), "api[0].limit[0].rate") {
			t.Errorf("rate %s: %v", rate, err)
		}
	}
	app := smallApp(t)
	app.API[0].Limit = []*Limit{{Name: "l", Rate: "1/m"}}
	app = mustProvision(t, app)
	if first, second := statusOf(t, app, get("/v1/things/7")), statusOf(t, app, get("/v1/things/7")); first != 200 || second != 429 {
		t.Errorf("the smallest limit that there is: %d, then %d", first, second)
	}
}

func TestLargeLimitTakesNoMoreMemoryThanASmallOne(t *testing.T) {
	app := smallApp(t)
	app.API[0].Limit = []*Limit{{Name: "l", Rate: "1000000/1m"}}
	app = mustProvision(t, app)
	before := app.shared.table.Bytes()
	for range 100 {
		if status := statusOf(t, app, get("/v1/things/7")); status != 200 {
			t.Fatal(status)
		}
	}
	if after := app.shared.table.Bytes(); after != before {
		t.Errorf("the table grew from %d to %d bytes", before, after)
	}
}

func TestCleanupOfWhatNeverProvisionedTouchesNothing(t *testing.T) {
	running := mustProvision(t, smallApp(t))
	references, _ := pool.References(poolKey)
	for range 3 {
		if err := new(App).Cleanup(); err != nil {
			t.Error(err)
		}
	}
	if now, _ := pool.References(poolKey); now != references || runningApp() != running {
		t.Errorf("%d references, %d before", now, references)
	}
}
