package caddytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
)

// twoOf starts two nodes with what the URL of `cluster` says, and has them share a
// limit and an inventory.
func twoOf(t *testing.T, url string, env ...string) []*harness.Caddy {
	t.Helper()
	up := harness.NewUpstream(t)
	cfg := clusterConfigAt(up, url, "rate 5/1m", "rate 5/1h\non_store_failure deny")
	cfg.Env = env
	nodes := []*harness.Caddy{harness.Start(t, cfg), harness.Start(t, cfg)}
	for _, n := range nodes {
		awaitCluster(t, n, "ok", 1)
	}
	passed, missed := guessInTurns(t, nodes, harness.NewClient(), 12)
	if passed > 5 || passed+missed < 5 { // a grant that came too late is lost
		t.Errorf("%d of 12 guesses pass and %d were not judged in time, want 5", passed, missed)
	}
	for i, n := range nodes {
		harness.Await(t, fmt.Sprintf("node %d to tell of what both had", i), func() (string, bool) {
			var list listing[route]
			n.Query(t, "/api_guard/routes?host=api.example.com&method=POST&path=/v2/password-reset", &list)
			count := 0
			for _, r := range list.Items {
				count += r.Count
			}
			return fmt.Sprint(count), count >= 12
		})
	}
	return nodes
}

// guessInTurns is how many of so many guesses a client gets through, besides those that
// were not judged in time.
func guessInTurns(t *testing.T, nodes []*harness.Caddy, client string, times int) (passed, missed int) {
	t.Helper()
	for i := 0; i < times; {
		a := nodes[i%len(nodes)].Do1(t, post("api.example.com", "/v2/password-reset", `{"code":"123456"}`).With("X-Forwarded-For", client))
		switch a.Status {
		case 503: // a busy machine missed the 20 ms
			awaitLimits(t, "ok", nodes...)
			missed++
			continue
		case 429:
		default:
			passed++
		}
		i++
	}
	return passed, missed
}

// onlyGuard leaves a Redis one user, whose rights are the line of the manual as it
// stands there, and more.
func onlyGuard(t *testing.T, redis *needs.RedisServer, more ...any) (credentials string) {
	t.Helper()
	text, err := os.ReadFile("../docs/cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(text), "\nACL SETUSER guard on >PASSWORD ")
	if !ok {
		t.Fatal("docs/cluster.md has no ACL SETUSER")
	}
	line, _, _ = strings.Cut(line, "\n")
	args := []any{"ACL", "SETUSER", "guard", "on", ">a-pass-word"}
	for _, rule := range strings.Fields(line) {
		args = append(args, rule)
	}
	tellRedis(t, redis, append(args, more...)...)
	tellRedis(t, redis, "ACL", "SETUSER", "default", "off")
	return "guard:a-pass-word@"
}

func TestAnACLUserOfARedisIsEnough(t *testing.T) {
	t.Parallel()
	redis := needs.Redis(t)
	twoOf(t, "redis://"+onlyGuard(t, redis)+redis.Addr+"/0")
}

func TestARedisOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key := selfSigned(t, dir)
	redis := needs.Redis(t, "--port", "0", "--tls-port", "<port>", "--tls-auth-clients", "no",
		"--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate)
	twoOf(t, "rediss://"+redis.Addr, "SSL_CERT_FILE="+certificate)

	t.Run("a certificate that nobody trusts is none", func(t *testing.T) {
		caddy := harness.Start(t, clusterConfigAt(harness.NewUpstream(t), "rediss://"+redis.Addr))
		harness.Await(t, "health", func() (string, bool) {
			var h limitsHealth
			caddy.Query(t, "/api_guard/health", &h)
			return h.Cluster.Why, h.Cluster.Status == "down" && strings.Contains(h.Cluster.Why, "certificate")
		})
	})
}

// selfSigned is a certificate for 127.0.0.1 and its key, as files.
func selfSigned(t *testing.T, dir string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a Redis under test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", pkcs8)
}

func TestARedisCluster(t *testing.T) {
	t.Parallel()
	cli := needs.Tool(t, "redis-cli")
	var addrs []string
	var servers []*needs.RedisServer
	for range 3 {
		redis := needs.Redis(t, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "60000")
		addrs, servers = append(addrs, redis.Addr), append(servers, redis)
	}
	args := append(append([]string{"--cluster", "create"}, addrs...), "--cluster-yes")
	if out, err := exec.Command(cli, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	credentials := ""
	for _, redis := range servers {
		credentials = onlyGuard(t, redis, "+cluster", "+command")
	}
	nodes := twoOf(t, "redis://"+credentials+addrs[0]+"?addr="+addrs[1]+"&addr="+addrs[2])
	// Buckets lie in all parts of it.
	for range 8 {
		if passed, missed := guessInTurns(t, nodes, harness.NewClient(), 7); passed > 5 || passed+missed < 5 {
			t.Errorf("%d of 7 guesses pass and %d were not judged in time, want 5", passed, missed)
		}
	}
}

// replicationOffset is how far a Redis says that it has come.
func replicationOffset(t *testing.T, redis *needs.RedisServer, name string) (offset int64) {
	t.Helper()
	info := tellRedis(t, redis, "INFO", "replication")
	_, text, ok := strings.Cut(info, name+":")
	if _, err := fmt.Sscan(text, &offset); !ok || err != nil {
		t.Fatalf("no %s in %s", name, info)
	}
	return offset
}

// A Sentinel makes the replica the master: the nodes find it, and the limit goes on
// where it was.
func TestAFailoverBySentinel(t *testing.T) {
	t.Parallel()
	master := needs.Redis(t)
	replica := needs.Redis(t, "--replicaof", "127.0.0.1", master.Port())
	harness.Await(t, "the replica", func() (string, bool) {
		info := tellRedis(t, replica, "INFO", "replication")
		return info, strings.Contains(info, "master_link_status:up")
	})
	sentinel := needs.Sentinel(t, master)
	harness.Await(t, "the Sentinel to know the replica", func() (string, bool) {
		info := tellRedis(t, sentinel, "INFO", "sentinel")
		return info, strings.Contains(info, "slaves=1")
	})
	nodes := twoOf(t, "redis://"+sentinel.Addr+"?master_name=main")
	client := harness.NewClient()
	before, _ := guessInTurns(t, nodes, client, 3)
	offset := replicationOffset(t, master, "master_repl_offset")
	harness.Await(t, "the replica to know of all guesses", func() (string, bool) {
		n := replicationOffset(t, replica, "slave_repl_offset")
		return fmt.Sprintf("%d of %d bytes", n, offset), n >= offset
	})
	began := time.Now()
	master.Kill()
	// A Sentinel that was not run for two seconds does nothing for half a minute, each time.
	harness.AwaitFor(t, 3*time.Minute, "the replica to be the master", func() (string, bool) {
		info := tellRedis(t, replica, "INFO", "replication")
		return info, strings.Contains(info, "role:master")
	})
	promoted := time.Now()
	for _, n := range nodes {
		harness.Await(t, "guesses to be judged again", func() (string, bool) {
			a := n.Do1(t, post("api.example.com", "/v2/password-reset", `{"code":"123456"}`).With("X-Forwarded-For", harness.NewClient()))
			return a.String(), a.Status != 503
		})
	}
	t.Logf("promoted %s after the master was killed, judged again %s later", promoted.Sub(began).Round(time.Millisecond), time.Since(promoted).Round(time.Millisecond))
	if after, _ := guessInTurns(t, nodes, client, 10); before+after > 5 {
		t.Errorf("%d guesses pass before and %d after, of 5", before, after)
	}
}
