package inventory

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/google/go-cmp/cmp"
)

// open keeps the scene's inventory in a file until the test ends.
func (s *scene) open(file string) {
	s.t.Helper()
	s.OpenStore(StoreOptions{File: file})
	s.t.Cleanup(s.CloseStore)
	s.AwaitStore(context.Background(), time.Minute)
	if p := s.Health().Store; p.Status != StoreOK {
		s.t.Fatalf("the store is %+v", p)
	}
}

// crash gives a copy of the file as a process that is killed now leaves it.
func (s *scene) crash(file string) string {
	s.t.Helper()
	s.Settle(context.Background())
	return s.leave(file)
}

// leave copies the file as it is at one moment: while it is read nothing is begun to be
// written, and what is under way changes no page that counts before it ends.
func (s *scene) leave(file string) string {
	s.t.Helper()
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	b, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	left := filepath.Join(s.t.TempDir(), "left.db")
	if err := os.WriteFile(left, b, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return left
}

// answers are all that queries tell, without what differs between two processes.
func (s *scene) answers() string {
	s.t.Helper()
	findings, err := s.Findings(FindingQuery{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	hosts, err := s.Hosts(HostQuery{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	consumers, err := s.Consumers(ConsumerQuery{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	flows, err := s.Flows(FlowQuery{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := json.MarshalIndent([]any{s.list(RouteQuery{Limit: 1000}), hosts, consumers, findings, flows, s.APIs()}, "", " ")
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// busy is a scene with something of all that can be kept.
func busy(t *testing.T, file string) *scene {
	s := newScene(t, Options{}, orders())
	s.open(file)
	known := &Caller{Addr: netip.MustParseAddr("192.0.2.7")}
	by := func(o Outcome) Outcome { o.Caller = known; return o }
	s.hit("api.example.com", "GET", "/v2/orders", by(answered(200)))
	s.hit("api.example.com", "GET", "/v2/orders", by(refused(429, "limit", "quota-exceeded")))
	s.hit("api.example.com", "POST", "/v2/orders", by(Outcome{Status: 400, Forwarded: true, Verdict: WouldRefuse, Rule: "request"}))
	s.sampled(orderRoute, exchanged{query: "token=8f14e45fceea167a5a36&q=<script>", withoutCredential: true, client: "192.0.2.7", answer: `{"email":"a@example.com","phones":["+49 30 1234567"]}`,
		answerFields: http.Header{"Server": {"nginx/1.25"}, "Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"}}})
	s.sampled(orderRoute, exchanged{integration: "acme", client: "192.0.2.7", request: `{"iban":"DE89370400440532013000"}`})
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/extra/17", by(answered(200)))
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/locked", by(answered(401)))
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/.env", answered(404))
	s.miss(catalogue.UnknownHost, "", "beta.example.net", "GET", "/x", answered(200))
	for i := range 120 {
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/scan/"+word(i), refused(404, "unknown_route", "unknown-route"))
	}
	for i := range 9 {
		s.miss(catalogue.NoRoute, "v1", "api.example.com", "GET", "/v1/wall/"+word(i), Outcome{Status: 200, Forwarded: true, ContentType: "text/html", BodyLength: 512})
	}
	s.sampler.dropped.Add(7)
	s.settle()
	s.clock.advance(time.Second)
	s.tick()
	if _, err := s.Review(s.one("/v2/extra/{integer}").ID, Review{ReviewAccepted, "CHG-1"}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAllThatAQueryShowedIsThereAfterACrash(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	s := busy(t, file)
	before := s.answers()
	for _, part := range []string{`"2xx": 1`, `"limit": 1`, "192.0.2.7", "beta.example.net", "text/html", "shadow-answers", "CHG-1", "network:", "cross-site-scripting", "/phones/*", "secret-in-url", `"kind": "samples-dropped"`, `"direction": "from"`} {
		if strings.Contains(before, part) == (part == "192.0.2.7") {
			t.Fatalf("the scene has no %s, or should not:\n%s", part, before)
		}
	}
	again := newScene(t, Options{}, orders())
	again.clock.set(s.clock.now())
	again.open(s.crash(file))
	if d := cmp.Diff(before, again.answers()); d != "" {
		t.Errorf("after the crash:\n%s", d)
	}
	if len(again.events) > 0 {
		t.Errorf("what was known is news: %+v", again.events)
	}

	t.Run("and goes on from there", func(t *testing.T) {
		o := answered(200)
		o.Caller = &Caller{Addr: netip.MustParseAddr("192.0.2.7")}
		again.hit("api.example.com", "GET", "/v2/orders", o)
		again.settle()
		if e := again.list(RouteQuery{Path: []string{"/v2/orders"}, Method: []string{"GET"}, Host: []string{"api.example.com"}}).Items[0]; e.Count != 3 || e.Consumers != 1 {
			t.Errorf("the entry is %+v", e)
		}
		list, _ := again.Consumers(ConsumerQuery{Version: []string{"v2"}})
		if len(list.Items) != 1 || list.Items[0].Count != 8 {
			t.Errorf("consumers %+v", list.Items)
		}
		if v := again.versions[versionKey{"orders", "v2"}]; v.consumers != 1 {
			t.Errorf("%d consumers", v.consumers)
		}
	})
	t.Run("also in a third process", func(t *testing.T) {
		third := newScene(t, Options{}, orders())
		third.clock.set(again.clock.now())
		file := again.keeper.options.File
		want := again.answers()
		third.open(again.crash(file))
		if d := cmp.Diff(want, third.answers()); d != "" {
			t.Errorf("after another crash:\n%s", d)
		}
	})
}

func TestWhatIsForgottenIsForgottenInTheStoreToo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	s := newScene(t, Options{MaxRoutes: 20}, orders())
	s.open(file)
	for i := range 100 {
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), answered(404))
		if i%7 == 0 {
			s.Settle(context.Background())
		}
	}
	before := s.answers()
	again := newScene(t, Options{MaxRoutes: 200}, orders())
	again.clock.set(s.clock.now())
	again.open(s.crash(file))
	if d := cmp.Diff(before, again.answers()); d != "" {
		t.Errorf("after the crash:\n%s", d)
	}
}

func TestKindsAreWrittenByValuesThatStay(t *testing.T) {
	// What older files have must not read as something else.
	if whyNoRoute != 0 || whyUnclaimed != 1 || whyNoDocument != 2 || whyAmbiguous != 3 || whySpelling != 4 || whyMethod != 5 || whyTarget != 6 {
		t.Error("a why has another number: add new ones at the end")
	}
	for i, bit := range []traits{
		traitBearer, traitBasic, traitOtherScheme, traitAPIKey, traitCookie, traitCertificate, traitUser, traitPublic, traitPrivate,
		traitLoopback, traitAnyOrigin, traitNullOrigin, traitEchoedOrigin, traitFixedOrigin, traitOriginDenied, traitCORSCredentials,
	} {
		if bit != 1<<i {
			t.Errorf("the trait of bit %d is %#x: add new ones at the end", i, bit)
		}
	}
}

func TestSomebodyElsesBucket(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	var mu sync.Mutex // of what follows: the store writes when it likes
	var values map[string]string
	var changed map[string]bool
	keep := func() *Inventory {
		inv := New(Options{})
		inv.keeper.patience = time.Minute
		inv.Keep(Kept{
			Bucket: "quotas",
			Load: func(key, value []byte) error {
				mu.Lock()
				defer mu.Unlock()
				values[string(key)] = string(value)
				return nil
			},
			Save: func(all bool, put func(key, value []byte)) {
				mu.Lock()
				defer mu.Unlock()
				for k, v := range values {
					if all || changed[k] {
						put([]byte(k), []byte(v))
					}
				}
				for k := range changed {
					if _, there := values[k]; !there {
						put([]byte(k), nil)
					}
				}
				clear(changed)
			},
		})
		inv.OpenStore(StoreOptions{File: file})
		return inv
	}
	want := func(want map[string]string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if !maps.Equal(values, want) {
			t.Fatalf("loaded %v, want %v", values, want)
		}
	}
	values, changed = map[string]string{"a": "1", "b": "2"}, map[string]bool{"a": true, "b": true}
	inv := keep()
	inv.Settle(context.Background())
	inv.CloseStore()

	values, changed = map[string]string{}, map[string]bool{}
	inv = keep()
	want(map[string]string{"a": "1", "b": "2"})
	mu.Lock()
	delete(values, "a")
	changed["a"] = true
	mu.Unlock()
	inv.Settle(context.Background())
	inv.CloseStore()

	values, changed = map[string]string{}, map[string]bool{}
	defer keep().CloseStore()
	want(map[string]string{"b": "2"})
}
