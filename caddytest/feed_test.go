package caddytest

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// change is a line of the feed.
type change struct {
	Event    string `json:"event"`
	Host     string `json:"host"`
	Path     string `json:"path"`
	Evidence string `json:"evidence"`
	Cursor   string `json:"cursor"`
}

// ask sends a request to the admin API with an Accept field.
func ask(t *testing.T, caddy *harness.Caddy, path, accept string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest("GET", "http://"+caddy.Admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func feedSince(t *testing.T, caddy *harness.Caddy, since string) []change {
	t.Helper()
	resp, body := ask(t, caddy, "/api_guard/feed?since="+since, "*/*")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("the feed is %d %v %s", resp.StatusCode, resp.Header, body)
	}
	var list []change
	for line := range strings.Lines(body) {
		var c change
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		list = append(list, c)
	}
	return list
}

func startStored(t *testing.T) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	up := harness.NewUpstream(t)
	return harness.Start(t, harness.Config{
		Guard:    strings.Replace(fleet, "unknown_route enforce", "unknown_route monitor\nunknown_host monitor", 1),
		Sites:    "http://:<http> {\n\timport guarded\n}\n",
		Upstream: up,
		Files:    map[string]string{"orders.yaml": ordersDocument},
	}), up
}

// A shadow route that answers once is in the feed within two seconds, to those who
// ask and to those who follow, and a cursor holds over a crash and a reload.
func TestTheFeedTellsOfAShadowRouteAtOnce(t *testing.T) {
	t.Parallel()
	caddy, _ := startStored(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+caddy.Admin+"/api_guard/feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("following the feed is %d %v", resp.StatusCode, resp.Header)
	}
	stream := bufio.NewReader(resp.Body)
	var followed change
	next := func(path string) (took time.Duration) {
		asked := time.Now()
		caddy.Do1(t, get("api.example.com", path))
		for followed = (change{}); followed.Path != path; {
			line, err := stream.ReadString('\n')
			if err != nil {
				t.Fatalf("following the feed: %v", err)
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				if err := json.Unmarshal([]byte(data), &followed); err != nil {
					t.Fatal(err)
				}
			}
		}
		return time.Since(asked)
	}
	// A machine that is busy elsewhere may take longer, and may try again.
	for try, path := range []string{"/v2/debug", "/v2/heap", "/v2/trace", "/v2/symbol", "/v2/threads", "/v2/allocs"} {
		took := next(path)
		if took <= 2*time.Second {
			break
		}
		if try == 5 {
			t.Errorf("it took %v, and not less before", took)
		}
	}
	if followed.Event != "route_discovered" || followed.Evidence != "confirmed" {
		t.Errorf("the change is %+v", followed)
	}
	caddy.Kill()
	startAgain(t, caddy)
	all := feedSince(t, caddy, "")
	if !slices.Contains(all, followed) {
		t.Errorf("after the crash the feed has not %+v: %+v", followed, all)
	}
	caddy.Do1(t, get("api.example.com", "/v2/later"))
	harness.Await(t, "what came after the crash", func() (string, bool) {
		after := feedSince(t, caddy, followed.Cursor)
		for _, c := range after {
			if c.Path == followed.Path && c.Event == "route_discovered" {
				t.Fatalf("what the cursor stands after comes again: %+v", c)
			}
		}
		return "", slices.ContainsFunc(after, func(c change) bool { return c.Path == "/v2/later" && c.Event == "route_discovered" })
	})
	for _, query := range []string{"since=x", "since=1&since=2", "limit=3", "since=12"} {
		if status, body := caddy.Ask(t, "GET", "/api_guard/feed?"+query); status != 400 {
			t.Errorf("%s is %d %s", query, status, body)
		}
	}
	if status, _ := caddy.Ask(t, "POST", "/api_guard/feed"); status != 405 {
		t.Errorf("POST is %d", status)
	}
}

// A reload ends a stream, which would otherwise keep the old configuration alive.
func TestAReloadEndsWhoFollowsTheFeed(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up)
	caddy := harness.Start(t, cfg)
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+caddy.Admin+"/api_guard/feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cfg.Guard = strings.Replace(cfg.Guard, "5/1m", "6/1m", 1)
	if status, body := caddy.Reload(t, cfg); status != 200 {
		t.Fatalf("reloading: %d %s", status, body)
	}
	var timeout net.Error
	if _, err := io.Copy(io.Discard, resp.Body); errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the stream goes on: %v", err)
	}
}

func TestListsAreTablesForThoseWhoAskForOne(t *testing.T) {
	t.Parallel()
	caddy, _ := startStored(t)
	caddy.Do1(t, get("api.example.com", "/v2/debug"))
	caddy.Do1(t, get("api.example.com", "/v2/orders/7"))
	awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "GET", "/v2/debug")
	for _, list := range []string{"routes", "hosts", "consumers", "findings"} {
		var whole listing[map[string]any]
		caddy.Query(t, "/api_guard/"+list+"?limit=1000", &whole)
		resp, body := ask(t, caddy, "/api_guard/"+list, "text/csv")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/csv; charset=utf-8" || resp.Header.Get("X-Complete") != "true" {
			t.Fatalf("%s as CSV is %d %v", list, resp.StatusCode, resp.Header)
		}
		rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		if err != nil || len(rows) != len(whole.Items)+1 || len(rows) < 2 {
			t.Errorf("%s as CSV has %d rows for %d items: %v", list, len(rows), len(whole.Items), err)
		}
		resp, body = ask(t, caddy, "/api_guard/"+list, "application/x-ndjson")
		if n := strings.Count(body, "\n"); resp.StatusCode != 200 || n != len(whole.Items) {
			t.Errorf("%s as lines is %d with %d lines for %d items", list, resp.StatusCode, n, len(whole.Items))
		}
		if resp, _ := ask(t, caddy, "/api_guard/"+list, "text/csv; q=0, application/json"); resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s for one who wants no CSV is %v", list, resp.Header)
		}
		_, body = ask(t, caddy, "/api_guard/"+list+"?limit=1", "application/x-ndjson")
		if n := strings.Count(body, "\n"); n != 1 {
			t.Errorf("one of %s is %d lines", list, n)
		}
		if resp, body := ask(t, caddy, "/api_guard/"+list+"?nonsense=1", "text/csv"); resp.StatusCode != 400 {
			t.Errorf("an unknown parameter is %d %s", resp.StatusCode, body)
		}
	}
}
