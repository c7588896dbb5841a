package policy

import (
	"net/http"
	"net/netip"
	"testing"
	"time"
)

func TestEarlyDataIsRefusedUnchargedAndNeverOfAnAudience(t *testing.T) {
	office := Audience{Name: "office", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	for _, c := range []struct {
		name    string
		change  func(*Config)
		line    string
		outcome Outcome
		rule    Rule
	}{
		{"as the rule target has it", func(*Config) {}, "GET api.example /v2/orders", Refuse, RuleTarget},
		{"to a host that nobody declared", func(*Config) {}, "GET other.example /", Refuse, RuleTarget},
		{"in monitor", func(cfg *Config) { setAll(cfg, Monitor) }, "GET api.example /v2/orders", WouldRefuse, RuleTarget},
		{"to an audience, with target off", func(cfg *Config) {
			setAll(cfg, Off)
			for i := range cfg.APIs[0].Versions {
				cfg.APIs[0].Versions[i].Rules.modes[RuleAudience] = Enforce
				cfg.APIs[0].Versions[i].Audience = []Audience{office}
			}
		}, "GET api.example /v2/orders", Refuse, RuleAudience},
		{"to everybody, with target off", func(cfg *Config) { setAll(cfg, Off) }, "GET api.example /v2/orders", Allow, RuleNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, func(cfg *Config) {
				withLimits(Limit{Name: "wrong", Rate: 1, Window: time.Hour, Count: CountViolations})(cfg)
				c.change(cfg)
			})
			for range 3 {
				r, v := request(t, f, call{line: c.line}), new(Verdict)
				r.Early = true
				if f.Decide(r, v); v.Outcome != c.outcome || v.Rule != c.rule {
					t.Fatalf("%s %s %s, want %s %s", v.Outcome, v.Rule, v.Reason, c.outcome, c.rule)
				}
				if v.Outcome != Allow && (v.Reason != ReasonTooEarly || v.Status != http.StatusTooEarly) {
					t.Errorf("%s %d", v.Reason, v.Status)
				}
				v.Close()
			}
			if c.line == "GET api.example /v2/orders" {
				if v := f.ask(t, call{line: c.line}); v.Outcome == Refuse {
					t.Errorf("after the handshake: %s %s", v.Rule, v.Reason)
				}
			}
		})
	}
}
