package inventory

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// leaving is an API whose v1 is deprecated and ends on 31 March, with a brownout
// before; v2 stays.
func leaving() *catalogue.API {
	v1 := version("v1", "old.example.com", "/v1", "GET /orders", "GET /export")
	v1.Deprecated = noon.AddDate(0, -1, 0)
	v1.Sunset = time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	v1.Brownouts = []catalogue.Window{{From: v1.Sunset.AddDate(0, 0, -14), To: v1.Sunset.AddDate(0, 0, -14).Add(2 * time.Hour)}}
	v1.Documents[0].Operations[1].Sunset = v1.Sunset.AddDate(0, -1, 0)
	return api("orders", v1, version("v2", "api.example.com", "/v2", "GET /orders"))
}

func partner(name string) Outcome {
	o := from("198.51.100.9")
	o.Caller.Integration = name
	return o
}

func planAt(at time.Time) PlanQuery {
	return PlanQuery{
		At:   at,
		Mode: func(string, string) string { return "enforce" },
		Excepted: func(_, version, integration string, _ time.Time) string {
			if version == "v1" && integration == "acme" {
				return "partner-import"
			}
			return ""
		},
	}
}

func (s *scene) days(n int) {
	for range n {
		s.clock.advance(24 * time.Hour)
		s.lookAround(s.clock.now())
	}
}

// month calls v1 for 20 days: one network daily, another one in the first days
// only, and an integration.
func month(s *scene) {
	call := func(o Outcome) {
		s.hit("old.example.com", "GET", "/v1/orders", o)
		s.settle()
	}
	s.lookAround(s.clock.now())
	for day := range 20 {
		call(from("192.0.2.1"))
		if day < 3 {
			call(from("192.0.2.2"))
		}
		call(partner("acme"))
		s.days(1)
	}
	s.hit("old.example.com", "GET", "/v1/export", answered(200)) // nobody is known
	s.settle()
}

func entryOf(t *testing.T, p Plan, version string) PlanEntry {
	t.Helper()
	for _, e := range p.Items {
		if e.Version == version {
			return e
		}
	}
	t.Fatalf("no version %s in %+v", version, p)
	return PlanEntry{}
}

func TestAPlanSaysWhomASunsetStops(t *testing.T) {
	s := newScene(t, Options{}, leaving())
	month(s)
	sunset := time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name            string
		at              time.Time
		state           string
		brownout        bool
		next            time.Time
		then            string
		requests        uint64
		consumers       int
		endedOperations int
	}{
		{"now", s.clock.now(), "deprecated", false, sunset.AddDate(0, 0, -14), "brownout", 0, 0, 0},
		{"before the operation's end", sunset.AddDate(0, -1, 0).Add(-1), "deprecated", false, sunset.AddDate(0, 0, -14), "brownout", 0, 0, 0},
		{"at the operation's end", sunset.AddDate(0, -1, 0), "deprecated", false, sunset.AddDate(0, 0, -14), "brownout", 0, 0, 1},
		{"in the brownout", sunset.AddDate(0, 0, -14), "deprecated", true, sunset.AddDate(0, 0, -14).Add(2 * time.Hour), "deprecated", 24, 2, 1},
		{"after the brownout", sunset.AddDate(0, 0, -14).Add(2 * time.Hour), "deprecated", false, sunset, "retired", 0, 0, 1},
		{"a nanosecond before the sunset", sunset.Add(-1), "deprecated", false, sunset, "retired", 0, 0, 1},
		{"at the sunset", sunset, "retired", false, time.Time{}, "", 24, 2, 0},
		{"in the past", noon.AddDate(-1, 0, 0), "active", false, noon.AddDate(0, -1, 0), "deprecated", 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.Plan(planAt(c.at))
			e := entryOf(t, p, "v1")
			if e.State != c.state || e.Brownout != c.brownout || !e.Next.Equal(c.next) || e.Then != c.then {
				t.Errorf("state %s, brownout %v, then %s at %v", e.State, e.Brownout, e.Then, e.Next)
			}
			if e.Requests != 44 || e.WouldRefuse != (PlanLoss{c.requests, c.consumers}) || len(e.Operations) != c.endedOperations {
				t.Errorf("%d requests, would refuse %+v, operations %+v", e.Requests, e.WouldRefuse, e.Operations)
			}
			if other := entryOf(t, p, "v2"); other.State != "active" || other.WouldRefuse != (PlanLoss{}) || other.Readiness.Trend != TrendNone {
				t.Errorf("v2: %+v", other)
			}
		})
	}
	p := s.Plan(planAt(sunset))
	callers := entryOf(t, p, "v1").Callers
	if len(callers) != 3 || callers[0].Requests != 20 || callers[1].Requests != 20 || callers[2].Requests != 3 {
		t.Fatalf("the callers are %+v", callers)
	}
	for _, caller := range callers {
		acme := caller.Name == "acme"
		if acme == caller.Refused || acme != (caller.Exception == "partner-import") {
			t.Errorf("%+v", caller)
		}
	}
	if p.Complete || p.Gaps[len(p.Gaps)-1].Kind != GapWindow {
		t.Errorf("it was watched for 20 days only, and the answer does not say so: %+v", p.Gaps)
	}

	q := planAt(sunset)
	q.Mode = func(string, string) string { return "monitor" }
	if e := entryOf(t, s.Plan(q), "v1"); e.WouldRefuse != (PlanLoss{}) || e.Callers[0].Refused {
		t.Errorf("in monitor nobody is refused: %+v", e)
	}
}

func TestAVersionIsReadyWhenNobodyCalls(t *testing.T) {
	s := newScene(t, Options{}, leaving())
	month(s)
	ready := func() Readiness { return entryOf(t, s.Plan(planAt(s.clock.now())), "v1").Readiness }
	if r := ready(); r.Callers != 3 || r.Trend != TrendSteady || !r.QuietSince.IsZero() || r.Ready || r.Days[planWindow-1] != 1 || r.Days[planWindow-2] != 2 {
		t.Errorf("while it is called: %+v", r)
	}
	s.days(8)
	if r := ready(); r.Trend != TrendStopped || !r.QuietSince.Equal(noon.Truncate(24*time.Hour).AddDate(0, 0, 21)) || r.Ready {
		t.Errorf("a week after the last call: %+v", r)
	}
	s.days(23)
	if r := ready(); r.Callers != 0 || r.Trend != TrendNone || !r.Ready || !r.LastSeen.Equal(noon.AddDate(0, 0, 20)) {
		t.Errorf("a month after the last call: %+v", r)
	}
	s.hit("old.example.com", "GET", "/v1/orders", from("192.0.2.1"))
	s.settle()
	if r := ready(); r.Callers != 1 || r.Ready || !r.QuietSince.IsZero() {
		t.Errorf("called again: %+v", r)
	}
}

func TestTrends(t *testing.T) {
	weeks := func(before, latest, today uint64) (w [planWindow]uint64) {
		w[planWindow-1-10], w[planWindow-1-3], w[planWindow-1] = before, latest, today
		return w
	}
	for _, c := range []struct {
		before, latest, today uint64
		want                  string
	}{
		{0, 0, 0, TrendNone}, {5, 0, 0, TrendStopped}, {5, 0, 1, TrendFalling}, {100, 89, 0, TrendFalling},
		{100, 90, 0, TrendSteady}, {100, 110, 0, TrendSteady}, {100, 111, 0, TrendRising}, {0, 1, 0, TrendRising},
	} {
		w := weeks(c.before, c.latest, c.today)
		if got := trendOf(&w); got != c.want {
			t.Errorf("%d, then %d, today %d: %s, want %s", c.before, c.latest, c.today, got, c.want)
		}
	}
}

func TestAPlanOutlivesTheProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	s := newScene(t, Options{}, leaving())
	s.open(file)
	month(s)
	left := s.crash(file)
	again := newScene(t, Options{}, leaving())
	again.clock.set(s.clock.now())
	again.open(left)
	sunset := time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	for _, scene := range []*scene{s, again} {
		e := entryOf(t, scene.Plan(planAt(sunset)), "v1")
		if e.Requests != 44 || e.WouldRefuse != (PlanLoss{24, 2}) || e.Readiness.Trend != TrendSteady {
			t.Errorf("%+v", e)
		}
	}
	again.hit("old.example.com", "GET", "/v1/orders", from("192.0.2.2"))
	again.settle()
	again.days(1)
	if e := entryOf(t, again.Plan(planAt(sunset)), "v1"); e.Requests != 45 || e.Callers[2].Requests != 4 {
		t.Errorf("after one more call: %+v", e)
	}
}

func TestAnIntegrationIsAConsumerWhereverItCallsFrom(t *testing.T) {
	s := newScene(t, Options{}, leaving())
	for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
		o := partner("acme")
		o.Caller.Addr, o.Caller.User = netip.MustParseAddr(address), "someone"
		s.hit("old.example.com", "GET", "/v1/orders", o)
		s.settle()
	}
	o := asUser("acme") // a user of that name is somebody else
	s.hit("old.example.com", "GET", "/v1/orders", o)
	list := s.consumers(ConsumerQuery{}).Items
	if len(list) != 2 || list[1].Name != "acme" || list[1].Count != 2 || list[0].Name != "" {
		t.Errorf("%+v", list)
	}
}
