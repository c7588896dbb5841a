package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Await polls until check is satisfied and fails the test with the last reason
// when it is not within a minute, which is generous because the machine may be running
// everything else at once. What is written behind a request (access log, inventory) is
// awaited like this, never slept for.
func Await(t testing.TB, what string, check func() (reason string, ok bool)) {
	t.Helper()
	AwaitFor(t, time.Minute, what, check)
}

// AwaitFor is Await with so much time.
func AwaitFor(t testing.TB, limit time.Duration, what string, check func() (reason string, ok bool)) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		reason, ok := check()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s: %s", what, reason)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// Ask sends a request to the admin API and returns status and body.
func (c *Caddy) Ask(t testing.TB, method, path string) (int, []byte) {
	t.Helper()
	status, body, err := c.admin(method, path, nil)
	if err != nil {
		t.Fatalf("asking the admin API for %s: %v", path, err)
	}
	return status, body
}

// Query reads JSON from the admin API into v.
func (c *Caddy) Query(t testing.TB, path string, v any) {
	t.Helper()
	status, body := c.Ask(t, "GET", path)
	if status != 200 {
		t.Fatalf("asking the admin API for %s: status %d: %s", path, status, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		t.Fatalf("asking the admin API for %s: %v in %s", path, err, body)
	}
}

// Reload makes the running process take over another configuration, as `caddy
// reload` does, and returns the answer of the admin API.
func (c *Caddy) Reload(t testing.TB, cfg Config) (int, []byte) {
	t.Helper()
	ports := []string{port(c.HTTP), port(c.HTTPS), port(c.Admin)}
	file, err := cfg.write(c.Dir, ports)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c.reloaded.Store(true)
	status, body, err := c.admin("POST", "/load", text)
	if err != nil {
		t.Fatalf("reloading: %v", err)
	}
	return status, body
}

// admin asks again what no handler has seen: as those of sites, see Raw, the old
// listener of the admin API may go with connections in its queue.
func (c *Caddy) admin(method, path string, body []byte) (status int, answer []byte, err error) {
	for range 4 {
		status, answer, err = c.adminOnce(method, path, body)
		if !c.reloaded.Load() || status != 0 || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			break
		}
	}
	return status, answer, err
}

func (c *Caddy) adminOnce(method, path string, body []byte) (int, []byte, error) {
	req, err := http.NewRequest(method, "http://"+c.Admin+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "text/caddyfile")
	}
	// A connection per request: every reload replaces the admin server.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: exchangeTimeout}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// Logged awaits the access log entry of the request that carried the field
// name: value and returns its api_guard fields.
func (c *Caddy) Logged(t testing.TB, name, value string) map[string]any {
	t.Helper()
	var fields map[string]any
	Await(t, "the access log entry of "+value, func() (string, bool) {
		for _, entry := range c.AccessLog(t) {
			request, _ := entry["request"].(map[string]any)
			headers, _ := request["headers"].(map[string]any)
			values, _ := headers[http.CanonicalHeaderKey(name)].([]any)
			if len(values) == 1 && values[0] == value {
				fields, _ = entry["api_guard"].(map[string]any)
				return "", true
			}
		}
		return "none", false
	})
	return fields
}

// AccessLog is the access log so far, an object for each line.
func (c *Caddy) AccessLog(t testing.TB) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.Dir, "access.log"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var entries []map[string]any
	for line := range bytes.Lines(text) {
		var entry map[string]any
		if json.Unmarshal(line, &entry) == nil { // the last line may be half written
			entries = append(entries, entry)
		}
	}
	return entries
}

// Metrics is the text of the metrics endpoint.
func (c *Caddy) Metrics(t testing.TB) string {
	t.Helper()
	_, body := c.Ask(t, "GET", "/metrics")
	return string(body)
}

var heapInUse = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)

// Heap is how many bytes the process's heap holds right after a collection.
func (c *Caddy) Heap(t testing.TB) int64 {
	t.Helper()
	_, body := c.Ask(t, "GET", "/debug/pprof/heap?gc=1&debug=1")
	found := heapInUse.FindSubmatch(body)
	if found == nil {
		t.Fatal("the heap profile does not say HeapAlloc")
	}
	n, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(fmt.Errorf("reading the heap profile: %w", err))
	}
	return n
}

func port(address string) string {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == ':' {
			return address[i+1:]
		}
	}
	return ""
}
