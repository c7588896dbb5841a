package caddytest

import (
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
)

// clusterConfig is the fleet's, with its limits shared in a Redis.
func clusterConfig(up *harness.Upstream, redis string, changes ...string) harness.Config {
	cfg := fleetConfig(up, append(changes, "policy {", "cluster redis://"+redis+" {\nsecret not-a-secret-of-anybody\n}\npolicy {")...)
	cfg.Sites = "http://:<http> {\n\timport guarded\n}\n"
	return cfg
}

type limitsHealth struct {
	Cluster struct{ Status, Why string }
}

func awaitLimits(t *testing.T, status string, nodes ...*harness.Caddy) {
	t.Helper()
	for _, n := range nodes {
		var h limitsHealth
		for deadline := time.Now().Add(20 * time.Second); h.Cluster.Status != status; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the cluster is %+v, want %s", h.Cluster, status)
			}
			n.Query(t, "/api_guard/health", &h)
		}
	}
}

// Behind a load balancer a guesser meets another node each time: the limit is one.
func TestThreeCaddysShareOneLimit(t *testing.T) {
	t.Parallel()
	redis := needs.Redis(t)
	up := harness.NewUpstream(t)
	var nodes []*harness.Caddy
	for range 3 {
		nodes = append(nodes, harness.Start(t, clusterConfig(up, redis.Addr, "rate 5/1m", "rate 5/1h\non_store_failure deny")))
	}
	awaitLimits(t, "ok", nodes...)
	for name, pick := range map[string]func(int) *harness.Caddy{
		"in turns":          func(i int) *harness.Caddy { return nodes[i%3] },
		"one node":          func(int) *harness.Caddy { return nodes[0] },
		"one after another": func(i int) *harness.Caddy { return nodes[min(i/5, 2)] },
	} {
		client := harness.NewClient()
		passed := 0
		for i := 0; i < 15; i++ {
			a := pick(i).Do1(t, post("api.example.com", "/v2/password-reset", `{"code":"123456"}`).With("X-Forwarded-For", client))
			switch a.Status {
			case 429:
			case 503: // a busy machine missed the 20 ms
				awaitLimits(t, "ok", nodes...)
				i--
			default:
				passed++
			}
		}
		// A token whose grant came later than its request waited for is lost.
		if passed > 5 || passed < 3 {
			t.Errorf("%s: %d guesses reached the upstream, want 5", name, passed)
		}
	}
}

// A Redis that stands still, is gone, or is there again: nothing but what says `deny`
// is refused, health says so, and it goes on when Redis does.
func TestARedisThatStandsStillHoldsUpNobody(t *testing.T) {
	t.Parallel()
	redis := needs.Redis(t)
	proxy := newFaultProxy(t, redis.Addr)
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, clusterConfig(up, proxy.addr,
		"limit password_reset {", "limit per_client {\nrate 1000/1m\n}\nlimit password_reset {\non_store_failure deny"))
	guess := func() harness.Answer {
		return caddy.Do1(t, post("api.example.com", "/v2/password-reset", `{"code":"123456"}`).With("X-Forwarded-For", harness.NewClient()))
	}
	for name, fault := range map[string]struct{ begin, end func() }{
		"stopped": {
			func() { _ = redis.Process.Signal(syscall.SIGSTOP) }, func() { _ = redis.Process.Signal(syscall.SIGCONT) },
		},
		"half-open": {func() { proxy.set(silent) }, func() { proxy.set(pass) }},
		"refusing":  {func() { proxy.set(refuse) }, func() { proxy.set(pass) }},
	} {
		awaitLimits(t, "ok", caddy)
		if a := guess(); a.Status != 200 && a.Status != 503 {
			t.Errorf("%s: before, a guess is %v", name, a)
		}
		fault.begin()
		var times []time.Duration
		for range 12 {
			began := time.Now()
			a := caddy.Do1(t, get("api.example.com", "/v2/orders").With("X-Forwarded-For", harness.NewClient()))
			if times = append(times, time.Since(began).Round(100*time.Microsecond)); a.Status != 200 {
				t.Errorf("%s: a request is %v", name, a)
			}
		}
		t.Logf("%s: requests take %v", name, times)
		awaitLimits(t, "down", caddy)
		a := guess()
		if a.Status != 503 || a.Header.Get("Retry-After") != "1" || !strings.Contains(string(a.Body), "limits-unavailable") {
			t.Errorf("%s: a guess is %v %s", name, a, a.Body)
		}
		began := time.Now()
		fault.end()
		awaitLimits(t, "ok", caddy)
		t.Logf("%s: asked again after %s", name, time.Since(began).Round(time.Millisecond))
	}
	if !strings.Contains(caddy.Metrics(t), "caddy_api_guard_store_failures_total") {
		t.Error("no metric tells of the failures")
	}
}

func TestACaddyStartsWithoutItsRedis(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, clusterConfig(up, "127.0.0.1:1"))
	awaitLimits(t, "down", caddy)
	passed := 0
	client := harness.NewClient()
	for range 8 {
		if a := caddy.Do1(t, post("api.example.com", "/v2/password-reset", `{"code":"123456"}`).With("X-Forwarded-For", client)); a.Status != 429 {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("%d guesses passed on a node alone, want 5", passed)
	}
}

// Nobody learns a password from an error, from health or from the log.
func TestACredentialOfRedisIsNowhereToBeRead(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, clusterConfig(up, "guard:hunter2-of-redis@127.0.0.1:1"))
	awaitLimits(t, "down", caddy)
	_, health := caddy.Ask(t, "GET", "/api_guard/health")
	for what, text := range map[string]string{"health": string(health), "the log": caddy.Log()} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "not-a-secret") {
			t.Errorf("%s tells a secret: %s", what, text)
		}
	}
}

type fault int

const (
	pass fault = iota
	silent
	refuse
)

// faultProxy stands between a Caddy and its Redis.
type faultProxy struct {
	addr, to string

	mu    sync.Mutex
	fault fault
	conns map[net.Conn]bool
}

func newFaultProxy(t *testing.T, to string) *faultProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &faultProxy{addr: l.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = l.Close(); p.set(refuse) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

// set changes the fault. Connections end with it, but into silence.
func (p *faultProxy) set(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
	if f == silent {
		return
	}
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *faultProxy) now() fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault
}

func (p *faultProxy) serve(c net.Conn) {
	defer c.Close()
	if p.now() == refuse {
		return
	}
	up, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.conns[c], p.conns[up] = true, true
	p.mu.Unlock()
	defer func() {
		_ = up.Close()
		p.mu.Lock()
		delete(p.conns, c)
		delete(p.conns, up)
		p.mu.Unlock()
	}()
	go p.copy(up, c)
	p.copy(c, up)
}

func (p *faultProxy) copy(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if p.now() != silent {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
