package caddytest

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// fallbackSites have an upstream in the error routes alone: for what the site itself
// has no answer, and for what is down.
const fallbackSites = `
http://api.example.com:<http>, https://api.example.com:<https> {
	tls internal
	log
	api_guard
	@posted method POST
	error @posted 405
	reverse_proxy /v2/orders/9 127.0.0.1:1
	@rest {
		not method POST
		not path /v2/orders/9
	}
	error @rest 404
	handle_errors {
		route {
			header +Ratelimit "\"site\";r=1"
			api_guard
			reverse_proxy 127.0.0.1:<upstream>
		}
	}
}
http://:<http> {
	import guarded
}
`

func startFallback(t *testing.T, changes ...string) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	up := harness.NewUpstream(t)
	// The first of two changes to the same text is made.
	cfg := fleetConfig(up, append(changes, "unknown_route enforce", "unknown_route monitor\nrequest enforce")...)
	cfg.Sites = fallbackSites
	return harness.Start(t, cfg), up
}

func answer(status int, body string) func(harness.Recorded) string {
	return func(harness.Recorded) string {
		return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
	}
}

// wantFiveWrongGuesses has the error route's upstream refuse five guesses, which count, and
// the guard the sixth.
func wantFiveWrongGuesses(t *testing.T, name string, do harness.Do, up *harness.Upstream, call harness.Call, trace string) {
	t.Helper()
	for n := 1; n <= 5; n++ {
		got := do(t, call)
		fields := got.Header["Ratelimit"]
		if got.Status != 401 || len(got.Header["Ratelimit-Policy"]) != 1 || len(fields) != 2 || !strings.HasPrefix(fields[1], fmt.Sprintf(`"password_reset";r=%d`, 5-n)) {
			t.Errorf("%s, guess %d of 5: %v", name, n, got)
		}
	}
	if got := do(t, call); got.Status != http.StatusTooManyRequests {
		t.Errorf("%s, the sixth guess: %v", name, got)
	}
	seen := up.Requests("X-Trace", trace)
	if len(seen) != 5 {
		t.Errorf("%s: %d guesses reached the error route's upstream", name, len(seen))
	}
	for _, r := range seen {
		if string(r.Body) != guess || r.Target() != "/v2/password-reset" {
			t.Errorf("%s: the upstream got %q and %q", name, r.Line, r.Body)
		}
	}
}

func TestFailuresThatAnErrorRouteAnswersCount(t *testing.T) {
	t.Parallel()
	caddy, up := startFallback(t, "rate 5/1m", "rate 5/10m\ncount failures\npenalty 15m")
	for name, do := range protocols(caddy) {
		up.Answer(answer(401, "{}"))
		call, trace := as(post("api.example.com", "/v2/password-reset", guess))
		wantFiveWrongGuesses(t, name, do, up, call, trace)
		// The twin: what is no failure there counts as none.
		up.Answer(answer(200, "{}"))
		call, _ = as(call)
		for n := 1; n <= 8; n++ {
			if got := do(t, call); got.Status != 200 || !strings.Contains(strings.Join(got.Header["Ratelimit"], ", "), `"password_reset";r=5`) {
				t.Errorf("%s, right guess %d: %v", name, n, got)
			}
		}
	}
}

func TestGuessesAtOnceThroughAnErrorRouteAreNoMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	caddy, up := startFallback(t, "rate 5/1m", "rate 5/10m\ncount failures\npenalty 15m")
	slow := make(chan struct{})
	up.Answer(func(r harness.Recorded) string {
		<-slow
		return answer(401, "{}")(r)
	})
	call, client := as(post("api.example.com", "/v2/password-reset", guess))
	var mu sync.Mutex
	statuses := map[int]int{}
	var sent sync.WaitGroup
	for range 40 {
		sent.Go(func() {
			got := caddy.Do1(t, call)
			mu.Lock()
			defer mu.Unlock()
			statuses[got.Status]++
		})
	}
	harness.Await(t, "40 guesses to be refused or to wait for the upstream", func() (string, bool) {
		mu.Lock()
		defer mu.Unlock()
		reached := len(up.Requests("X-Trace", client))
		return fmt.Sprint(statuses, " and ", reached, " upstream"), statuses[429]+reached >= 40
	})
	close(slow)
	sent.Wait()
	n := len(up.Requests("X-Trace", client))
	if n > 5 || statuses[401] != n || statuses[429] != 40-n {
		t.Errorf("%d reached the upstream, 5 may; statuses %v", n, statuses)
	}
	if b := bucketOf(t, caddy, client); b.Used != n || b.Pending != 0 {
		t.Errorf("the bucket is %+v after %d failures", b, n)
	}
}

func TestWhatAnErrorRouteAnswersStandsInTheInventory(t *testing.T) {
	t.Parallel()
	caddy, up := startFallback(t)
	up.Answer(func(r harness.Recorded) string {
		status := 200
		if strings.Contains(r.Target(), "absent") {
			status = 404
		} else if strings.Contains(r.Target(), "/9") {
			status = 502
		}
		return answer(status, "{}")(r)
	})
	for target, evidence := range map[string]string{"/v2/legacy": "confirmed", "/v2/absent": "scan"} {
		caddy.Do1(t, get("api.example.com", target))
		got := awaitRoute(t, caddy, "/api_guard/routes?host=api.example.com&evidence="+evidence, "api.example.com", "GET", target)
		if got.Documented || got.Version != "v2" {
			t.Errorf("%s: the entry is %+v", target, got)
		}
	}
	// The page of an error, with its status, is no second answer. The answer to what
	// the site had none for is.
	for target, want := range map[string]map[string]int{"/v2/orders/9": {"5xx": 3}, "/v2/orders": {"4xx": 3, "2xx": 3}} {
		for range 3 {
			caddy.Do1(t, get("api.example.com", target))
		}
		path := strings.Replace(target, "9", "{id}", 1)
		harness.Await(t, "the answers to "+target, func() (string, bool) {
			got := awaitRoute(t, caddy, "/api_guard/routes?host=api.example.com&path=/v2/orders&limit=100", "api.example.com", "GET", path)
			return fmt.Sprintf("the entry has %v, want %v", got.Statuses, want), maps.Equal(got.Statuses, want)
		})
	}
}

func TestWhatAnErrorRouteAnswersIsJudged(t *testing.T) {
	t.Parallel()
	for _, refusals := range []string{"direct", "handle_errors"} {
		t.Run(refusals, func(t *testing.T) {
			t.Parallel()
			caddy, up := startFallback(t, "policy {", "refusals "+refusals+"\npolicy {\nresponse enforce")
			for name, do := range protocols(caddy) {
				for _, row := range []struct {
					target, body string
					status       int
				}{
					{"/v2/orders", `{"total":1}`, 200},
					{"/v2/orders", `["secret"]`, 502},
					{"/v2/orders/9", `"secret"`, 200}, // no schema says what it is
				} {
					up.Answer(answer(200, row.body))
					call, trace := as(get("api.example.com", row.target))
					got := do(t, call)
					if got.Status != row.status || row.status == 200 && string(got.Body) != row.body || row.status != 200 && strings.Contains(string(got.Body), "secret") {
						t.Errorf("%s, %s with %s: %v, want %d", name, row.target, row.body, got, row.status)
					}
					if row.status != 200 && (got.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(string(got.Body), "response-invalid")) {
						t.Errorf("%s, %s with %s: %v, want a problem", name, row.target, row.body, got)
					}
					if n := len(up.Requests("X-Trace", trace)); n != 1 {
						t.Errorf("%s, %s: %d reached the error route's upstream", name, row.target, n)
					}
				}
				// What no answer of the operation has is refused as well.
				up.Answer(answer(201, `"secret"`))
				if got := do(t, get("api.example.com", "/v2/orders")); got.Status != 502 || strings.Contains(string(got.Body), "secret") {
					t.Errorf("%s: a status of no document: %v", name, got)
				}
			}
		})
	}
}
