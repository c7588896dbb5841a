package caddytest

import (
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
)

// clusterConfig is the fleet's, with its limits shared in a Redis.
func clusterConfig(up *harness.Upstream, redis string, changes ...string) harness.Config {
	return clusterConfigAt(up, "redis://"+redis, changes...)
}

func clusterConfigAt(up *harness.Upstream, url string, changes ...string) harness.Config {
	cfg := fleetConfig(up, append(changes, "policy {", "cluster "+url+" {\nsecret not-a-secret-of-anybody\n}\npolicy {")...)
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
		for deadline := time.Now().Add(time.Minute); h.Cluster.Status != status; time.Sleep(20 * time.Millisecond) {
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
		passed, missed := 0, 0
		for i := 0; i < 15; i++ {
			a := pick(i).Do1(t, post("api.example.com", "/v2/password-reset", `{"code":"123456"}`).With("X-Forwarded-For", client))
			switch a.Status {
			case 429:
			case 503: // a busy machine missed the 20 ms
				awaitLimits(t, "ok", nodes...)
				missed++
				i--
			default:
				passed++
			}
		}
		// A token whose grant came later than its request waited for is lost.
		if passed > 5 || passed+missed < 5 {
			t.Errorf("%s: %d guesses reached the upstream and %d missed it, want 5", name, passed, missed)
		}
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
