package policy

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

func withLimits(limits ...Limit) func(*Config) {
	return func(cfg *Config) { cfg.APIs[0].Limits = limits }
}

func keyOf(t testing.TB, parts ...string) []KeyPart {
	t.Helper()
	var out []KeyPart
	for _, text := range parts {
		part, err := ParseKeyPart(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, part)
	}
	return out
}

// The case that the project started from: guesses over every host, version and
// spelling share one bucket, whether or not the version documents the operation.
func TestOneBucketWhicheverHostVersionOrSpelling(t *testing.T) {
	f := newFixture(t, func(cfg *Config) {
		cfg.APIs[0].Limits = []Limit{{Name: "reset", Rate: 5, Window: time.Minute, Operations: []string{"resetPassword"}}}
		cfg.APIs[0].Rules.SetMode(RuleUnknownRoute, Monitor) // else a 404 is charged too
		cfg.Rules.SetMode(RuleUnknownRoute, Monitor)
		for i := range cfg.APIs[0].Versions {
			cfg.APIs[0].Versions[i].Rules.SetMode(RuleUnknownRoute, Monitor)
		}
	})
	next := http.Header{"X-Version": {"3"}}
	ways := []call{
		{line: "POST api.example /v2/reset"},
		{line: "POST beta.example /v2/reset"},
		{line: "POST BETA.example:80 /v2/%72eset"},
		{line: "POST old.example /v1/reset"},
		{line: "POST old.example /v1/reset/"},
		{line: "POST old.example /v1/RESET"},
		{line: "POST next.example /reset", header: next},
		{line: "POST next.example /reset", header: http.Header{"X-Version": {"9"}}},
		{line: "POST api.example /reset"},
		{line: "POST api.example /v2/reset/"},
	}
	var mu sync.Mutex
	passed := 0
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			v := f.ask(t, ways[i%len(ways)])
			if v.Outcome != Refuse {
				mu.Lock()
				passed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if passed > 5 {
		t.Errorf("%d guesses passed, 5 may", passed)
	}
	// What the other rules refuse costs nothing, so five must have come through
	// by the ways that pass.
	for range 5 {
		if f.ask(t, ways[0]).Outcome != Refuse {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("%d guesses passed in all, want 5", passed)
	}
	if v := f.ask(t, call{line: "POST api.example /v2/reset", client: "192.0.2.2"}); v.Outcome == Refuse {
		t.Errorf("another client is refused: %s", v.Reason)
	}
	if v := f.ask(t, call{line: "GET api.example /v2/orders"}); v.Limited() != 0 {
		t.Errorf("an operation that the limit does not name is charged")
	}
}

func TestUnknownRoutesAndRetiredVersionsAreCharged(t *testing.T) {
	for _, line := range []string{"GET api.example /v2/debug", "GET api.example /beside", "GET legacy.example /v0/orders", "DELETE api.example /v2/orders", "GET next.example /orders"} {
		f := newFixture(t, withLimits(Limit{Name: "all", Rate: 1, Window: time.Minute}))
		if v := f.ask(t, call{line: line}); v.Rule == RuleLimit {
			t.Fatalf("%s: the first call is limited", line)
		}
		if v := f.ask(t, call{line: line}); v.Rule != RuleLimit || v.Status != 429 {
			t.Errorf("%s: the second call gets %s %d, want limit 429", line, v.Rule, v.Status)
		}
	}
}

func TestRefusalByOneLimitChargesNoOther(t *testing.T) {
	f := newFixture(t, withLimits(
		Limit{Name: "wide", Rate: 10, Window: time.Hour},
		Limit{Name: "narrow", Rate: 1, Window: time.Hour, Operations: []string{"POST /reset"}},
	))
	for range 100 {
		f.ask(t, call{line: "POST api.example /v2/reset"})
	}
	admitted := 0
	for range 20 {
		if f.ask(t, call{line: "GET api.example /v2/orders"}).Outcome != Refuse {
			admitted++
		}
	}
	if admitted != 9 {
		t.Errorf("%d calls admitted by the wide limit after one reset, want 9", admitted)
	}
}

func TestLimitInMonitorRefusesNothingAndSpendsNothing(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "watch", Rate: 1, Window: time.Minute, Mode: Monitor}))
	get := call{line: "GET api.example /v2/orders"}
	if v := f.ask(t, get); v.Outcome != Allow {
		t.Fatalf("first: %s", v.Outcome)
	}
	v := f.ask(t, get)
	if v.Outcome != WouldRefuse || v.Rule != RuleLimit {
		t.Errorf("second: %s %s", v.Outcome, v.Rule)
	}
	if _, _, any := v.AppendFields(nil, nil); any {
		t.Error("a limit in monitor shows in the fields")
	}
}

func TestKeysSeparateClientsAndMissingPartsShareABucket(t *testing.T) {
	limit := Limit{Name: "k", Rate: 1, Window: time.Minute, Key: keyOf(t, "{http.request.header.X-Api-Key}")}
	f := newFixture(t, withLimits(limit))
	with := func(key string) call {
		return call{line: "GET api.example /v2/orders", header: http.Header{"X-Api-Key": {key}}}
	}
	for _, c := range []struct {
		call call
		want Outcome
	}{
		{with("a"), Allow}, {with("b"), Allow}, {with("a"), Refuse},
		{call{line: "GET api.example /v2/orders"}, Allow},
		{call{line: "GET api.example /v2/orders", client: "192.0.2.9"}, Refuse},
		{with(""), Refuse},
	} {
		if v := f.ask(t, c.call); v.Outcome != c.want {
			t.Errorf("%v: %s, want %s", c.call.header, v.Outcome, c.want)
		}
	}
}

func TestKeyByHostKnowsNoSpelling(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "k", Rate: 1, Window: time.Minute, Key: keyOf(t, "{http.request.host}")}))
	if f.ask(t, call{line: "GET api.example /v2/orders"}).Outcome != Allow || f.ask(t, call{line: "GET beta.example /v2/orders"}).Outcome != Allow {
		t.Error("two hosts share a bucket")
	}
	for _, spelled := range []string{"API.example", "api.example.", "api.example:80"} {
		if f.ask(t, call{line: "GET " + spelled + " /v2/orders"}).Outcome != Refuse {
			t.Errorf("%s has a bucket of its own", spelled)
		}
	}
}

func TestIPv6ClientsCountByTheir64(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "k", Rate: 1, Window: time.Minute}))
	ask := func(client string) Outcome {
		return f.ask(t, call{line: "GET api.example /v2/orders", client: client}).Outcome
	}
	if ask("2001:db8::1") != Allow || ask("2001:db8::2") != Refuse || ask("2001:db8:0:1::1") != Allow {
		t.Error("the /64 does not decide")
	}
	if ask("::ffff:192.0.2.7") != Allow || ask("192.0.2.7") != Refuse {
		t.Error("a mapped IPv4 address is another client")
	}
}

func TestFieldsShowOneItemPerName(t *testing.T) {
	f := newFixture(t, func(cfg *Config) {
		cfg.APIs[0].Limits = []Limit{{Name: "c", Rate: 100, Window: time.Minute}, {Name: "hidden", Rate: 9, Window: time.Minute, HideFields: true}}
		cfg.APIs[0].Versions[2].Limits = []Limit{{Name: "c", Rate: 2, Window: time.Minute}}
	})
	get := call{line: "GET api.example /v2/orders"}
	f.ask(t, get)
	v := f.ask(t, get)
	policyField, limitField, _ := v.AppendFields(nil, nil)
	if got := string(policyField); got != `"c";q=2;w=60` {
		t.Errorf("RateLimit-Policy %s", got)
	}
	if got := string(limitField); !strings.HasPrefix(got, `"c";r=0`) {
		t.Errorf("RateLimit %s", got)
	}
	v = f.ask(t, get)
	h := http.Header{}
	v.SetRefusal(h, new(FieldValues))
	if v.Outcome != Refuse || h.Get("Retry-After") == "" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v", v.Outcome, h)
	}
	problem := string(v.AppendProblem(nil, TypeBase, "x"))
	if !strings.Contains(problem, `"violated-policies":["c"]`) || !strings.Contains(problem, QuotaExceededType) {
		t.Error(problem)
	}
}

func TestPolicyWideLimitHoldsPerAPI(t *testing.T) {
	f := newFixture(t, func(cfg *Config) {
		cfg.Limits = []Limit{{Name: "reset", Rate: 1, Window: time.Minute, Operations: []string{"resetPassword"}}}
		other := *cfg.APIs[0].Declared.Versions[2]
		other.Hosts, other.Claims = []string{"other.example"}, []catalogue.Claim{{Path: "/"}}
		bare := &catalogue.API{Name: "bare", Versions: []*catalogue.Version{{Name: "v1", Hosts: []string{"bare.example"}}}}
		cfg.APIs = append(cfg.APIs,
			API{Declared: &catalogue.API{Name: "others", Versions: []*catalogue.Version{&other}}, Rules: cfg.Rules, Versions: []Version{{Rules: cfg.Rules}}},
			API{Declared: bare, Rules: cfg.Rules, Versions: []Version{{Rules: cfg.Rules}}})
	})
	if f.ask(t, call{line: "POST api.example /v2/reset"}).Outcome == Refuse {
		t.Error("the first call is refused")
	}
	if f.ask(t, call{line: "POST other.example /reset"}).Outcome == Refuse {
		t.Error("another API shares the bucket")
	}
	if f.ask(t, call{line: "POST other.example /reset"}).Rule != RuleLimit {
		t.Error("the other API's own bucket does not hold")
	}
}

func TestLimitsThatCannotHoldAreErrors(t *testing.T) {
	d := document(t, ordersV2)
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"an operation of the policy that no API has", func(cfg *Config) {
			cfg.Limits = []Limit{{Name: "l", Rate: 1, Window: time.Minute, Operations: []string{"nothing"}}}
		}, `"nothing"`},
		{"an operation of an API that it does not have", withLimits(Limit{Name: "l", Rate: 1, Window: time.Minute, Operations: []string{"GET /nothing"}}), "/nothing"},
		{"a rate of zero", withLimits(Limit{Name: "l", Window: time.Minute}), `limit "l"`},
		{"too many limits", func(cfg *Config) {
			for i := range MaxLimits + 1 {
				cfg.APIs[0].Limits = append(cfg.APIs[0].Limits, Limit{Name: fmt.Sprint("l", i), Rate: 1, Window: time.Minute})
			}
		}, "merge some"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Rules: DefaultRules(), Table: ratelimit.NewTable(ratelimit.TableConfig{Slots: 64}), APIs: []API{{
				Declared: &catalogue.API{Name: "a", Versions: []*catalogue.Version{{Name: "v", Hosts: []string{"h.example"}, Documents: []*spec.Document{d}}}},
				Versions: []Version{{}},
			}}}
			c.change(&cfg)
			_, err := New(cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something with %q", err, c.want)
			}
		})
	}
}
