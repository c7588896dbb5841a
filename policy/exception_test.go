package policy

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/allocs"
)

// excepted is the fixture with exceptions for acme on v2: from request and
// audience, until the end of June, and with an integration beside it that has none.
func excepted(t testing.TB) *fixture {
	return newFixture(t, func(cfg *Config) {
		cfg.Integrations = []Integration{
			{Name: "acme", Credentials: [][32]byte{sha256.Sum256([]byte("acme-key")), sha256.Sum256([]byte("acme-user"))}},
			{Name: "other", Credentials: [][32]byte{sha256.Sum256([]byte("other-key"))}},
			{Name: "gone", Credentials: [][32]byte{sha256.Sum256([]byte("gone-key"))}, Until: noon},
		}
		cfg.Consumers = []string{"{http.auth.user.id}"}
		end := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
		v := &cfg.APIs[0].Versions[2]
		v.Audience = []Audience{{Name: "office", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
		v.Exceptions = []Exception{
			{Name: "a", Consumer: "acme", Rule: RuleRequest, Until: end}, {Name: "b", Consumer: "acme", Rule: RuleAudience, Until: end},
			{Name: "c", Consumer: "gone", Rule: RuleRequest, Until: end},
		}
		cfg.APIs[0].Versions[0].Exceptions = []Exception{{Name: "d", Consumer: "acme", Rule: RuleLifecycle, Until: end}}
	})
}

func TestAnExceptionIsForItsConsumerItsVersionAndItsTime(t *testing.T) {
	f := excepted(t)
	acme := http.Header{"X-Api-Key": {"acme-key"}}
	last := time.Date(2026, 6, 30, 23, 59, 59, 0, time.UTC)
	for _, row := range []struct {
		name     string
		call     call
		consumer string
		reason   Reason
	}{
		{"an API key", call{line: "GET api.example /v2/orders?limit=0", header: acme}, "acme", ""},
		{"a bearer token", call{line: "GET api.example /v2/orders?limit=0", header: http.Header{"Authorization": {"Bearer  acme-key"}}}, "acme", ""},
		{"a token without a scheme", call{line: "GET api.example /v2/orders?limit=0", header: http.Header{"Authorization": {"acme-key"}}}, "acme", ""},
		{"the last second", call{line: "GET api.example /v2/orders?limit=0", header: acme, now: last}, "acme", ""},
		{"a second later, inside", call{line: "GET api.example /v2/orders?limit=0", header: acme, now: last.Add(time.Second), client: "10.0.0.1"}, "acme", ReasonRequestInvalid},
		{"a second later, outside", call{line: "GET api.example /v2/orders?limit=0", header: acme, now: last.Add(time.Second)}, "acme", ReasonAudienceDenied},
		{"a rule that it does not name", call{line: "GET api.example /v2/debug", header: acme}, "acme", ReasonUnknownRoute},
		{"a version that it is not for", call{line: "GET next.example /orders?limit=0", header: http.Header{"X-Version": {"3"}, "X-Api-Key": {"acme-key"}}}, "acme", ReasonRequestInvalid},
		{"another integration", call{line: "GET api.example /v2/orders?limit=0", header: http.Header{"X-Api-Key": {"other-key"}}}, "other", ReasonAudienceDenied},
		{"an integration that has ended", call{line: "GET api.example /v2/orders?limit=0", header: http.Header{"X-Api-Key": {"gone-key"}}, client: "10.0.0.1"}, "", ReasonRequestInvalid},
		{"and a second before", call{line: "GET api.example /v2/orders?limit=0", header: http.Header{"X-Api-Key": {"gone-key"}}, client: "10.0.0.1", now: noon.Add(-time.Second)}, "gone", ""},
		{"nobody", call{line: "GET api.example /v2/orders?limit=0", client: "10.0.0.1"}, "", ReasonRequestInvalid},
		{"the digest for the credential", call{line: "GET api.example /v2/orders?limit=0", header: http.Header{"X-Api-Key": {"sha256:" + strings.Repeat("ab", 32)}}}, "", ReasonAudienceDenied},
		{"the credential in another field", call{line: "GET api.example /v2/orders?limit=0", header: http.Header{"X-Name": {"acme-key"}}}, "", ReasonAudienceDenied},
		{"two integrations' credentials", call{line: "GET api.example /v2/orders?limit=0", header: http.Header{"X-Api-Key": {"acme-key", "other-key"}}}, "", ReasonAudienceDenied},
		{"a retired version", call{line: "GET legacy.example /v0/orders", header: acme}, "acme", ReasonUnknownRoute},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := f.ask(t, row.call)
			if v.Consumer != row.consumer || v.Reason != row.reason {
				t.Errorf("%s %s for %q, want %q for %q", v.Outcome, v.Reason, v.Consumer, row.reason, row.consumer)
			}
		})
	}
	h := http.Header{}
	if f.ask(t, call{line: "GET legacy.example /v0/orders", header: acme}).SetLifecycle(h); h.Get("Sunset") == "" {
		t.Error("whoever has an exception from retirement is not told of it any more")
	}
	r := request(t, f, call{line: "GET api.example /v2/orders?limit=0"})
	r.Expand = func(text string) (string, bool) { return "acme-user", text == "{http.auth.user.id}" }
	v := new(Verdict)
	if f.Decide(r, v); v.Consumer != "acme" || v.Outcome != Allow {
		t.Errorf("a user that a placeholder names: %q, %s %s", v.Consumer, v.Outcome, v.Reason)
	}
	// The shared policy is as it was.
	v.Release()
	if v := f.ask(t, call{line: "GET api.example /v2/orders?limit=0", client: "10.0.0.1"}); v.Reason != ReasonRequestInvalid {
		t.Errorf("after an exception everybody: %s %s", v.Outcome, v.Reason)
	}
}

func TestRecognisingAConsumerAllocatesNothing(t *testing.T) {
	f := excepted(t)
	r := request(t, f, call{line: "GET api.example /v2/orders", header: http.Header{"Authorization": {"Bearer acme-key"}, "X-Api-Key": {strings.Repeat("x", 100)}}})
	v := new(Verdict)
	if n := allocs.PerRun(100, func() { f.Decide(r, v) }); n != 0 || v.Consumer != "acme" {
		t.Errorf("%g allocations, consumer %q", n, v.Consumer)
	}
}
