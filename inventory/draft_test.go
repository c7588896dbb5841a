package inventory

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// sample has a request without a document looked at in full.
func (s *scene) sample(m *catalogue.Match, method, path, query string, header http.Header, body, answerType, answer string, status int) {
	s.t.Helper()
	s.Sample(Sampling{Share: 1, PerMinute: 10_000})
	o := s.at(answered(status))
	o.BodyLength = int64(len(answer))
	o.Caller = &Caller{Header: header, Answer: http.Header{}}
	p := s.rec.Draw(m, "api.example.com", method, path, o.Time)
	if p == nil {
		s.t.Fatal("no sample")
	}
	s.rec.Observe(m, "api.example.com", method, path, o)
	p.TakeRequest(header, query)
	p.Request.Add([]byte(body))
	h := http.Header{}
	if answerType != "" {
		h.Set("Content-Type", answerType)
	}
	p.TakeAnswer(h)
	p.Answer.Add([]byte(answer))
	p.Submit(&o)
	s.clock.advance(1e9)
	s.settle()
}

func (s *scene) undocumented() *catalogue.Match {
	return &catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[1], API: s.cat.APIs[0], Version: s.cat.APIs[0].Versions[1], Base: "/v2"}
}

func TestADraftHasTypesAndFormatsAndNoValue(t *testing.T) {
	s := newScene(t, Options{}, orders())
	h := http.Header{
		"Content-Type": {"application/json"}, "Authorization": {"Bearer needle-1"}, "X-Tenant": {"needle-2"}, "Cookie": {"session=needle-3"},
		"User-Agent": {"needle-4"}, "Needle-5-417417": {"x"},
	}
	for range 3 {
		s.sample(s.undocumented(), "POST", "/v2/refunds/417/lines", "page=2&q=needle6&417417417=1", h,
			`{"reason":"needle-7","amount":12.5,"count":3,"mail":"needle8@example.com","table":{"needle-9@example.com":1,"417417":2}}`,
			"application/json", `{"id":"3f0a9c2e-1111-4111-a111-0123456789ab","at":"2026-11-25T10:00:00Z","lines":[{"sku":"needle-10","n":null},{"sku":"x","n":1}]}`, 201)
	}
	s.sample(s.undocumented(), "POST", "/v2/refunds/418/lines", "", h, `{"reason":"x"}`, "application/problem+json", `{"title":"no"}`, 422)

	document := s.Draft(DraftQuery{API: []string{"orders"}})
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.ToLower(string(text)), "needle") || strings.Contains(string(text), "417417") {
		t.Errorf("the draft has a value: %s", text)
	}
	var got struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
			Servers    []struct{ URL string }
			Security   []map[string][]string
			Request    struct {
				Content map[string]struct{ Schema map[string]any }
			} `json:"requestBody"`
			Responses map[string]struct {
				Content map[string]struct{ Schema map[string]any }
			}
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	op, ok := got.Paths["/v2/refunds/{integer}/lines"]["post"]
	if !ok {
		t.Fatalf("no operation: %s", text)
	}
	var names []string
	for _, p := range op.Parameters {
		names = append(names, p.In+" "+p.Name)
	}
	if want := []string{"path integer", "query page", "query q", "header X-Tenant", "cookie session"}; !slices.Equal(names, want) {
		t.Errorf("parameters %q, want %q", names, want)
	}
	schema, _ := json.Marshal(op.Responses["201"].Content["application/json"].Schema)
	if want := `{"properties":{"at":{"format":"date-time","type":"string"},"id":{"format":"uuid","type":"string"},"lines":{"items":{"properties":{"n":{"type":["null","integer"]},"sku":{"type":"string"}},"required":["n","sku"],"type":"object"},"type":"array"}},"required":["at","id","lines"],"type":"object"}`; string(schema) != want {
		t.Errorf("the answer's schema is\n%s, want\n%s", schema, want)
	}
	request := op.Request.Content["application/json"].Schema
	properties := request["properties"].(map[string]any)
	for name, want := range map[string]string{
		"amount": `{"type":"number"}`, "count": `{"type":"integer"}`, "mail": `{"format":"email","type":"string"}`,
		"reason": `{"type":"string"}`, "table": `{"additionalProperties":{"type":"integer"},"type":"object"}`,
	} {
		if schema, _ := json.Marshal(properties[name]); string(schema) != want {
			t.Errorf("%s is %s, want %s", name, schema, want)
		}
	}
	if op.Responses["422"].Content["application/problem+json"].Schema == nil || op.Servers[0].URL != "https://api.example.com" || op.Security[0]["bearer"] == nil {
		t.Errorf("%s", text)
	}
	document3, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatalf("the draft cannot be loaded: %v", err)
	}
	if err := document3.Validate(t.Context()); err != nil {
		t.Errorf("the draft is no OpenAPI: %v", err)
	}

	// And it is the same after a restart.
	next := newScene(t, Options{}, orders())
	s.saveLearned(true, func(key, value []byte) {
		if strings.Contains(string(value), "needle") {
			t.Errorf("the store gets a value: %s", value)
		}
		if err := next.loadLearned(key, value); err != nil {
			t.Error(err)
		}
	})
	if len(next.learned) != len(s.learned) || len(s.learned) == 0 {
		t.Errorf("%d are kept of %d", len(next.learned), len(s.learned))
	}
}

func TestWhatIsLearnedIsBounded(t *testing.T) {
	s := newScene(t, Options{}, orders())
	for i := range 300 {
		var members []string
		for j := range 200 {
			members = append(members, `"`+word(i*200+j)+`":{"`+word(j)+`":[[[[[[[[[[[[1]]]]]]]]]]]]}`)
		}
		s.sample(s.undocumented(), "POST", "/v2/refunds", word(i)+"=1", http.Header{"Content-Type": {"application/json"}, http.CanonicalHeaderKey("X-" + word(i)): {"1"}, "Cookie": {word(i) + "=1"}},
			"{"+strings.Join(members, ",")+"}", "application/json", "[]", 200+i%90)
	}
	all := 0
	for _, d := range s.learned {
		all += d.nodes()
		if d.nodes() > maxNodes || len(d.Fields) > maxParameters || len(d.Cookies) > maxParameters || len(d.Query) > maxParameters || len(d.Answers) > maxStatuses {
			t.Errorf("%d places, %d fields, %d statuses", d.nodes(), len(d.Fields), len(d.Answers))
		}
	}
	if s.nodes != all {
		t.Errorf("%d places are counted, there are %d", s.nodes, all)
	}
	for id := range s.learned {
		s.unlearn(id)
	}
	if s.nodes != 0 {
		t.Errorf("%d places are left", s.nodes)
	}
}

const driftDocument = `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/orders":{
	"parameters":[{"name":"page","in":"query","schema":{"type":"integer"}},{"name":"filter","in":"query","style":"deepObject","schema":{"type":"object"}}],
	"post":{"operationId":"create","requestBody":{"content":{"application/json":{"schema":{"type":"object","properties":{"a":{"type":"integer"}}}}}},
	"responses":{"200":{"description":"ok","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Order"}}}},"4XX":{"description":"no"}}}}},
	"components":{"schemas":{"Order":{"allOf":[{"type":"object","properties":{"id":{"type":"integer"},"lines":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string"}}}}}},
	{"type":"object","properties":{"tags":{"type":"object","additionalProperties":{"type":"string"}}}}]}}}}`

func driftScene(t *testing.T) (*scene, *catalogue.Match) {
	doc, err := spec.Load("orders.yaml", []byte(driftDocument), spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := &catalogue.Version{Name: "v2", Hosts: []string{"api.example.com"}, Claims: []catalogue.Claim{{Path: "/v2"}}, Documents: []*spec.Document{doc}, Owner: "a"}
	s := newScene(t, Options{}, &catalogue.API{Name: "orders", Versions: []*catalogue.Version{v}})
	r := s.cat.Routes[0]
	return s, &catalogue.Match{Outcome: catalogue.Found, Host: r.Hosts[0], API: r.API, Version: r.Version, Route: r, Base: "/v2"}
}

func (s *scene) openFindings(kind string) []FindingEntry {
	s.t.Helper()
	list, err := s.Findings(FindingQuery{Open: []bool{true}, Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(f FindingEntry) bool { return f.Kind != kind })
}

func TestDriftIsWhatTheDocumentDoesNotHave(t *testing.T) {
	json := http.Header{"Content-Type": {"application/json"}}
	for _, tt := range []struct {
		name, query, body, answer string
		answerType                string
		status, times             int
		want                      string // in the evidence; empty: no drift
	}{
		{"as documented", "page=1&filter[x]=1", `{"a":1}`, `{"id":1,"lines":[{"sku":"a"}],"tags":{"any":"x"}}`, "application/json", 200, 3, ""},
		{"a range of statuses", "", `{"a":1}`, "", "", 418, 3, ""},
		{"another status", "", `{"a":1}`, "", "", 503, 1, "status 503"},
		{"a status of a gateway", "", `{"a":1}`, "", "", 502, 3, ""},
		{"not modified", "", `{"a":1}`, "", "", 304, 3, ""},
		{"a member of an answer", "", `{"a":1}`, `{"id":1,"secret":"x"}`, "application/json", 200, 1, "member /secret in answer 200"},
		{"a member of an item", "", `{"a":1}`, `{"lines":[{"sku":"a","cost":1}]}`, "application/json", 200, 1, "member /lines/-/cost in answer 200"},
		{"another media type", "", `{"a":1}`, "<html>", "text/html", 200, 1, "media type text/html in answer 200"},
		{"a parameter", "debug=1", `{"a":1}`, `{}`, "application/json", 200, 2, `query parameter "debug"`},
		{"a parameter, once", "debug=1", `{"a":1}`, `{}`, "application/json", 200, 1, ""},
		{"a parameter that is refused", "debug=1", `{"a":1}`, "", "", 400, 5, ""},
		{"a member of a request", "", `{"a":1,"admin":true}`, `{}`, "application/json", 200, 2, "member /admin in request"},
		{"a table is no drift of names that are values", "", `{"a":1}`, `{"417417":1}`, "application/json", 200, 3, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, m := driftScene(t)
			for range tt.times {
				s.sample(m, "POST", "/v2/orders", tt.query, json, tt.body, tt.answerType, tt.answer, tt.status)
			}
			found := s.openFindings("document-drift")
			if tt.want == "" {
				if len(found) > 0 {
					t.Errorf("%+v", found)
				}
				return
			}
			if len(found) != 1 || !strings.Contains(found[0].Evidence, tt.want) || found[0].Subject.Path != "/v2/orders" {
				t.Fatalf("%+v, want %s", found, tt.want)
			}
			s.clock.advance(stillCalled + 1)
			if left := s.openFindings("document-drift"); len(left) > 0 {
				t.Errorf("still open after a month: %+v", left)
			}
		})
	}
}

func TestTheDocumentInForceSaysWhatApplies(t *testing.T) {
	s, m := driftScene(t)
	s.sample(m, "POST", "/v2/orders", "", http.Header{"Authorization": {"Bearer x"}}, "", "", "", 200)
	document, err := s.Served("orders", "v2", "", func(*catalogue.Route) map[string]any { return map[string]any{"limits": []string{"one"}} })
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Servers []struct{ URL string }
		Paths   map[string]map[string]struct {
			About struct {
				Limits    []string
				Lifecycle string
				Seen      []struct {
					Host  string
					Count int
					Auth  Auth
				}
			} `json:"x-api-guard"`
		}
	}
	// Beside the operation an item has its parameters.
	for _, item := range document["paths"].(map[string]any) {
		delete(item.(map[string]any), "parameters")
	}
	text, _ := json.Marshal(document)
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	about := got.Paths["/orders"]["post"].About
	if got.Servers[0].URL != "https://api.example.com/v2" || about.Limits[0] != "one" || about.Lifecycle != "active" || about.Seen[0].Count != 1 || about.Seen[0].Auth.Seen[0] != "bearer" {
		t.Errorf("%s", text)
	}
	for _, tt := range []struct{ api, version, name, want string }{
		{"orders", "v9", "", "no such version"}, {"orders", "v2", "other.yaml", "there are orders.yaml"},
	} {
		if _, err := s.Served(tt.api, tt.version, tt.name, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}
