package catalogue

import (
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// asked matches a request and asks for passthroughs.
func asked(c *Catalogue, request string) Match {
	method, target, _ := strings.Cut(request, " ")
	i := strings.IndexByte(target, '/')
	q := Query{Method: method, Host: target[:i], Path: target[i:]}
	var m Match
	c.Match(&q, &m)
	c.Pass(&q, &m)
	return m
}

// orders is a version with a document at /v2 of api.test, and one without at the
// root of old.test.
func orders() *API {
	return &API{Name: "orders", Versions: []*Version{
		{Name: "v2", Hosts: []string{"api.test"}, Claims: []Claim{{Path: "/v2"}},
			Documents: []*spec.Document{document("d", "GET /orders", "GET /files/{id}")}},
		{Name: "v1", Hosts: []string{"old.test", "*.old.test"}},
	}}
}

func TestPassthroughsHoldWhereNothingOfMoreRightDoes(t *testing.T) {
	api := orders()
	c, err := New(Config{
		APIs:     []*API{api},
		Bindings: []Binding{{API: api, Name: "reset", Operations: []string{"GET /orders"}}},
		Passthroughs: []*Passthrough{
			{Name: "probes", Paths: []string{"/healthz", "/v2/status"}, Methods: []string{"GET"}},
			{Name: "site", Hosts: []string{"api.test"}},
			{Name: "files", Hosts: []string{"api.test", "old.test"}, Paths: []string{"/v2/files/*", "/assets/*", "/orders"}},
			{Name: "address", Hosts: []string{"10.0.0.5", "[fd00::5]:8080", "*.pods.test"}, Paths: []string{"/ready"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ request, pass, within string }{
		{"GET api.test/healthz", "probes", ""},
		{"HEAD api.test/healthz", "probes", ""},
		{"GET 192.0.2.1/healthz", "probes", ""},
		{"GET nobody.test/healthz", "probes", ""},
		{"GET old.test/healthz", "probes", "v1"},
		{"GET x.old.test/healthz", "probes", "v1"},
		{"GET api.test/v2/status", "probes", "v2"},
		{"GET api.test/", "site", ""},
		{"PUT api.test/index.html", "site", ""},
		{"GET old.test/assets/a/b.js", "files", "v1"},
		{"GET old.test/assets/", "files", "v1"},
		{"GET api.test/v2/files/a/b", "files", "v2"},
		{"GET 10.0.0.5/ready", "address", ""},
		{"GET fd00::5/ready", "address", ""},
		{"POST a.pods.test/ready", "address", ""},

		{"POST api.test/healthz", "site", ""}, // not the probes' method
		{"POST nobody.test/healthz", "", ""},
		{"GET nobody.test/healthz/", "", ""},
		{"GET nobody.test/Healthz", "", ""},
		{"GET nobody.test/", "", ""},
		{"GET old.test/assets", "", ""},
		{"GET api.test/v2/debug", "", ""},    // below a version's longer path
		{"GET api.test/V2/debug", "", ""},    // and in another letter case
		{"GET api.test/v2/orders", "", ""},   // documented
		{"PUT api.test/v2/orders", "", ""},   // documented for another method
		{"GET api.test/v2/files/7", "", ""},  // documented
		{"GET api.test/v2/files/7/", "", ""}, // nearly documented
		{"GET old.test/orders", "", ""},      // a limit names it
		{"GET 10.0.0.6/ready", "", ""},
		{"GET a.b.pods.test/ready", "", ""},
	} {
		m := asked(c, tt.request)
		got, within := "", ""
		if m.Outcome == Passed {
			got = m.Pass.Passthrough.Name
			if m.API != nil || m.Version != nil {
				t.Errorf("%s: it is passed and belongs to a version too", tt.request)
			}
		}
		if m.Within != nil {
			within = m.Within.Name
		}
		if got != tt.pass || within != tt.within {
			t.Errorf("%s: passed by %q within %q, want %q within %q (outcome %v)", tt.request, got, within, tt.pass, tt.within, m.Outcome)
		}
	}
}

func TestPassthroughsThatCannotHoldAreErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		list []*Passthrough
		says string
	}{
		{"neither host nor path", []*Passthrough{{Name: "p"}}, "would pass everything"},
		{"everything everywhere", []*Passthrough{{Name: "p", Paths: []string{"/*"}}}, "would pass everything"},
		{"a host that is none", []*Passthrough{{Name: "p", Hosts: []string{"a b"}}}, "reading host"},
		{"the wildcard host", []*Passthrough{{Name: "p", Hosts: []string{"*"}}}, "leave hosts out"},
		{"no path", []*Passthrough{{Name: "p", Paths: []string{"healthz"}}}, "is no path"},
		{"a wildcard inside", []*Passthrough{{Name: "p", Paths: []string{"/a/*/b"}}}, "is no path"},
		{"a variable", []*Passthrough{{Name: "p", Paths: []string{"/a/{b}"}}}, "is no path"},
		{"dot segments", []*Passthrough{{Name: "p", Paths: []string{"/a/../b"}}}, `the path "/a/../b"`},
		{"an empty segment", []*Passthrough{{Name: "p", Paths: []string{"/a//b"}}}, `the path "/a//b"`},
		{"two of one name", []*Passthrough{{Name: "p", Paths: []string{"/a"}}, {Name: "p", Paths: []string{"/b"}}}, "this name"},
		{"two of one path", []*Passthrough{{Name: "p", Paths: []string{"/a"}}, {Name: "q", Paths: []string{"/a"}}}, `passthrough "p" has /a on every host too`},
		{"a documented path", []*Passthrough{{Name: "p", Paths: []string{"/v2/orders"}}}, "documents GET /v2/orders on host api.test"},
		{"a version's whole claim", []*Passthrough{{Name: "p", Hosts: []string{"old.test"}, Paths: []string{"/*"}}}, `version "v1" of API "orders" answers for all`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(Config{APIs: []*API{orders()}, Passthroughs: tt.list})
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
	for _, twin := range []*Passthrough{
		{Name: "p", Paths: []string{"/v2/orders"}, Methods: []string{"POST"}},
		{Name: "p", Hosts: []string{"www.test"}},
		{Name: "p", Hosts: []string{"old.test"}, Paths: []string{"/a/*", "/"}},
	} {
		if _, err := New(Config{APIs: []*API{orders()}, Passthroughs: []*Passthrough{twin}}); err != nil {
			t.Errorf("%v: %v", twin, err)
		}
	}
}

func TestAskingForPassthroughsAllocatesNothing(t *testing.T) {
	c, err := New(Config{APIs: []*API{orders()}, Passthroughs: []*Passthrough{{Name: "p", Paths: []string{"/healthz", "/assets/*"}}}})
	if err != nil {
		t.Fatal(err)
	}
	q := Query{Method: "GET", Host: "10.1.2.3", Path: "/assets/a.js"}
	var m Match
	if n := testing.AllocsPerRun(100, func() {
		c.Match(&q, &m)
		if !c.Pass(&q, &m) {
			t.Fatal("it is not passed")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
