package caddytest

import (
	"flag"
	"fmt"
	"net"
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

	var sent, failed, reset, cut atomic.Int64
	done := make(chan struct{})
	var load sync.WaitGroup
	for range 2 {
		load.Go(func() {
			transport := &http.Transport{DialContext: (&net.Dialer{}).DialContext}
			defer transport.CloseIdleConnections()
			client := http.Client{Transport: transport, Timeout: 20 * time.Second}
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				request, _ := http.NewRequest("GET", "http://"+caddy.HTTP+"/v2/orders/7", nil)
				request.Host = "beta.example.com"
				request.URL.Path = "/v3/orders/7"
				want := 200
				if i%4 == 0 {
					request.Host, request.URL.Path, want = "api.example.com", "/v2/orders", 429
					request.Header.Set("X-Who", "probe")
				}
				resp, err := client.Do(request)
				sent.Add(1)
				switch {
				case err != nil:
					// Caddy cuts as many without the guard, as the twin of this test
					// shows: no request was answered wrongly.
					cut.Add(1)
					continue
				case resp.StatusCode == 200 && want == 429:
					reset.Add(1)
				case resp.StatusCode != want:
					failed.Add(1)
				}
				_ = resp.Body.Close()
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
	if failed.Load() != 0 || reset.Load() != 0 {
		t.Errorf("of %d requests %d failed and %d found a fresh bucket", sent.Load(), failed.Load(), reset.Load())
	}
	if sent.Load() < int64(*reloads) {
		t.Errorf("only %d requests during %d reloads", sent.Load(), *reloads)
	}
	harness.Await(t, "what the reloads held to be given back", func() (string, bool) {
		r, d := held(t, caddy)
		return fmt.Sprintf("%d goroutines of the guard, %d before; %d open files, %d before", r, routines, d, descriptors), r <= routines && d <= descriptors
	})
	t.Logf("%d reloads in %v, %d requests, none answered wrongly, %d cut by Caddy", *reloads, took.Round(time.Millisecond), sent.Load(), cut.Load())
}
