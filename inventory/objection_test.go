package inventory

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/allocs"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// objected is an outcome of a caller that rules in monitor would have refused.
func objected(address string, rules ...string) Outcome {
	o := from(address)
	o.Verdict, o.Rule = WouldRefuse, rules[0]
	for _, rule := range rules {
		o.Would |= RuleSetOf(rule)
	}
	return o
}

// verdictsBy are refusals as one text: of the consumers that a query finds, and
// their sums.
func (s *scene) verdictsBy(q ConsumerQuery) []string {
	s.t.Helper()
	list := []string{}
	for _, c := range s.consumers(q).Items {
		list = append(list, fmt.Sprintf("%s %s %d refused %v would %v", c.Version, c.Name, c.Count, c.Refused, c.WouldRefuse))
	}
	return list
}

func (s *scene) refusalsOf(path, method string) []string {
	s.t.Helper()
	entry := s.list(RouteQuery{Path: []string{path}, Method: []string{method}}).Items[0]
	detail, ok := s.Detail(entry.ID)
	if !ok {
		s.t.Fatalf("no detail of %s", path)
	}
	list := []string{}
	for _, r := range detail.Refusals {
		list = append(list, fmt.Sprint(r.Verdict, " ", r.Rule, " ", r.Name, " ", r.Count))
	}
	return list
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// refusing has callers that rules refuse, or would: by the document and beside it.
func refusing(s *scene) {
	acme := func(o Outcome) Outcome { o.Caller.Integration = "acme"; return o }
	for range 3 {
		s.hit("api.example.com", "POST", "/v2/orders", acme(objected("192.0.2.1", "credentials", "request")))
	}
	s.hit("api.example.com", "POST", "/v2/orders", acme(objected("192.0.2.1", "request")))
	s.hit("api.example.com", "GET", "/v2/orders", acme(from("192.0.2.1")))
	limit := refused(429, "limit", "quota-exceeded")
	limit.Caller = &Caller{Addr: netip.MustParseAddr("192.0.2.9")}
	s.hit("api.example.com", "POST", "/v2/orders", limit)
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/hidden", acme(objected("192.0.2.1", "unknown_route")))
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/hidden", acme(objected("192.0.2.1", "unknown_route")))
}

func wantRefusing(s *scene) {
	s.t.Helper()
	equal(s.t, "consumers", s.verdictsBy(ConsumerQuery{}), []string{
		"v2  1 refused map[limit:1] would map[]",
		"v2 acme 7 refused map[] would map[credentials:3 request:4 unknown_route:2]",
	})
	equal(s.t, "the documented route", s.refusalsOf("/v2/orders", "POST"), []string{"would_refuse request acme 4", "would_refuse credentials acme 3", "refuse limit  1"})
	equal(s.t, "the same without refusals", s.refusalsOf("/v2/orders", "GET"), []string{})
	equal(s.t, "the shadow", s.refusalsOf("/v2/hidden", "GET"), []string{"would_refuse unknown_route acme 2"})
	e := s.list(RouteQuery{Path: []string{"/v2/orders"}, Method: []string{"POST"}}).Items[0]
	equal(s.t, "the route by rule", fmt.Sprint(e.Refused, e.WouldRefuse), "map[limit:1] map[credentials:3 request:4]")
}

func TestWhatWouldHaveBeenRefusedIsToldByRuleRouteAndConsumer(t *testing.T) {
	s := newScene(t, Options{}, orders())
	refusing(s)
	wantRefusing(s)
	for query, want := range map[string]int{"credentials": 1, "limit": 1, "target": 0} {
		if n := len(s.consumers(ConsumerQuery{Rule: []string{query}}).Items); n != want {
			t.Errorf("rule=%s: %d consumers, want %d", query, n, want)
		}
	}
	if _, err := s.Consumers(ConsumerQuery{Rule: []string{"colour"}}); err == nil {
		t.Error("an unknown rule is taken")
	}
	s.load(orders())
	wantRefusing(s)
}

func TestRefusalsOutliveTheProcessAndGoOnWhereTheyWere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	first := newScene(t, Options{}, orders())
	first.open(file)
	refusing(first)
	first.settle()
	next := newScene(t, Options{}, orders())
	next.open(first.crash(file))
	wantRefusing(next)
	again := objected("192.0.2.1", "request")
	again.Caller.Integration = "acme"
	next.hit("api.example.com", "POST", "/v2/orders", again)
	next.settle()
	equal(t, "one more", next.refusalsOf("/v2/orders", "POST")[0], "would_refuse request acme 5")
	equal(t, "of the consumer", next.verdictsBy(ConsumerQuery{Rule: []string{"request"}}), []string{"v2 acme 8 refused map[] would map[credentials:3 request:5 unknown_route:2]"})
}

func TestRefusalsOfAFoldedRouteAreThoseOfTheTemplate(t *testing.T) {
	s := newScene(t, Options{}, orders())
	for i := range 60 {
		for range 1 + i/59*2 { // the last one three times
			o := objected(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String(), "unknown_route")
			o.BodyLength = int64(i)
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/customers/"+word(i)+"/invoices", o)
		}
		s.call(i+1, "v2", "/v2/customers/me/invoices", 200)
	}
	s.ripe()
	got := s.refusalsOf("/v2/customers/{value}/invoices", "GET")
	if len(got) != 60 || got[0] != "would_refuse unknown_route  3" || got[59] != "would_refuse unknown_route  1" {
		t.Errorf("%d consumers were refused at the template: %q", len(got), got)
	}
}

func TestRefusalsAreBoundedAndNeverLostByRule(t *testing.T) {
	s := newScene(t, Options{MaxConsumers: 20}, orders())
	addr := netip.MustParseAddr("10.0.0.0")
	for range 30 {
		addr = addr.Next()
		for i := range 40 {
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), objected(addr.String(), "unknown_route"))
		}
	}
	list := s.consumers(ConsumerQuery{})
	var sum uint64
	for _, c := range list.Items {
		sum += c.WouldRefuse["unknown_route"]
		if c.Consumer != hostOther && c.WouldRefuse["unknown_route"] != 40 {
			t.Errorf("%+v", c)
		}
	}
	if sum != 30*40 || len(list.Items) != 21 {
		t.Errorf("%d consumers with %d refusals, want 21 with %d", len(list.Items), sum, 30*40)
	}
	c := s.Inventory.consumers
	if n := c.routesTold.Load(); n > 20 {
		t.Errorf("%d objections tell their route, want at most 20", n)
	}
	// More rules than there is room for are a gap, not a fault.
	for rule := range numRules {
		for i := range 8 {
			o := objected(netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i)}).String(), ruleNames[rule])
			s.hit("api.example.com", "GET", "/v2/orders", o)
			s.settle()
		}
	}
	if n := c.rulesTold.Load(); n > 40 {
		t.Errorf("%d objections, want at most 40", n)
	}
	if list := s.consumers(ConsumerQuery{}); gap(list.Gaps, GapRefusals) == 0 {
		t.Errorf("gaps %+v", list.Gaps)
	}
	s.clock.advance(defaultRetention + time.Hour)
	s.CatchUp()
	s.clock.advance(sweepEvery)
	s.CatchUp()
	if c.routesTold.Load() != 0 && len(c.records) == 0 {
		t.Errorf("%d objections of nobody", c.routesTold.Load())
	}
}

func TestARefusalOfAKnownCallerIsCountedWithoutAllocationAndByMany(t *testing.T) {
	s := newScene(t, Options{}, orders())
	r := s.cat.Routes[3]
	m := catalogue.Match{Outcome: catalogue.Found, Host: r.Hosts[1], Route: r}
	o := s.at(objected("192.0.2.1", "credentials", "request"))
	s.rec.Hit(&m, o)
	s.settle()
	s.rec.Hit(&m, o)
	if n := allocs.PerRun(1000, func() { s.rec.Hit(&m, o) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	before := s.consumers(ConsumerQuery{}).Items[0].WouldRefuse["request"]
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 1000 {
				s.rec.Hit(&m, s.at(objected("192.0.2.1", ruleNames[(i+n)%8], "request")))
			}
		})
	}
	all.Wait()
	if n := s.consumers(ConsumerQuery{}).Items[0].WouldRefuse["request"] - before; n != 4000 {
		t.Errorf("%d were counted, want 4000", n)
	}
}

func TestNodesOfAFleetAddUpRefusals(t *testing.T) {
	board := newTable()
	var nodes []*member
	for _, name := range []string{"a", "b"} {
		m := join(t, board, name, filepath.Join(t.TempDir(), "inventory.db"), orders())
		t.Cleanup(m.CloseStore)
		refusing(m.scene)
		m.settle()
		nodes = append(nodes, m)
	}
	for _, m := range nodes {
		eventually(t, "what both were refused", func() (string, bool) {
			m.Settle(context.Background())
			got := fmt.Sprint(m.verdictsBy(ConsumerQuery{Rule: []string{"request"}}), m.refusalsOf("/v2/orders", "POST"))
			return got, got == "[v2 acme 14 refused map[] would map[credentials:6 request:8 unknown_route:4]] [would_refuse request acme 8 would_refuse credentials acme 6 refuse limit  2]"
		})
	}
}
