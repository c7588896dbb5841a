package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// scene is a page over a real inventory.
type scene struct {
	*Page
	t   testing.TB
	inv *inventory.Inventory
	rec *inventory.Recorder
	cat *catalogue.Catalogue
	// calls makes answers differ: a host that answers everything alike tells nothing.
	calls int64
}

func newScene(t testing.TB, o Options) *scene {
	t.Helper()
	apis := []*catalogue.API{{Name: "orders", Owner: "team-checkout", Purpose: "create and track orders", Versions: []*catalogue.Version{
		{Name: "v0", Hosts: []string{"legacy.example.com"}, Claims: []catalogue.Claim{{Path: "/v0"}}, Deprecated: now.AddDate(-2, 0, 0), Sunset: now.AddDate(-1, 0, 0), Successor: "v2"},
		{Name: "v1", Hosts: []string{"old.example.com"}, Claims: []catalogue.Claim{{Path: "/v1"}}, Deprecated: now.AddDate(0, -3, 0), Sunset: now.AddDate(0, 9, 0),
			Brownouts: []catalogue.Window{{From: now.AddDate(0, 8, 0), To: now.AddDate(0, 8, 0).Add(2 * time.Hour)}}},
		{Name: "v2", Hosts: []string{"api.example.com"}, Claims: []catalogue.Claim{{Path: "/v2"}}},
	}}}
	cat, err := catalogue.New(catalogue.Config{APIs: apis})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, cat: cat, inv: inventory.New(inventory.Options{Now: func() time.Time { return now }})}
	s.rec = s.inv.Bind(cat)
	s.inv.Activate(s.rec)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.inv.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	o.Now = func() time.Time { return now }
	o.Source = s.inv
	o.Coverage = func() []Covered {
		return []Covered{
			{":443", "api.example.com", "srv0.routes[0]", "reverse_proxy", "guarded", "api_guard stands before it", false},
			{":443", "beta.example.com", "srv0.routes[1]", "reverse_proxy", "not guarded", "no api_guard stands before it", true},
			{":80", "(other hosts)", "", "", "no catch-all", "add one", true},
		}
	}
	o.Document = func(q url.Values) (any, error) {
		if q.Get("version") == "none" {
			return nil, errors.New("there is no such version")
		}
		return q, nil
	}
	o.Plan = func(at time.Time) inventory.Plan {
		return s.inv.Plan(inventory.PlanQuery{
			At: at, Mode: func(string, string) string { return "enforce" },
			Excepted: func(string, string, string, time.Time) string { return "" },
		})
	}
	s.Page = New(o)
	return s
}

// call records a request and its answer as the handler does.
func (s *scene) call(host, method, path string, status int) {
	s.t.Helper()
	q := catalogue.Query{Host: host, Method: method, Path: path, Header: http.Header{}}
	var m catalogue.Match
	s.cat.Match(&q, &m)
	s.calls++
	s.rec.Observe(&m, host, method, path, inventory.Outcome{
		Time: now.UnixNano(), Status: status, Verdict: inventory.Allow, Forwarded: true, BodyLength: 100 + s.calls, ContentType: "application/json",
	})
}

// settle waits until all that was called is recorded.
func (s *scene) settle(want int) {
	s.t.Helper()
	for range 10_000 {
		list, err := s.inv.Routes(inventory.RouteQuery{Limit: 1})
		if h := s.inv.Health(); err == nil && len(list.Items) > 0 && h.Queued == 0 && h.Routes+h.RefusedScans >= want {
			return
		}
		time.Sleep(time.Millisecond)
	}
	s.t.Fatalf("%d routes were not recorded: %+v", want, s.inv.Health())
}

// get answers for a path below the page's own, with its query.
func (s *scene) get(target string) *httptest.ResponseRecorder {
	return s.do(httptest.NewRequest("GET", "http://localhost/"+target, nil), "")
}

func (s *scene) do(r *http.Request, viewer string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r, strings.TrimPrefix(r.URL.Path, "/"), viewer)
	return w
}

// post sends the review form of a route.
func (s *scene) post(id, viewer string, form url.Values, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://localhost/routes/"+id, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, values := range header {
		r.Header[name] = values
	}
	return s.do(r, viewer)
}

// routeID is the id of the first route that a query finds.
func (s *scene) routeID(path string) string {
	s.t.Helper()
	list, err := s.inv.Routes(inventory.RouteQuery{Path: []string{path}, Limit: 1})
	if err != nil || len(list.Items) == 0 {
		s.t.Fatalf("no route %s: %v", path, err)
	}
	return list.Items[0].ID
}

// elements walks a document.
func elements(t testing.TB, text io.Reader, visit func(*html.Node)) {
	t.Helper()
	root, err := html.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		visit(n)
		for c := range n.ChildNodes() {
			walk(c)
		}
	}
	walk(root)
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func busy(t testing.TB, routes int) *scene {
	s := newScene(t, Options{Review: true})
	for i := range routes {
		s.call("api.example.com", "GET", fmt.Sprintf("/v2/shadow-%c%c%c%c", 'a'+i/17576%26, 'a'+i/676%26, 'a'+i/26%26, 'a'+i%26), 200)
		if i%1000 == 999 {
			s.settle(i - 100)
		}
	}
	s.call("old.example.com", "GET", "/v1/orders", 200)
	s.call("stray.example.com", "GET", "/x", 200)
	s.settle(routes + 2)
	return s
}
