package policy

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestAVersionIsReachedByItsAudienceAlone(t *testing.T) {
	office := Audience{Name: "office", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	one := Audience{Name: "one", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")}}
	reserve := func(cfg *Config) { cfg.APIs[0].Versions[2].Audience = []Audience{office, one} }
	f := newFixture(t, reserve)
	for client, want := range map[string]Reason{
		"10.0.0.0": "", "10.255.255.255": "", "::ffff:10.1.2.3": "", "fd12::1%eth0": "", "192.0.2.7": "",
		"11.0.0.0": ReasonAudienceDenied, "9.255.255.255": ReasonAudienceDenied, "192.0.2.8": ReasonAudienceDenied,
		"fe00::1": ReasonAudienceDenied, "::10.1.2.3": ReasonAudienceDenied,
	} {
		v := f.ask(t, call{line: "GET api.example /v2/orders", client: client})
		if v.Reason != want || want != "" && (v.Status != http.StatusForbidden || v.Rule != RuleAudience) {
			t.Errorf("%s: %s %s %d, want %q", client, v.Outcome, v.Reason, v.Status, want)
		}
		// A version without an audience is everybody's.
		if v := f.ask(t, call{line: "GET next.example /orders", header: http.Header{"X-Version": {"3"}}, client: client}); v.Outcome != Allow {
			t.Errorf("%s is refused where no audience is: %s", client, v.Reason)
		}
	}
	r := request(t, f, call{line: "GET api.example /v2/orders"})
	r.Client = netip.Addr{}
	v := new(Verdict)
	if f.Decide(r, v); v.Reason != ReasonAudienceDenied {
		t.Errorf("a client without an address: %s %s", v.Outcome, v.Reason)
	}
	// What comes before it in the order, and what comes after.
	if v := f.ask(t, call{line: "GET api.example /v2/Orders"}); v.Reason != ReasonAmbiguousTarget {
		t.Errorf("a near miss: %s", v.Reason)
	}
	if v := f.ask(t, call{line: "DELETE api.example /v2/orders"}); v.Reason != ReasonAudienceDenied {
		t.Errorf("a method that is not documented: %s", v.Reason)
	}

	f = newFixture(t, func(cfg *Config) { reserve(cfg); setAll(cfg, Monitor) })
	if v := f.ask(t, call{line: "GET api.example /v2/orders"}); v.Outcome != WouldRefuse || v.Reason != ReasonAudienceDenied {
		t.Errorf("in monitor: %s %s", v.Outcome, v.Reason)
	}
	version := func(f *fixture) string { return f.Digest(f.Catalogue().APIs[0].Versions[2]) }
	if version(newFixture(t, nil)) == version(newFixture(t, reserve)) {
		t.Error("the digest does not tell a reserved version from an open one")
	}
}

func TestARequestRefusedByAudienceChargesNoLimit(t *testing.T) {
	f := newFixture(t, func(cfg *Config) {
		cfg.APIs[0].Versions[2].Audience = []Audience{{Name: "one", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")}}}
		cfg.Limits = []Limit{{Name: "all", Rate: 1, Window: 1e9, Key: []KeyPart{{kind: keyConstant, name: "x"}}}}
	})
	for range 3 {
		if v := f.ask(t, call{line: "GET api.example /v2/orders"}); v.Reason != ReasonAudienceDenied {
			t.Fatalf("%s", v.Reason)
		}
	}
	if v := f.ask(t, call{line: "GET api.example /v2/orders", client: "192.0.2.7"}); v.Outcome != Allow {
		t.Errorf("the audience's first call: %s %s", v.Outcome, v.Reason)
	}
}
