package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// within asks about the request that it has become behind the guard whose verdict is around.
func (f *fixture) within(t *testing.T, around *Verdict, line string, overrides ...Override) *Verdict {
	t.Helper()
	r := request(t, f, call{line: line})
	r.Around, r.Overrides = around, overrides
	v := new(Verdict)
	f.Decide(r, v)
	if v.Outcome != Refuse && v.Body.Action == conformance.Judge {
		v.JudgeBody(nil)
	}
	return v
}

func fields(v *Verdict) string {
	_, limit, _ := v.AppendFields(nil, nil)
	return string(limit)
}

func TestARewrittenRequestIsChargedOnceToOneBucket(t *testing.T) {
	rate := func(name string, n int) Limit { return Limit{Name: name, Rate: n, Window: time.Minute} }
	reset := Limit{Name: "reset", Rate: 9, Window: time.Minute, Operations: []string{"resetPassword"}}
	failures := Limit{Name: "guesses", Rate: 9, Window: time.Minute, Count: CountFailures, Failures: DefaultFailures(), Concurrency: 5}
	unknown := Limit{Name: "unknown", Rate: 9, Window: time.Minute, Count: CountUnknown}
	shadow := Limit{Name: "shadow", Rate: 1, Window: time.Minute, Mode: Monitor}

	f := newFixture(t, func(cfg *Config) {
		withLimits(rate("all", 9), reset, failures, unknown)(cfg)
		setAll(cfg, Monitor)
	})
	outer := f.ask(t, call{line: "GET api.example /v2/orders"})
	inner := f.within(t, outer, "POST api.example /v2/reset")
	var asked []string
	for i := range inner.Limited() {
		asked = append(asked, inner.Limit(i).Name)
	}
	if fmt.Sprint(asked) != "[reset]" {
		t.Errorf("for what it became it is asked about %v, want reset alone", asked)
	}
	inner.Answered(401)
	inner.Close()
	outer.Answered(401)
	outer.Close()
	again := f.ask(t, call{line: "POST api.example /v2/reset"})
	for i := range again.Limited() {
		if got := again.decisions[i].Remaining; again.charges[i].Limit.Name != "unknown" && again.limits[i].arithmetic.Rate == 9 && got != 7 {
			t.Errorf("%s has %d left, want 7 of 9 after two requests", again.Limit(i).Name, got)
		}
	}
	again.Answered(200)
	again.Close()

	// What was known became unknown: it counts, as what is unknown at once does.
	outer = f.ask(t, call{line: "GET api.example /v2/orders"})
	inner = f.within(t, outer, "GET api.example /v2/nothing")
	if inner.Limited() != 1 || inner.Limit(0).Name != "unknown" {
		t.Errorf("what became unknown is asked about %d limits", inner.Limited())
	}

	f = newFixture(t, withLimits(shadow))
	_ = f.ask(t, call{line: "GET api.example /v2/orders"})
	outer = f.ask(t, call{line: "GET api.example /v2/orders"})
	inner = f.within(t, outer, "GET api.example /v2/orders/7")
	if inner.Outcome != WouldRefuse || inner.Exceeded() != "shadow" || inner.Limited() != 0 {
		t.Errorf("what would have been refused: %v by %q", inner.Outcome, inner.Exceeded())
	}
}

func TestAViolationBehindARewriteCountsOnce(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "bad", Rate: 9, Window: time.Minute, Count: CountViolations}))
	for n, line := range []string{"GET api.example /v2/orders?limit=x", "GET api.example /V2/orders"} {
		outer := f.ask(t, call{line: "GET api.example /v2/orders/7"})
		inner := f.within(t, outer, line)
		if inner.Outcome != Refuse {
			t.Fatalf("%s is not refused", line)
		}
		inner.Refused()
		inner.Close()
		outer.Judged()
		outer.Close()
		next := f.ask(t, call{line: "GET api.example /v2/orders/7"})
		if got := next.decisions[0].Remaining; got != 9-n-1 {
			t.Errorf("%s: %d left, want %d", line, got, 9-n-1)
		}
		next.Judged()
		next.Close()
	}
}

// An override may be about one of the two versions: what is in monitor there has paid
// nothing here.
func TestALimitInMonitorAroundIsEnforcedBehindARewrite(t *testing.T) {
	v1 := Override{Rule: RuleLimit, Mode: Monitor, API: "orders", Version: "v1", Until: until(1)}
	f := newFixture(t, withLimits(Limit{Name: "one", Rate: 1, Window: time.Minute}))
	for _, want := range []Outcome{Allow, Refuse} {
		r := request(t, f, call{line: "GET old.example /v1/orders"})
		r.Overrides = []Override{v1}
		outer := new(Verdict)
		f.Decide(r, outer)
		inner := f.within(t, outer, "GET api.example /v2/orders", v1)
		if outer.Outcome == Refuse || (inner.Outcome == Refuse) != (want == Refuse) {
			t.Errorf("around %v, within %v, want %v", outer.Outcome, inner.Outcome, want)
		}
	}
}

// What the answer is behind the inner guard may never get to the outer one: it may be
// refused, as one that no document has, say.
func TestAFailureBehindARewriteCountsOnceWhateverBecomesOfIt(t *testing.T) {
	const noAnswer = 0
	for _, c := range []struct{ here, there, left int }{
		{401, 502, 8}, {200, 401, 8}, {401, 401, 8}, {200, 502, 9}, {noAnswer, 200, 8},
	} {
		f := newFixture(t, withLimits(Limit{Name: "guesses", Rate: 9, Window: time.Minute, Count: CountFailures, Failures: DefaultFailures()}))
		outer := f.ask(t, call{line: "GET api.example /v2/orders"})
		inner := f.within(t, outer, "GET api.example /v2/orders/7")
		if c.here == noAnswer {
			inner.Unanswered()
		} else {
			inner.Answered(c.here)
		}
		outer.Answered(c.there)
		inner.Close()
		outer.Close()
		last := f.ask(t, call{line: "GET api.example /v2/orders"})
		last.Answered(200)
		if got := last.decisions[0].Remaining; got != c.left {
			t.Errorf("%d here and %d there: %d left, want %d", c.here, c.there, got, c.left)
		}
	}
}

// A body in monitor is judged when the answer has begun, and the outer guard may have
// settled its limits by then.
func TestAViolationThatIsFoundBehindTheAnswerCountsOnce(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "bad", Rate: 9, Window: time.Minute, Count: CountViolations}))
	outer := f.ask(t, call{line: "GET api.example /v2/orders/7"})
	inner := f.within(t, outer, "GET api.example /v2/orders")
	outer.Judged()
	inner.Object(RuleRequest, Monitor, ReasonRequestInvalid, 422)
	inner.Object(RuleRequest, Monitor, ReasonRequestInvalid, 422)
	inner.Judged()
	inner.Close()
	outer.Close()
	if got := f.ask(t, call{line: "GET api.example /v2/orders/7"}).decisions[0].Remaining; got != 8 {
		t.Errorf("%d left, want 8", got)
	}
}

// A request costs what the dearer of the two is.
func TestARewrittenRequestPaysWhatItCostsMore(t *testing.T) {
	dear := strings.Replace(ordersV2, "operationId: resetPassword", "operationId: resetPassword\n      x-api-guard-cost: 5", 1)
	f := newFixture(t, func(cfg *Config) {
		withLimits(Limit{Name: "all", Rate: 20, Window: time.Minute}, Limit{Name: "parallel", Concurrency: 9})(cfg)
		for _, v := range cfg.APIs[0].Declared.Versions[2:] {
			v.Documents = []*spec.Document{document(t, dear)}
		}
	})
	for _, c := range []struct{ outer, inner, left string }{
		{"GET api.example /v2/orders", "POST api.example /v2/reset", "14"},
		{"POST api.example /v2/reset", "GET api.example /v2/orders", "8"},
	} {
		outer := f.ask(t, call{line: c.outer})
		inner := f.within(t, outer, c.inner)
		inner.Close()
		outer.Close()
		last := f.ask(t, call{line: "GET api.example /v2/orders"})
		if got := fmt.Sprint(last.decisions[0].Remaining); got != c.left {
			t.Errorf("%s and %s: %s left, want %s", c.outer, c.inner, got, c.left)
		}
		last.Close()
	}
}

func TestTwoGuardsTellOfANameOnce(t *testing.T) {
	for _, c := range []struct {
		api, version int
		outer, inner string
	}{
		{5, 3, ``, `"c";r=2;t=`}, // the version's is tighter, and told by the inner one
		{3, 5, `"c";r=2;t=`, ``},
	} {
		f := newFixture(t, func(cfg *Config) {
			cfg.APIs[0].Limits = []Limit{{Name: "c", Rate: c.api, Window: time.Minute}}
			cfg.APIs[0].Versions[2].Limits = []Limit{{Name: "c", Rate: c.version, Window: time.Minute}}
		})
		outer := f.ask(t, call{line: "GET old.example /v1/orders"})
		inner := f.within(t, outer, "GET api.example /v2/orders")
		for range 2 { // it may be told again
			for _, side := range []struct{ got, want string }{{fields(inner), c.inner}, {fields(outer), c.outer}} {
				if len(side.got) < len(side.want) || side.got[:len(side.want)] != side.want || side.want == "" && side.got != "" {
					t.Errorf("%d and %d: %q, want %q", c.api, c.version, side.got, side.want)
				}
			}
		}
	}
}
