package policy

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

func failuresLimit(n int) Limit {
	return Limit{Name: "guesses", Rate: n, Window: time.Hour, Operations: []string{"resetPassword"}, Count: CountFailures, Failures: DefaultFailures()}
}

var reset = call{line: "POST api.example /v2/reset"}

// The case of the issue: all guesses are on their way before the first answer.
func TestOfTwoHundredGuessesAtOnceFivePass(t *testing.T) {
	f := newFixture(t, withLimits(failuresLimit(5)))
	var passed atomic.Int64
	var answered, all sync.WaitGroup
	answered.Add(1)
	asked := make(chan struct{}, 200)
	for range 200 {
		all.Go(func() {
			v := new(Verdict)
			f.Decide(request(t, f, reset), v)
			asked <- struct{}{}
			if v.Outcome == Refuse {
				v.Refused()
				v.Close()
				return
			}
			passed.Add(1)
			answered.Wait() // the slow upstream
			v.Answered(http.StatusForbidden)
			v.Close()
		})
	}
	for range 200 {
		<-asked
	}
	answered.Done()
	all.Wait()
	if n := passed.Load(); n != 5 {
		t.Errorf("%d guesses passed, 5 may", n)
	}
	if v := f.ask(t, reset); v.Rule != RuleLimit {
		t.Errorf("a sixth guess: %s", v.Outcome)
	}
	if n := f.table.(*ratelimit.Table).Stats().Held; n != 0 {
		t.Errorf("%d are still pending", n)
	}
}

func TestOnlyTheStatusesThatMeanAFailureCount(t *testing.T) {
	for status, counts := range map[int]bool{401: true, 403: true, 200: false, 101: false, 404: false, 422: false, 500: false, 502: false} {
		f := newFixture(t, withLimits(failuresLimit(1)))
		v := f.ask(t, reset)
		v.Answered(status)
		v.Close()
		if refused := f.ask(t, reset).Rule == RuleLimit; refused != counts {
			t.Errorf("status %d: the next guess is refused: %v, want %v", status, refused, counts)
		}
	}
	limit := failuresLimit(1)
	limit.Failures = []int{422}
	f := newFixture(t, withLimits(limit))
	for _, c := range []struct {
		status  int
		refused bool
	}{{403, false}, {422, true}} {
		v := f.ask(t, reset)
		v.Answered(c.status)
		v.Close()
		next := f.ask(t, reset)
		if refused := next.Rule == RuleLimit; refused != c.refused {
			t.Errorf("with 422 alone, after %d: refused %v", c.status, refused)
		}
		next.Answered(200)
	}
}

func TestARequestWithoutAnAnswerIsAFailureAndARefusedOneIsNot(t *testing.T) {
	f := newFixture(t, withLimits(failuresLimit(1)))
	v := f.ask(t, reset)
	v.Refused()
	v.Close()
	v = f.ask(t, reset)
	if v.Outcome == Refuse {
		t.Fatal("what another rule refused is counted")
	}
	v.Close() // the client went away, or something panicked
	if f.ask(t, reset).Rule != RuleLimit {
		t.Error("an aborted guess is free")
	}
}

func TestASuccessShowsThatNothingWasUsed(t *testing.T) {
	f := newFixture(t, withLimits(failuresLimit(5)))
	v := f.ask(t, reset)
	v.Answered(200)
	if _, field, _ := v.AppendFields(nil, nil); string(field) != `"guesses";r=5` {
		t.Errorf("after a success: %s", field)
	}
	v = f.ask(t, reset)
	v.Answered(403)
	if _, field, _ := v.AppendFields(nil, nil); len(field) < 13 || string(field[:13]) != `"guesses";r=4` {
		t.Errorf("after a failure: %s", field)
	}
}

func TestUnknownRoutesUseUpWhatTheyCountFor(t *testing.T) {
	limit := Limit{Name: "scan", Rate: 3, Window: time.Second, Count: CountUnknown, Penalty: time.Hour}
	f := newFixture(t, withLimits(limit))
	known := call{line: "GET api.example /v2/orders"}
	for range 20 {
		if f.ask(t, known).Outcome != Allow {
			t.Fatal("a documented call counts")
		}
	}
	// Without a document nothing is unknown, and a preflight is what browsers do.
	f.ask(t, call{line: "GET old.example /v1/anything"})
	f.ask(t, call{line: "OPTIONS api.example /v2/reset", header: http.Header{"Origin": {"https://x.example"}, "Access-Control-Request-Method": {"POST"}}})
	for _, line := range []string{"GET api.example /v2/.env", "GET api.example /beside", "DELETE beta.example /v2/orders"} {
		if v := f.ask(t, call{line: line}); v.Rule == RuleLimit {
			t.Fatalf("%s: %s", line, v.Rule)
		}
	}
	if v := f.ask(t, call{line: "GET api.example /v2/wp-admin"}); v.Rule != RuleLimit {
		t.Errorf("the fourth unknown path: %s", v.Rule)
	}
	f.now += int64(time.Minute)
	if v := f.ask(t, known); v.Rule != RuleLimit {
		t.Error("the scanner is not shut out")
	}
	if v := f.ask(t, call{line: known.line, client: "192.0.2.9"}); v.Outcome != Allow {
		t.Error("another client is shut out")
	}
}

func TestViolationsUseUpWhatTheyCountFor(t *testing.T) {
	for _, mode := range []Mode{Enforce, Monitor} {
		f := newFixture(t, func(cfg *Config) {
			cfg.APIs[0].Limits = []Limit{{Name: "bad", Rate: 3, Window: time.Hour, Count: CountViolations}}
			for i := range cfg.APIs[0].Versions {
				cfg.APIs[0].Versions[i].Rules.SetMode(RuleTarget, mode)
				cfg.APIs[0].Versions[i].Rules.SetMode(RuleRequest, mode)
			}
		})
		ask := func(c call) *Verdict {
			v := f.ask(t, c)
			if v.Outcome == Refuse {
				v.Refused()
			}
			v.Answered(200)
			v.Judged()
			v.Close()
			return v
		}
		good := call{line: "GET api.example /v2/orders"}
		for range 10 {
			if ask(good).Rule == RuleLimit {
				t.Fatalf("%v: what conforms counts", mode)
			}
		}
		ask(call{line: "GET api.example /v2/ORDERS"})
		ask(call{line: "GET api.example /v2/orders?limit=0"})
		ask(jsonCall(`{"quantity":0}`).to("POST api.example /v2/orders"))
		if v := ask(good); v.Rule != RuleLimit {
			t.Errorf("%v: after three violations: %s %s", mode, v.Outcome, v.Rule)
		}
	}
}

func TestConcurrencyIsReleasedHoweverTheRequestEnds(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "c", Concurrency: 2}))
	get := call{line: "GET api.example /v2/orders"}
	first, second := f.ask(t, get), f.ask(t, get)
	if first.Outcome == Refuse || second.Outcome == Refuse {
		t.Fatal("two at one time are refused")
	}
	third := f.ask(t, get)
	h := http.Header{}
	third.SetRefusal(h, new(FieldValues))
	if third.Rule != RuleLimit || h.Get("Retry-After") != "1" {
		t.Errorf("a third at one time: %s %v", third.Outcome, h)
	}
	if policyField, limitField, _ := third.AppendFields(nil, nil); string(policyField) != `"c";q=2;qu="concurrent-requests"` || string(limitField) != `"c";r=0` {
		t.Errorf("the fields say %s and %s", policyField, limitField)
	}
	first.Answered(200)
	if f.ask(t, get).Rule != RuleLimit {
		t.Error("the answer's beginning is not the request's end")
	}
	first.Close()
	first.Close()
	if f.ask(t, get).Outcome == Refuse {
		t.Error("what ended is not released")
	}
	if f.ask(t, get).Rule != RuleLimit {
		t.Error("closing twice releases twice")
	}
}

func TestARateAndAConcurrencyOfOneLimitRefuseUnderOneName(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "both", Rate: 1, Window: time.Hour, Concurrency: 1}))
	get := call{line: "GET api.example /v2/orders"}
	f.ask(t, get)
	v := f.ask(t, get)
	if got := string(v.appendViolated(nil)); got != `,"violated-policies":["both"]` {
		t.Error(got)
	}
}
