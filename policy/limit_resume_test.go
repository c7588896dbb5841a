package policy

import (
	"net/http"
	"testing"
	"time"
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
	if v.SetRefusal(h); h.Get("Retry-After") == "" {
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
