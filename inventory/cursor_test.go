package inventory

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"pgregory.net/rapid"
)

// A walk over a list that changes under it lists everything that is there
// throughout, and once only in an order by names.
func TestWalkLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &scene{clock: &clock{t: noon}, t: nil}
		s.Inventory = New(Options{Now: s.clock.now})
		s.load(orders())
		call := func(n, status int) {
			s.clock.advance(time.Duration(n%3) * time.Second)
			if n < 6 {
				slot := &s.rec.slots[n%len(s.rec.slots)]
				m := catalogue.Match{Outcome: catalogue.Found, Host: slot.host, Route: slot.route}
				s.rec.Hit(&m, s.at(answered(status)))
				return
			}
			o := answered(status)
			o.BodyLength = int64(n)
			s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(n), o)
		}
		calls := rapid.SliceOfN(rapid.IntRange(0, 40), 0, 80)
		for _, n := range calls.Draw(t, "before") {
			call(n, 200)
		}
		q := RouteQuery{
			Sort:  rapid.SampledFrom([]string{"", "host,path", "-host,path", "path", "-path", "first_seen", "-first_seen", "last_seen", "-last_seen", "count", "-count"}).Draw(t, "sort"),
			Limit: rapid.IntRange(1, 9).Draw(t, "limit"),
		}
		there := map[string]bool{}
		all, err := s.Routes(RouteQuery{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all.Items {
			there[e.ID] = true
		}
		seen := map[string]int{}
		for page := 0; ; page++ {
			list, err := s.Routes(q)
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Items) > q.Limit || len(list.Items) < q.Limit && list.Next != "" {
				t.Fatalf("page of %d, limit %d, next %q", len(list.Items), q.Limit, list.Next)
			}
			for _, e := range list.Items {
				seen[e.ID]++
			}
			if list.Next == "" {
				break
			}
			if page > 500 {
				t.Fatal("the walk does not end")
			}
			q.Cursor = list.Next
			for _, n := range rapid.SliceOfN(rapid.IntRange(0, 60), 0, 5).Draw(t, "between") {
				call(n, 200)
			}
		}
		for id := range there {
			if seen[id] == 0 {
				t.Fatalf("%s was there throughout and is not listed", id)
			}
		}
		if strings.HasSuffix(q.Sort, "path") || q.Sort == "" {
			for id, n := range seen {
				if n > 1 {
					t.Fatalf("%s is listed %d times", id, n)
				}
			}
		}
	})
}

func TestOrders(t *testing.T) {
	s := newScene(t, Options{}, api("x", version("v1", "b.test a.test", "/v1", "GET /q", "POST /q", "GET /a")))
	s.hit("a.test", "GET", "/v1/q", answered(200))
	s.clock.advance(time.Second)
	s.hit("b.test", "GET", "/v1/a", answered(200))
	s.hit("b.test", "GET", "/v1/a", answered(200))
	tests := []struct{ sort, want string }{
		{"", "a.test GET /v1/a"},
		{"host,path", "a.test GET /v1/a"},
		{"-host,path", "b.test POST /v1/q"},
		{"path", "a.test GET /v1/a"},
		{"-path", "b.test POST /v1/q"},
		{"-last_seen", "b.test GET /v1/a"},
		{"-first_seen", "b.test GET /v1/a"},
		{"-count", "b.test GET /v1/a"},
	}
	for _, tt := range tests {
		list := s.list(RouteQuery{Sort: tt.sort, Limit: 1})
		e := list.Items[0]
		if got := e.Host + " " + e.Method + " " + e.Path; got != tt.want {
			t.Errorf("sort=%s begins with %s, want %s", tt.sort, got, tt.want)
		}
	}
	for _, order := range []string{"first_seen", "last_seen", "count"} {
		items := s.list(RouteQuery{Sort: order}).Items
		if last := items[len(items)-1]; last.Host != "b.test" || last.Count != 2 {
			t.Errorf("sort=%s ends with %+v", order, last)
		}
		slices.Reverse(items)
		for i, e := range s.list(RouteQuery{Sort: "-" + order}).Items {
			if e.ID != items[i].ID {
				t.Errorf("sort=-%s is not sort=%s turned round", order, order)
			}
		}
	}
}

func TestParseRouteQuery(t *testing.T) {
	s := newScene(t, Options{}, orders())
	next := s.list(RouteQuery{State: []State{StateActive, StateRetired}, Limit: 2}).Next
	other := s.list(RouteQuery{Limit: 1}).Next
	tests := []struct {
		name, query string
		wrong       []string // what the error must say; nil: it is right
	}{
		{"nothing", "", nil},
		{"everything", "state=shadow&state=retired&reason=undocumented&lifecycle=beta&api=a&api=b&version=v1&host=H.test&method=get&path=/v1&since=2026-01-31T10:00:00Z&evidence=probable&sort=-count&limit=1000", nil},
		{"a day", "since=2026-01-31", nil},
		{"a cursor and the query it is of, in another order", "limit=7&cursor=" + next + "&state=retired&state=active", nil},
		{"a cursor of another query", "cursor=" + other + "&state=retired", []string{"cursor", "not a cursor of this query"}},
		{"a cursor of nothing", "cursor=abc", []string{"cursor"}},
		{"a cursor with an altered end", "state=active&state=retired&cursor=" + next + "~", []string{"cursor"}},
		{"a cursor of a megabyte", "cursor=" + strings.Repeat("A", 1<<20), []string{"cursor"}},
		{"an unknown parameter", "colour=red", []string{"colour", "evidence"}},
		{"an unknown state", "state=zombie", []string{"state", "zombie", "shadow, retired"}},
		{"an unknown reason", "reason=why", []string{"reason", "why", "past-sunset-called"}},
		{"an unknown lifecycle", "lifecycle=dead", []string{"lifecycle", "dead", "beta"}},
		{"an unknown evidence", "evidence=some", []string{"evidence", "some", "confirmed"}},
		{"an unknown order", "sort=colour", []string{"sort", "colour", "last_seen"}},
		{"no page", "limit=0", []string{"limit", "1000"}},
		{"too large a page", "limit=1001", []string{"limit", "1000"}},
		{"no number", "limit=ten", []string{"limit", "ten"}},
		{"an empty number", "limit=", []string{"limit"}},
		{"two page sizes", "limit=1&limit=2", []string{"limit", "once"}},
		{"no time", "since=yesterday", []string{"since", "yesterday", "2026-01-31"}},
		{"a path without a slash", "path=v1", []string{"path", "slash"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			q, err := ParseRouteQuery(v)
			if tt.wrong == nil {
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Routes(q); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("taken")
			}
			for _, word := range tt.wrong {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error %q does not say %q", err, word)
				}
			}
		})
	}
}

// A question of the admin API that is taken is answered.
func FuzzQueries(f *testing.F) {
	for _, query := range []string{
		"state=shadow&sort=-count&limit=3", "kind=shadow-answers&severity=high", "direction=to&class=email", "unknown=1&api=orders&version=v2",
		"documented=true&since=2026-11-22T12:00:00Z", "since=24h", "limit=0", "limit=99999999999999999999", "sort=nothing", "host=*&path=%00", "integration=acme",
	} {
		f.Add(query, "")
	}
	f.Add("", "EAAA")
	f.Add(strings.Repeat("\x13", 5000), "@") // it was told again in full
	f.Add("since="+strings.Repeat("x", 5000)+"&limit="+strings.Repeat("9", 5000), "")
	s := newScene(f, Options{}, orders())
	s.hit("legacy.example.com", "GET", "/v1/orders", refused(410, "lifecycle", "version-retired"))
	f.Fuzz(func(t *testing.T, query, cursor string) {
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if cursor != "" {
			v.Set("cursor", cursor)
		}
		for name, ask := range map[string]func() (taken, answered error){
			"routes":    func() (_, _ error) { q, err := ParseRouteQuery(v); _, no := s.Routes(q); return err, no },
			"hosts":     func() (_, _ error) { q, err := ParseHostQuery(v); _, no := s.Hosts(q); return err, no },
			"consumers": func() (_, _ error) { q, err := ParseConsumerQuery(v); _, no := s.Consumers(q); return err, no },
			"findings":  func() (_, _ error) { q, err := ParseFindingQuery(v); _, no := s.Findings(q); return err, no },
			"flows":     func() (_, _ error) { q, err := ParseFlowQuery(v); _, no := s.Flows(q); return err, no },
			"openapi": func() (_, _ error) {
				q, err := ParseOpenAPIQuery(v)
				if err == nil && q.Unknown {
					s.Draft(q.Draft)
				}
				return err, nil
			},
		} {
			if err, no := ask(); err == nil && no != nil {
				t.Errorf("%s: %q was parsed but not answered: %v", name, query, no)
			} else if err != nil && len(err.Error()) > 2000 {
				t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
			}
		}
	})
}

func TestFilters(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.hit("legacy.example.com", "GET", "/v1/orders", refused(410, "lifecycle", "version-retired"))
	s.clock.advance(time.Hour)
	s.miss(catalogue.NoRoute, "v2", "beta.example.com", "PATCH", "/v2/extra", answered(200))
	s.miss(catalogue.UnknownHost, "", "rogue.test", "GET", "/x", refused(421, "unknown_host", "unknown-host"))
	tests := []struct {
		query string
		want  int
	}{
		{"", 11},
		{"state=shadow", 2},
		{"state=shadow&state=retired", 4},
		{"state=shadow&evidence=confirmed", 1},
		{"lifecycle=beta", 1},
		{"reason=past-sunset-called", 1},
		{"reason=past-sunset-called&reason=host-not-declared", 2},
		{"api=orders", 10},
		{"api=orders&version=v2", 7},
		{"version=v1&version=v3", 3},
		{"host=API.example.com", 3},
		{"method=patch", 1},
		{"path=/v2/orders", 6},
		{"path=/v2/orders/", 2},
		{"path=/v2/orders/&path=/v1/", 4},
		{"path=", 11},
		{"since=2026-11-22T12:00:00Z", 3},
		{"since=2026-11-22T12:30:00Z", 2},
		{"evidence=none", 8},
		{"evidence=refused", 2},
		{"api=nobody", 0},
	}
	for _, tt := range tests {
		v, _ := url.ParseQuery(tt.query)
		q, err := ParseRouteQuery(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(s.list(q).Items); got != tt.want {
			t.Errorf("%s: %d entries, want %d", tt.query, got, tt.want)
		}
	}
}
