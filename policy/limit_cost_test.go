package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// costly is ordersV2 with a cost at listing orders.
func costly(t *testing.T, cost string) []*spec.Document {
	return []*spec.Document{document(t, strings.Replace(ordersV2, "operationId: listOrders", "operationId: listOrders\n      x-api-guard-cost: "+cost, 1))}
}

func withCost(t *testing.T, cost string, limits ...Limit) func(*Config) {
	return func(cfg *Config) {
		cfg.APIs[0].Limits = limits
		cfg.APIs[0].Declared.Versions[2].Documents = costly(t, cost)
		cfg.APIs[0].Declared.Versions[3].Documents = costly(t, cost)
		cfg.APIs[0].Declared.Versions[4].Documents = costly(t, cost)
	}
}

func TestAnOperationCostsWhatItsDocumentSaysInEveryVersion(t *testing.T) {
	for _, line := range []string{"GET api.example /v2/orders", "GET old.example /v1/orders", "HEAD api.example /v2/orders"} {
		f := newFixture(t, withCost(t, "4", Limit{Name: "l", Rate: 10, Window: time.Hour}))
		passed := 0
		for range 10 {
			if f.ask(t, call{line: line}).Rule != RuleLimit {
				passed++
			}
		}
		if passed != 2 {
			t.Errorf("%s: %d calls of cost 4 fit in 10, want 2", line, passed)
		}
		for range 2 {
			if f.ask(t, call{line: "GET api.example /v2/orders/7"}).Rule == RuleLimit {
				t.Errorf("after %s: what is left does not do for the cheap ones", line)
			}
		}
	}
}

func TestALimitsOwnCostWins(t *testing.T) {
	f := newFixture(t, withCost(t, "4", Limit{Name: "l", Rate: 10, Window: time.Hour, Cost: 5}))
	passed := 0
	for range 10 {
		if f.ask(t, call{line: "GET api.example /v2/orders"}).Rule != RuleLimit {
			passed++
		}
	}
	if passed != 2 {
		t.Errorf("%d calls of cost 5 fit in 10, want 2", passed)
	}
}

func TestACostThatIsNoneIsAProblemOfTheDocument(t *testing.T) {
	for _, cost := range []string{"0", "-1", "1.5", "many", "99999999"} {
		f := newFixture(t, withCost(t, cost, Limit{Name: "l", Rate: 10, Window: time.Hour}))
		found := false
		for _, p := range f.Catalogue().Problems {
			found = found || strings.Contains(p.Reason, "x-api-guard-cost") && p.Where == "GET /orders"
		}
		if !found {
			t.Errorf("cost %s: no problem among %v", cost, f.Catalogue().Problems)
		}
	}
}

func TestACostThatNoLimitHoldsIsAnError(t *testing.T) {
	api := &catalogue.API{Name: "a", Versions: []*catalogue.Version{{Name: "v", Hosts: []string{"h.example"}, Documents: costly(t, "4")}}}
	_, err := New(Config{Rules: DefaultRules(), APIs: []API{{Declared: api, Versions: []Version{{}}, Limits: []Limit{{Name: "l", Rate: 3, Window: time.Hour}}}}})
	if err == nil || !strings.Contains(err.Error(), "x-api-guard-cost 4") {
		t.Errorf("%v", err)
	}
}
