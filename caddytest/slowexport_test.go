package caddytest

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// manyOperations is a document of so many operations, and their paths.
func manyOperations(n int) (document string, paths map[string]bool) {
	var text strings.Builder
	text.WriteString("openapi: 3.1.0\ninfo: {title: Many, version: \"1\"}\npaths:\n")
	paths = make(map[string]bool, n)
	for i := range n {
		path := fmt.Sprintf("/things-%05d/by/a/path/that/is/long/enough/to/fill/what/a/connection/has/room/for", i)
		paths[path] = true
		fmt.Fprintf(&text, "  %s:\n    get: {responses: {\"200\": {description: one}}}\n", path)
	}
	return text.String(), paths
}

// A table that is read slowly while the configuration is reloaded again and again is
// whole in the end, holds no reload up, and leaves nothing behind; neither does one whose
// reader went away.
func TestTablesAreReadSlowlyThroughReloads(t *testing.T) {
	t.Parallel()
	const operations, reloads = 8000, 20 // more than the buffers of a connection take
	document, paths := manyOperations(operations)
	up := harness.NewUpstream(t)
	cfg := func(days int) harness.Config {
		return harness.Config{
			Guard:    fmt.Sprintf("inventory {\n\tretention %dd\n}\napi things {\n\tversion v1 {\n\t\thosts api.example.com\n\t\tspec things.yaml\n\t}\n}\n", days),
			Sites:    "http://:<http> {\n\timport guarded\n}\n",
			Upstream: up,
			Files:    map[string]string{"things.yaml": document},
		}
	}
	caddy := harness.Start(t, cfg(90))
	awaitLoaded(t, caddy)
	begin := func(accept string) (net.Conn, *http.Response) {
		dialer := net.Dialer{}
		conn, err := dialer.Dial("tcp", caddy.Admin)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
		if _, err := fmt.Fprintf(conn, "GET /api_guard/routes HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\nConnection: close\r\n\r\n", caddy.Admin, accept); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 4096), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 200 || resp.Header.Get("X-Complete") != "true" {
			t.Fatalf("%s: %d %v", accept, resp.StatusCode, resp.Header)
		}
		return conn, resp
	}
	reading := func() int {
		_, body := caddy.Ask(t, "GET", "/debug/pprof/goroutine?debug=2")
		return strings.Count(string(body), "caddy-api-guard.exportList[")
	}
	table, rows := begin("text/csv")
	defer table.Close()
	lines, objects := begin("application/x-ndjson")
	defer lines.Close()
	gone, half := begin("application/x-ndjson")
	defer gone.Close()
	writing := func(what string) { // the shortest may be on its way as a whole
		if n := reading(); n < 2 {
			t.Fatalf("%s %d tables are being written: the test shows nothing", what, n)
		}
	}
	writing("before the reloads")
	for i := range reloads {
		if status, body := caddy.Reload(t, cfg(30+i%2)); status != 200 {
			t.Fatalf("reload %d: %d %s", i, status, body)
		}
		if i == reloads/2 {
			writing("after half of the reloads")
			_, _ = io.CopyN(io.Discard, half.Body, 10_000)
			_ = gone.Close()
		}
	}
	if a := caddy.Do1(t, get("api.example.com", "/things-00001/by/a/path/that/is/long/enough/to/fill/what/a/connection/has/room/for")); a.Status != 200 {
		t.Errorf("a request meanwhile: %v", a)
	}

	all, err := csv.NewReader(rows.Body).ReadAll()
	if err != nil || len(all) != operations+1 {
		t.Errorf("the table has %d rows: %v", len(all), err)
	}
	seen := map[string]bool{}
	for i, row := range all {
		at := -1
		for j, name := range all[0] {
			if name == "path" {
				at = j
			}
		}
		if i > 0 && (!paths[row[at]] || seen[row[at]]) {
			t.Errorf("row %d is of %q", i, row[at])
		}
		if i > 0 {
			seen[row[at]] = true
		}
	}
	clear(seen)
	for decoder := json.NewDecoder(objects.Body); ; {
		var r route
		if err := decoder.Decode(&r); err != nil {
			if err != io.EOF {
				t.Errorf("after %d lines: %v", len(seen), err)
			}
			break
		}
		if !paths[r.Path] || seen[r.Path] {
			t.Errorf("a line is of %q", r.Path)
		}
		seen[r.Path] = true
	}
	if len(seen) != operations {
		t.Errorf("there are %d lines", len(seen))
	}
	harness.Await(t, "nothing to be left behind", func() (string, bool) {
		n := reading()
		return fmt.Sprint(n), n == 0
	})
}
