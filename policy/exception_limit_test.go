package policy

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// allowance is the fixture with a limit of two an hour, of which acme may have four
// on v2, until the end of June.
func allowance(t testing.TB, e Exception) *fixture {
	return newFixture(t, func(cfg *Config) {
		cfg.Integrations = []Integration{{Name: "acme", Credentials: [][32]byte{sha256.Sum256([]byte("acme-key"))}}}
		cfg.Limits = []Limit{{Name: "each", Rate: 2, Window: time.Hour, Mode: Enforce}, {Name: "all", Rate: 10, Window: time.Hour, Key: []KeyPart{{kind: keyConstant, name: "x"}}, Mode: Enforce}}
		e.Name, e.Consumer, e.Until = "more", "acme", time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
		cfg.APIs[0].Versions[2].Exceptions = []Exception{e}
	})
}

func TestAnExceptionSetsALimitForItsConsumerItsVersionAndItsTime(t *testing.T) {
	f := allowance(t, Exception{Limits: []Limit{{Name: "each", Rate: 4, Window: time.Hour, Mode: Enforce}}})
	acme := http.Header{"X-Api-Key": {"acme-key"}}
	admitted := func(c call) int {
		n := 0
		for range 12 {
			v := f.ask(t, c)
			if v.Reason != ReasonQuotaExceeded {
				n++
			}
			v.Release()
		}
		return n
	}
	v2 := call{line: "GET api.example /v2/orders", header: acme, client: "192.0.2.1"}
	if n := admitted(v2); n != 4 {
		t.Errorf("%d of acme's requests were admitted, want 4", n)
	}
	// The other limit of the version holds on: 6 of its 10 are left.
	if n := admitted(call{line: "GET api.example /v2/orders", client: "192.0.2.2"}); n != 2 {
		t.Errorf("%d requests of somebody else were admitted, want 2", n)
	}
	// What acme used there is not used up elsewhere, and elsewhere nothing is excepted.
	if n := admitted(call{line: "GET next.example /orders", header: http.Header{"X-Version": {"3"}, "X-Api-Key": {"acme-key"}}, client: "192.0.2.1"}); n != 2 {
		t.Errorf("%d of acme's requests to another version were admitted, want 2", n)
	}
	ended := v2
	ended.client, ended.now = "192.0.2.3", time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	if n := admitted(ended); n != 2 {
		t.Errorf("%d of acme's requests were admitted when the exception had ended, want 2", n)
	}
	list := f.Limits()
	i := slices.IndexFunc(list, func(l LimitEntry) bool { return l.Exception != "" })
	if i < 0 || list[i].Exception != "more" || list[i].Version != "v2" || list[i].Rate != "4/1h" {
		t.Errorf("the list of limits does not tell of it: %+v", list)
	}
	api := f.Catalogue().APIs[0]
	if differs := strings.Join(f.Differences(api, api.Versions[2]), "; "); !strings.Contains(differs, "exception more: limit each is 4 in 1h for acme until 2026-07-01") {
		t.Errorf("the differences do not tell of it: %s", differs)
	}
	other := allowance(t, Exception{Limits: []Limit{{Name: "each", Rate: 5, Window: time.Hour}}})
	if f.Digest(api.Versions[2]) == other.Digest(other.Catalogue().APIs[0].Versions[2]) {
		t.Error("another limit in an exception has the same digest")
	}
}

func TestAnExceptionFromLimitsSwitchesAllOff(t *testing.T) {
	f := allowance(t, Exception{Rule: RuleLimit})
	for range 20 {
		v := f.ask(t, call{line: "GET api.example /v2/orders", header: http.Header{"X-Api-Key": {"acme-key"}}, client: "192.0.2.1"})
		if v.Outcome != Allow || v.Limited() != 0 {
			t.Fatalf("%s %s by %d limits", v.Outcome, v.Reason, v.Limited())
		}
		v.Release()
	}
}
