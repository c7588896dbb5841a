package policy

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
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

// v3 and v4 are picked by a header on next.example; v2 lies below /v2 of
// api.example. Who is not of the audience may not have the host's other paths, nor
// get to it by leaving the header out or sending it twice.
func TestAHostForAnAudienceHasNoDoorBesideItsVersions(t *testing.T) {
	office := []Audience{{Name: "office", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	version := func(v string) http.Header { return http.Header{"X-Version": {v}} }
	passed := &catalogue.Passthrough{Name: "p", Paths: []string{"/healthz"}, Reason: "r"}
	for _, tt := range []struct {
		name     string
		reserved []int // versions, by their number
		line     string
		header   http.Header
		denied   bool
	}{
		{"a path beside the claim", []int{2}, "GET api.example /actuator", nil, true},
		{"a path that only begins as the claim", []int{2}, "GET beta.example /v2x/orders", nil, true},
		{"a passthrough beside the claim", []int{2}, "GET api.example /healthz", nil, true},
		{"a passthrough within", []int{1}, "GET old.example /v1/orders", nil, true},
		{"no header, all versions reserved", []int{3, 4}, "GET next.example /orders", nil, true},
		{"a header of no version", []int{3, 4}, "GET next.example /orders", version("9"), true},
		{"a passthrough without the header", []int{3, 4}, "GET next.example /healthz", nil, true},
		{"both versions, one reserved", []int{3}, "GET next.example /orders", http.Header{"X-Version": {"4", "3"}}, true},
		{"no header, one version open", []int{3}, "GET next.example /orders", nil, false},
		{"the open version", []int{3}, "GET next.example /orders", version("4"), false},
		{"the path of another host", []int{3, 4}, "GET api.example /actuator", nil, false},
		{"a passthrough of another host", []int{3, 4}, "GET api.example /healthz", nil, false},
		{"a passthrough of a host that nobody declared", []int{1, 2, 3, 4}, "GET other.example /healthz", nil, false},
	} {
		f := newFixture(t, func(cfg *Config) {
			setAll(cfg, Monitor)
			cfg.Passthroughs = []*catalogue.Passthrough{passed}
			cfg.APIs[0].Rules.SetMode(RuleAudience, Enforce)
			for i := range cfg.APIs[0].Versions {
				cfg.APIs[0].Versions[i].Rules.SetMode(RuleAudience, Enforce)
			}
			for _, i := range tt.reserved {
				cfg.APIs[0].Versions[i].Audience = office
			}
		})
		for client, denied := range map[string]bool{"192.0.2.1": tt.denied, "10.1.2.3": false} {
			r := request(t, f, call{line: tt.line, header: tt.header, client: client})
			f.Catalogue().Pass(&catalogue.Query{Host: r.Target.Host, Method: r.Method, Path: r.Target.Path, Header: r.Header}, &r.Match)
			v := new(Verdict)
			if f.Decide(r, v); (v.Outcome == Refuse && v.Reason == ReasonAudienceDenied) != denied {
				t.Errorf("%s, from %s: %s %s (match %v), want it denied: %v", tt.name, client, v.Outcome, v.Reason, r.Match.Outcome, denied)
			}
		}
	}
}
