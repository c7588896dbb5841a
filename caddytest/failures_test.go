package caddytest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

const wrongGuess = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"

// startGuessing runs the fleet with its limit on failures, slower than a test on a busy
// machine and faster than its penalty.
func startGuessing(t *testing.T, changes ...string) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	return startFleet(t, append([]string{"rate 5/1m", "rate 5/10m\ncount failures\npenalty 15m"}, changes...)...)
}

// bucket is what the admin API says of one client.
type bucket struct {
	Used, Remaining, Pending int
	Blocked                  float64
	Concurrent               *int
}

// counted is what a limit has of a client, zero when it never came to it.
func counted(t *testing.T, caddy *harness.Caddy, limit, client string) bucket {
	t.Helper()
	var list struct{ Items []bucket }
	caddy.Query(t, "/api_guard/limits?limit="+limit+"&key="+client, &list)
	if len(list.Items) != 1 {
		t.Fatalf("%s has %d buckets of %s", limit, len(list.Items), client)
	}
	return list.Items[0]
}

// bucketOf is counted of the limit on wrong guesses.
func bucketOf(t *testing.T, caddy *harness.Caddy, client string) bucket {
	t.Helper()
	return counted(t, caddy, "password_reset", client)
}

func TestTwoHundredWrongGuessesAtASlowUpstreamAreFive(t *testing.T) {
	t.Parallel()
	for name, algorithm := range map[string]string{"window": "", "bucket": "\nalgorithm bucket\nburst 5"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caddy, up := startGuessing(t, "operations verifyResetToken", "operations verifyResetToken"+algorithm)
			slow := make(chan struct{})
			up.Answer(func(harness.Recorded) string {
				<-slow
				return wrongGuess
			})
			call, client := as(post("api.example.com", "/v2/password-reset", guess))
			var mu sync.Mutex
			statuses := map[int]int{}
			var sent sync.WaitGroup
			for range 200 {
				sent.Go(func() {
					got := caddy.Do1(t, call)
					mu.Lock()
					defer mu.Unlock()
					statuses[got.Status]++
				})
			}
			harness.Await(t, "200 guesses to be refused or to wait for the upstream", func() (string, bool) {
				mu.Lock()
				defer mu.Unlock()
				reached := len(up.Requests("X-Trace", client))
				return fmt.Sprint(statuses, " and ", reached, " upstream"), statuses[429]+reached >= 200
			})
			close(slow)
			sent.Wait()
			if n := len(up.Requests("X-Trace", client)); n != 5 || statuses[403] != 5 || statuses[429] != 195 {
				t.Errorf("%d reached the upstream, want 5; statuses %v", n, statuses)
			}
			if b := bucketOf(t, caddy, client); b.Used != 5 || b.Pending != 0 {
				t.Errorf("the bucket is %+v", b)
			}
		})
	}
}

func TestRightGuessesAreFreeAndWrongOnesBlock(t *testing.T) {
	t.Parallel()
	caddy, up := startGuessing(t)
	call, client := as(post("api.example.com", "/v2/password-reset", guess))
	for range 20 {
		if got := caddy.Do1(t, call); got.Status != 200 {
			t.Fatalf("a right guess: %v", got)
		}
	}
	up.Answer(func(harness.Recorded) string { return wrongGuess })
	doors := []harness.Call{
		post("beta.example.com", "/v3/password-reset", guess), post("legacy.example.com", "/v1/password-reset", guess),
		post("legacy.example.com", "/internal/password-reset", guess), post("next.example.com", "/password-reset", guess),
		post("api.example.com", "/v2/%70assword-reset", guess),
	}
	for i, door := range doors {
		door.Fields = append(door.Fields, call.Fields[1:]...)
		do := []harness.Do{caddy.Do1, caddy.Do2, caddy.Do3}[i%3]
		if got := do(t, door); got.Status != 403 {
			t.Fatalf("wrong guess %d: %v", i+1, got)
		}
	}
	up.Answer(nil)
	got := caddy.Do1(t, call)
	refused(t, got, 429, "quota-exceeded")
	wantRetryAfter(t, got.Header, 900)
	if b := bucketOf(t, caddy, client); b.Used != 5 || b.Blocked < 800 || b.Blocked > 900 {
		t.Errorf("the bucket is %+v", b)
	}
	if status, body := caddy.Ask(t, "DELETE", "/api_guard/limits?limit=password_reset&key="+client); status != 200 || !strings.Contains(string(body), `"forgotten":1`) {
		t.Errorf("forgetting: %d %s", status, body)
	}
	if got := caddy.Do1(t, call); got.Status != 200 {
		t.Errorf("after forgetting: %v", got)
	}
	for target, want := range map[string]int{"?limit=password_reset": 400, "?limit=none&key=x": 404, "?limit=password_reset&key=x": 400, "?x=1": 400} {
		status, body := caddy.Ask(t, "GET", "/api_guard/limits"+target)
		if status != want || !json.Valid(body) {
			t.Errorf("%s: %d %s, want %d", target, status, body, want)
		}
	}
	if _, body := caddy.Ask(t, "GET", "/api_guard/limits"); strings.Contains(string(body), client) || !strings.Contains(string(body), `"penalty":"15m"`) {
		t.Errorf("the list: %s", body)
	}
}

func TestFiftyWrongGuessesOverEveryDoorAreNeverMoreThanFive(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t, "rate 5/1m", "rate 5/1h\ncount failures")
	up.Answer(func(harness.Recorded) string { return wrongGuess })
	for run := range 20 {
		client, statuses := storm(t, caddy, run, nil)
		// What a later rule refuses counts only while it is judged, so that fewer
		// may have come through: the rest of the five is tried one after another.
		call := post("api.example.com", "/v2/password-reset", guess).With("X-Forwarded-For", client).With("X-Trace", client)
		for range 6 {
			caddy.Do1(t, call)
		}
		if n := len(up.Requests("X-Trace", client)); n != 5 {
			t.Errorf("run %d: %d wrong guesses reached the upstream, want 5; statuses %v", run, n, statuses)
		}
		up.Forget()
	}
}

func TestNothingIsPendingAfterAThousandUnusualExchanges(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t, "operations verifyResetToken\n", "", "rate 5/1m", "rate 100000/1h\ncount failures\nconcurrency 1000\nheaders off",
		"unknown_route enforce", "unknown_route enforce\nupgrade off")
	hang := make(chan struct{})
	up.Answer(func(r harness.Recorded) string {
		switch end, _, _ := strings.Cut(strings.Join(r.Values("X-End"), ""), " "); end {
		case "hints":
			return "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		case "websocket":
			return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
		case "garbage":
			return "no HTTP at all\r\n\r\n"
		case "abort":
			<-hang
		}
		return wrongGuess
	})
	client := harness.NewClient()
	base := get("api.example.com", "/v2/orders").With("X-Forwarded-For", client)
	var sent sync.WaitGroup
	for range 10 {
		sent.Go(func() {
			for range 20 {
				for end, status := range map[string]int{"": 403, "hints": 200, "garbage": 502} {
					// Now and then Caddy gives one client 499 because another one left
					// whose connection to the upstream was to be shared; without the
					// guard it does so too. Such an exchange has ended like any other.
					got := caddy.Do1(t, base.With("X-End", end))
					if got.Status != status && got.Status != 499 {
						t.Errorf("%q: %v", end, got)
					}
					if hinted := slices.Equal(got.Interim, []int{103}); hinted != (end == "hints") && got.Status != 499 {
						t.Errorf("%q: %v after %v", end, got, got.Interim)
					}
				}
				leave(t, caddy, client, "websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n", true)
				leave(t, caddy, client, "abort", "", false)
			}
		})
	}
	sent.Wait()
	close(hang)
	harness.Await(t, "every exchange to end", func() (string, bool) {
		b := bucketOf(t, caddy, client)
		// 200 wrong guesses, 200 answers that were none, those of the 200 aborts
		// that reached the guard at all, and who left after the hints.
		return fmt.Sprintf("%+v, %d concurrent", b, *b.Concurrent), b.Pending == 0 && *b.Concurrent == 0 && b.Used > 400 && b.Used <= 800
	})
}

// leave sends a request and goes away: after the head of the answer, or before.
func leave(t *testing.T, caddy *harness.Caddy, client, end, fields string, answered bool) {
	t.Helper()
	conn, err := net.Dial("tcp", caddy.HTTP)
	if err != nil {
		t.Errorf("dialling Caddy: %v", err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "GET /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nX-Forwarded-For: %s\r\nX-End: %s\r\n%s\r\n", client, end, fields)
	if !answered {
		return
	}
	head := make([]byte, len("HTTP/1.1 101"))
	if _, err := io.ReadFull(conn, head); err != nil || string(head) != "HTTP/1.1 101" {
		t.Errorf("%s: %q %v", end, head, err)
	}
}

func TestGuessesAtOneAccountShareABucketWhoeverGuesses(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t, "key {client_ip}", "key {http.api_guard.body./code}")
	body := func(code string) string { return `{"code":"` + code + `"}` }
	for n := range 5 {
		call, _ := as(post("api.example.com", "/v2/password-reset", body("222222")))
		do := []harness.Do{caddy.Do1, caddy.Do2, caddy.Do3}[n%3]
		if got := do(t, call); got.Status != 200 {
			t.Fatalf("guess %d: %v", n+1, got)
		}
	}
	other, client := as(post("beta.example.com", "/v3/password-reset", body("333333")))
	if got := caddy.Do1(t, other); got.Status != 200 {
		t.Errorf("another account: %v", got)
	}
	if reached := up.Requests("X-Trace", client); len(reached) != 1 || string(reached[0].Body) != body("333333") {
		t.Errorf("the body that was read for the key reached the upstream as %q", reached)
	}
	for _, spelled := range []string{body("222222"), "{\"code\" : \"\\u00322222\\u0032\"}"} {
		sixth, _ := as(post("beta.example.com", "/v3/password-reset", spelled))
		refused(t, caddy.Do1(t, sixth), 429, "quota-exceeded")
	}
	if b := bucketOf(t, caddy, "222222"); b.Used != 5 {
		t.Errorf("the account's bucket is %+v", b)
	}
	// Go and ASP.NET take the latter member for the account: all such share a bucket, and
	// not that of the former.
	for n := range 6 {
		call, _ := as(post("beta.example.com", "/v3/password-reset", fmt.Sprintf(`{"code":"44444%d","Code":"222222"}`, n)))
		want := 200
		if n == 5 {
			want = 429
		}
		if got := caddy.Do1(t, call); got.Status != want {
			t.Errorf("guess %d beside a member in another letter case: %v, want %d", n+1, got, want)
		}
	}
}

func TestAScannerIsShutOutAndNobodyElse(t *testing.T) {
	t.Parallel()
	for count, probe := range map[string]struct {
		call   harness.Call
		status int
	}{
		"unknown":    {get("api.example.com", "/v2/.env"), 404},
		"violations": {get("api.example.com", "/v2/orders?limit=none"), 400},
	} {
		t.Run(count, func(t *testing.T) {
			t.Parallel()
			caddy, _ := startFleet(t, "operations verifyResetToken\n", "", "rate 5/1m", "rate 5/1m\npenalty 1h\ncount "+count)
			good, _ := as(get("api.example.com", "/v2/orders"))
			for range 10 {
				if got := caddy.Do1(t, good); got.Status != 200 {
					t.Fatalf("what a customer does: %v", got)
				}
			}
			probing := probe.call
			probing.Fields = good.Fields
			// Faster than five a minute.
			harness.Await(t, "the scanner to be refused", func() (string, bool) {
				got := caddy.Do1(t, probing)
				if got.Status != probe.status && got.Status != 429 {
					t.Fatalf("a probe: %v", got)
				}
				return got.String(), got.Status == 429
			})
			got := caddy.Do2(t, good)
			refused(t, got, 429, "quota-exceeded")
			wantRetryAfter(t, got.Header, 3600)
			other, _ := as(get("api.example.com", "/v2/orders"))
			if got := caddy.Do1(t, other); got.Status != 200 {
				t.Errorf("somebody else: %v", got)
			}
		})
	}
}
