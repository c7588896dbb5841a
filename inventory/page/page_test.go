package page

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// Every link on every view leads to a view, starting from the first.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	s := busy(t, 130) // two pages of routes
	seen := map[string]bool{"": true}
	todo := []string{""}
	var assets, pages int
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		w := s.get(at)
		if w.Code != http.StatusOK {
			t.Errorf("%q: status %d", at, w.Code)
			continue
		}
		if strings.HasPrefix(at, "assets/") {
			assets++
			continue
		}
		if strings.HasPrefix(at, "openapi?") {
			continue
		}
		pages++
		elements(t, w.Body, func(n *html.Node) {
			for _, name := range []string{"href", "src"} {
				link, ok := attribute(n, name)
				if !ok || strings.HasPrefix(link, "#") {
					continue
				}
				u, err := url.Parse(link)
				if err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(u.Path, "/") {
					t.Errorf("%q: %s %q is not relative", at, name, link)
					continue
				}
				here, _ := url.Parse("http://page/inner/" + at)
				to := here.ResolveReference(u)
				name, ok := strings.CutPrefix(to.Path, "/inner/")
				if !ok {
					t.Errorf("%q: %q leaves the page", at, link)
					continue
				}
				if to.RawQuery != "" {
					name += "?" + to.RawQuery
				}
				// Orders and filters multiply; a few of each show the rest.
				if len(seen) < 600 && !seen[name] {
					seen[name] = true
					todo = append(todo, name)
				}
			}
		})
	}
	if assets != 2 || pages < 150 {
		t.Errorf("saw %d assets and %d pages, want 2 and at least 150: the walk does not reach the views", assets, pages)
	}
}

func TestAnswersAreGuardedAgainstWhatBrowsersDo(t *testing.T) {
	s := busy(t, 1)
	for _, name := range []string{"", "routes", "findings", "consumers", "flows", "hosts", "coverage", "plan", "nowhere", "assets/" + assetNames["page.css"], "assets/none.js"} {
		h := s.get(name).Header()
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%q: Content-Security-Policy %q lacks %s", name, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: header %v", name, h)
		}
		if strings.HasPrefix(name, "assets/"+assetNames["page.css"]) != strings.Contains(h.Get("Cache-Control"), "immutable") {
			t.Errorf("%q: Cache-Control %q", name, h.Get("Cache-Control"))
		}
	}
	elements(t, s.get("routes").Body, func(n *html.Node) {
		if style, ok := attribute(n, "style"); ok {
			t.Errorf("an inline style, which the policy forbids: %q", style)
		}
		if n.Type == html.ElementNode && n.Data == "script" && n.FirstChild != nil {
			t.Error("an inline script, which the policy forbids")
		}
	})
}

func TestQueriesAreAnsweredOrExplained(t *testing.T) {
	s := busy(t, 3)
	for _, c := range []struct {
		target string
		status int
		want   string // in the body
	}{
		{"routes?state=shadow", 200, "/v2/shadow-aaaa"},
		{"routes?state=orphan", 200, "No route fits"},
		{"routes?path=/v2/shadow-aaab", 200, "/v2/shadow-aaab"},
		{"routes?path=&host=&method=&api=&version=", 200, "/v2/shadow-aaaa"},
		{"routes?host=OLD.example.com", 200, "/v1/orders"},
		{"routes?state=odd", 400, "unrecognized value"},
		{"routes?cursor=odd", 400, "cursor"},
		{"routes?limit=0", 400, "limit"},
		{"routes?colour=red", 400, "unrecognized parameter"},
		{"routes/aaaaaaaaaaaaaaaa", 404, "no such route"},
		{"routes/", 404, "no such route"},
		{"findings", 200, "shadow-answers|undescribed-route-answers"},
		{"findings?open=any", 200, "findings"},
		{"findings?open=false", 200, "No finding fits"},
		{"findings?kind=undeclared-host-answers", 200, "stray.example.com"},
		{"findings?kind=scanned", 200, "No finding fits"},
		{"findings?kind=odd", 400, "unrecognized value"},
		{"findings?severity=odd", 400, "unrecognized value"},
		{"hosts?declared=false", 200, "stray.example.com"},
		{"hosts?declared=perhaps", 400, "write true or false"},
		{"consumers?rule=request", 200, "No consumer fits"},
		{"consumers?rule=colour", 400, "unrecognized value"},
		{"flows", 200, "No classified data"},
		{"flows?declared=perhaps", 400, "write true or false"},
		{"coverage", 200, "2 handlers get"},
		{"coverage?show=open", 200, "beta.example.com"},
		{"plan?at=2027-11-22", 200, "retired"},
		{"plan?at=tomorrow", 400, "is no day"},
		{"openapi?unknown=1&host=api.example.com", 200, `"api.example.com"`},
		{"openapi?api=orders&version=none", 404, "no such version"},
		{"elsewhere", 404, "no such page"},
	} {
		w := s.get(c.target)
		found := false
		for _, want := range strings.Split(c.want, "|") {
			found = found || strings.Contains(w.Body.String(), want)
		}
		if w.Code != c.status || !found {
			t.Errorf("%s: status %d, want %d with %q", c.target, w.Code, c.status, c.want)
		}
	}
	if body := s.get("coverage?show=open").Body.String(); strings.Contains(body, "api_guard stands before it") && !strings.Contains(body, "no api_guard stands before it") {
		t.Error("what is guarded is shown among what is open")
	}
	bare := New(Options{Source: s.inv})
	for _, name := range []string{"coverage", "plan"} {
		w := httptest.NewRecorder()
		if bare.ServeHTTP(w, newRequest("GET", name), name, ""); w.Code != 404 || strings.Contains(w.Body.String(), `href="`+name+`"`) {
			t.Errorf("%s where there is none: status %d", name, w.Code)
		}
	}
	r := s.do(newRequest("DELETE", "routes"), "")
	if r.Code != http.StatusMethodNotAllowed || r.Header().Get("Allow") == "" {
		t.Errorf("DELETE: status %d, Allow %q", r.Code, r.Header().Get("Allow"))
	}
	if head := s.do(newRequest("HEAD", "routes"), ""); head.Code != 200 || head.Body.Len() != 0 {
		t.Errorf("HEAD: status %d with %d bytes", head.Code, head.Body.Len())
	}
}

// The first view says what is wrong, the worst first, and each number leads to as
// many findings.
func TestTheFirstViewSaysWhatIsWrong(t *testing.T) {
	s := busy(t, 3)
	counts := s.inv.FindingCounts()
	if len(counts) < 3 {
		t.Fatalf("there is too little wrong: %+v", counts)
	}
	var shown []string
	elements(t, s.get("").Body, func(n *html.Node) {
		link, _ := attribute(n, "href")
		kind, ok := strings.CutPrefix(link, "findings?kind=")
		if !ok {
			return
		}
		shown = append(shown, kind)
		listed := 0
		elements(t, s.get(link).Body, func(n *html.Node) {
			if n.Data == "li" && n.Parent.Parent.Data == "section" {
				listed++
			}
		})
		if c := counts[len(shown)-1]; c.Kind != kind || uint64(listed) != c.Open {
			t.Errorf("%s leads to %d findings, want %d of %s", link, listed, c.Open, c.Kind)
		}
	})
	if len(shown) != min(len(counts), mostWrong) {
		t.Errorf("shown are %v, of %+v", shown, counts)
	}
}

func newRequest(method, target string) *http.Request {
	r, err := http.NewRequest(method, "http://localhost/"+target, nil)
	if err != nil {
		panic(err)
	}
	return r
}

func TestARoutesTrafficIsDrawnByDayAndClass(t *testing.T) {
	now := inventory.Time{Time: now}
	got := stacked(now, map[string][]uint64{"2xx": {0, 3, 6}, "5xx": {0, 1, 0}})
	want := []column{
		{Y: 12, Height: 12, Class: "s2xx", Text: "2026-11-21, 2xx: 3"},
		{Y: 8, Height: 4, Class: "s5xx", Text: "2026-11-21, 5xx: 1"},
		{Y: 0, Height: 24, Class: "s2xx", Text: "2026-11-22, 2xx: 6"},
	}
	if len(got) != len(want) {
		t.Fatalf("%d columns: %+v", len(got), got)
	}
	for i, c := range got {
		c.X, c.Width = 0, 0
		if c != want[i] {
			t.Errorf("column %d: %+v, want %+v", i, c, want[i])
		}
	}
	if stacked(now, nil) != nil {
		t.Error("a chart of nothing")
	}
	s := busy(t, 1)
	if body := s.get("routes/" + s.routeID("/v2/shadow-aaaa")).Body.String(); !strings.Contains(body, `class="s2xx" x="96.6`) {
		t.Error("today's answers are not drawn last")
	}
}

// A review is recorded for the form that this page gave this viewer for this route,
// and for nothing else.
func TestReviewsComeFromThePageItself(t *testing.T) {
	s := busy(t, 2)
	id, other := s.routeID("/v2/shadow-aaaa"), s.routeID("/v2/shadow-aaab")
	same := http.Header{"Sec-Fetch-Site": {"same-origin"}}
	form := func(token string) url.Values {
		return url.Values{"review": {"accepted"}, "note": {"meant to be"}, "token": {token}}
	}
	for _, c := range []struct {
		name   string
		viewer string
		form   url.Values
		header http.Header
		status int
	}{
		{"another site", "alice", form(s.token(id, "alice")), http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"another origin in an old browser", "alice", form(s.token(id, "alice")), http.Header{"Origin": {"http://evil.example"}}, 403},
		{"no token", "alice", form(""), same, 403},
		{"another viewer's token", "alice", form(s.token(id, "bob")), same, 403},
		{"another route's token", "alice", form(s.token(other, "alice")), same, 403},
		{"a token whose parts were shifted", "2alice", form(s.token(id+"2", "alice")), same, 403},
		{"no such review", "alice", url.Values{"review": {"loved"}, "token": {s.token(id, "alice")}}, same, 400},
		{"a note with a line end", "alice", url.Values{"review": {"accepted"}, "note": {"a\nb"}, "token": {s.token(id, "alice")}}, same, 400},
		{"a note too long", "alice", url.Values{"review": {"accepted"}, "note": {strings.Repeat("x", 1001)}, "token": {s.token(id, "alice")}}, same, 400},
		{"a body too long", "alice", url.Values{"review": {"accepted"}, "note": {strings.Repeat("x", 1<<20)}, "token": {s.token(id, "alice")}}, same, 400},
	} {
		if w := s.post(id, c.viewer, c.form, c.header); w.Code != c.status {
			t.Errorf("%s: status %d, want %d", c.name, w.Code, c.status)
		}
		if e, _ := s.inv.Route(id); e.Review != "open" {
			t.Fatalf("%s: recorded %q", c.name, e.Review)
		}
	}
	// The token that the form really carries.
	var token string
	elements(t, s.do(newRequest("GET", "routes/"+id), "alice").Body, func(n *html.Node) {
		if name, _ := attribute(n, "name"); name == "token" {
			token, _ = attribute(n, "value")
		}
	})
	w := s.post(id, "alice", form(token), same)
	if to := path.Join("routes", w.Header().Get("Location")); w.Code != http.StatusSeeOther || to != "routes/"+id {
		t.Fatalf("status %d to %q", w.Code, to)
	}
	if e, _ := s.inv.Route(id); e.Review != "accepted" || e.ReviewNote != "meant to be" {
		t.Errorf("recorded %q %q", e.Review, e.ReviewNote)
	}

	looking := newScene(t, Options{})
	looking.call("api.example.com", "GET", "/v2/x", 200)
	looking.settle(1)
	id = looking.routeID("/v2/x")
	if w := looking.post(id, "alice", form(looking.token(id, "alice")), same); w.Code != http.StatusForbidden {
		t.Errorf("a review where none are allowed: status %d", w.Code)
	}
	if body := looking.get("routes/" + id).Body.String(); strings.Contains(body, "<form class=\"review\"") {
		t.Error("a form for reviews where none are allowed")
	}
}

// BenchmarkTenThousandRoutes is the first page of 10,000 routes.
func BenchmarkTenThousandRoutes(b *testing.B) {
	s := busy(b, 9990)
	for _, target := range []string{"", "routes", "routes?sort=-count", "findings"} {
		b.Run("/"+target, func(b *testing.B) {
			for b.Loop() {
				if w := s.get(target); w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

var _ Source = (*inventory.Inventory)(nil)
