package soak

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/apiguard/caddy-api-guard"
	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var length = flag.Duration("soak", 15*time.Second, "how long the traffic runs; 5m and 30m are the full measures")

// patience is how long something may take that comes by itself, on a machine that
// does much else: the store's and the cluster's next try is up to half a minute away.
const patience = 90 * time.Second

// heapRoom is how much more the heap may hold afterwards than after the warm-up.
const heapRoom = 20 << 20

// onTheWay is how long a request that was let in may take to the upstream, which is where
// guesses are seen, on a machine that does much else.
const onTheWay = 10 * time.Second

func TestMain(m *testing.M) { harness.Main(m) }

func TestNothingIsLeftBehindAndCountsAreWhatWasSent(t *testing.T) {
	up, redis := startUpstream(t), needs.Redis(t)
	run := setting{upstream: up, redis: redis.Addr, ends: time.Now().Add(time.Hour)}
	caddy := harness.Start(t, run.config(false))
	t.Cleanup(func() { tellErrors(t, caddy) })
	awaitHealth(t, caddy)

	// Once with everything, so that what is made at the first use is there.
	warm, stop := context.WithTimeout(t.Context(), 2*time.Second)
	first := all(warm, caddy.HTTP, t)()
	stop()
	reload(t, caddy, run.config(true), 0)
	settle(t, caddy)
	heap, routines, files := caddy.Heap(t), guards(t, caddy), openFiles(t, caddy)
	began, tell := time.Now(), time.Minute
	run.ends = began.Add(*length / 2) // of which the next reload tells

	ctx, stop := context.WithTimeout(t.Context(), *length)
	defer stop()
	done := all(ctx, caddy.HTTP, t)
	reloads := 0
	broken := faults{caddy: caddy, redis: redis}
	for pace := time.Tick(time.Second); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-pace:
			reloads++
			broken.step(t, reloads)
			reload(t, caddy, run.config(reloads%2 == 0), reloads)
			if now := time.Since(began); now >= tell {
				tell += time.Minute
				t.Logf("after %s: %.1f MiB more heap, %d goroutines of the guard, %d guesses passed", now.Round(time.Second), mebibytes(caddy.Heap(t)-heap), guards(t, caddy), len(up.guessed()))
			}
		}
	}
	sums := done()
	broken.mend(t)
	for name, of := range sums {
		t.Logf("%-13s %6d sent, %d cut, %v", name, of.sent, of.failed, of.statuses)
		// Each of the two clients of a kind may lose the connection that it has at a reload,
		// and the next one if what ends has accepted that. TestReloadsCutNoMore… compares.
		if name != "aborted" && of.failed > 4*(reloads+1) {
			t.Errorf("%s: %d of %d were cut, over %d reloads", name, of.failed, of.sent, reloads)
		}
	}
	if n := sums["by clock"].statuses; n[200] == 0 || n[410] == 0 {
		t.Errorf("v0 answered %v: its end did not come, or came at once", n)
	}
	if n := sums["by date"].statuses; n[200] == 0 || n[410] == 0 {
		t.Errorf("v1 answered %v: its date did not pass and come back", n)
	}

	wantFiveAMinute(t, up.guessed())

	mended := time.Now()
	awaitHealth(t, caddy)
	t.Logf("store and cluster were healthy %s after the last fault", time.Since(mended).Round(time.Second))
	settle(t, caddy)
	wantCount(t, caddy, "/v2/orders/{id}", first["valid"], sums["valid"])
	wantCount(t, caddy, "/v2/password-reset", first["guesses"], sums["guesses"])
	// What a pool holds outlives the first collection after its last use.
	harness.AwaitFor(t, patience, "what the guard had running to end", func() (string, bool) {
		r, f, grown := guards(t, caddy), openFiles(t, caddy), caddy.Heap(t)-heap
		stands := fmt.Sprintf("%d goroutines of the guard, %d before; %d open files, %d before; the heap grew by %.1f MiB, %.1f may stay", r, routines, f, files, mebibytes(grown), mebibytes(heapRoom))
		if r > routines || f > files || grown > heapRoom {
			return stands, false
		}
		t.Log(stands)
		return "", true
	})

	// The next process has all of it from the disk.
	caddy.Stop()
	caddy.Again(t)
	awaitHealth(t, caddy) // until then memory serves
	wantCount(t, caddy, "/v2/orders/{id}", first["valid"], sums["valid"])
	wantCount(t, caddy, "/v2/password-reset", first["guesses"], sums["guesses"])
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// wantFiveAMinute holds that within any minute 5 guesses at most passed, with reloads,
// without Redis, and when it was there again and had forgotten all.
func wantFiveAMinute(t *testing.T, passed []time.Time) {
	t.Helper()
	if len(passed) < guessRate {
		t.Errorf("%d guesses passed, %d may", len(passed), guessRate)
		return
	}
	t.Logf("%d guesses passed within %s", len(passed), passed[len(passed)-1].Sub(passed[0]).Round(time.Second))
	for i := guessRate; i < len(passed); i++ {
		if within := passed[i].Sub(passed[i-guessRate]); within < time.Minute-onTheWay {
			t.Errorf("%d guesses passed within %s, the last of them after %s", guessRate+1, within, passed[i].Sub(passed[0]))
		}
	}
}

// tellErrors shows of a run that failed what Caddy logged of its 5xx last.
func tellErrors(t *testing.T, caddy *harness.Caddy) {
	if !t.Failed() {
		return
	}
	var lines []string
	for line := range strings.Lines(caddy.Log()) {
		if strings.Contains(line, `"status":5`) || strings.Contains(line, `"status": 5`) {
			lines = append(lines, line)
		}
	}
	t.Logf("%d answers of Caddy's were 5xx, the last of them:\n%s", len(lines), strings.Join(lines[max(len(lines)-10, 0):], ""))
}

// reload takes over a configuration that differs from every other one.
func reload(t *testing.T, caddy *harness.Caddy, cfg harness.Config, i int) {
	t.Helper()
	cfg.Caddyfile = strings.Replace(cfg.Caddyfile, "\tapi orders {\n", fmt.Sprintf("\tapi orders {\n\t\t\tpurpose \"%d\"\n", i), 1)
	if status, body := caddy.Reload(t, cfg); status != 200 {
		t.Errorf("reload %d: %s", i, body)
	}
}

// settle waits until no request runs any more: those that were aborted end when
// Caddy notices.
func settle(t *testing.T, caddy *harness.Caddy) {
	t.Helper()
	harness.AwaitFor(t, patience, "all requests to end", func() (string, bool) {
		_, body := caddy.Ask(t, "GET", "/debug/pprof/goroutine?debug=2")
		return "some run", !strings.Contains(string(body), "caddy-api-guard.(*Handler).ServeHTTP")
	})
}

// wantCount holds the inventory against what clients saw: every answer was
// counted, and no more than what was sent.
func wantCount(t *testing.T, caddy *harness.Caddy, path string, of ...*tally) {
	t.Helper()
	answered, sent := 0, 0
	for _, o := range of {
		sent += o.sent
		for _, n := range o.statuses {
			answered += n
		}
	}
	var list struct {
		Items []struct {
			Path  string `json:"path"`
			Count int    `json:"count"`
		} `json:"items"`
	}
	caddy.Query(t, "/api_guard/routes?api=orders&version=v2", &list)
	for _, r := range list.Items {
		if r.Path == path {
			if r.Count < answered || r.Count > sent {
				t.Errorf("%s: %d counted; %d were sent and %d answered", path, r.Count, sent, answered)
			}
			return
		}
	}
	t.Errorf("%s is not in the inventory: %+v", path, list.Items)
}

// guards are the goroutines of the guard.
func guards(t *testing.T, caddy *harness.Caddy) int {
	t.Helper()
	_, body := caddy.Ask(t, "GET", "/debug/pprof/goroutine?debug=2")
	n := 0
	for one := range strings.SplitSeq(string(body), "\n\n") {
		if strings.Contains(one, "apiguard/caddy-api-guard") && !strings.Contains(one, "harness.exitWithParent") {
			n++
		}
	}
	return n
}

// openFiles are the descriptors of files; those of idle connections come and go.
func openFiles(t *testing.T, caddy *harness.Caddy) int {
	t.Helper()
	folder := filepath.Join("/proc", strconv.Itoa(caddy.PID()), "fd")
	list, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	n := 0
	for _, entry := range list {
		if to, err := os.Readlink(filepath.Join(folder, entry.Name())); err == nil && strings.HasPrefix(to, "/") {
			n++
		}
	}
	return n
}
