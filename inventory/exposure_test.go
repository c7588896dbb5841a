package inventory

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
	"github.com/getkin/kin-openapi/openapi3"
)

// exchanged is a request and its answer, as a sample shows them.
type exchanged struct {
	path              string // default: the operation's template
	query             string
	request, answer   string // JSON bodies
	requestFields     http.Header
	answerFields      http.Header
	status            int // default 200
	integration       string
	client            string // default 192.0.2.1
	withoutCredential bool
}

// sampled lets the inventory look at an exchange with a documented operation.
func (s *scene) sampled(route int, x exchanged) {
	s.t.Helper()
	s.Sample(Sampling{Share: 1, PerMinute: 1000})
	r := s.cat.Routes[route]
	m := &catalogue.Match{Outcome: catalogue.Found, Host: r.Hosts[0], API: r.API, Version: r.Version, Route: r}
	path := x.path
	if path == "" {
		path = r.Path
	}
	s.passed(m, r.Hosts[0].Name, r.Operation.Method, path, x)
}

func (s *scene) passed(m *catalogue.Match, host, method, path string, x exchanged) {
	s.t.Helper()
	if x.status == 0 {
		x.status = 200
	}
	if x.client == "" {
		x.client = "192.0.2.1"
	}
	asked, answered := http.Header{}, http.Header{"Content-Type": {"application/json"}}
	for name, values := range x.requestFields {
		asked[name] = values
	}
	for name, values := range x.answerFields {
		answered[name] = values
	}
	if x.request != "" {
		asked["Content-Type"] = []string{"application/json"}
	}
	if !x.withoutCredential {
		asked["Authorization"] = []string{"Bearer abc"}
	}
	o := s.at(Outcome{Status: x.status, Forwarded: true, Caller: &Caller{Addr: netip.MustParseAddr(x.client), Header: asked, Answer: answered, Host: host}})
	s.rec.Observe(m, host, method, path, o)
	p := s.rec.Draw(m, host, method, path, o.Time)
	if p == nil {
		s.t.Fatal("the request is no sample")
	}
	p.Integration = x.integration
	p.TakeRequest(asked, x.query)
	p.Request.Add([]byte(x.request))
	p.TakeAnswer(answered)
	p.Answer.Add([]byte(x.answer))
	o.Caller = &Caller{Addr: netip.MustParseAddr(x.client), Header: asked, Answer: answered, Host: host}
	p.Submit(&o)
	s.settle()
}

// openFindings are the kinds that are open.
func (s *scene) openByKind() map[string]FindingEntry {
	s.t.Helper()
	list, err := s.Findings(FindingQuery{Open: []bool{true}, Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[string]FindingEntry{}
	for _, f := range list.Items {
		found[f.Kind] = f
	}
	return found
}

func places(e RouteEntry) string {
	var list []string
	for _, d := range e.Data {
		list = append(list, fmt.Sprintf("%s %s %s%s %s", d.Class, d.Direction, d.In, d.Pointer, d.Source))
	}
	return strings.Join(list, "\n")
}

const orderRoute = 3 // POST /v2/orders on api.example.com

// orderEntry is its entry.
func (s *scene) orderEntry() RouteEntry {
	s.t.Helper()
	list := s.list(RouteQuery{Path: []string{"/v2/orders"}, Method: []string{"POST"}, Host: []string{"api.example.com"}})
	if len(list.Items) != 1 {
		s.t.Fatalf("%d entries", len(list.Items))
	}
	return list.Items[0]
}

func TestARouteTellsWhatItCarriesAndWhere(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.sampled(orderRoute, exchanged{
		query: "api_key=8f14e45fceea167a5a36&page=2", request: `{"card":{"number":"4111 1111 1111 1111"}}`,
		answer: `{"users":[{"email":"a@example.com"},{"email":"b@example.com"}],"a@example.com":{"dob":"1990-01-01"}}`,
	})
	e := s.orderEntry()
	want := strings.Join([]string{
		"payment_card request body/card/number sample",
		"secret request query/api_key sample",
		"date_of_birth response body/*/dob sample",
		"email response body/users/*/email sample",
	}, "\n")
	if got := places(e); got != want {
		t.Errorf("carries\n%s\nwant\n%s", got, want)
	}
	if got := strings.Join(e.DataClasses, " "); got != "email payment_card secret date_of_birth" {
		t.Errorf("classes %s", got)
	}
	// A failure's text is about what the caller sent.
	s.sampled(orderRoute, exchanged{status: 400, answer: `{"phone":"+49 30 1234567"}`})
	if e := s.orderEntry(); strings.Contains(places(e), "phone") {
		t.Errorf("carries\n%s", places(e))
	}
}

func TestTheDocumentDeclaresClassesAndDeniesThem(t *testing.T) {
	a := orders()
	op := a.Versions[len(a.Versions)-1].Documents[0].Operations[0]
	doc, err := openapi3.NewLoader().LoadFromData([]byte(`{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/x":{"get":{"responses":{"200":{"description":"ok","content":{
		"application/json":{"schema":{"type":"object","properties":{"who":{"type":"string","x-data-class":"email"},"phone":{"type":"string","x-data-class":"none"}}}}}}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	op.Path = doc.Paths.Value("/x")
	op.Op = op.Path.Get
	s := newScene(t, Options{}, a)
	for i, r := range s.cat.Routes {
		if r.Operation == op {
			s.sampled(i, exchanged{answer: `{"who":"x","phone":"+49 30 1234567","fax":"+49 30 1234567"}`})
			if got, want := places(s.one(r.Path)), "email response body/who document\nphone response body/fax sample"; got != want {
				t.Errorf("carries\n%s\nwant\n%s", got, want)
			}
			return
		}
	}
	t.Fatal("no such route")
}

func TestFindingsOfWhatIsCarriedOpenAndClose(t *testing.T) {
	for _, row := range []struct {
		kind string
		bad  exchanged
		good exchanged // it passes, and does not open the finding
	}{
		{"sensitive-unauthenticated", exchanged{withoutCredential: true, answer: `{"ssn":"123-45-6789"}`}, exchanged{answer: `{"ssn":"123-45-6789"}`}},
		{"sensitive-unauthenticated", exchanged{withoutCredential: true, answer: `{"email":"a@example.com"}`}, exchanged{withoutCredential: true, request: `{"email":"a@example.com"}`, answer: `{"email":"a@example.com"}`}},
		{"sensitive-unauthenticated", exchanged{withoutCredential: true, answer: `{"password":"hunter2"}`}, exchanged{withoutCredential: true, answer: `{"access_token":"8f14e45fceea167a5a36"}`}},
		{"secret-in-url", exchanged{query: "access_token=8f14e45fceea167a5a36"}, exchanged{query: "page_token=8f14e45fceea167a5a36"}},
		{"secret-in-url", exchanged{query: "password=hunter2"}, exchanged{request: `{"password":"hunter2"}`}},
		{"secret-in-url", exchanged{path: "/v2/orders/eyJhbGciOiJIUzI1NiJ9.e30.c2ln"}, exchanged{path: "/v2/orders/17"}},
		{"cors-any-origin", exchanged{requestFields: http.Header{"Origin": {"https://evil.example"}}, answerFields: http.Header{"Access-Control-Allow-Origin": {"https://evil.example"}, "Access-Control-Allow-Credentials": {"true"}}},
			exchanged{requestFields: http.Header{"Origin": {"https://evil.example"}}, answerFields: http.Header{"Access-Control-Allow-Origin": {"https://shop.example"}, "Access-Control-Allow-Credentials": {"true"}}}},
		{"cors-any-origin", exchanged{answerFields: http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"}}},
			exchanged{answerFields: http.Header{"Access-Control-Allow-Origin": {"*"}}}},
		{"software-told", exchanged{answerFields: http.Header{"Server": {"nginx/1.25.3"}}}, exchanged{answerFields: http.Header{"Server": {"nginx"}}}},
		{"software-told", exchanged{answerFields: http.Header{"X-Powered-By": {"PHP/8.1.2-1ubuntu"}}}, exchanged{answerFields: http.Header{"X-Powered-By": {"Express"}, "Server": {"Caddy"}}}},
	} {
		s := newScene(t, Options{}, orders())
		s.sampled(orderRoute, row.good)
		if _, open := s.openByKind()[row.kind]; open {
			t.Errorf("%s opens at %+v", row.kind, row.good)
		}
		s.sampled(orderRoute, row.bad)
		f, open := s.openByKind()[row.kind]
		if !open || f.Evidence == "" || f.Advice == "" {
			t.Errorf("%s does not open at %+v: %+v", row.kind, row.bad, f)
		}
		for _, value := range []string{"8f14", "hunter2", "a@example.com", "123-45", "evil.example", "1.25.3", "8.1.2", "eyJ"} {
			if strings.Contains(f.Evidence, value) {
				t.Errorf("%s tells a value: %s", row.kind, f.Evidence)
			}
		}
		s.clock.advance(31 * 24 * time.Hour)
		if _, open := s.openByKind()[row.kind]; open {
			t.Errorf("%s is still open a month later", row.kind)
		}
	}
}

func TestAFindingClosesAsSoonAsAnswersAreBetter(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.sampled(orderRoute, exchanged{answerFields: http.Header{"Server": {"nginx/1.25.3"}, "Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"}}})
	if n := len(s.openByKind()); n < 2 {
		t.Fatalf("%d findings", n)
	}
	s.sampled(orderRoute, exchanged{requestFields: http.Header{"Origin": {"https://a.example"}}, answerFields: http.Header{"Server": {"nginx"}}})
	for _, kind := range []string{"software-told", "cors-any-origin"} {
		if _, open := s.openByKind()[kind]; open {
			t.Errorf("%s is still open", kind)
		}
	}
}

func TestDelicateDataOutsideOfProductionIsFound(t *testing.T) {
	for environment, found := range map[string]bool{"staging": true, "test": true, "": false, "production": false, "Prod": false} {
		a := orders()
		for _, v := range a.Versions {
			v.Environment = environment
		}
		s := newScene(t, Options{}, a)
		s.sampled(orderRoute, exchanged{answer: `{"iban":"DE89370400440532013000"}`})
		f, open := s.openByKind()["sensitive-non-production"]
		if open != found || found && !strings.Contains(f.Evidence, "iban") {
			t.Errorf("environment %q: %v %s", environment, open, f.Evidence)
		}
	}
}

func TestFlowsAreHeldAgainstWhatIsDeclared(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.rec.DeclareParties([]Party{
		{Name: "acme", Purpose: "tracking", Owner: "team-partners", Data: dataclass.Of(dataclass.Email)},
		{Name: "old", Data: dataclass.Of(dataclass.Email), Until: s.clock.now().Add(time.Hour)},
	})
	s.sampled(orderRoute, exchanged{integration: "acme", answer: `{"email":"a@example.com"}`})
	s.sampled(orderRoute, exchanged{integration: "old", answer: `{"email":"a@example.com"}`})
	s.sampled(orderRoute, exchanged{answer: `{"email":"a@example.com"}`})
	if f, open := s.openByKind()["undeclared-flow"]; open {
		t.Errorf("opens: %s", f.Evidence)
	}
	s.sampled(orderRoute, exchanged{integration: "acme", request: `{"phone":"+49 30 1234567"}`})
	f, open := s.openByKind()["undeclared-flow"]
	if !open || f.Subject.Consumer != "acme" || !strings.Contains(f.Evidence, "phone") || strings.Contains(f.Evidence, "email") {
		t.Errorf("%v %+v", open, f)
	}
	list := func(q FlowQuery) string {
		t.Helper()
		var lines []string
		for {
			got, err := s.Flows(q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range got.Items {
				who := e.Integration
				if who == "" {
					who, _, _ = strings.Cut(e.Consumer, ":")
				}
				lines = append(lines, fmt.Sprint(who, " ", e.DataClass, " ", e.Direction, " ", e.Declared, " ", e.Purpose, " ", e.Count))
			}
			if q.Cursor = got.Next; q.Cursor == "" {
				return strings.Join(lines, "\n")
			}
		}
	}
	want := "acme email to true tracking 1\nacme phone from false tracking 1\nold email to true  1\nnetwork email to false  1"
	for _, limit := range []int{0, 1, 2, 3} {
		if got := list(FlowQuery{Limit: limit}); got != want {
			t.Errorf("flows by %d:\n%s\nwant\n%s", limit, got, want)
		}
	}
	if got := list(FlowQuery{Integration: []string{"acme"}, Declared: []bool{false}}); got != "acme phone from false tracking 1" {
		t.Errorf("filtered: %s", got)
	}
	// An integration that has ended is declared no more.
	s.clock.advance(2 * time.Hour)
	if got := list(FlowQuery{Integration: []string{"old"}}); !strings.Contains(got, "false") {
		t.Errorf("of an ended integration: %s", got)
	}
}

func TestCallersOfAVersionForPartnersAreDeclared(t *testing.T) {
	s := newScene(t, Options{}, orders())
	r := s.cat.Routes[orderRoute]
	s.rec = s.Bind(s.cat, VersionMeta{API: r.API.Name, Version: r.Version.Name, Audience: "partner"})
	s.Activate(s.rec)
	s.rec.DeclareParties([]Party{{Name: "acme", Data: dataclass.Of(dataclass.Email)}})
	s.sampled(orderRoute, exchanged{integration: "acme", answer: `{"email":"a@example.com"}`})
	if f, open := s.openByKind()["undeclared-third-party"]; open {
		t.Errorf("opens: %s", f.Evidence)
	}
	s.sampled(orderRoute, exchanged{answer: `{"email":"a@example.com"}`})
	if _, open := s.openByKind()["undeclared-third-party"]; !open {
		t.Error("does not open")
	}
}

func TestFlowsAndPlacesAreBounded(t *testing.T) {
	s := newScene(t, Options{}, orders())
	var body strings.Builder
	for i := range 200 {
		fmt.Fprintf(&body, `,"m%c%c":{"email":"a@example.com"}`, 'a'+i/26, 'a'+i%26)
	}
	s.sampled(orderRoute, exchanged{answer: "{" + body.String()[1:] + "}"})
	if n := len(s.orderEntry().Data); n != maxPlaces {
		t.Errorf("%d places", n)
	}
	k := flowKey{api: "orders", version: "v2", class: dataclass.Email, out: true}
	for i := range maxFlows + 100 {
		k.consumer = fmt.Sprint("network:", i)
		s.count(k, 1)
	}
	if n := len(s.flows); n > maxFlows+1 {
		t.Errorf("%d flows", n)
	}
	k.consumer = hostOther
	if f := s.flows[k]; f == nil || f.count < 100 {
		t.Errorf("those without room: %+v", f)
	}
}

func TestAttacksAreToldByTheirClass(t *testing.T) {
	for text, want := range map[string]string{
		"q=%27%20OR%201%3D1%20--":        "sql-injection",
		"q=x%27+union+select+password":   "sql-injection",
		"q=%3Cscript%3Ealert(1)":         "cross-site-scripting",
		"file=..%2F..%2F..%2Fetc/passwd": "path-traversal",
		"host=a%3B+cat+/etc/hosts":       "command-injection",
		"name=%7B%7B7*7%7D%7D":           "template-injection",
		"ua=${jndi:ldap://x}":            "jndi-lookup",
		"next=a%0d%0aSet-Cookie:x=1":     "header-injection",
		"q=O%27Neill":                    "",
		"q=a+%3C+b+and+c":                "",
		"path=a/b/c":                     "",
		"q=select+all+from+the+union":    "",
	} {
		p := Sample{Query: text}
		var counts [numAttackSigns]uint64
		for i := range counts {
			counts[i] = uint64(p.attackSigns() >> i & 1)
		}
		got := attackSigns(&counts)
		if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || got[want] != 1) {
			t.Errorf("%s: %v, want %q", text, got, want)
		}
	}
}

func TestSoftwareIsToldByNameAlone(t *testing.T) {
	for text, want := range map[string]string{
		"nginx/1.25.3":                       "[{nginx true}]",
		"Apache/2.4.57 (Ubuntu) PHP/8.1":     "[{apache true} {php true}]",
		"Microsoft-IIS/10.0":                 "[{iis true}]",
		"Express":                            "[{express false}]",
		"Caddy":                              "[]",
		"needle-8412":                        "[]",
		"needle-8412/1.0":                    "[{other true}]",
		"Werkzeug/2.3.7 Python/3.11.4":       "[{python true} {werkzeug true}]",
		strings.Repeat("nginx/1 ", 1000):     "[{nginx true}]",
		"a/1,b/2;c/3 " + "d/4 (e/5) f/6 g/7": "[{other true}]",
	} {
		if got := fmt.Sprint(softwareOf(http.Header{"Server": {text}})); got != want {
			t.Errorf("%.40q: %s, want %s", text, got, want)
		}
	}
}
