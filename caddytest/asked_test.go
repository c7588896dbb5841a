package caddytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// ownedBy is a configuration of many APIs with one owner.
func ownedBy(up *harness.Upstream, owner string) harness.Config {
	var guard strings.Builder
	guard.WriteString("policy {\nlimit each {\nrate 1000/1h\n}\n}\n")
	for i := range 12 {
		fmt.Fprintf(&guard, "api api%d {\nowner %s\nversion v1 {\nhosts api.example.com\npath /%d\nspec n.json\n}\n}\n", i, owner, i)
	}
	return harness.Config{
		Guard: guard.String(), Sites: "http://:<http> {\nimport guarded\n}\n", Upstream: up, Files: map[string]string{"n.json": upTo(5)},
	}
}

// Whoever asks the admin API while configurations come and go gets an answer, and one
// of a single configuration; who follows the feed is let go.
func TestQuestionsDuringReloadsAreAnsweredByOneConfiguration(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, ownedBy(up, "owner-0"))
	for i := range 3 { // until all that is made once is there
		caddy.Do1(t, get("api.example.com", fmt.Sprintf("/%d/orders", i)))
		caddy.Reload(t, ownedBy(up, fmt.Sprint("owner--", i)))
	}
	routines, files := held(t, caddy)

	questions := []struct{ method, path string }{
		{"GET", "/api_guard/apis"}, {"GET", "/api_guard/routes?limit=1000"}, {"GET", "/api_guard/limits"}, {"GET", "/api_guard/limits?limit=each&key=198.51.100.1"},
		{"DELETE", "/api_guard/limits?limit=each&key=198.51.100.1"}, {"GET", "/api_guard/findings"}, {"GET", "/api_guard/coverage"}, {"GET", "/api_guard/plan"},
		{"GET", "/api_guard/openapi?api=api3&version=v1"}, {"GET", "/api_guard/openapi?unknown=1"}, {"GET", "/api_guard/hosts"}, {"GET", "/api_guard/consumers"},
		{"GET", "/api_guard/flows"}, {"GET", "/api_guard/health"}, {"GET", "/api_guard/feed"},
	}
	var answered, followed atomic.Int64
	done := make(chan struct{})
	var asking sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	ask := func(method, path, accept string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+caddy.Admin+path, nil)
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Accept", accept)
		resp, err := client.Do(r)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err == nil && accept == "application/json" {
				answered.Add(1)
				wantOneOwner(t, path, resp.StatusCode, body)
			}
			if accept == "text/event-stream" && resp.StatusCode == 200 {
				followed.Add(1) // to its end
				return
			}
		}
		// Every reload replaces Caddy's admin server: its last connections are cut.
		if err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s %s: %v", method, path, err)
		}
	}
	repeat := func(question func(i int)) {
		asking.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					question(i)
				}
			}
		})
	}
	for from := range 2 {
		repeat(func(i int) {
			q := questions[(i+from*7)%len(questions)]
			ask(q.method, q.path, "application/json")
		})
	}
	repeat(func(int) { ask("GET", "/api_guard/feed", "text/event-stream") })
	repeat(func(i int) { caddy.Do1(t, get("api.example.com", fmt.Sprintf("/%d/new-%d", i%12, i))) })
	for i := range 12 {
		cfg, want := ownedBy(up, fmt.Sprint("owner-", i)), 200
		if i%3 == 2 { // one that fails, when all of the guard has been provisioned
			cfg.Sites += "http://other.example.com:<http> {\nreverse_proxy {\nto 127.0.0.1:1-0\n}\n}\n"
			want = 400
		}
		if status, body := caddy.Reload(t, cfg); status != want {
			t.Errorf("reload %d: %d %s, want %d", i, status, body, want)
		}
	}
	last := ownedBy(up, "owner-last")
	close(done)
	if status, body := caddy.Reload(t, last); status != 200 { // which lets the last follower go
		t.Errorf("the last reload: %d %s", status, body)
	}
	asking.Wait()
	if answered.Load() == 0 || followed.Load() == 0 {
		t.Errorf("%d questions were answered, and %d streams followed to their end", answered.Load(), followed.Load())
	}
	harness.Await(t, "what the questions held to be given back", func() (string, bool) {
		r, f := held(t, caddy)
		return fmt.Sprintf("%d goroutines of the guard, %d before; %d open files, %d before", r, routines, f, files), r <= routines && f <= files
	})

	// One who follows the feed holds up no shutdown.
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+caddy.Admin+"/api_guard/feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	caddy.Stop() // which fails the test when it takes long
	_, _ = io.Copy(io.Discard, resp.Body)
}

// wantOneOwner holds an answer against what one configuration can say.
func wantOneOwner(t *testing.T, path string, status int, body []byte) {
	t.Helper()
	if strings.HasSuffix(path, "/feed") { // lines
		if status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
		return
	}
	var answer struct{ Items []struct{ Owner string } }
	if status != 200 || json.Unmarshal(body, &answer) != nil {
		t.Errorf("%s: %d %.300s", path, status, body)
		return
	}
	owners := map[string]bool{}
	for _, item := range answer.Items {
		if item.Owner != "" {
			owners[item.Owner] = true
		}
	}
	if len(owners) > 1 {
		t.Errorf("%s tells of the owners %v at once", path, owners)
	}
}
