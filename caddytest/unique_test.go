package caddytest

import (
	"bytes"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

var unique = flag.Int("unique", 1500, "how many paths, hosts, methods, query names and consumers of its own the flood of unique requests has")

// seriesOf are the time series that Caddy shows, without their values and without
// those of the questions that a test asks the admin API.
func seriesOf(t *testing.T, caddy *harness.Caddy) map[string]bool {
	t.Helper()
	series := map[string]bool{}
	for line := range strings.Lines(caddy.Metrics(t)) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' && !strings.HasPrefix(line, "caddy_admin_") {
			series[line[:i]] = true
		}
	}
	return series
}

// linesOf counts what was logged, without the admin API's lines of the questions that a
// test asks it.
func linesOf(caddy *harness.Caddy) int {
	log := []byte(caddy.Log())
	return bytes.Count(log, []byte("\n")) - bytes.Count(log, []byte(`"admin.api"`))
}

// Requests of which no two are alike make neither series, nor memory, nor a flood of
// log lines, nor do they push out what was seen before. go test -run Unique -unique
// 100000 is the whole of it.
func TestUniqueRequestsMakeNoSeriesAndPushOutNothing(t *testing.T) {
	caddy, _ := startFleet(t)
	weigh := func() {}
	flood := func(name string, n int) {
		for part := range 2 {
			caddy.KeepAlive(t, func(yield func(harness.Call) bool) {
				for i := part * n / 2; i < (part+1)*n/2; i++ {
					if i%1000 == 999 {
						weigh()
					}
					client := fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
					for _, call := range []harness.Call{
						get("api.example.com", fmt.Sprintf("/v2/%s/p%dx?n%d=1", name, i, i)),
						get(fmt.Sprintf("%s%d.example.net", name, i), "/"),
						{Method: fmt.Sprintf("%s%d", strings.ToUpper(name), i), Host: "api.example.com", Target: "/v2/orders"},
					} {
						if !yield(call.With("X-Forwarded-For", client)) {
							return
						}
					}
				}
			}, func(harness.Call, int) {})
		}
	}
	// One of each kind, so that what is made once is there.
	for _, call := range []harness.Call{get("api.example.com", "/v2/seen/before"), get("api.example.com", "/v2/orders"), get("legacy.example.com", "/v1/orders")} {
		traced, _ := as(call)
		caddy.Do1(t, traced)
	}
	flood("first", 10)
	caddy.Query(t, "/api_guard/routes?limit=1000", new(listing[route]))
	var before listing[route]
	caddy.Query(t, "/api_guard/routes?limit=1000", &before)
	series, heap := seriesOf(t, caddy), caddy.Heap(t)
	began := time.Now() // before the lines are counted, as they are before it is over
	lines := linesOf(caddy)

	most := int64(0)
	weigh = func() { most = max(most, caddy.Heap(t)-heap) }
	flood("later", *unique)
	var list listing[route]
	caddy.Query(t, "/api_guard/routes?limit=1&sort=last_seen", &list) // waits until all is recorded
	told := linesOf(caddy) - lines
	took := time.Since(began)
	weigh()

	var added []string
	for name := range seriesOf(t, caddy) {
		if !series[name] {
			added = append(added, name)
		}
	}
	if len(added) > 1 {
		t.Errorf("%d new series: %q", len(added), added[:min(len(added), 5)])
	}
	// Of what is live in between, with what is being written and what is on its way.
	if most > 32<<20 {
		t.Errorf("the heap grew by %d KiB", most>>10)
	}
	if most := 10*int(took/time.Second+2) + 10; told > most {
		t.Errorf("%d log lines in %v, over %d", told, took, most)
	}
	t.Logf("%d requests: %d new series, heap %+d KiB at most, %+d KiB in the end, %d log lines in %v", 3**unique, len(added), most>>10, (caddy.Heap(t)-heap)>>10, told, took.Round(time.Second))
	for _, r := range before.Items {
		if r.Evidence != "confirmed" && r.Evidence != "probable" && !r.Documented {
			continue // the latest refused and scanned ones of a host are kept, and no more
		}
		if status, body := caddy.Ask(t, "GET", "/api_guard/routes/"+r.ID); status != 200 {
			t.Errorf("%s %s%s is lost: %d %s", r.Method, r.Host, r.Path, status, body)
		}
	}
}
