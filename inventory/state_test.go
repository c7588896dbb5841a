package inventory

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

func TestStateAndReasons(t *testing.T) {
	day := 24 * time.Hour
	tests := []struct {
		name      string
		do        func(s *scene)
		path      string
		state     State
		lifecycle string
		reasons   []string
	}{
		{
			name: "a documented operation is active before its first request",
			do:   func(s *scene) {}, path: "/v9/a", state: StateActive, lifecycle: "active", reasons: []string{},
		},
		{
			name: "an operation of a beta version is active, its lifecycle is beta",
			do: func(s *scene) {
				v := version("v9", "h.test", "/v9", "GET /a")
				v.State = catalogue.StateBeta
				s.load(api("x", v))
			},
			path: "/v9/a", state: StateActive, lifecycle: "beta", reasons: []string{},
		},
		{
			name: "an undocumented route that upstream answers is a shadow",
			do:   func(s *scene) { s.miss(catalogue.NoRoute, "v9", "h.test", "GET", "/v9/b", answered(200)) },
			path: "/v9/b", state: StateShadow, lifecycle: "active", reasons: []string{ReasonUndocumented, ReasonAnswered},
		},
		{
			name: "dates that Unix nanoseconds do not reach are to come",
			do: func(s *scene) {
				v := version("v9", "h.test", "/v9", "GET /a")
				v.Deprecated, v.Sunset = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
				s.load(api("x", v))
				s.hit("h.test", "GET", "/v9/a", answered(200))
			},
			path: "/v9/a", state: StateActive, lifecycle: "active", reasons: []string{},
		},
		{
			name: "one that upstream refuses is a shadow without a good answer",
			do:   func(s *scene) { s.miss(catalogue.NoRoute, "v9", "h.test", "GET", "/v9/b", answered(403)) },
			path: "/v9/b", state: StateShadow, lifecycle: "active", reasons: []string{ReasonUndocumented},
		},
		{
			name: "a route of a host that nobody declared says so",
			do:   func(s *scene) { s.miss(catalogue.UnknownHost, "", "rogue.test", "GET", "/b", answered(200)) },
			path: "/b", state: StateShadow, reasons: []string{ReasonUndocumented, ReasonAnswered, ReasonHost},
		},
		{
			name: "a method that the document does not have is listed under the document's template",
			do:   func(s *scene) { s.miss(catalogue.NoMethod, "v9", "h.test", "DELETE", "/v9/a/blue", answered(204)) },
			path: "/v9/a/{id}", state: StateShadow, lifecycle: "active", reasons: []string{ReasonUndocumented, ReasonAnswered, ReasonMethod},
		},
		{
			name: "another spelling of a documented path is a route of its own",
			do:   func(s *scene) { s.miss(catalogue.NearMiss, "v9", "h.test", "GET", "/v9/A", answered(404)) },
			path: "/v9/A", state: StateShadow, lifecycle: "active", reasons: []string{ReasonUndocumented, ReasonSpelling},
		},
		{
			name: "a path that no version claims",
			do:   func(s *scene) { s.miss(catalogue.Unclaimed, "", "h.test", "GET", "/old", answered(200)) },
			path: "/old", state: StateShadow, reasons: []string{ReasonUndocumented, ReasonAnswered, ReasonUnclaimed},
		},
		{
			name: "a malformed target of a declared host was refused before it was matched",
			do: func(s *scene) {
				s.miss(catalogue.UnknownHost, "", "h.test", "GET", "/v9/../b", refused(400, "target", "malformed-target"))
				s.rec.Observe(&catalogue.Match{}, "h.test", "GET", "/v9//x", s.at(refused(400, "target", "malformed-target")))
				s.settle()
			},
			path: "/v9//x", state: StateShadow, reasons: []string{ReasonUndocumented, ReasonTarget},
		},
		{
			name: "a request that claims two versions",
			do: func(s *scene) {
				s.miss(catalogue.Ambiguous, "", "h.test", "GET", "/v9/c", refused(400, "target", "version-ambiguous"))
			},
			path: "/v9/c", state: StateShadow, reasons: []string{ReasonUndocumented, ReasonAmbiguous},
		},
		{
			name: "a version without a document has shadows only, and no docs",
			do: func(s *scene) {
				s.load(api("x", version("v9", "h.test", "/v9")))
				s.miss(catalogue.NoDocument, "v9", "h.test", "GET", "/v9/c", answered(200))
			},
			path: "/v9/c", state: StateShadow, lifecycle: "active", reasons: []string{ReasonUndocumented, ReasonAnswered, ReasonNoDocument, ReasonNoDocs},
		},
		{
			name: "an operation that lost its document is a shadow once it is called",
			do: func(s *scene) {
				s.load(api("x", version("v9", "h.test", "/v9")))
				s.miss(catalogue.NoDocument, "v9", "h.test", "GET", "/v9/a", answered(200))
			},
			path: "/v9/a", state: StateShadow, lifecycle: "active", reasons: []string{ReasonUndocumented, ReasonAnswered, ReasonNoDocument, ReasonDropped, ReasonNoDocs},
		},
		{
			name: "a retired version that nobody calls",
			do: func(s *scene) {
				v := version("v9", "h.test", "/v9", "GET /a")
				v.Deprecated, v.Sunset = noon.Add(-9*day), noon.Add(-day)
				s.load(api("x", v))
			},
			path: "/v9/a", state: StateRetired, lifecycle: "retired", reasons: []string{},
		},
		{
			name: "a retired version that is called",
			do: func(s *scene) {
				v := version("v9", "h.test", "/v9", "GET /a")
				v.Deprecated, v.Sunset = noon.Add(-9*day), noon
				s.load(api("x", v))
				s.hit("h.test", "GET", "/v9/a", refused(410, "lifecycle", "version-retired"))
			},
			path: "/v9/a", state: StateRetired, lifecycle: "retired", reasons: []string{ReasonPastSunset, ReasonDeprecatedCalled},
		},
		{
			name: "a shadow of a retired version says both",
			do: func(s *scene) {
				v := version("v9", "h.test", "/v9", "GET /a")
				v.Sunset = noon.Add(-day)
				s.load(api("x", v))
				s.miss(catalogue.NoRoute, "v9", "h.test", "GET", "/v9/b", answered(200))
			},
			path: "/v9/b", state: StateShadow, lifecycle: "retired", reasons: []string{ReasonUndocumented, ReasonAnswered, ReasonPastSunset},
		},
		{
			name: "a deprecated version without a sunset that was called before it was deprecated",
			do: func(s *scene) {
				s.hit("h.test", "GET", "/v9/a", answered(200))
				s.clock.advance(2 * day)
				v := version("v9", "h.test", "/v9", "GET /a")
				v.Deprecated = noon.Add(day)
				s.load(api("x", v))
			},
			path: "/v9/a", state: StateDeprecated, lifecycle: "deprecated", reasons: []string{ReasonNoRetirement},
		},
		{
			name: "and one with a sunset that is called after",
			do: func(s *scene) {
				v := version("v9", "h.test", "/v9", "GET /a")
				v.Deprecated, v.Sunset = noon.Add(-day), noon.Add(day)
				s.load(api("x", v))
				s.hit("h.test", "GET", "/v9/a", answered(200))
			},
			path: "/v9/a", state: StateDeprecated, lifecycle: "deprecated", reasons: []string{ReasonDeprecatedCalled},
		},
		{
			name: "an operation that its document marks as deprecated",
			do: func(s *scene) {
				v := version("v9", "h.test", "/v9", "GET /a")
				v.Documents[0].Operations[0].Deprecated = true
				s.load(api("x", v))
			},
			path: "/v9/a", state: StateDeprecated, lifecycle: "deprecated", reasons: []string{ReasonDeprecatedOperation, ReasonNoRetirement},
		},
		{
			name: "and one in a version that is retired",
			do: func(s *scene) {
				v := version("v9", "h.test", "/v9", "GET /a")
				v.Documents[0].Operations[0].Deprecated = true
				v.Sunset = noon
				s.load(api("x", v))
			},
			path: "/v9/a", state: StateRetired, lifecycle: "retired", reasons: []string{ReasonDeprecatedOperation},
		},
		{
			name: "not called for 30 days while its host was",
			do: func(s *scene) {
				s.clock.advance(31 * day)
				s.hit("h.test", "GET", "/v9/a/{id}", answered(200))
			},
			path: "/v9/a", state: StateOrphan, lifecycle: "active", reasons: []string{ReasonNotCalled},
		},
		{
			name: "not called for 30 days on a host that nobody called either",
			do:   func(s *scene) { s.clock.advance(31 * day) },
			path: "/v9/a", state: StateActive, lifecycle: "active", reasons: []string{},
		},
		{
			name: "not called for 29 days",
			do: func(s *scene) {
				s.clock.advance(29 * day)
				s.hit("h.test", "GET", "/v9/a/{id}", answered(200))
			},
			path: "/v9/a", state: StateActive, lifecycle: "active", reasons: []string{},
		},
		{
			name: "documented only a day ago, by an inventory that has watched for longer",
			do: func(s *scene) {
				s.clock.advance(40 * day)
				s.load(api("x", version("v9", "h.test", "/v9", "GET /a", "GET /new")))
				s.clock.advance(day)
				s.hit("h.test", "GET", "/v9/a", answered(200))
			},
			path: "/v9/new", state: StateActive, lifecycle: "active", reasons: []string{},
		},
		{
			name: "nobody owns it",
			do: func(s *scene) {
				a := api("x", version("v9", "h.test", "/v9", "GET /a"))
				a.Owner = ""
				s.load(a)
			},
			path: "/v9/a", state: StateActive, lifecycle: "active", reasons: []string{ReasonNoOwner},
		},
		{
			name: "the version's owner is enough",
			do: func(s *scene) {
				a := api("x", version("v9", "h.test", "/v9", "GET /a"))
				a.Owner, a.Versions[0].Owner = "", "somebody"
				s.load(a)
			},
			path: "/v9/a", state: StateActive, lifecycle: "active", reasons: []string{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, Options{}, api("x", version("v9", "h.test", "/v9", "GET /a", "GET /a/{id}")))
			tt.do(s)
			var got RouteEntry
			for _, e := range s.list(RouteQuery{}).Items {
				// The one with the path; of several, the one that is no documented GET.
				if e.Path == tt.path && (got.ID == "" || e.Method != "GET") {
					got = e
				}
			}
			if got.ID == "" {
				t.Fatalf("no entry %s in %+v", tt.path, s.list(RouteQuery{}).Items)
			}
			if got.State != tt.state || got.Lifecycle != tt.lifecycle || !slices.Equal(got.Reasons, tt.reasons) {
				t.Errorf("state %q, lifecycle %q, reasons %q; want %q, %q, %q", got.State, got.Lifecycle, got.Reasons, tt.state, tt.lifecycle, tt.reasons)
			}
			if got.Documented != (got.State != StateShadow) {
				t.Errorf("documented %v in state %s", got.Documented, got.State)
			}
			byReason := s.list(RouteQuery{State: []State{tt.state}, Reason: tt.reasons})
			if !slices.ContainsFunc(byReason.Items, func(e RouteEntry) bool { return e.ID == got.ID }) {
				t.Error("the query by its state and reasons does not find it")
			}
			if e, ok := s.Route(got.ID); !ok || fmt.Sprint(e) != fmt.Sprint(got) {
				t.Errorf("by its id it is %+v, %v", e, ok)
			}
		})
	}
}

func TestEvidenceIsTheBestAnswerSoFar(t *testing.T) {
	redirect := answered(302)
	redirect.Redirect = true
	tests := []struct {
		name    string
		outcome Outcome
		want    Evidence
	}{
		{"200", answered(200), EvidenceConfirmed},
		{"204", answered(204), EvidenceConfirmed},
		{"304 needs something to be unchanged", answered(304), EvidenceConfirmed},
		{"101 is an upgrade", answered(101), EvidenceConfirmed},
		{"a redirect that leads somewhere", redirect, EvidenceConfirmed},
		{"a redirect to a login page", answered(302), EvidenceProbable},
		{"401", answered(401), EvidenceProbable},
		{"403", answered(403), EvidenceProbable},
		{"405", answered(405), EvidenceProbable},
		{"415", answered(415), EvidenceProbable},
		{"422", answered(422), EvidenceProbable},
		{"500", answered(500), EvidenceProbable},
		{"502", answered(502), EvidenceProbable},
		{"404", answered(404), EvidenceScan},
		{"410", answered(410), EvidenceScan},
		{"no answer at all", answered(0), EvidenceScan},
		{"a status that is none", answered(999), EvidenceScan},
		{"our 404 says nothing about upstream", refused(404, "unknown_route", "unknown-route"), EvidenceRefused},
		{"our 429 neither", refused(429, "limit", "quota-exceeded"), EvidenceRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, Options{}, orders())
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/x", tt.outcome)
			if got := s.one("/v2/x").Evidence; got != tt.want {
				t.Errorf("undocumented: %s, want %s", got, tt.want)
			}
			s.hit("api.example.com", "GET", "/v2/orders/{id}", tt.outcome)
			for _, e := range s.list(RouteQuery{Path: []string{"/v2/orders/{id}"}, Host: []string{"api.example.com"}}).Items {
				if e.Evidence != tt.want {
					t.Errorf("documented: %s, want %s", e.Evidence, tt.want)
				}
			}
		})
	}

	t.Run("in every order of answers the best stands", func(t *testing.T) {
		s := newScene(t, Options{}, orders())
		steps := []struct {
			outcome Outcome
			want    Evidence
		}{
			{answered(404), EvidenceScan}, {refused(404, "unknown_route", "unknown-route"), EvidenceRefused}, {answered(404), EvidenceRefused},
			{answered(401), EvidenceProbable}, {refused(429, "limit", ""), EvidenceProbable}, {answered(200), EvidenceConfirmed}, {answered(404), EvidenceConfirmed},
		}
		for i, step := range steps {
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/x", step.outcome)
			if e := s.one("/v2/x"); e.Evidence != step.want || e.Count != uint64(i+1) {
				t.Fatalf("step %d: %s after %d, want %s", i, e.Evidence, e.Count, step.want)
			}
		}
	})
}
