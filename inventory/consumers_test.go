package inventory

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/allocs"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

func from(address string) Outcome {
	o := answered(200)
	o.Caller = &Caller{Addr: netip.MustParseAddr(address)}
	return o
}

func asUser(name string) Outcome {
	o := from("192.0.2.1")
	o.Caller.User = name
	return o
}

func (s *scene) consumers(q ConsumerQuery) List[ConsumerEntry] {
	s.t.Helper()
	s.settle()
	list, err := s.Consumers(q)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// knownKey has consumers hashed as in any other run, so that an estimate of how many they
// are is what it was.
func (s *scene) knownKey() { s.Inventory.consumers.share([]byte("a test's")) }

func TestConsumersAreCountedByVersion(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.knownKey()
	call := func(version, host string, o Outcome) {
		s.hit(host, "GET", "/"+version+"/orders", o)
		s.settle()
		s.clock.advance(time.Second)
	}
	for _, address := range []string{
		"192.0.2.7", "::ffff:192.0.2.7", // the same, as IPv4 in IPv6
		"2001:db8:1:2::1", "2001:db8:1:2:ffff::2", // the same /64
		"2001:db8:1:3::1",
	} {
		call("v2", "api.example.com", from(address))
	}
	call("v2", "beta.example.com", from("192.0.2.7"))
	call("v2", "api.example.com", asUser("alice"))
	call("v2", "api.example.com", asUser("bob"))
	call("v1", "legacy.example.com", from("192.0.2.7"))
	s.miss(catalogue.NoRoute, "v1", "legacy.example.com", "GET", "/v1/extra", from("192.0.2.7"))

	list := s.consumers(ConsumerQuery{})
	got := map[string]uint64{}
	for _, c := range list.Items {
		kind, _, _ := strings.Cut(c.Consumer, ":")
		got[fmt.Sprint(c.Version, " ", kind, " ", c.Count)]++
		if c.API != "orders" || c.Name != "" || c.FirstSeen.IsZero() || c.LastSeen.Before(c.FirstSeen.Time) {
			t.Errorf("entry %+v", c)
		}
	}
	want := map[string]uint64{"v1 network 2": 1, "v2 network 3": 1, "v2 network 2": 1, "v2 network 1": 1, "v2 user 1": 2}
	if fmt.Sprint(got) != fmt.Sprint(want) || !list.Complete {
		t.Errorf("got %v, want %v; gaps %v", got, want, list.Gaps)
	}
	if e := s.list(RouteQuery{Path: []string{"/v2/orders"}, Method: []string{"GET"}, Host: []string{"api.example.com"}}).Items[0]; e.Consumers != 5 { // an estimate, where no two share a register
		t.Errorf("the route says %d consumers, want 5", e.Consumers)
	}
	if e := s.one("/v1/extra"); e.Consumers != 1 {
		t.Errorf("the undocumented route says %d consumers, want 1", e.Consumers)
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"192.0.2", "2001:db8", "alice", "bob"} {
		if strings.Contains(string(text), raw) {
			t.Errorf("the answer holds %s", raw)
		}
	}
	if n := len(s.consumers(ConsumerQuery{Version: []string{"v1"}}).Items); n != 1 {
		t.Errorf("%d consumers of v1, want 1", n)
	}
}

func TestTheSameConsumerHasOneNameInAllVersionsAndAnotherInAnotherProcess(t *testing.T) {
	names := map[string]bool{}
	for range 2 {
		s := newScene(t, Options{}, orders())
		s.hit("legacy.example.com", "GET", "/v1/orders", from("192.0.2.7"))
		s.hit("api.example.com", "GET", "/v2/orders", from("192.0.2.7"))
		items := s.consumers(ConsumerQuery{}).Items
		if len(items) != 2 || items[0].Consumer != items[1].Consumer {
			t.Fatalf("entries %+v", items)
		}
		names[items[0].Consumer] = true
	}
	if len(names) != 2 {
		t.Error("two processes gave one name: the key is not their own")
	}
}

func TestConsumersSurviveAReload(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.hit("api.example.com", "GET", "/v2/orders", from("192.0.2.7"))
	s.settle()
	s.load(api("first", version("v9", "a.test", "/v9", "GET /x")), orders())
	s.hit("api.example.com", "GET", "/v2/orders", from("192.0.2.7"))
	items := s.consumers(ConsumerQuery{API: []string{"orders"}}).Items
	if len(items) != 1 || items[0].Count != 2 {
		t.Errorf("entries %+v", items)
	}
}

func TestConsumersBeyondTheCapAreOneEntryAndAGap(t *testing.T) {
	s := newScene(t, Options{MaxConsumers: 50}, orders())
	addr := netip.MustParseAddr("10.0.0.0")
	for range 80 {
		addr = addr.Next()
		s.hit("api.example.com", "GET", "/v2/orders", from(addr.String()))
		s.settle()
	}
	s.hit("api.example.com", "GET", "/v2/orders", from("10.0.0.1"))
	list := s.consumers(ConsumerQuery{Limit: 1000})
	if len(list.Items) != 51 || list.Complete || gap(list.Gaps, GapConsumers) != 30 {
		t.Fatalf("%d items, gaps %v", len(list.Items), list.Gaps)
	}
	last := list.Items[50]
	if last.Consumer != "(other)" || last.Count != 30 || last.Version != "v2" || last.FirstSeen.IsZero() {
		t.Errorf("the last is %+v", last)
	}
	var sum uint64
	for _, c := range list.Items {
		sum += c.Count
	}
	if sum != 81 {
		t.Errorf("%d requests are counted, want 81", sum)
	}
	if !s.list(RouteQuery{}).Complete {
		t.Error("a list of routes states the gap of the consumers")
	}
}

func TestFloodOfConsumersIsBoundedAndPaged(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.knownKey()
	s.hit("api.example.com", "GET", "/v2/orders", from("192.0.2.7"))
	s.settle()
	before := heap()
	addr := netip.MustParseAddr("10.0.0.0")
	for range flood + 5_000 {
		addr = addr.Next()
		o := answered(200)
		o.Caller = &Caller{Addr: addr}
		s.hit("api.example.com", "GET", "/v2/orders", o)
		if len(s.Inventory.consumers.arrivals) == arrivalQueue {
			s.settle()
		}
	}
	s.settle()
	if grown := int64(heap()) - int64(before); grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	} else {
		t.Logf("the heap grew by %d KiB", grown>>10)
	}
	seen, q, begin := 0, ConsumerQuery{Limit: 1000}, time.Now()
	pages := 0
	for {
		list := s.consumers(q)
		seen, pages = seen+len(list.Items), pages+1
		if list.Next == "" {
			break
		}
		q.Cursor = list.Next
	}
	t.Logf("%d pages of 1,000 in %v", pages, time.Since(begin))
	if seen != 100_001 {
		t.Errorf("a walk sees %d consumers, want 100,001", seen)
	}
	e := s.list(RouteQuery{Path: []string{"/v2/orders"}, Method: []string{"GET"}, Host: []string{"api.example.com"}}).Items[0]
	// Two standard errors either way, and the hash has the same key in each run.
	if e.Consumers < 91_000 || e.Consumers > 119_000 {
		t.Errorf("the route says about %d consumers, of %d", e.Consumers, flood+5_001)
	}
}

func TestCallersAreClassedAndNotKept(t *testing.T) {
	v := version("v1", "h.test", "/v1", "GET /x")
	v.Documents[0].Root = withAPIKeys()
	for _, tt := range []struct {
		name     string
		address  string
		user     string
		mtls     bool
		query    string
		request  http.Header
		answer   http.Header
		seen     string
		networks string
		cors     string
		open     uint64
	}{
		{name: "nothing", address: "8.8.8.8", seen: "[]", networks: "[public]", cors: "[] false", open: 1},
		{name: "bearer in any case", address: "10.1.1.1", request: http.Header{"Authorization": {"bEARER x"}}, seen: "[bearer]", networks: "[private]", cors: "[] false"},
		{name: "basic", address: "127.0.0.1", request: http.Header{"Authorization": {"Basic x"}}, seen: "[basic]", networks: "[loopback]", cors: "[] false"},
		{name: "another scheme", address: "::1", request: http.Header{"Authorization": {"Digest x"}}, seen: "[other]", networks: "[loopback]", cors: "[] false"},
		{name: "a documented header", address: "100.64.0.1", request: http.Header{"X-Key": {"x"}}, seen: "[api-key]", networks: "[private]", cors: "[] false"},
		{name: "a header of that kind that no document names", address: "8.8.8.8", request: http.Header{"X-Other-Key": {"x"}}, seen: "[]", networks: "[public]", cors: "[] false", open: 1},
		{name: "a documented query parameter", address: "8.8.8.8", query: "a=1&key=x", seen: "[api-key]", networks: "[public]", cors: "[] false"},
		{name: "the parameter without a value", address: "8.8.8.8", query: "mykey=1&key=", seen: "[]", networks: "[public]", cors: "[] false", open: 1},
		{name: "a documented cookie", address: "fd00::1", request: http.Header{"Cookie": {"a=1; sid=x"}}, seen: "[api-key cookie]", networks: "[private]", cors: "[] false"},
		{name: "another cookie", address: "2001:db8::1", request: http.Header{"Cookie": {"a=1"}}, seen: "[cookie]", networks: "[public]", cors: "[] false"},
		{name: "a certificate and a user", address: "8.8.8.8", mtls: true, user: "u", seen: "[mtls user]", networks: "[public]", cors: "[] false"},
		{name: "any origin", address: "8.8.8.8", answer: http.Header{"Access-Control-Allow-Origin": {"*"}}, seen: "[]", networks: "[public]", cors: "[*] false", open: 1},
		{name: "an echoed origin with credentials", address: "8.8.8.8", request: http.Header{"Origin": {"https://a.test"}},
			answer: http.Header{"Access-Control-Allow-Origin": {"https://a.test"}, "Access-Control-Allow-Credentials": {"true"}},
			seen:   "[]", networks: "[public]", cors: "[reflected] true", open: 1},
		{name: "a fixed origin", address: "8.8.8.8", request: http.Header{"Origin": {"https://a.test"}},
			answer: http.Header{"Access-Control-Allow-Origin": {"https://b.test"}}, seen: "[]", networks: "[public]", cors: "[listed] false", open: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, Options{}, api("a", v))
			o := answered(200)
			o.Caller = &Caller{Addr: netip.MustParseAddr(tt.address), User: tt.user, Certificate: tt.mtls, RawQuery: tt.query, Host: "h.test", Header: tt.request, Answer: tt.answer}
			s.hit("h.test", "GET", "/v1/x", o)
			s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/y", o)
			for _, path := range []string{"/v1/x", "/v1/y"} {
				e := s.one(path)
				cors := fmt.Sprint(e.CORS.Origins, e.CORS.Credentials)
				if fmt.Sprint(e.Auth.Seen) != tt.seen || fmt.Sprint(e.Networks) != tt.networks || cors != tt.cors || e.Auth.Unauthenticated2xx != tt.open {
					t.Errorf("%s: seen %v, %d open, networks %v, cors %s", path, e.Auth.Seen, e.Auth.Unauthenticated2xx, e.Networks, cors)
				}
			}
		})
	}
}

func TestAnOriginThatWasNotAllowedMakesAnEchoAList(t *testing.T) {
	s := newScene(t, Options{}, orders())
	ask := func(origin, allowed string) {
		o := answered(200)
		o.Caller = &Caller{Host: "api.example.com", Header: http.Header{"Origin": {origin}}, Answer: http.Header{}}
		if allowed != "" {
			o.Caller.Answer.Set("Access-Control-Allow-Origin", allowed)
		}
		s.hit("api.example.com", "POST", "/v2/orders", o)
	}
	origins := func() string {
		return fmt.Sprint(s.list(RouteQuery{Method: []string{"POST"}, Host: []string{"api.example.com"}}).Items[0].CORS.Origins)
	}
	ask("https://a.test", "https://a.test")
	ask("https://api.example.com:8443", "") // its own: needs no permission
	if got := origins(); got != "[reflected]" {
		t.Errorf("after an echo: %s", got)
	}
	ask("https://api.example.com.evil.test", "")
	if got := origins(); got != "[listed]" {
		t.Errorf("after an origin that was not allowed: %s", got)
	}
}

func TestWhatTheGuardRefusedShowsNoCredentials(t *testing.T) {
	s := newScene(t, Options{}, orders())
	o := refused(410, "lifecycle", "version-retired")
	o.Caller = &Caller{Addr: netip.MustParseAddr("8.8.8.8"), Header: http.Header{"Authorization": {"Bearer x"}}}
	s.hit("legacy.example.com", "GET", "/v1/orders", o)
	e := s.one("/v1/orders")
	if len(e.Auth.Seen) != 0 || e.Auth.Unauthenticated2xx != 0 || fmt.Sprint(e.Networks) != "[public]" || e.Consumers != 1 {
		t.Errorf("the entry is %+v", e)
	}
}

func TestAKnownCallerIsRecordedWithoutAllocation(t *testing.T) {
	s := newScene(t, Options{}, orders())
	r := s.cat.Routes[3]
	m := catalogue.Match{Outcome: catalogue.Found, Host: r.Hosts[1], Route: r}
	for _, o := range []Outcome{from("2001:db8::1"), asUser("someone")} {
		o = s.at(o)
		s.rec.Hit(&m, o)
		s.settle()
		if n := allocs.PerRun(1000, func() { o.Time++; s.rec.Hit(&m, o) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
