package inventory

import (
	"slices"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Browsers ask for leave before each call to another origin, and frameworks answer
// for whatever path: no route, no scan and no finding comes of that.
func TestAPreflightIsEvidenceOfNothing(t *testing.T) {
	s := newScene(t, Options{}, orders())
	asked := answered(204)
	asked.Preflight = true
	for range 2 * scanSize {
		s.miss(catalogue.NoMethod, "v2", "api.example.com", "OPTIONS", "/v2/orders/7", asked)
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "OPTIONS", "/v2/nowhere", asked)
	}
	for _, path := range []string{"/v2/orders/{id}", "/v2/nowhere"} {
		list := s.list(RouteQuery{Path: []string{path}, Method: []string{"OPTIONS"}}).Items
		if len(list) != 1 || list[0].Evidence != EvidenceScan || list[0].Count != 2*scanSize ||
			!slices.Equal(list[0].Reasons, []string{ReasonUndocumented, ReasonPreflight}) {
			t.Errorf("%s: %+v", path, list)
		}
	}
	hosts, err := s.Hosts(HostQuery{Host: []string{"api.example.com"}})
	if err != nil || len(hosts.Items) != 1 || len(hosts.Items[0].Scans) != 0 || len(hosts.Items[0].Baseline) != 0 {
		t.Errorf("%+v, %v", hosts.Items, err)
	}
	for _, kind := range []string{"shadow-answers", "scanned"} {
		if found := s.openFindings(kind); len(found) != 0 {
			t.Errorf("a finding: %+v", found)
		}
	}

	s.miss(catalogue.NoMethod, "v2", "api.example.com", "OPTIONS", "/v2/orders/7", answered(200))
	s.miss(catalogue.NoMethod, "v2", "api.example.com", "OPTIONS", "/v2/orders/7", asked)
	list := s.list(RouteQuery{Path: []string{"/v2/orders/{id}"}, Method: []string{"OPTIONS"}}).Items
	if len(list) != 1 || list[0].Evidence != EvidenceConfirmed || !slices.Equal(list[0].Reasons, []string{ReasonUndocumented, ReasonAnswered, ReasonMethod}) {
		t.Errorf("an OPTIONS that is no preflight: %+v", list)
	}
	if found := s.openFindings("shadow-answers"); len(found) != 1 {
		t.Errorf("it opens %+v", found)
	}
}
