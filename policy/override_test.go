package policy

import (
	"net/http"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

func until(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

func TestAnOverrideGivesARuleAnotherMode(t *testing.T) {
	one := Limit{Name: "one", Rate: 1, Window: time.Hour, Algorithm: ratelimit.Window}
	for _, c := range []struct {
		name     string
		override Override
		line     string
		calls    int // of which the last is looked at; 0: one
		outcome  Outcome
		rule     Rule
	}{
		{"none", Override{Until: until(1)}, "GET api.example /v2/orders?limit=0", 0, Refuse, RuleRequest},
		{"request in monitor", Override{Rule: RuleRequest, Mode: Monitor, Until: until(1)}, "GET api.example /v2/orders?limit=0", 0, WouldRefuse, RuleRequest},
		{"request off", Override{Rule: RuleRequest, Mode: Off, Until: until(1)}, "GET api.example /v2/orders?limit=0", 0, Allow, RuleNone},
		{"at its end", Override{Rule: RuleRequest, Mode: Off, Until: until(0)}, "GET api.example /v2/orders?limit=0", 0, Refuse, RuleRequest},
		{"another rule", Override{Rule: RuleTarget, Mode: Off, Until: until(1)}, "GET api.example /v2/orders?limit=0", 0, Refuse, RuleRequest},
		{"this API", Override{Rule: RuleRequest, Mode: Off, API: "orders", Until: until(1)}, "GET api.example /v2/orders?limit=0", 0, Allow, RuleNone},
		{"another API", Override{Rule: RuleRequest, Mode: Off, API: "users", Until: until(1)}, "GET api.example /v2/orders?limit=0", 0, Refuse, RuleRequest},
		{"this version", Override{Rule: RuleRequest, Mode: Off, API: "orders", Version: "v2", Until: until(1)}, "GET api.example /v2/orders?limit=0", 0, Allow, RuleNone},
		{"another version", Override{Rule: RuleRequest, Mode: Off, API: "orders", Version: "v1", Until: until(1)}, "GET api.example /v2/orders?limit=0", 0, Refuse, RuleRequest},
		{"unknown routes pass", Override{Rule: RuleUnknownRoute, Mode: Monitor, Until: until(1)}, "GET api.example /v2/nothing", 0, WouldRefuse, RuleUnknownRoute},
		{"a version without a document becomes stricter", Override{Rule: RuleUnknownRoute, Mode: Enforce, Until: until(1)}, "GET old.example /v1/nothing", 0, Refuse, RuleUnknownRoute},
		{"a retired version comes back", Override{Rule: RuleLifecycle, Mode: Monitor, Until: until(1)}, "GET legacy.example /v0/orders", 0, WouldRefuse, RuleLifecycle},
		{"an unknown host passes", Override{Rule: RuleUnknownHost, Mode: Monitor, Until: until(1)}, "GET other.example /", 0, WouldRefuse, RuleUnknownHost},
		{"a spelling passes", Override{Rule: RuleTarget, Mode: Monitor, Until: until(1)}, "GET api.example /v2/x/../orders", 0, WouldRefuse, RuleTarget},
		{"a limit without one", Override{Until: until(1)}, "GET api.example /v2/orders", 2, Refuse, RuleLimit},
		{"all limits in monitor", Override{Rule: RuleLimit, Mode: Monitor, Until: until(1)}, "GET api.example /v2/orders", 2, WouldRefuse, RuleLimit},
		{"all limits off", Override{Rule: RuleLimit, Mode: Off, Until: until(1)}, "GET api.example /v2/orders", 2, Allow, RuleNone},
		{"this limit off", Override{Rule: RuleLimit, Limit: "one", Mode: Off, Until: until(1)}, "GET api.example /v2/orders", 2, Allow, RuleNone},
		{"another limit off", Override{Rule: RuleLimit, Limit: "two", Mode: Off, Until: until(1)}, "GET api.example /v2/orders", 2, Refuse, RuleLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, func(cfg *Config) { cfg.Limits = []Limit{one} })
			v := new(Verdict)
			for range max(c.calls, 1) {
				r := request(t, f, call{line: c.line})
				r.Overrides = []Override{c.override}
				f.Decide(r, v)
			}
			if v.Outcome != c.outcome || v.Rule != c.rule {
				t.Errorf("%s by %s, want %s by %s", v.Outcome, v.Rule, c.outcome, c.rule)
			}
			if v.Release(); v.Outcome != Allow {
				t.Error("it was not released")
			}
		})
	}
}

func TestTheLatestOverrideOfARuleWins(t *testing.T) {
	f := newFixture(t, nil)
	r := request(t, f, call{line: "GET api.example /v2/orders?limit=0"})
	r.Overrides = []Override{{Rule: RuleRequest, Mode: Off, Until: until(1)}, {Rule: RuleRequest, Mode: Monitor, Until: until(1)}}
	v := new(Verdict)
	if f.Decide(r, v); v.Outcome != WouldRefuse {
		t.Errorf("%s, want the monitor that came later", v.Outcome)
	}
}

func TestAVersionInMonitorTellsNothingOfItsEnd(t *testing.T) {
	f := newFixture(t, nil)
	r := request(t, f, call{line: "GET old.example /v1/orders"})
	v, h := new(Verdict), http.Header{}
	if f.Decide(r, v); v.Outcome == Refuse {
		t.Fatal(v.Reason)
	}
	if v.SetLifecycle(h); h.Get("Sunset") == "" {
		t.Fatal("the twin tells nothing either")
	}
	r.Overrides, h = []Override{{Rule: RuleLifecycle, Mode: Monitor, Until: until(1)}}, http.Header{}
	f.Decide(r, v)
	if v.SetLifecycle(h); len(h) > 0 {
		t.Errorf("in monitor nothing is added: %v", h)
	}
}

func TestEveryRuleCanBeParsed(t *testing.T) {
	for rule := RuleNone + 1; rule < numRules; rule++ {
		if got, err := ParseRule(rule.String()); err != nil || got != rule {
			t.Errorf("%s: %v, %v", rule, got, err)
		}
	}
	for _, s := range []string{"", "none", "Target", "mode"} {
		if got, err := ParseRule(s); err == nil {
			t.Errorf("%q is %s", s, got)
		}
	}
}
