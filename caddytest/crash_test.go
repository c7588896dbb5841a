package caddytest

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

var crashes = flag.Int("crashes", 10, "how often TestWhatAnAnswerShowedOutlivesACrash kills Caddy")

// shown is what answers of the admin API have told: counts by what they are of.
type shown struct {
	mu     sync.Mutex
	counts map[string]int
}

// lists are what is asked for, and how an item of it is told from others.
var lists = map[string]func(item map[string]any) (id string, count int){
	"routes":   func(i map[string]any) (string, int) { return i["id"].(string), int(i["count"].(float64)) },
	"hosts":    func(i map[string]any) (string, int) { return i["host"].(string), int(i["count"].(float64)) },
	"findings": func(i map[string]any) (string, int) { return i["id"].(string), 0 },
	"consumers": func(i map[string]any) (string, int) {
		return fmt.Sprint(i["consumer"], i["version"]), int(i["count"].(float64))
	},
}

// waited is how long an answer waits for the disk at most. One that took as long may
// tell of what is not there.
const waited = 5 * time.Second

// ask notes all that an answer tells, or what is missing from it if check is set.
func (s *shown) ask(t *testing.T, caddy *harness.Caddy, list string, check bool) error {
	now, kept := map[string]int{}, true
	for cursor := ""; ; {
		began := time.Now()
		req, err := http.NewRequest("GET", "http://"+caddy.Admin+"/api_guard/"+list+"?limit=1000&cursor="+cursor, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return err
		}
		var page struct {
			Items []map[string]any `json:"items"`
			Next  string           `json:"next"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return fmt.Errorf("%w in %.200s", err, body)
		}
		kept = kept && time.Since(began) < waited
		for _, item := range page.Items {
			id, count := lists[list](item)
			now[list+"/"+id] = count
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if check {
		for id, count := range s.counts {
			if got, there := now[id]; strings.HasPrefix(id, list+"/") && (!there || got < count) {
				t.Errorf("%s had the count %d; after the crash it is there: %v, %d", id, count, there, got)
			}
		}
	}
	for id, count := range now {
		if kept {
			s.counts[id] = max(s.counts[id], count)
		}
	}
	return nil
}

// client opens a connection per request, since the other end goes away.
var client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}

func TestWhatAnAnswerShowedOutlivesACrash(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	up.Answer(func(r harness.Recorded) string {
		if strings.Contains(r.Target(), "absent") {
			return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
		}
		// Of a length of its own, so that it is not taken for what the host answers to
		// everything.
		body := strings.Repeat(" ", int(crc32.ChecksumIEEE([]byte(r.Target()))%5000)) + "{}"
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
	caddy := harness.Start(t, harness.Config{
		Guard:    strings.Replace(fleet, "unknown_route enforce", "unknown_route monitor\nunknown_host monitor", 1),
		Sites:    "http://:<http> {\n\timport guarded\n}\n",
		Upstream: up,
		Files:    map[string]string{"orders.yaml": ordersDocument},
	})
	s := &shown{counts: map[string]int{}}
	for round := range *crashes {
		ctx, cancel := context.WithCancel(t.Context())
		var busy sync.WaitGroup
		told := make(chan struct{}) // closed when each list was asked for once
		call := func(host, target, from string) {
			req, err := http.NewRequestWithContext(ctx, "GET", "http://"+caddy.HTTP+target, nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.Host = host
			req.Header.Set("X-Forwarded-For", from)
			if resp, err := client.Do(req); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		}
		busy.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				from := fmt.Sprintf("192.0.2.%d", i%7)
				call("api.example.com", fmt.Sprintf("/v2/orders/%d", i), from)
				call("api.example.com", fmt.Sprintf("/v2/found-%d-x%d/y", round, min(i, 12)), from)
				call("api.example.com", fmt.Sprintf("/v2/absent-%d/y", i%40), from)
				call(fmt.Sprintf("h%d.example.org", round%50), "/", fmt.Sprintf("198.51.%d.%d", round%200, i%20))
			}
		})
		busy.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				for list := range lists {
					// Whatever was answered before the crash counts.
					_ = s.ask(t, caddy, list, false)
				}
				if first {
					close(told)
				}
			}
		})
		<-told
		<-time.After(time.Duration(20+rand.IntN(600)) * time.Millisecond)
		caddy.Kill()
		cancel()
		busy.Wait()
		startAgain(t, caddy)
		for list := range lists {
			if err := s.ask(t, caddy, list, true); err != nil {
				t.Fatalf("after crash %d: %v", round+1, err)
			}
		}
		if health := storeOf(t, caddy); health.Status != "ok" || t.Failed() {
			t.Fatalf("after crash %d the store is %+v", round+1, health)
		}
	}
	t.Logf("%d crashes, %d entries", *crashes, len(s.counts))
	if len(s.counts) < 20 {
		t.Errorf("only %d entries were ever shown", len(s.counts))
	}
}

// condition is the store's in health.
type condition struct {
	Status string `json:"status"`
	Why    string `json:"why"`
}

func storeOf(t *testing.T, caddy *harness.Caddy) condition {
	t.Helper()
	var health struct {
		Store condition `json:"store"`
	}
	caddy.Query(t, "/api_guard/health", &health)
	return health.Store
}
