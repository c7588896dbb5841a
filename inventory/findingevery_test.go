package inventory

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
)

// Every kind of finding opens when it holds and closes by itself when it does no more,
// and says how bad it is, what it rests on, what to do and since when.
func TestEveryKindOfFindingOpensAndCloses(t *testing.T) {
	past, earlier, future := noon.AddDate(0, 0, -1), noon.AddDate(0, -6, 0), noon.AddDate(1, 0, 0)
	one := func(v *catalogue.Version) []*catalogue.API { return []*catalogue.API{api("a", v)} }
	secured := tidy()
	secured.Documents[0].Operations[0].Op = &openapi3.Operation{Security: &openapi3.SecurityRequirements{{"key": {}}}}
	unowned := api("a", tidy())
	unowned.Owner = ""
	staging := tidy()
	staging.Environment = "staging"
	siblings := version("v1", "h.test", "/v1", "GET /x", "POST /x", "GET /x/{id}", "GET /x/{id}/y")
	kept := orders()
	for _, v := range kept.Versions {
		v.Environment = "staging"
	}

	month := func(s *scene) { s.clock.advance(stillCalled + time.Second) }
	reload := func(apis ...*catalogue.API) func(*scene) {
		return func(s *scene) { s.load(apis...) }
	}
	meta := func(m VersionMeta) func(*scene) {
		return func(s *scene) {
			m.API, m.Version = "a", "v1"
			s.rec = s.Bind(s.cat, m)
			s.Activate(s.rec)
		}
	}
	call := func(o Outcome) func(*scene) {
		return func(s *scene) { s.hit("h.test", "GET", "/v1/x", o) }
	}
	miss := func(outcome catalogue.Outcome, version, host string) func(*scene) {
		return func(s *scene) { s.miss(outcome, version, host, "GET", "/v1/y", answered(200)) }
	}
	sampled := func(x exchanged) func(*scene) { return func(s *scene) { s.sampled(orderRoute, x) } }
	anonymous := answered(200)
	anonymous.Caller = &Caller{}

	cases := map[findingKind]struct {
		apis        []*catalogue.API
		open, close func(*scene)
	}{
		findShadow:      {one(tidy()), miss(catalogue.NoRoute, "v1", "h.test"), month},
		findUndescribed: {one(version("v1", "h.test", "/v1")), miss(catalogue.NoDocument, "v1", "h.test"), month},
		findShadowScan: {[]*catalogue.API{orders()}, func(s *scene) {
			for i := range 2 * maxLone {
				s.asked(1, "/v2/"+word(s.clock.now().YearDay())+word(i)) // a scan never asks twice
			}
		}, month},
		findHost: {one(tidy()), func(s *scene) {
			s.miss(catalogue.UnknownHost, "", "other.test", "GET", "/", refused(421, "unknown_host", "unknown-host"))
		}, month},
		findHostAnswers:     {one(tidy()), miss(catalogue.UnknownHost, "", "other.test"), month},
		findRetiredAnswers:  {one(tidy(earlier, past)), call(answered(200)), reload(api("a", tidy(earlier, future)))},
		findRetired:         {one(tidy(earlier, past)), call(refused(410, "lifecycle", "version-retired")), month},
		findDeprecated:      {one(tidy(past, future)), call(answered(200)), month},
		findUnauthenticated: {one(secured), call(anonymous), month},
		findNoDocument:      {one(version("v1", "h.test", "/v1")), func(*scene) {}, reload(api("a", tidy()))},
		findNoRetirement:    {one(tidy(past)), func(*scene) {}, reload(api("a", tidy(past, future)))},
		findNoOwner:         {[]*catalogue.API{unowned}, func(*scene) {}, reload(api("a", tidy()))},
		findDiffers:         {one(tidy()), meta(VersionMeta{Differs: []string{"request is off"}}), meta(VersionMeta{})},
		findExpired:         {one(tidy()), meta(VersionMeta{Exceptions: []Exception{{Name: "import", Until: past}}}), meta(VersionMeta{})},
		findNonProduction:   {one(staging), func(s *scene) { s.by(fromOutside, true, "h.test", "GET", "/v1/x", answered(200)) }, month},
		findOpenSibling: {one(siblings), func(s *scene) {
			for _, path := range []string{"/v1/x", "/v1/x/{id}", "/v1/x/{id}/y"} {
				s.by(fromInside, true, "h.test", "GET", path, answered(200))
			}
			s.by(fromInside, true, "h.test", "POST", "/v1/x", answered(200))
			o := answered(200)
			o.Caller = &Caller{Addr: fromInside, Header: http.Header{}}
			s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/x/1/z", o)
		}, month},
		findScan: {one(tidy()), func(s *scene) {
			for i := range 100 {
				s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/"+word(i), answered(404))
			}
		}, func(s *scene) { s.clock.advance(2 * time.Hour) }},
		findDataUnauthenticated: {[]*catalogue.API{kept}, sampled(exchanged{withoutCredential: true, answer: `{"ssn":"123-45-6789"}`}), month},
		findSecretURL:           {[]*catalogue.API{kept}, sampled(exchanged{query: "password=hunter2"}), month},
		findDataElsewhere:       {[]*catalogue.API{kept}, sampled(exchanged{answer: `{"iban":"DE89370400440532013000"}`}), month},
		findCORS: {[]*catalogue.API{kept}, sampled(exchanged{answerFields: http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"}}}),
			sampled(exchanged{requestFields: http.Header{"Origin": {"https://a.example"}}})},
		findSoftware: {[]*catalogue.API{kept}, sampled(exchanged{answerFields: http.Header{"Server": {"nginx/1.25.3"}}}), sampled(exchanged{answerFields: http.Header{"Server": {"nginx"}}})},
		findFlow: {[]*catalogue.API{kept}, func(s *scene) {
			s.rec.DeclareParties([]Party{{Name: "acme"}})
			s.sampled(orderRoute, exchanged{integration: "acme", answer: `{"email":"a@example.com"}`})
		}, func(s *scene) { s.rec.DeclareParties([]Party{{Name: "acme", Data: dataclass.Of(dataclass.Email)}}) }},
		findParty: {[]*catalogue.API{kept}, func(s *scene) {
			r := s.cat.Routes[orderRoute]
			s.rec = s.Bind(s.cat, VersionMeta{API: r.API.Name, Version: r.Version.Name, Audience: "partner"})
			s.Activate(s.rec)
			s.sampled(orderRoute, exchanged{answer: `{"email":"a@example.com"}`})
		}, month},
	}
	unchecked := func(what ...string) func(*scene) {
		return func(s *scene) {
			s.rec.DeclareUnchecked(func(*catalogue.Route) ([]string, bool) { return what, true })
			s.hit("h.test", "GET", "/v1/x", answered(200))
		}
	}
	cases[findUnchecked] = struct {
		apis        []*catalogue.API
		open, close func(*scene)
	}{one(tidy()), unchecked("a pattern"), unchecked()}
	unguarded := func(hosts ...Unguarded) func(*scene) {
		return func(s *scene) { s.rec.DeclareUnguarded(hosts) }
	}
	cases[findUnguarded] = struct {
		apis        []*catalogue.API
		open, close func(*scene)
	}{one(tidy()), unguarded(Unguarded{Host: "h.test", Declared: true, Detail: "It gets by."}), unguarded()}
	cases[findUnguardedSite] = struct {
		apis        []*catalogue.API
		open, close func(*scene)
	}{one(tidy()), unguarded(Unguarded{Host: "legacy.test", Detail: "It gets by."}), unguarded()}
	for kind := range numFindingKinds {
		t.Run(kind.String(), func(t *testing.T) {
			c, ok := cases[kind]
			var s *scene
			switch {
			case kind == findDrift:
				var m *catalogue.Match
				s, m = driftScene(t)
				c.open = func(s *scene) { s.rec.Hit(m, s.at(answered(503))) }
				c.close = month
			case !ok:
				t.Fatal("the kind has no case")
			default:
				s = newScene(t, Options{}, c.apis...)
			}
			for round := range 2 {
				c.open(s)
				found := s.openFindings(kind.String())
				if len(found) == 0 {
					t.Fatalf("round %d: it does not open", round)
				}
				f := found[0]
				if f.Severity != kind.severity() || f.Evidence == "" || f.Advice == "" || f.FirstSeen.IsZero() || f.LastSeen.Before(f.FirstSeen.Time) {
					t.Errorf("round %d: %+v", round, f)
				}
				if round == 1 {
					break
				}
				c.close(s)
				if left := s.openFindings(kind.String()); len(left) > 0 {
					t.Fatalf("it does not close: %+v", left)
				}
				if closed := s.finding(kind.String()); closed.Open || closed.ID != f.ID || closed.FirstSeen != f.FirstSeen {
					t.Errorf("closed it is %+v, and was %+v", closed, f)
				}
				if c.apis != nil && !strings.Contains("no-document no-retirement-plan no-owner retired-answers", kind.String()) {
					continue
				}
				break // a reload has mended it
			}
		})
	}
}
