package inventory

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Where a document has GET /v2/orders/{id}, POST /v2/orders/search-all may be one of
// its ids, or a route of its own.
func TestAValueThatHardlyEverIsAnotherIsAName(t *testing.T) {
	for _, c := range []struct {
		name  string
		paths []string // each called by five clients
		want  []string
	}{
		{"one name alone", []string{"/v2/orders/preview-all"}, []string{"/v2/orders/preview-all"}},
		{"many of them", []string{"/v2/orders/a-b", "/v2/orders/c-d", "/v2/orders/e-f", "/v2/orders/g-h", "/v2/orders/i-j", "/v2/orders/k-l"}, []string{"/v2/orders/{id}"}},
		{"numbers", []string{"/v2/orders/417"}, []string{"/v2/orders/{id}"}},
		{"a verb at once", []string{"/v2/orders/recalculate", "/v2/orders/cancel-all"}, []string{"/v2/orders/cancel-all", "/v2/orders/recalculate"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, Options{}, orders())
			for _, client := range []int{1, 2, 3, 4, 5} {
				for _, path := range c.paths {
					s.callBy(client, catalogue.NoMethod, "PATCH", path)
				}
			}
			s.ripe()
			if got := s.paths(); !slices.Equal(got, c.want) {
				t.Fatalf("%q, want %q", got, c.want)
			}
			for _, path := range c.paths {
				s.callBy(9, catalogue.NoMethod, "PATCH", path)
			}
			if got := s.paths(); !slices.Equal(got, c.want) {
				t.Errorf("later: %q, want %q", got, c.want)
			}
			var sum uint64
			for _, e := range s.list(RouteQuery{Method: []string{"PATCH"}}).Items {
				sum += e.Count
			}
			if want := uint64(6 * len(c.paths)); sum != want {
				t.Errorf("%d requests are counted, want %d", sum, want)
			}
		})
	}
	t.Run("with something after it that no document has, it takes more", func(t *testing.T) {
		v := version("v2", "api.example.com", "/v2", "GET /orders/{id}", "GET /orders/{id}/lines")
		s := newScene(t, Options{}, api("orders", v))
		for client := range 5 {
			s.callBy(client+1, catalogue.NoRoute, "GET", "/v2/orders/zebra-seven/notes")
		}
		s.ripe()
		if got, want := s.paths(), []string{"/v2/orders/{id}/notes"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("what one client alone calls", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		for range 50 {
			s.callBy(1, catalogue.NoMethod, "PATCH", "/v2/orders/my-own")
		}
		s.ripe()
		if got, want := s.paths(), []string{"/v2/orders/{id}"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// callBy has a client call what a document has with another method.
func (s *scene) callBy(client int, outcome catalogue.Outcome, method, path string) {
	o := answered(200)
	o.BodyLength = int64(len(s.routes)*1000 + client)
	o.Caller = &Caller{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(client)})}
	s.miss(outcome, "v2", "api.example.com", method, path, o)
}

func TestDocumentsSayWhichSegmentsAreValues(t *testing.T) {
	integer := openapi3.NewIntegerSchema()
	state := openapi3.NewStringSchema().WithEnum("draft", "sent")
	with := func(name string, schema *openapi3.Schema) map[string]domain {
		return map[string]domain{name: schemaDomain(schema)}
	}
	words, root := newVocabulary(), new(branch)
	for _, d := range []struct {
		path    string
		domains map[string]domain
	}{
		{"/v2/orders/{id}", with("id", integer)},
		{"/v2/orders/{id}/labels/{name}", with("id", integer)},
		{"/v2/reports/{state}/all", with("state", state)},
		{"/v2/invoices/total", nil},
	} {
		root.add(d.path, d.domains)
		words.learn(d.path, d.domains)
	}
	for path, want := range map[string]string{
		"/v2/orders/417":           "/v2/orders/{id}",
		"/v2/orders/preview-all":   "/v2/orders/preview-all", // no integer
		"/v2/orders/417/labels/x":  "/v2/orders/{id}/labels/{name}",
		"/v2/items/labels/x":       "/v2/items/labels/{value}",
		"/v2/items/labels/total":   "/v2/items/labels/total", // a name elsewhere
		"/v2/items/labels/add":     "/v2/items/labels/add",   // a verb
		"/v2/reports/draft/all":    "/v2/reports/{state}/all",
		"/v2/reports/others/all":   "/v2/reports/others/all", // not in the enum
		"/v2/invoices/draft/count": "/v2/invoices/{value}/count",
		"/v2/draft/count":          "/v2/draft/count", // the first segment tells APIs apart
		"/v2/items/orders/417":     "/v2/items/orders/{value}",
		"/v2/items/orders/x":       "/v2/items/orders/x",
	} {
		if got := (templater{base: "/v2", documents: root, words: words}).template(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
