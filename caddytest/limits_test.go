package caddytest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

const guess = `{"code":"123456"}`

// slack is how many seconds a window of a minute may ask to wait at most: a
// fifteenth more than its length, which is what its sub-windows may keep a
// charge too long.
const slack = 64

func TestTheSixthGuessIsRefusedAndToldWhenToComeBack(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	for protocol, do := range protocols(caddy) {
		t.Run(protocol, func(t *testing.T) {
			call, client := as(post("api.example.com", "/v2/password-reset", guess))
			for n := range 5 {
				got := do(t, call)
				if got.Status != 200 {
					t.Fatalf("guess %d: %v", n+1, got)
				}
				q := quotas(t, got.Header)["password_reset"]
				if q.limit != 5 || q.window != 60 || q.remaining != int64(4-n) || q.reset < 0 || q.reset > slack {
					t.Errorf("guess %d: the fields say %+v", n+1, q)
				}
			}
			beta, _ := as(post("beta.example.com", "/v3/password-reset", guess))
			beta.Fields = call.Fields // the same client
			got := do(t, beta)
			p := refused(t, got, 429, "quota-exceeded")
			if len(p.Violated) != 1 || p.Violated[0] != "password_reset" {
				t.Errorf("violated-policies is %q", p.Violated)
			}
			wantRetryAfter(t, got.Header, slack)
			if q := quotas(t, got.Header)["password_reset"]; q.limit != 5 || q.window != 60 || q.remaining != 0 {
				t.Errorf("the fields say %+v", q)
			}
			if n := len(up.Requests("X-Trace", client)); n != 5 {
				t.Errorf("%d guesses reached the upstream, want 5", n)
			}

			other, _ := as(post("api.example.com", "/v2/password-reset", guess))
			if got := do(t, other); got.Status != 200 {
				t.Errorf("another client: %v", got)
			}
			unlimited := get("api.example.com", "/v2/orders")
			unlimited.Fields = call.Fields
			if got := do(t, unlimited); got.Status != 200 {
				t.Errorf("another operation: %v", got)
			}
		})
	}
}

// charged are calls that are refused for other reasons than the limit, which
// counts them all the same: they cost the caller, or probing would be free.
var charged = []struct {
	name   string
	call   harness.Call
	status int
}{
	{"of a retired version", post("legacy.example.com", "/v0/password-reset", guess), 410},
	{"of a version that nobody has", post("next.example.com", "/password-reset", guess).With("X-Api-Version", "9"), 404},
	{"outside every version's path", post("legacy.example.com", "/password-reset", guess), 404},
	{"that do not conform", post("api.example.com", "/v2/password-reset", `{"code":"guess"}`), 400},
}

func TestGuessesThatAreRefusedForAnotherReasonCountToo(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	for _, row := range charged {
		t.Run(row.name, func(t *testing.T) {
			call, _ := as(row.call)
			for n := range 5 {
				if got := caddy.Do1(t, call); got.Status != row.status {
					t.Fatalf("guess %d: %v, want status %d", n+1, got, row.status)
				}
			}
			refused(t, caddy.Do1(t, call), 429, "quota-exceeded")
			documented := post("api.example.com", "/v2/password-reset", guess)
			documented.Fields = call.Fields
			refused(t, caddy.Do1(t, documented), 429, "quota-exceeded")
		})
	}
}

func TestARefusalByAnEarlierRuleCostsNothing(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	call, _ := as(post("api.example.com", "/v2/Password-Reset", guess))
	for range 10 {
		refused(t, caddy.Do1(t, call), 400, "ambiguous-target")
	}
	call.Target = "/v2/password-reset"
	if got := caddy.Do1(t, call); got.Status != 200 {
		t.Errorf("the first guess that reached the limit: %v", got)
	}
}

// spellings are ways to ask for the one limited operation: every host, with and
// without a document, and every writing that some parser between here and the
// operation might take for the same.
var spellings = []harness.Call{
	post("api.example.com", "/v2/password-reset", guess),
	post("beta.example.com", "/v3/password-reset", guess),
	post("legacy.example.com", "/v1/password-reset", guess),
	post("legacy.example.com", "/internal/password-reset", guess),
	post("next.example.com", "/password-reset", guess),
	post("next.example.com", "/password-reset", guess).With("X-Api-Version", "2"),
	post("api.example.com", "/v2/%70assword-reset", guess),
	post("beta.example.com", "/%76%33/password%2dreset", guess),
	post("legacy.example.com", "/internal/password%2Dreset", guess),
	post("legacy.example.com", "/%69nternal/password-rese%74", guess),
	post("api.example.com", "/v2/password-reset?try=1", guess),
	post("API.Example.COM", "/v2/password-reset", guess),
	post("beta.example.com.", "/v3/password-reset", guess),
	post("legacy.example.com:80", "/internal/password-reset", guess),
	post("api.example.com", "/v2/Password-Reset", guess),
	post("legacy.example.com", "/internal/PASSWORD-RESET", guess),
	post("legacy.example.com", "/INTERNAL/password-reset", guess),
	post("beta.example.com", "/v3/password-reset/", guess),
	post("legacy.example.com", "/internal/password-reset/", guess),
	post("api.example.com", "/v2/./password-reset", guess),
	post("api.example.com", "/v2/orders/../password-reset", guess),
	post("legacy.example.com", "/internal/x/%2e%2e/password-reset", guess),
	post("legacy.example.com", "/internal//password-reset", guess),
	post("api.example.com", "//v2/password-reset", guess),
}

// endings are spellings that some upstreams cut before they route. By default they
// are unknown routes, which are refused and count.
var endings = []harness.Call{
	post("api.example.com", "/v2/password-reset.json", guess),
	post("beta.example.com", "/v3/password-reset%20", guess),
	post("legacy.example.com", "/internal/password-reset.", guess),
	post("next.example.com", "/password-reset.xml/", guess),
}

// absolute are spellings that HTTP/2 and HTTP/3 do not have.
var absolute = []harness.Call{
	post("api.example.com", "http://api.example.com/v2/password-reset", guess),
	post("api.example.com", "http://legacy.example.com/internal/password-reset", guess),
	post("legacy.example.com", "http://BETA.example.com:80/v3/%70assword-reset", guess),
}

// storm sends fifty guesses of one client at once, over all protocols and
// spellings, and returns how many of each status came back. In three runs each
// spelling comes over each protocol that has it.
func storm(t *testing.T, caddy *harness.Caddy, run int, more []harness.Call) (client string, statuses map[int]int) {
	t.Helper()
	client = harness.NewClient()
	statuses = make(map[int]int)
	var mu sync.Mutex
	var sent sync.WaitGroup
	start := make(chan struct{})
	anywhere := slices.Concat(spellings, more)
	guesses := slices.Concat(anywhere, absolute)
	for n := range 50 {
		call := guesses[n%len(guesses)].With("X-Forwarded-For", client).With("X-Trace", client)
		do := caddy.Do1
		if n%len(guesses) < len(anywhere) {
			do = []harness.Do{caddy.Do1, caddy.Do2, caddy.Do3}[(n+n/len(guesses)+run)%3]
		}
		sent.Go(func() {
			<-start
			got := do(t, call)
			mu.Lock()
			defer mu.Unlock()
			statuses[got.Status]++
		})
	}
	close(start)
	sent.Wait()
	return client, statuses
}

func TestFiftyParallelGuessesOverAllHostsAndSpellingsAreFive(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct {
		name    string
		changes []string
		refused map[int]bool // statuses that a guess may get instead of reaching the upstream
		more    []harness.Call
	}{
		{"by default", nil, map[int]bool{400: true, 429: true}, nil},
		{"with every rule but the limit in monitor", []string{"unknown_route enforce", "target monitor\nunknown_route monitor\nrequest monitor\nlifecycle monitor"}, map[int]bool{429: true}, endings},
	} {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			caddy, up := startFleet(t, mode.changes...)
			for run := range 20 {
				client, statuses := storm(t, caddy, run, mode.more)
				reached := up.Requests("X-Trace", client)
				if len(reached) != 5 || statuses[200] != 5 {
					t.Errorf("run %d: %d guesses reached the upstream, want 5; statuses %v", run, len(reached), statuses)
					for _, r := range reached {
						t.Logf("reached: %s Host: %s", r.Line, r.Values("Host"))
					}
				}
				for status := range statuses {
					if status != 200 && !mode.refused[status] {
						t.Errorf("run %d: statuses %v", run, statuses)
					}
				}
				up.Forget()
			}
		})
	}
}

func TestEverySpellingThatReachesTheUpstreamIsLimited(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t, "unknown_route enforce", "target monitor\nunknown_route monitor\nrequest monitor\nlifecycle monitor")
	for i, spelling := range slices.Concat(spellings, endings, absolute) {
		t.Run(fmt.Sprint(i, " ", spelling), func(t *testing.T) {
			call, _ := as(spelling)
			for range 5 {
				if got := caddy.Do1(t, call); got.Status != 200 {
					t.Fatalf("within the limit: %v", got)
				}
			}
			refused(t, caddy.Do1(t, call), 429, "quota-exceeded")
		})
	}
}

func TestALimitInMonitorRecordsAndChangesNothing(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t, "rate 5/1m", "rate 5/1m\nmode monitor")
	call, client := as(post("api.example.com", "/v2/password-reset", guess))
	for n := range 8 {
		got := caddy.Do1(t, call.With("X-Number", fmt.Sprint(client, "-", n)))
		if got.Status != 200 {
			t.Fatalf("guess %d: %v", n+1, got)
		}
		wantNoHeader(t, got.Header, "RateLimit", "RateLimit-Policy", "Retry-After")
	}
	if n := len(up.Requests("X-Trace", client)); n != 8 {
		t.Errorf("%d guesses reached the upstream, want all 8", n)
	}
	for n, verdict := range map[int]string{4: "allow", 5: "would_refuse"} {
		fields := caddy.Logged(t, "X-Number", fmt.Sprint(client, "-", n))
		if fields["verdict"] != verdict {
			t.Errorf("guess %d: the access log says %v, want %s", n+1, fields, verdict)
		}
	}
}
