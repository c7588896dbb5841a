package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apiguard/caddy-api-guard/internal/allocs"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

func TestHitAllocatesNothing(t *testing.T) {
	s := newScene(t, Options{}, orders())
	r := s.cat.Routes[3]
	m := catalogue.Match{Outcome: catalogue.Found, Host: r.Hosts[len(r.Hosts)-1], Route: r}
	for _, o := range []Outcome{answered(200), refused(429, "limit", "quota-exceeded"), {Status: 200, Verdict: WouldRefuse, Rule: "request", Forwarded: true}} {
		if n := allocs.PerRun(1000, func() { o.Time++; s.rec.Hit(&m, o) }); n != 0 {
			t.Errorf("%v allocations for %+v", n, o)
		}
	}
}

func TestObserveAllocatesOnceAtMost(t *testing.T) {
	s := newScene(t, Options{}, orders())
	m := catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[0], API: s.cat.APIs[0], Version: s.cat.APIs[0].Versions[0]}
	o := answered(404)
	if n := allocs.PerRun(1000, func() { s.rec.Observe(&m, "legacy.example.com", "GET", "/v1/some/path", o) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
	for len(s.queue) < cap(s.queue) {
		s.rec.Observe(&m, "legacy.example.com", "GET", "/v1/some/path", o)
	}
	if n := allocs.PerRun(1000, func() { s.rec.Observe(&m, "legacy.example.com", "GET", "/v1/some/path", o) }); n != 0 {
		t.Errorf("%v allocations with a full queue", n)
	}
}

func TestHitOfAnythingElseIsNoPanic(t *testing.T) {
	s := newScene(t, Options{}, orders())
	foreign := &catalogue.Route{Index: 99}
	s.rec.Hit(&catalogue.Match{}, answered(200))
	s.rec.Hit(&catalogue.Match{Outcome: catalogue.Found, Route: foreign}, answered(200))
	s.rec.Hit(&catalogue.Match{Outcome: catalogue.Found, Route: &catalogue.Route{Index: -1}}, answered(200))
	s.rec.Observe(&catalogue.Match{Outcome: catalogue.Found, Route: s.cat.Routes[0]}, "", "", "", s.at(answered(200)))
	if e := s.one("/v1/orders"); e.Count != 1 {
		t.Errorf("%+v", e)
	}
}

func TestVerdictsAreCountedByRule(t *testing.T) {
	s := newScene(t, Options{}, orders())
	for range 3 {
		s.hit("legacy.example.com", "GET", "/v1/orders", refused(429, "limit", "quota-exceeded"))
	}
	s.hit("legacy.example.com", "GET", "/v1/orders", Outcome{Status: 200, Forwarded: true, Verdict: WouldRefuse, Rule: "request"})
	s.hit("legacy.example.com", "GET", "/v1/orders", refused(400, "a rule of tomorrow", ""))
	e := s.one("/v1/orders")
	if fmt.Sprint(e.Refused, e.WouldRefuse, e.Statuses) != "map[limit:3 other:1] map[request:1] map[2xx:1 4xx:4]" || e.Count != 5 {
		t.Errorf("%v %v %v", e.Refused, e.WouldRefuse, e.Statuses)
	}
	s.miss(catalogue.NoRoute, "v1", "legacy.example.com", "GET", "/v1/x", refused(404, "unknown_route", "unknown-route"))
	s.miss(catalogue.NoRoute, "v1", "legacy.example.com", "GET", "/v1/x", Outcome{Status: 200, Forwarded: true, Verdict: WouldRefuse, Rule: "unknown_route"})
	e = s.one("/v1/x")
	if fmt.Sprint(e.Refused, e.WouldRefuse) != "map[unknown_route:1] map[unknown_route:1]" {
		t.Errorf("%v %v", e.Refused, e.WouldRefuse)
	}
	for name, i := range map[string]int{"target": 0, "response": 8, "upgrade": 10, "whatever": 11} {
		if got := ruleIndex(name); got != i || i < 11 && ruleNames[got] != name {
			t.Errorf("rule %s is counted as %s", name, ruleNames[got])
		}
	}
}

func TestMethodsAreBounded(t *testing.T) {
	s := newScene(t, Options{}, api("x", version("v1", "h.test", "/", "GET /a", "PURGE /a")))
	for i, method := range []string{"PURGE", "get", "FOO", "BAR", "GET\x00", strings.Repeat("X", 1<<16), ""} {
		s.miss(catalogue.NoRoute, "v1", "h.test", method, "/m/"+word(i), answered(404))
		want := methodOther
		if method == "PURGE" {
			want = method
		}
		if e := s.one("/m/" + word(i)); e.Method != want {
			t.Errorf("%.10q is kept as %q", method, e.Method)
		}
	}
}

func TestConcurrentRequestsQueriesAndReloads(t *testing.T) {
	inv := New(Options{Feed: func(Event) {}})
	rec := inv.Bind(declare(orders()))
	inv.Activate(rec)
	ctx, cancel := context.WithCancel(t.Context())
	var run, work sync.WaitGroup
	run.Go(func() { inv.Run(ctx) })
	const each, workers = 2000, 4
	for w := range workers {
		work.Go(func() {
			route := rec.cat.Routes[2]
			hit := catalogue.Match{Outcome: catalogue.Found, Host: route.Hosts[w%len(route.Hosts)], Route: route}
			miss := catalogue.Match{Outcome: catalogue.NoRoute, Host: route.Hosts[0], API: route.API, Version: route.Version, Base: "/v2"}
			for i := range each {
				o := answered(200)
				o.Time = time.Now().UnixNano()
				rec.Hit(&hit, o)
				o.BodyLength = int64(i)
				rec.Observe(&miss, "", "GET", "/v2/"+word(i%50), o)
			}
		})
	}
	work.Go(func() {
		for range 20 {
			if _, err := inv.Routes(RouteQuery{Sort: "-count", Limit: 5}); err != nil {
				t.Error(err)
			}
			if _, err := inv.Hosts(HostQuery{}); err != nil {
				t.Error(err)
			}
			inv.APIs()
			inv.Health()
			inv.Activate(inv.Bind(declare(orders())))
		}
	})
	work.Wait()
	cancel()
	run.Wait()

	var hits, seen uint64
	list, err := inv.Routes(RouteQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Items {
		if e.Documented {
			hits += e.Count
		} else {
			seen += e.Count
		}
	}
	if hits != each*workers || seen+inv.Health().Dropped != each*workers {
		t.Errorf("%d hits, %d observations and %d dropped of %d each", hits, seen, inv.Health().Dropped, each*workers)
	}
}

// Whatever a client sends, the answers are valid JSON, in UTF-8, without a
// control in any text.
func TestHostileTextComesOutAsPlainJSON(t *testing.T) {
	s := newScene(t, Options{}, orders())
	for i, text := range []string{
		`"},{"x":"`, "<script>alert(1)</script>", "\x00\x1b[2J\u202e", "\xff\xfe\xc0\x80", "=cmd|' /C calc'!A0", "{env.SECRET}", "{{.}}", "\u2028", "%00%0d%0a",
		strings.Repeat("\"", 4000), "${jndi:ldap://x}",
	} {
		o := answered(200)
		o.ContentType, o.BodyLength = text, int64(i)
		s.miss(catalogue.UnknownHost, "", text, text, "/"+text, o)
		s.miss(catalogue.NoRoute, "v2", "api.example.com", text, "/v2/"+text+"/"+text, o)
	}
	hosts, _ := s.Hosts(HostQuery{})
	for _, answer := range []any{s.list(RouteQuery{Limit: 1000}), hosts, s.APIs(), s.Health(), s.events} {
		b, err := json.Marshal(answer)
		if err != nil || !json.Valid(b) || !utf8.Valid(b) {
			t.Fatalf("%v: %q", err, b)
		}
		for _, bad := range []string{`\u0000`, `\u001b`, "\u202e", `\u202e`, `\u2028`, `\ufffd`, "script>", "{env", "{{"} {
			if strings.Contains(string(b), bad) {
				t.Errorf("%q in %s", bad, b)
			}
		}
	}
}

// No value that a client sends is kept: not of the query, not of the path where it
// looks like a value, not of a method or host that is none.
func TestNothingPrivateIsKept(t *testing.T) {
	s := newScene(t, Options{}, orders())
	needles := []string{
		"needle-query-value", "needle@example.com", "needle%40example.com", "5105105105105100", "4915112345678",
		"eyJuZWVkbGUiOjF9.eyJuZWVkbGUiOjF9.c2lnbmVk", "nEEdle7tOken8Value9", "Needle%20Doe", "needle-matrix", "NEEDLEMETHOD", "needle host", "6ba7b810-9dad-11d1-80b4-0needle00000",
	}
	needles[len(needles)-1] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
	for i, path := range []string{
		"/v2/x?token=needle-query-value", "/v2/x#needle-query-value", "/v2/u/needle@example.com", "/v2/u/needle%40example.com", "/v2/card/5105105105105100", "/v2/tel/+4915112345678",
		"/v2/t/eyJuZWVkbGUiOjF9.eyJuZWVkbGUiOjF9.c2lnbmVk", "/v2/t/nEEdle7tOken8Value9", "/v2/n/Needle%20Doe", "/v2/m;s=needle-matrix/y", "/v2/u/6ba7b810-9dad-11d1-80b4-00c04fd430c8",
	} {
		o := answered(200)
		o.BodyLength = int64(i)
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "NEEDLEMETHOD", path, o)
		s.miss(catalogue.UnknownHost, "", "needle host", "GET", path, o)
	}
	hosts, _ := s.Hosts(HostQuery{})
	b, err := json.Marshal([]any{s.list(RouteQuery{Limit: 1000}), hosts, s.APIs(), s.Health(), s.events})
	if err != nil {
		t.Fatal(err)
	}
	for _, needle := range needles {
		if strings.Contains(string(b), needle) {
			t.Errorf("%s is kept", needle)
		}
	}
	for id, e := range s.routes {
		for _, needle := range needles {
			if strings.Contains(e.key.path+e.key.host+e.key.method+e.answer.contentType, needle) {
				t.Errorf("%s is held in entry %s", needle, id)
			}
		}
	}
}
