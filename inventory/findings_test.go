package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/getkin/kin-openapi/openapi3"
)

// wrong lists the findings that are open as "kind subject", sorted.
func (s *scene) wrong() []string {
	s.t.Helper()
	s.settle()
	list, err := s.Findings(FindingQuery{Open: []bool{true}, Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	names := []string{}
	for _, f := range list.Items {
		names = append(names, strings.TrimRight(f.Kind+" "+strings.Join([]string{f.Subject.Version, f.Subject.Host, f.Subject.Path}, " "), " "))
		if f.Evidence == "" || f.Advice == "" || f.FirstSeen.IsZero() || f.LastSeen.Before(f.FirstSeen.Time) || len(f.ID) != 16 || !f.Open {
			s.t.Errorf("the finding is %+v", f)
		}
		if (f.Subject.Path != "") != (f.Subject.Route != "") {
			s.t.Errorf("the subject is %+v", f.Subject)
		}
	}
	slices.Sort(names)
	full := list.Next != "" // there are more than a page has
	var counted uint64
	for _, c := range s.FindingCounts() {
		one, err := s.Findings(FindingQuery{Kind: []string{c.Kind}, Open: []bool{true}, Limit: 1000})
		if err != nil || !full && uint64(len(one.Items)) != c.Open || c.Title == "" || c.Advice == "" {
			s.t.Errorf("%+v, and %d are listed of that kind, %v", c, len(one.Items), err)
		}
		counted += c.Open
	}
	if !full && counted != uint64(len(names)) {
		s.t.Errorf("%d findings are counted, and %d are open", counted, len(names))
	}
	return names
}

func (s *scene) finding(kind string) FindingEntry {
	s.t.Helper()
	list, err := s.Findings(FindingQuery{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range list.Items {
		if f.Kind == kind {
			return f
		}
	}
	s.t.Fatalf("no finding %s in %+v", kind, list.Items)
	return FindingEntry{}
}

// tidy is a version that nothing is wrong with.
func tidy(dates ...time.Time) *catalogue.Version {
	v := version("v1", "h.test", "/v1", "GET /x")
	if len(dates) > 0 {
		v.Deprecated = dates[0]
	}
	if len(dates) > 1 {
		v.Sunset = dates[1]
	}
	return v
}

func TestFindingsHoldForWhatIsWrongAndNothingElse(t *testing.T) {
	past, earlier, future := noon.AddDate(0, 0, -1), noon.AddDate(0, -6, 0), noon.AddDate(1, 0, 0)
	never := func(*scene) {}
	call := func(o Outcome) func(*scene) {
		return func(s *scene) { s.hit("h.test", "GET", "/v1/x", o) }
	}
	miss := func(outcome catalogue.Outcome, version, host, path string, o Outcome) func(*scene) {
		return func(s *scene) { s.miss(outcome, version, host, "GET", path, o) }
	}
	undocumented := func() *catalogue.Version { return version("v1", "h.test", "/v1") }
	unowned := func() *catalogue.API { a := api("a", tidy()); a.Owner = ""; return a }
	owned := func() *catalogue.API { a := unowned(); a.Versions[0].Owner = "someone"; return a }
	marked := func() *catalogue.API {
		a := api("a", tidy())
		a.Versions[0].Documents[0].Operations[0].Deprecated = true
		return a
	}
	secured := func() *catalogue.API {
		a := api("a", tidy())
		a.Versions[0].Documents[0].Operations[0].Op = &openapi3.Operation{Security: &openapi3.SecurityRequirements{{"key": {}}}}
		return a
	}
	anonymous, known := answered(200), answered(200)
	anonymous.Caller = &Caller{}
	known.Caller = &Caller{User: "u"}
	wouldRefuse := answered(200)
	wouldRefuse.Verdict, wouldRefuse.Rule = WouldRefuse, "lifecycle"

	for _, tt := range []struct {
		name string
		api  *catalogue.API
		do   func(*scene)
		want string
	}{
		{"nothing", api("a", tidy()), call(answered(200)), "[]"},
		{"no document", api("a", undocumented()), never, "[no-document v1]"},
		{"no owner", unowned(), never, "[no-owner v1]"},
		{"an owner of the version's own", owned(), never, "[]"},
		{"deprecated without a sunset", api("a", tidy(past)), never, "[no-retirement-plan v1]"},
		{"deprecated with a sunset", api("a", tidy(past, future)), never, "[]"},
		{"to be deprecated without a sunset", api("a", tidy(future)), never, "[]"},
		{"deprecated and called", api("a", tidy(past, future)), call(answered(200)), "[deprecated-called v1]"},
		{"an operation that its document deprecates", marked(), call(answered(200)), "[deprecated-called v1 h.test /v1/x]"},
		{"the same, not called", marked(), never, "[]"},
		{"retired and refused", api("a", tidy(earlier, past)), call(refused(410, "lifecycle", "version-retired")), "[retired-called v1]"},
		{"retired and passed in monitor", api("a", tidy(earlier, past)), call(wouldRefuse), "[retired-answers v1]"},
		{"retired with the rule off", api("a", tidy(earlier, past)), call(answered(200)), "[retired-answers v1]"},
		{"retired and refused for a limit", api("a", tidy(earlier, past)), call(refused(429, "limit", "quota-exceeded")), "[retired-called v1]"},
		{"retired and not called", api("a", tidy(earlier, past)), never, "[]"},
		{"a shadow that answers", api("a", tidy()), miss(catalogue.NoRoute, "v1", "h.test", "/v1/y", answered(200)), "[shadow-answers v1 h.test /v1/y]"},
		{"a shadow that redirects", api("a", tidy()), miss(catalogue.NoRoute, "v1", "h.test", "/v1/y", answered(302)), "[]"},
		{"a shadow that wants credentials", api("a", tidy()), miss(catalogue.NoRoute, "v1", "h.test", "/v1/y", answered(401)), "[]"},
		{"what is not there", api("a", tidy()), miss(catalogue.NoRoute, "v1", "h.test", "/v1/y", answered(404)), "[]"},
		{"what the guard refused", api("a", tidy()), miss(catalogue.NoRoute, "v1", "h.test", "/v1/y", refused(404, "unknown_route", "unknown-route")), "[]"},
		{"a route of a version without a document", api("a", undocumented()), miss(catalogue.NoDocument, "v1", "h.test", "/v1/y", answered(200)),
			"[no-document v1 undescribed-route-answers v1 h.test /v1/y]"},
		{"an undeclared host that was refused", api("a", tidy()), miss(catalogue.UnknownHost, "", "other.test", "/y", refused(421, "unknown_host", "unknown-host")),
			"[undeclared-host  other.test]"},
		{"an undeclared host that answers", api("a", tidy()), miss(catalogue.UnknownHost, "", "other.test", "/y", answered(200)),
			"[shadow-answers  other.test /y undeclared-host-answers  other.test]"},
		{"what is no host", api("a", tidy()), miss(catalogue.UnknownHost, "", "<b>", "/y", refused(421, "unknown_host", "unknown-host")), "[]"},
		{"no credentials where the document asks for some", secured(), call(anonymous), "[unauthenticated-2xx v1 h.test /v1/x]"},
		{"credentials there", secured(), call(known), "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, Options{}, tt.api)
			tt.do(s)
			if got := fmt.Sprint(s.wrong()); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestAFindingClosesAndOpensAgainAsTheSame(t *testing.T) {
	s := newScene(t, Options{}, api("a", tidy()))
	s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/y", answered(200))
	opened := s.finding("shadow-answers")

	s.clock.advance(time.Hour)
	documented := tidy()
	documented.Documents = version("v1", "h.test", "/v1", "GET /x", "GET /y").Documents
	s.load(api("a", documented))
	closed := s.finding("shadow-answers")
	if closed.Open || closed.ID != opened.ID || closed.FirstSeen != opened.FirstSeen || closed.LastSeen != opened.LastSeen {
		t.Errorf("documented, it is %+v", closed)
	}
	if got := s.wrong(); len(got) != 0 {
		t.Errorf("open are %v", got)
	}

	s.clock.advance(time.Hour)
	s.load(api("a", tidy()))
	again := s.finding("shadow-answers")
	if !again.Open || again.ID != opened.ID || again.FirstSeen != opened.FirstSeen {
		t.Errorf("not documented any more, it is %+v", again)
	}
}

func TestCallsThatStoppedAreNoFindingAfterAMonth(t *testing.T) {
	s := newScene(t, Options{}, api("a", tidy(noon.AddDate(0, 0, -1), noon.AddDate(1, 0, 0))))
	s.hit("h.test", "GET", "/v1/x", answered(200))
	s.clock.advance(29 * 24 * time.Hour)
	if got := fmt.Sprint(s.wrong()); got != "[deprecated-called v1]" {
		t.Errorf("after 29 days: %s", got)
	}
	s.clock.advance(48 * time.Hour)
	if got := s.wrong(); len(got) != 0 {
		t.Errorf("after 31 days: %v", got)
	}
}

func TestARetiredVersionThatIsEnforcedAtLastIsAnotherFinding(t *testing.T) {
	s := newScene(t, Options{}, api("a", tidy(noon.AddDate(-1, 0, 0), noon.AddDate(0, 0, -1))))
	o := answered(200)
	o.Verdict, o.Rule = WouldRefuse, "lifecycle"
	s.hit("h.test", "GET", "/v1/x", o)
	if got := fmt.Sprint(s.wrong()); got != "[retired-answers v1]" {
		t.Errorf("in monitor: %s", got)
	}
	s.clock.advance(time.Second)
	s.hit("h.test", "GET", "/v1/x", refused(410, "lifecycle", "version-retired"))
	if got := fmt.Sprint(s.wrong()); got != "[retired-called v1]" {
		t.Errorf("enforced: %s", got)
	}
}

func TestRefusingAShadowClosesItsFindingAndALimitDoesNot(t *testing.T) {
	s := newScene(t, Options{}, api("a", tidy()))
	ask := func(o Outcome) string {
		s.clock.advance(time.Second)
		s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/y", o)
		return fmt.Sprint(s.wrong())
	}
	const open = "[shadow-answers v1 h.test /v1/y]"
	if got := ask(answered(200)); got != open {
		t.Errorf("it answers: %s", got)
	}
	if got := ask(refused(429, "limit", "quota-exceeded")); got != open {
		t.Errorf("a limit refuses: %s", got)
	}
	if got := ask(refused(404, "unknown_route", "unknown-route")); got != "[]" {
		t.Errorf("the rule refuses: %s", got)
	}
	if got := ask(answered(200)); got != open {
		t.Errorf("it answers again: %s", got)
	}
	s.clock.advance(31 * 24 * time.Hour)
	if got := s.wrong(); len(got) != 0 {
		t.Errorf("a month later: %v", got)
	}
}

func TestAScanIsAFindingForAnHour(t *testing.T) {
	s := newScene(t, Options{}, api("a", tidy()))
	for i := range 99 {
		s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/"+word(i), answered(404))
	}
	if got := s.wrong(); len(got) != 0 {
		t.Errorf("after 99 requests: %v", got)
	}
	s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/last", answered(404))
	if got := fmt.Sprint(s.wrong()); got != "[scanned  h.test]" {
		t.Errorf("after 100 requests: %s", got)
	}
	s.clock.advance(2 * time.Hour)
	if got := s.wrong(); len(got) != 0 {
		t.Errorf("two hours later: %v", got)
	}
}

func TestTicksOpenAndCloseFindingsInTheFeed(t *testing.T) {
	s := newScene(t, Options{}, api("a", version("v1", "h.test", "/v1")))
	s.tick()
	s.clock.advance(2 * time.Second)
	s.load(api("a", tidy()))
	s.tick()
	var got []string
	for _, e := range s.events {
		got = append(got, fmt.Sprint(e.Event, " ", e.Finding, " ", e.Severity, " ", e.API, " ", e.Version, " ", len(e.ID)))
	}
	want := []string{"finding_opened no-document medium a v1 16", "finding_closed no-document medium a v1 16"}
	if !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

func TestTheFeedTellsOfEveryFindingThoughManyOpenAtOnce(t *testing.T) {
	s := newScene(t, Options{}, api("a", tidy()))
	for i := range 30 {
		o := answered(200)
		o.BodyLength = int64(i)
		s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/"+word(i), o)
	}
	told := func() map[string]int {
		for range 40 {
			s.clock.advance(time.Second)
			s.tick()
		}
		n := map[string]int{}
		for _, e := range s.events {
			n[e.Event]++
		}
		return n
	}
	if n := told(); n[EventFindingOpened] != 30 || n[EventFindingClosed] != 0 {
		t.Errorf("events %v, want 30 opened", n)
	}
	for _, e := range s.list(RouteQuery{State: []State{StateShadow}}).Items {
		if _, err := s.Review(e.ID, Review{ReviewIgnored, ""}); err != nil {
			t.Fatal(err)
		}
	}
	if n := told(); n[EventFindingOpened] != 30 || n[EventFindingClosed] != 30 {
		t.Errorf("events %v, want 30 closed", n)
	}
}

func TestFindingsAreFilteredAndPagedWithoutLoss(t *testing.T) {
	s := newScene(t, Options{}, api("a", tidy(noon.AddDate(0, 0, -1))))
	for i := range 60 {
		o := answered(200)
		o.BodyLength = int64(i)
		s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/"+word(i), o)
	}
	ids := map[string]bool{}
	var severities []string
	for q := (FindingQuery{Limit: 7}); ; {
		list, err := s.Findings(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list.Items {
			ids[f.ID] = true
			severities = append(severities, f.Severity)
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			break
		}
	}
	if len(ids) != 62 || len(severities) != 62 || !slices.IsSorted(severities) { // high before medium
		t.Errorf("a walk finds %d (%d distinct): %v", len(severities), len(ids), severities)
	}
	list, err := s.Findings(FindingQuery{Severity: []string{SeverityMedium}})
	if err != nil || len(list.Items) != 2 {
		t.Errorf("%d of medium severity, %v", len(list.Items), err)
	}
	if _, err := s.Findings(FindingQuery{Kind: []string{"odd"}}); err == nil || !strings.Contains(err.Error(), "shadow-answers") {
		t.Errorf("a kind that there is not: %v", err)
	}
	if list, err = s.Findings(FindingQuery{Open: []bool{false}}); err != nil || len(list.Items) != 0 {
		t.Errorf("%d closed, %v", len(list.Items), err)
	}
}

func TestEveryKindOfFindingHasATitle(t *testing.T) {
	for kind, title := range findingTitles {
		if title == "" {
			t.Errorf("%s has none", findingKind(kind))
		}
	}
}

func TestClosedFindingsAreBounded(t *testing.T) {
	s := newScene(t, Options{MaxHosts: 10_000}, api("a", tidy()))
	for i := range 3_000 {
		s.miss(catalogue.UnknownHost, "", word(i)+".test", "GET", "/", refused(421, "unknown_host", "unknown-host"))
		if i%500 == 499 {
			s.wrong()
		}
	}
	s.clock.advance(40 * 24 * time.Hour)
	if got := s.wrong(); len(got) != 0 {
		t.Fatalf("open are %d", len(got))
	}
	if n := len(s.Inventory.findings.byKey); n != maxClosed {
		t.Errorf("%d are kept, want %d", n, maxClosed)
	}
}

func TestFindingsNameNoClient(t *testing.T) {
	s := newScene(t, Options{}, api("a", tidy()))
	o := answered(200)
	o.Caller = &Caller{Addr: netip.MustParseAddr("192.0.2.77"), User: "alice"}
	s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/y", o)
	f := s.finding("shadow-answers")
	if text := fmt.Sprintf("%+v", f); strings.Contains(text, "192.0.2") || strings.Contains(text, "alice") {
		t.Errorf("the finding is %s", text)
	}
	if !strings.Contains(f.Evidence, "2xx once, the latest at 2026-11-22T12:00:00Z; it was asked by one consumer.") {
		t.Errorf("the evidence is %q", f.Evidence)
	}
}

func BenchmarkSweepOf10000(b *testing.B) {
	s := newScene(b, Options{}, orders())
	for i := range 9_989 {
		o := answered(200)
		o.BodyLength = int64(i)
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), o)
	}
	b.Run("sweep", func(b *testing.B) {
		for b.Loop() {
			s.sweepFindings(s.clock.now())
		}
	})
	b.Run("query", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Findings(FindingQuery{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestAnExceptionThatEndedAndAPolicyThatDiffersAreFound(t *testing.T) {
	s := newScene(t, Options{}, orders())
	until := noon.Add(time.Hour)
	s.Activate(s.Bind(s.cat, VersionMeta{
		API: "orders", Version: "v2",
		Differs:    []string{"request is off, and enforce in the api", "limit x of its own: 5 in 1m"},
		Exceptions: []Exception{{Name: "import", Until: until}, {Name: "later", Until: until.Add(time.Hour)}},
	}))
	evidence := func(kind string) string {
		open := true
		list, err := s.Findings(FindingQuery{Open: []bool{open}})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list.Items {
			if f.Kind == kind {
				if f.Subject.Version != "v2" || f.Advice == "" {
					t.Errorf("%+v", f)
				}
				return f.Evidence
			}
		}
		return ""
	}
	if got := evidence("policy-differs"); got != "request is off, and enforce in the api; limit x of its own: 5 in 1m." {
		t.Errorf("%q", got)
	}
	s.clock.advance(time.Hour - 1)
	if got := evidence("expired-exception"); got != "" {
		t.Errorf("before its end: %q", got)
	}
	s.clock.advance(1)
	if got := evidence("expired-exception"); got != "Exception import (2026-11-22T13:00:00Z) ended." {
		t.Errorf("at its end: %q", got)
	}
	s.Activate(s.Bind(s.cat, VersionMeta{API: "orders", Version: "v2"}))
	if a, b := evidence("policy-differs"), evidence("expired-exception"); a+b != "" {
		t.Errorf("taken out: %q %q", a, b)
	}
}

func TestAVersionWithoutADocumentSaysOfHowManyRoutes(t *testing.T) {
	s := newScene(t, Options{}, api("a", version("v1", "h.test", "/v1")))
	for i, want := range []string{"called 0 times, on 0 routes.", "called once, on one route.", "called 2 times, on 2 routes."} {
		if i > 0 {
			s.miss(catalogue.NoDocument, "v1", "h.test", "GET", fmt.Sprint("/v1/", []string{"", "x", "y"}[i]), answered(200))
		}
		if got := s.finding("no-document").Evidence; !strings.HasSuffix(got, want) {
			t.Errorf("%q does not end with %q", got, want)
		}
	}
}
