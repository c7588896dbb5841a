package caddytest

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

var reloads = flag.Int("reloads", 12, "how many reloads run under load; 100 is the full measure")

// held is how many goroutines of the guard the process has, and how many
// descriptors of files. Caddy itself leaves idle connections to upstreams, and the
// goroutines around them, behind for minutes after a reload, guard or not.
func held(t *testing.T, c *harness.Caddy) (routines, files int) {
	t.Helper()
	_, body := c.Ask(t, "GET", "/debug/pprof/goroutine?debug=1")
	for group := range strings.SplitSeq(string(body), "\n\n") {
		number, _, ok := strings.Cut(group, " @")
		if !ok || !strings.Contains(group, "apiguard/caddy-api-guard") || strings.Contains(group, "harness.exitWithParent") {
			continue
		}
		words := strings.Fields(number)
		n, err := strconv.Atoi(words[len(words)-1])
		if err != nil {
			t.Fatalf("reading the goroutine profile: %v", err)
		}
		routines += n
	}
	folder := filepath.Join("/proc", strconv.Itoa(c.PID()), "fd")
	list, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, entry := range list {
		if to, err := os.Readlink(filepath.Join(folder, entry.Name())); err == nil && strings.HasPrefix(to, "/") {
			files++
		}
	}
	return routines, files
}

func TestReloadsUnderLoadAnswerNothingWronglyAndLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t, "version v2 {", "version v2 {\nlimit once {\nkey {http.request.header.X-Who}\nrate 1/1d\n}")
	good := func(i int) harness.Config {
		return fleetConfig(up, "version v2 {", "version v2 {\nlimit once {\nkey {http.request.header.X-Who}\nrate 1/1d\n}",
			"purpose \"create", fmt.Sprintf("purpose \"%d: create", i))
	}
	probe := get("api.example.com", "/v2/orders").With("X-Who", "probe")
	if got := caddy.Do1(t, probe); got.Status != 200 {
		t.Fatalf("the first request of the day: %v", got)
	}
	for i := range 2 { // until all that is made once is there
		caddy.Reload(t, good(-i))
	}
	routines, descriptors := held(t, caddy)

	var wrong, reset atomic.Int64
	visitors := []*visitor{newVisitor(), newVisitor()}
	done := make(chan struct{})
	var load sync.WaitGroup
	for _, v := range visitors {
		load.Go(func() {
			defer v.close()
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				host, path, want := "beta.example.com", "/v3/orders/7", 200
				var header http.Header
				if i%4 == 0 {
					host, path, want = "api.example.com", "/v2/orders", 429
					header = http.Header{"X-Who": {"probe"}}
				}
				switch status, _, ok := v.get("http://"+caddy.HTTP+path, host, header); {
				case !ok: // counted by itself
				case status == 200 && want == 429:
					reset.Add(1)
				case status != want:
					wrong.Add(1)
				}
			}
		})
	}
	began := time.Now()
	for i := range *reloads {
		if i%2 == 1 {
			if status, body := caddy.Reload(t, brokenAfter(up)); status == 200 {
				t.Errorf("a broken configuration was taken: %s", body)
			}
			continue
		}
		if status, body := caddy.Reload(t, good(i)); status != 200 {
			t.Errorf("reload %d: %s", i, body)
		}
	}
	took := time.Since(began)
	close(done)
	load.Wait()
	var sent, cut, failed int64
	for _, v := range visitors {
		sent, cut, failed = sent+v.sent.Load(), cut+v.cut.Load(), failed+v.failed.Load()
	}
	if failed != 0 || wrong.Load() != 0 || reset.Load() != 0 {
		t.Errorf("of %d requests %d failed, %d were answered wrongly and %d found a fresh bucket", sent, failed, wrong.Load(), reset.Load())
	}
	if sent < int64(*reloads) {
		t.Errorf("only %d requests during %d reloads", sent, *reloads)
	}
	harness.Await(t, "what the reloads held to be given back", func() (string, bool) {
		r, d := held(t, caddy)
		return fmt.Sprintf("%d goroutines of the guard, %d before; %d open files, %d before", r, routines, d, descriptors), r <= routines && d <= descriptors
	})
	t.Logf("%d reloads in %v, %d requests, none failed, none answered wrongly; %d sent again, since Caddy had closed their connection unanswered", *reloads, took.Round(time.Millisecond), sent, cut)
}
