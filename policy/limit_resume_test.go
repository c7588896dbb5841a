package policy

import (
	"net/http"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// A request that has got an error in place of an answer goes to another upstream.
func TestAResumedRequestIsAFailureOnceByTheAnswerThatItGets(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, last int // 0: unanswered
		counts      bool
	}{
		{"no failure, then one", 405, 401, true},
		{"no failure, then none", 405, 200, false},
		{"a failure, then another", 401, 403, true},
		{"a failure, then none", 401, 200, true},
		{"unanswered, then a failure", 0, 401, true},
		{"unanswered, then none", 0, 200, true},
		{"no failure, then unanswered", 404, 0, true},
	} {
		f := newFixture(t, withLimits(failuresLimit(2)))
		v := f.ask(t, reset)
		settle := func(status int) {
			if status == 0 {
				v.Unanswered()
			} else {
				v.Answered(status)
			}
			v.Close()
		}
		settle(c.first)
		if v.Resume() {
			t.Errorf("%s: refused", c.name)
		}
		settle(c.last)
		want := `"guesses";r=2`
		if c.counts {
			want = `"guesses";r=1`
		}
		if _, field, _ := v.AppendFields(nil, nil); len(field) < len(want) || string(field[:len(want)]) != want {
			t.Errorf("%s: the field says %s, want %s", c.name, field, want)
		}
		left := 0
		for f.ask(t, reset).Outcome != Refuse {
			left++
		}
		if counted := left == 1; counted != c.counts || left > 2 {
			t.Errorf("%s: %d guesses are left of 2", c.name, left)
		}
	}
}

func TestAResumedRequestIsRefusedWhereOthersHaveUsedTheLimitUp(t *testing.T) {
	f := newFixture(t, withLimits(failuresLimit(1)))
	v := f.ask(t, reset)
	v.Answered(405)
	v.Close()
	other := f.ask(t, reset) // on its way
	h := http.Header{}
	if !v.Resume() || v.Rule != RuleLimit || v.Reason != ReasonQuotaExceeded || v.Status != http.StatusTooManyRequests {
		t.Errorf("beside another guess: %s %s", v.Outcome, v.Reason)
	}
	if v.SetRefusal(h, new(FieldValues)); h.Get("Retry-After") == "" {
		t.Errorf("the refusal has %v", h)
	}
	v.Refused()
	v.Close()
	other.Answered(200)
	other.Close()
	if f.ask(t, reset).Outcome == Refuse {
		t.Error("the refused one holds something")
	}
}

func TestAResumedRequestIsCountedOnceAndOnItsWayAgain(t *testing.T) {
	get := call{line: "GET api.example /v2/orders"}
	f := newFixture(t, withLimits(Limit{Name: "rate", Rate: 2, Window: time.Hour}, Limit{Name: "c", Concurrency: 1}))
	v := f.ask(t, get)
	v.Unanswered()
	v.Close()
	if v.Resume() {
		t.Fatalf("refused: %s", v.Reason)
	}
	if second := f.ask(t, get); second.Outcome != Refuse {
		t.Error("it is not on its way")
	}
	v.Answered(200)
	v.Close()
	if f.ask(t, get).Outcome == Refuse { // the second of two
		t.Error("it is counted twice, or still on its way")
	}
}

// monitored has limits where the rule request is in monitor.
func monitored(limits ...Limit) func(*Config) {
	return func(cfg *Config) {
		withLimits(limits...)(cfg)
		for i := range cfg.APIs[0].Versions {
			cfg.APIs[0].Versions[i].Rules.SetMode(RuleRequest, Monitor)
		}
	}
}

// A limit in monitor that counts by what is in the body is asked when that has passed.
func TestAResumedRequestIsAFailureWhereTheBodyIsTheKey(t *testing.T) {
	const body = `{"email":"a@x"}`
	for status, counts := range map[int]bool{401: true, 200: false} {
		limit := failuresLimit(1)
		email, err := ParseKeyPart("{http.api_guard.body./email}")
		if err != nil {
			t.Fatal(err)
		}
		limit.Mode, limit.Key = Monitor, []KeyPart{email}
		f := newFixture(t, monitored(limit))
		pass := func() (*Verdict, bool) {
			r := request(t, f, reset)
			v := new(Verdict)
			if f.Decide(r, v); !v.AwaitsBody() {
				t.Fatalf("%s %s, and nothing waits for the body", v.Outcome, v.Reason)
			}
			return v, f.ChargePassed(r, v, []byte(body), true, 405)
		}
		v, _ := pass()
		v.Close()
		if v.Resume() {
			t.Fatal("refused in monitor")
		}
		v.Answered(status)
		v.Close()
		if _, refuses := pass(); refuses != counts {
			t.Errorf("after an error and %d: the next one would be refused: %v", status, refuses)
		}
	}
}

func TestAResumedRequestIsAViolationByWhatIsJudgedOnlyThen(t *testing.T) {
	for judged, counts := range map[string]bool{"before": true, "after": true, "never": false} {
		f := newFixture(t, monitored(Limit{Name: "bad", Rate: 1, Window: time.Hour, Count: CountViolations}))
		v := f.ask(t, reset)
		judge := func(when string) {
			if when == judged {
				v.JudgeResult(conformance.Result{Reason: conformance.Invalid})
			}
			v.Judged()
		}
		judge("before")
		v.Close()
		if v.Resume() {
			t.Fatal("refused in monitor")
		}
		judge("after")
		v.Close()
		if refused := f.ask(t, reset).Outcome == Refuse; refused != counts {
			t.Errorf("judged %s: the next one is refused: %v", judged, refused)
		}
	}
}
