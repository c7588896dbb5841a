package caddytest

import (
	"context"
	"crypto/sha1"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/faultproxy"
	"github.com/apiguard/caddy-api-guard/internal/needs"
)

// faultyFleet is two Caddys and a Redis, each of them behind a proxy.
type faultyFleet struct {
	redis   *needs.RedisServer
	proxies []*faultproxy.Proxy
	nodes   []*harness.Caddy
}

const (
	clientRate = 30 // of per_client, an hour
	guessRate  = 5  // of password_reset, an hour, which says deny
)

func newFaultyFleet(t *testing.T) *faultyFleet {
	t.Helper()
	f := &faultyFleet{redis: needs.Redis(t)}
	up := harness.NewUpstream(t)
	for range 2 {
		p := faultproxy.New(t, f.redis.Addr)
		f.proxies = append(f.proxies, p)
		f.nodes = append(f.nodes, harness.Start(t, clusterConfig(up, p.Addr, "rate 5/1m", "rate 5/1h",
			"limit password_reset {", fmt.Sprintf("limit per_client {\nrate %d/1h\n}\nlimit password_reset {\non_store_failure deny", clientRate),
			"api orders {", "passthrough probes {\npath /healthz\nmethods GET\nreason \"what knows nothing of limits\"\n}\napi orders {")))
	}
	awaitLimits(t, "ok", f.nodes...)
	// Each counts the nodes once a second, by ZCARD: twice, and each knows of all.
	first := -1
	harness.Await(t, "the nodes to know of each other", func() (string, bool) {
		n := 0
		if _, calls, ok := strings.Cut(tellRedis(t, f.redis, "INFO", "commandstats"), "cmdstat_zcard:calls="); ok {
			_, _ = fmt.Sscanf(calls, "%d,", &n)
		}
		if first < 0 {
			first = n
		}
		return fmt.Sprint(n - first), n >= first+2*len(f.nodes)
	})
	return f
}

func (f *faultyFleet) each(do func(*faultproxy.Proxy)) {
	for _, p := range f.proxies {
		do(p)
	}
}

// pass has a client ask in turns and tells how often it was let through.
func (f *faultyFleet) pass(t *testing.T, client string, times int) (passed int) {
	t.Helper()
	for i := range times {
		switch a := f.nodes[i%len(f.nodes)].Do1(t, get("api.example.com", "/v2/orders").With("X-Forwarded-For", client)); a.Status {
		case 200:
			passed++
		case 429:
		default:
			t.Fatalf("a request is answered %v", a)
		}
	}
	return passed
}

func (f *faultyFleet) guess(t *testing.T, node int, client string) int {
	t.Helper()
	a := f.nodes[node].Do1(t, post("api.example.com", "/v2/password-reset", `{"code":"123456"}`).With("X-Forwarded-For", client))
	if a.Status == 503 && (a.Header.Get("Retry-After") != "1" || !strings.Contains(string(a.Body), "limits-unavailable")) {
		t.Errorf("a refusal for want of the store: %v", a)
	}
	return a.Status
}

// times are how long requests take, each of a client that nobody knows, and in turns
// with them those that no limit binds, which know nothing of Redis.
func (f *faultyFleet) times(t *testing.T, n int) (limited, unlimited []time.Duration) {
	t.Helper()
	took := func(target string) time.Duration {
		began := time.Now()
		if a := f.nodes[0].Do1(t, get("api.example.com", target).With("X-Forwarded-For", harness.NewClient())); a.Status != 200 {
			t.Fatalf("a request is answered %v", a)
		}
		return time.Since(began)
	}
	for range n {
		limited, unlimited = append(limited, took("/v2/orders")), append(unlimited, took("/healthz"))
	}
	return limited, unlimited
}

// missed is how often Redis did not answer in time, by what the nodes count.
func (f *faultyFleet) missed(t *testing.T) (n int) {
	t.Helper()
	for _, node := range f.nodes {
		failures := 0
		_, text, ok := strings.Cut(node.Metrics(t), "\ncaddy_api_guard_store_failures_total ")
		if _, err := fmt.Sscan(text, &failures); !ok || err != nil {
			t.Fatalf("the metric of failures is %.20q", text)
		}
		n += failures
	}
	return n
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// awaitGuesses waits until guesses are judged again on a node.
func (f *faultyFleet) awaitGuesses(t *testing.T, node int, judged bool) (took time.Duration) {
	t.Helper()
	began := time.Now()
	harness.Await(t, fmt.Sprintf("node %d to judge guesses: %t", node, judged), func() (string, bool) {
		status := f.guess(t, node, harness.NewClient())
		return fmt.Sprint(status), (status != 503) == judged
	})
	return time.Since(began)
}

// Whatever happens to a Redis: nothing is refused for it but what says `deny`, nobody
// waits for it, it goes on when Redis does, and a client gets no more than the limit
// says: N of it at most besides what it had before, and the rest of N where Redis
// answers but has forgotten.
func TestFaultsOfARedis(t *testing.T) {
	for _, fault := range []struct {
		name       string
		begin, end func(*testing.T, *faultyFleet)
		answers    bool // Redis does, all the time
		forgets    int  // how many grants of before nobody can tell Redis of again
		one        bool // only the first node is without it
	}{
		{name: "stands still",
			begin: func(_ *testing.T, f *faultyFleet) { _ = f.redis.Process.Signal(syscall.SIGSTOP) },
			end:   func(_ *testing.T, f *faultyFleet) { _ = f.redis.Process.Signal(syscall.SIGCONT) }},
		{name: "is killed and comes back with nothing",
			begin: func(_ *testing.T, f *faultyFleet) { f.redis.Kill() },
			end:   func(_ *testing.T, f *faultyFleet) { f.redis.Start() }},
		{name: "answers after 5 s",
			begin: func(_ *testing.T, f *faultyFleet) {
				f.each(func(p *faultproxy.Proxy) { p.Delay(5 * time.Second) })
			},
			end: func(_ *testing.T, f *faultyFleet) { f.each((*faultproxy.Proxy).Pass) }},
		{name: "is half open",
			begin: func(_ *testing.T, f *faultyFleet) { f.each((*faultproxy.Proxy).Silence) },
			end:   func(_ *testing.T, f *faultyFleet) { f.each((*faultproxy.Proxy).Pass) }},
		{name: "refuses connections",
			begin: func(_ *testing.T, f *faultyFleet) { f.each((*faultproxy.Proxy).Refuse) },
			end:   func(_ *testing.T, f *faultyFleet) { f.each((*faultproxy.Proxy).Pass) }},
		{name: "is out of one node's reach", one: true,
			begin: func(_ *testing.T, f *faultyFleet) { f.proxies[0].Silence() },
			end:   func(_ *testing.T, f *faultyFleet) { f.proxies[0].Pass() }},
		// The node that did not see the last grant may be the first to ask again.
		{name: "is flushed", answers: true, forgets: 1,
			begin: func(t *testing.T, f *faultyFleet) { tellRedis(t, f.redis, "FLUSHALL") },
			end:   func(*testing.T, *faultyFleet) {}},
		{name: "has a clock an hour back", answers: true,
			begin: func(t *testing.T, f *faultyFleet) { f.clockBack(t) },
			end:   func(_ *testing.T, f *faultyFleet) { f.each((*faultproxy.Proxy).Pass) }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			f := newFaultyFleet(t)
			client := harness.NewClient()
			had := f.pass(t, client, 10)
			if had != 10 {
				t.Fatalf("%d of 10 pass before", had)
			}
			before, _ := f.times(t, 3)
			missed := f.missed(t)
			fault.begin(t, f)
			took, _ := f.times(t, 3)
			if !fault.answers {
				f.awaitGuesses(t, 0, false)
			} else { // a busy machine may miss the 20 ms, and is asked again
				f.awaitGuesses(t, 0, true)
			}
			if fault.one { // the other node goes on
				f.awaitGuesses(t, 1, true)
			}
			// A request that waited for Redis would take 20 ms more than one that does not.
			// What a machine that does much else takes longer now and then is none of the
			// guard's.
			harness.Await(t, "requests that wait for nothing", func() (string, bool) {
				limited, unlimited := f.times(t, 12)
				added := median(limited) - median(unlimited)
				return added.String() + " more", added <= 15*time.Millisecond
			})
			got := f.pass(t, client, 3*clientRate)
			limit := clientRate - had + fault.forgets
			switch {
			case fault.one: // it has its share alone, the other one the rest
				limit += clientRate / 2
			case !fault.answers, f.missed(t) > missed: // of a busy machine Redis may miss its 20 ms
				limit += had
			}
			if got > limit || got < clientRate/2-had/2 {
				t.Errorf("%d requests pass besides the %d before, want at most %d", got, had, limit)
			}
			began := time.Now()
			fault.end(t, f)
			f.awaitGuesses(t, 0, true)
			back := time.Since(began)
			after := f.pass(t, client, 2*clientRate)
			if total := had + got + after; total > 2*clientRate {
				t.Errorf("%d requests pass in all, of a limit of %d", total, clientRate)
			}
			awaitLimits(t, "ok", f.nodes...)
			harness.Await(t, "what was counted", func() (string, bool) {
				n := f.pass(t, client, 2)
				return fmt.Sprint(n), n == 0
			})
			t.Logf("a request takes %s before, then %s; judged again %s after the end; %d passed before, %d during, %d after",
				median(before).Round(10*time.Microsecond), round(took), back.Round(time.Millisecond), had, got, after)
		})
	}
}

func round(d []time.Duration) (r []time.Duration) {
	for _, d := range d {
		r = append(r, d.Round(10*time.Microsecond))
	}
	return r
}

func tellRedis(t *testing.T, server *needs.RedisServer, args ...any) string {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer client.Close()
	text, err := client.Do(context.Background(), args...).Text()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return text
}

// clockBack has Redis run the store's script with another clock: the proxies replace
// the script's hash by that of one which asks for the time of an hour ago.
func (f *faultyFleet) clockBack(t *testing.T) {
	t.Helper()
	source, err := os.ReadFile("../ratelimit/redisstore/take.lua")
	if err != nil {
		t.Fatal(err)
	}
	const clock, back = "redis.call('TIME')", "(function() local t = redis.call('TIME'); return {t[1] - 3600, t[2]} end)()"
	if strings.Count(string(source), clock) != 1 {
		t.Fatalf("the script does not ask for %s once", clock)
	}
	shifted := tellRedis(t, f.redis, "SCRIPT", "LOAD", strings.Replace(string(source), clock, back, 1))
	f.each(func(p *faultproxy.Proxy) { p.Rewrite(fmt.Sprintf("%x", sha1.Sum(source)), shifted) })
}
