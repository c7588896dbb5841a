package attacks

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/needs"
)

// startNginx runs a real nginx that answers a request with the operation that its
// locations resolve it to, "none" where there is none, and the target that it got.
// It listens on a socket in a folder of its own, whose path it returns.
func startNginx(t *testing.T) (socket string) {
	t.Helper()
	binary := needs.Tool(t, "nginx")
	dir, err := os.MkdirTemp("", "nginx") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "socket")

	var locations strings.Builder
	for _, r := range routes {
		// nginx matches what it has decoded, merged and resolved.
		fmt.Fprintf(&locations, "location ~ \"^(?:%s)\\z\" { return 200 \"%s $request_uri\"; }\n", r.decoded, r.id)
	}
	config := filepath.Join(dir, "nginx.conf")
	err = os.WriteFile(config, fmt.Appendf(nil, `
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr crit;
events { worker_connections 64; }
http {
	access_log off;
	default_type text/plain;
	keepalive_requests 100000000;
	large_client_header_buffers 4 32k;
	client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
	server {
		listen unix:%[2]s;
		location / { return 200 "none $request_uri"; }
		%[3]s
	}
}
`, dir, socket, locations.String()), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd := exec.Command(binary, "-e", "stderr", "-p", dir, "-c", config)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting nginx: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
	})
	for deadline := time.Now().Add(time.Minute); ; {
		if conn, err := net.Dial("unix", socket); err == nil {
			_ = conn.Close()
			return socket
		}
		select {
		case <-exited:
			t.Fatalf("nginx ended instead of serving: %s", log.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("nginx does not serve after a minute")
		}
	}
}

// askNginx sends the targets on one connection, without waiting for answers, and
// calls found with each answer: the operation, or what was wrong.
func askNginx(t *testing.T, socket string, targets []string, found func(i int, operation string)) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := make(chan error, 1)
	go func() {
		out := bufio.NewWriterSize(conn, 64<<10)
		for _, target := range targets {
			_, _ = out.WriteString("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")
		}
		sent <- out.Flush()
	}()
	in := bufio.NewReaderSize(conn, 64<<10)
	for i, target := range targets {
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("asking nginx for %q: %v", target, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("asking nginx for %q: %v", target, err)
		}
		operation, got, _ := strings.Cut(string(body), " ")
		switch {
		case resp.StatusCode != http.StatusOK:
			operation = fmt.Sprintf("a target that gets %d", resp.StatusCode)
		case got != target:
			operation = fmt.Sprintf("the target %q", got)
		case operation == "none":
			operation = ""
		}
		found(i, operation)
		if resp.Close && i+1 < len(targets) {
			t.Fatalf("nginx closes the connection after %q", target)
		}
	}
	if err := <-sent; err != nil {
		t.Fatalf("asking nginx: %v", err)
	}
}

// nginx asks a real nginx what it makes of the targets.
func nginx(t *testing.T, targets, operations []string) {
	t.Helper()
	wrong := 0
	askNginx(t, startNginx(t), targets, func(i int, operation string) {
		if operation == operations[i] {
			return
		}
		if wrong++; wrong <= 10 {
			t.Errorf("%q was judged as %q; nginx reads %q", targets[i], operations[i], operation)
		}
	})
	t.Logf("nginx agrees on %d of %d targets", len(targets)-wrong, len(targets))
}

// The nginx under test must be able to disagree.
func TestNginxReadsWhatGatewaysMissed(t *testing.T) {
	targets := []string{
		"/v2/orders/../admin", "/v2/orders/%2e%2e/admin", "/v2/orders/..%2fadmin", "/v2%2fadmin", "/v2//admin", "/v2/./admin", "/v2/%61dmin",
		"/v2/orders/7", "/v2/ADMIN", "/v2/admin%252f", "/v2/admin?x=/v2/ping", "/v2/admin#/../ping",
	}
	want := []string{"admin", "admin", "admin", "admin", "admin", "admin", "admin", "getOrder", "", "", "admin", "admin"}
	askNginx(t, startNginx(t), targets, func(i int, operation string) {
		if operation != want[i] {
			t.Errorf("nginx reads %q in %s, want %q", operation, targets[i], want[i])
		}
	})
}
