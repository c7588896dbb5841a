package caddytest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// upTo is a document that lets a number pass up to a maximum.
func upTo(maximum int) string {
	return fmt.Sprintf(`{"openapi":"3.1.0","info":{"title":"n","version":"1"},"paths":{"/orders":{"get":{
"parameters":[{"name":"n","in":"query","schema":{"type":"integer","maximum":%d}}],"responses":{"200":{"description":"ok"}}}}}}`, maximum)
}

// A document is changed, broken, taken away and put back while requests are judged by
// it. One that cannot be used replaces nothing, and none is in force in part.
func TestADocumentThatChangesUnderLoadIsInForceWhenItCanBeUsed(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := harness.Config{
		Guard: "watch\napi n {\nowner a\nversion v1 {\nhosts api.example.com\nspec n.json\n}\n}\n",
		Sites: "http://:<http> {\nimport guarded\n}\n", Upstream: up, Files: map[string]string{"n.json": upTo(5)},
	}
	caddy := harness.Start(t, cfg)
	file := filepath.Join(caddy.Dir, "n.json")
	ask := func() int { return caddy.Do1(t, get("api.example.com", "/orders?n=7")).Status }
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil { // not at once, as editors do
			t.Fatal(err)
		}
	}
	gap := func() string {
		var health struct{ Gaps []map[string]any }
		caddy.Query(t, "/api_guard/health", &health)
		for _, g := range health.Gaps {
			if g["kind"] == "document-not-in-force" {
				return fmt.Sprint(g)
			}
		}
		return ""
	}
	await := func(what string, status int, says ...string) {
		t.Helper()
		harness.Await(t, what, func() (string, bool) {
			got, told := ask(), gap()
			ok := got == status && (told != "") == (len(says) > 0)
			for _, part := range says {
				ok = ok && strings.Contains(told, part)
			}
			return fmt.Sprintf("%d, health says %q", got, told), ok
		})
	}

	// One connection, one request after another: what answers them changes when a
	// document comes into force, and at no other time.
	var mu sync.Mutex
	var changes []int
	done := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		v := newVisitor()
		defer v.close()
		for {
			select {
			case <-done:
				return
			default:
			}
			status, body, ok := v.get("http://"+caddy.HTTP+"/orders?n=7", "api.example.com", http.Header{})
			if !ok || status == 400 && !strings.Contains(body, `"keyword":"maximum"`) {
				t.Errorf("got %v %d %s", ok, status, body)
			}
			mu.Lock()
			if len(changes) == 0 || changes[len(changes)-1] != status {
				changes = append(changes, status)
			}
			mu.Unlock()
		}
	})
	wantChanges := func(when string, want ...int) {
		t.Helper()
		harness.Await(t, when, func() (string, bool) {
			mu.Lock()
			defer mu.Unlock()
			return fmt.Sprint(changes), fmt.Sprint(changes) == fmt.Sprint(want)
		})
	}
	await("the first document", 400)
	wantChanges("the first document", 400)
	write(upTo(10))
	await("the second one", 200)
	write(strings.TrimSuffix(upTo(5), "}"))
	await("one that cannot be read", 200, "n.json")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	await("none", 200, "n.json")
	harness.Await(t, "the log to say why", func() (string, bool) { return "", strings.Contains(caddy.Log(), "n.json: no such file") })
	wantChanges("two that are none", 400, 200)
	broken := cfg
	broken.Files, broken.Guard = nil, strings.Replace(cfg.Guard, "owner a", "owner b", 1)
	if status, body := caddy.Reload(t, broken); status != 400 || !strings.Contains(string(body), "n.json") {
		t.Errorf("a reload without the document: %d %s", status, body)
	}
	await("none, after a reload that failed", 200, "n.json")
	write(upTo(6))
	await("another one", 400)
	wantChanges("a document that is back", 400, 200, 400)
	write(upTo(7))
	await("the last one", 200)
	close(done)
	load.Wait()
	wantChanges("all of it", 400, 200, 400, 200)
}
