package caddytest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
)

// cluster is what health says of the other nodes.
type cluster struct {
	Status string `json:"status"`
	Why    string `json:"why"`
	Node   string `json:"node"`
	Nodes  []struct {
		Node  string    `json:"node"`
		Heard time.Time `json:"heard"`
		Live  bool      `json:"live"`
	} `json:"nodes"`
}

func clusterOf(t *testing.T, caddy *harness.Caddy) cluster {
	t.Helper()
	var health struct {
		Cluster cluster `json:"cluster"`
	}
	caddy.Query(t, "/api_guard/health", &health)
	return health.Cluster
}

func awaitCluster(t *testing.T, caddy *harness.Caddy, status string, live int) {
	t.Helper()
	harness.Await(t, fmt.Sprintf("the cluster to be %s with %d live nodes", status, live), func() (string, bool) {
		c := clusterOf(t, caddy)
		n := 0
		for _, node := range c.Nodes {
			if node.Live {
				n++
			}
		}
		return fmt.Sprintf("%+v", c), c.Status == status && n >= live
	})
}

// countOf is how many requests a node tells of that a route had.
func countOf(t *testing.T, caddy *harness.Caddy, path string) int {
	t.Helper()
	var list listing[route]
	caddy.Query(t, "/api_guard/routes?host=api.example.com&method=GET&path="+path, &list)
	n := 0
	for _, r := range list.Items {
		n += r.Count
	}
	return n
}

// tellOfOneNode looks whether a node of a fleet of three says of what is its own alone
// that it is.
func tellOfOneNode(t *testing.T, node *harness.Caddy) {
	t.Helper()
	none := harness.Config{Caddyfile: "{\n}\n"}
	text, ok := harness.Command(t, none, "api-guard", "override", "request", "monitor", "--ttl", "1m", "--reason", "a test", "--address", node.Admin)
	if !ok || !strings.Contains(text, "on this node alone. The cluster has 2 nodes more") {
		t.Errorf("an override: %v\n%s", ok, text)
	}
	text, ok = harness.Command(t, none, "api-guard", "plan", "--address", node.Admin)
	if !ok || !strings.Contains(text, "Note: Requests, their days and the trend are those of this node") {
		t.Errorf("a plan: %v\n%s", ok, text)
	}
}

// Three Caddys and a Redis that is not there at first, goes, and comes back with
// nothing: they serve throughout, say how it is, and each tells of all in the end,
// one of them killed and started again.
func TestThreeNodesHaveOneInventory(t *testing.T) {
	t.Parallel()
	server := needs.NewRedis(t)
	up := harness.NewUpstream(t)
	guard := "cluster redis://" + server.Addr + "/0 {\n\tsecret \"a secret of the whole fleet\"\n\tprefix test:\n}\n" +
		strings.Replace(fleet, "unknown_route enforce", "unknown_route monitor\nunknown_host monitor", 1)
	var nodes []*harness.Caddy
	for range 3 {
		nodes = append(nodes, harness.Start(t, harness.Config{
			Guard: guard, Sites: "http://:<http> {\n\timport guarded\n}\n", Upstream: up,
			Files: map[string]string{"orders.yaml": ordersDocument},
		}))
	}
	sent := 0
	call := func(node, times int) {
		for range times {
			sent++
			for _, target := range []string{"/v2/orders/7", "/v2/debug"} {
				if a := nodes[node].Do1(t, get("api.example.com", target)); a.Status != 200 {
					t.Fatalf("node %d answers %v", node, a)
				}
			}
		}
	}
	agree := func() {
		t.Helper()
		for i := range nodes {
			for _, path := range []string{"/v2/orders/{id}", "/v2/debug"} {
				harness.Await(t, fmt.Sprintf("node %d to tell of all requests to %s", i, path), func() (string, bool) {
					n := countOf(t, nodes[i], path)
					if n > sent {
						t.Fatalf("node %d tells of %d requests to %s, and there were %d", i, n, path, sent)
					}
					return fmt.Sprintf("%d of %d", n, sent), n == sent
				})
			}
		}
	}
	call(0, 3)
	awaitCluster(t, nodes[0], "down", 0)
	server.Start()
	call(1, 5)
	for _, node := range nodes {
		awaitCluster(t, node, "ok", 2)
	}
	agree()
	tellOfOneNode(t, nodes[0])

	server.Kill()
	call(2, 4)
	for _, node := range nodes {
		awaitCluster(t, node, "down", 0)
	}
	if n := countOf(t, nodes[0], "/v2/debug"); n < 8 {
		t.Errorf("alone, a node tells of %d requests", n)
	}
	_, metrics := ask(t, nodes[0], "/metrics", "*/*")
	if !strings.Contains(metrics, "caddy_api_guard_store_failures_total") || strings.Contains(metrics, "caddy_api_guard_store_failures_total 0\n") {
		t.Error("no metric tells of it")
	}
	nodes[1].Kill()
	nodes[1].Again(t)
	call(1, 2)
	server.Start()
	for _, node := range nodes {
		awaitCluster(t, node, "ok", 2)
	}
	agree()

	var consumers listing[struct {
		Consumer string `json:"consumer"`
		Count    int    `json:"count"`
	}]
	nodes[0].Query(t, "/api_guard/consumers?version=v2", &consumers)
	if len(consumers.Items) != 1 {
		t.Errorf("one client is these consumers: %+v", consumers.Items)
	}
	harness.Await(t, "the feed of the others", func() (string, bool) {
		_, body := ask(t, nodes[2], "/api_guard/feed", "*/*")
		return body, strings.Contains(body, `"path":"/v2/debug"`)
	})
}
