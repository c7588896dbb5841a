package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// call has a client call a path that no document has, and get an answer that is no
// other's.
func (s *scene) call(client int, inVersion, path string, status int) {
	o := answered(status)
	o.BodyLength = int64(len(s.routes)*1000 + client)
	o.Caller = &Caller{Addr: netip.AddrFrom4([4]byte{10, 0, byte(client >> 8), byte(client)})}
	s.miss(catalogue.NoRoute, inVersion, "api.example.com", "GET", path, o)
}

// ripe lets the time pass after which routes are put together.
func (s *scene) ripe() {
	s.clock.advance(2 * foldEvery)
	s.lookAround(s.clock.now())
}

func (s *scene) paths() []string {
	var paths []string
	for _, e := range s.list(RouteQuery{Evidence: []Evidence{EvidenceConfirmed}, Limit: 1000}).Items {
		paths = append(paths, e.Path)
	}
	return paths
}

func TestRareNamesAtOnePlaceBecomeAValue(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.knownKey()
	for i := range 60 {
		s.call(i, "v2", "/v2/customers/"+word(i)+"/invoices", 200)
		s.call(i+1, "v2", "/v2/customers/me/invoices", 200)
	}
	if n := len(s.paths()); n != 61 {
		t.Fatalf("%d entries before a tick, want 61", n)
	}
	s.ripe()
	if got, want := s.paths(), []string{"/v2/customers/me/invoices", "/v2/customers/{value}/invoices"}; !slices.Equal(got, want) {
		t.Errorf("after a tick: %q, want %q", got, want)
	}
	if e := s.one("/v2/customers/{value}/invoices"); e.Count != 60 || e.Consumers < 50 || e.Consumers > 70 || e.FirstSeen.IsZero() {
		t.Errorf("what was counted is lost: %+v", e)
	}
	s.call(3, "v2", "/v2/customers/somebody-else/invoices", 200)
	s.call(3, "v2", "/v2/customers/417/invoices", 404)
	if e := s.one("/v2/customers/{value}/invoices"); e.Count != 62 {
		t.Errorf("counted %d, want 62: later ones are the same route", e.Count)
	}
}

func TestTheFirstSegmentAndVersionsAreNeverFolded(t *testing.T) {
	s := newScene(t, Options{}, orders())
	for i := range 100 {
		s.call(i, "v2", "/v2/"+word(i), 200)
		s.call(i, "v2", fmt.Sprintf("/v2/reports/v%d/all", i), 200)
		s.call(i, "", "/api/v7/"+word(i), 200)
	}
	before := len(s.paths())
	s.ripe()
	if after := len(s.paths()); after != before || before != 300 {
		t.Errorf("%d entries, and %d after a tick", before, after)
	}
}

func TestSeveralClassesAtOnePlaceAreOneValue(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.call(1, "v2", "/v2/gists/417", 200)
	s.call(2, "v2", "/v2/gists/35ca9df4281f80c5325da5e0eab41049", 200)
	s.call(2, "v2", "/v2/gists/public", 200)
	s.ripe()
	if got, want := s.paths(), []string{"/v2/gists/public", "/v2/gists/{value}"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What eight scans do to a trie is not to happen here: see the notes on tries that
// fold a level when it has many names.
func TestOneClientCannotFoldWhatOthersCall(t *testing.T) {
	s := newScene(t, Options{}, orders())
	real := []string{"login", "logout-all", "token-info", "session-list"}
	for i, name := range real {
		s.call(i, "v2", "/v2/auth/"+name, 200)
	}
	for round := range 5 {
		for i := range 200 {
			s.call(999, "v2", fmt.Sprintf("/v2/auth/%s%d", word(i), round), 200)
		}
		s.ripe()
	}
	paths := s.paths()
	for _, name := range real {
		if !slices.Contains(paths, "/v2/auth/"+name) {
			t.Errorf("/v2/auth/%s is lost", name)
		}
	}
	s.call(5, "v2", "/v2/auth/comes-later", 200)
	if !slices.Contains(s.paths(), "/v2/auth/comes-later") {
		t.Error("what comes later is taken for one of them")
	}
	if n := len(paths); n > 20 {
		t.Errorf("%d entries of one client are not put together", n)
	}
}

func TestNotFoundAndRefusedRoutesAreNeverFolded(t *testing.T) {
	s := newScene(t, Options{}, orders())
	for i := range 200 {
		s.call(i, "v2", "/v2/auth/"+word(i), 404)
	}
	s.call(1, "v2", "/v2/auth/login", 200)
	s.ripe()
	if got := s.paths(); !slices.Equal(got, []string{"/v2/auth/login"}) {
		t.Errorf("%q", got)
	}
}

func TestAPathGoesOnFromADocumentedOne(t *testing.T) {
	api := api("git", version("v1", "api.example.com", "/", "GET /repos/{owner}/{repo}/branches", "GET /repos/{owner}/{repo}/labels/{name}", "GET /users/{login}/events", "GET /orgs/{org}"))
	for _, tt := range []struct{ path, want string }{
		{"/repos/ada/engine/traffic", "/repos/{owner}/{repo}/traffic"},
		{"/repos/ada/417/traffic", "/repos/{owner}/{repo}/traffic"},
		{"/users/ada/labels/blue", "/users/{login}/labels/{value}"}, // as the documents have it elsewhere
		{"/users/ada/labels/repos", "/users/{login}/labels/repos"},  // a name
		{"/users/events/all", "/users/events/all"},                  // a name where a value could be
		{"/orgs/acme/people/17", "/orgs/{org}/people/{integer}"},
		{"/elsewhere/ada", "/elsewhere/ada"},
	} {
		s := newScene(t, Options{}, api)
		o := answered(200)
		s.miss(catalogue.NoRoute, "v1", "api.example.com", "GET", tt.path, o)
		if got := s.paths(); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: %q, want %q", tt.path, got, tt.want)
		}
	}
}

func TestAPinHoldsBeforeWhatIsFoundOut(t *testing.T) {
	s := newScene(t, Options{}, orders())
	for i := range 60 {
		s.call(i, "v2", "/v2/shops/"+word(i), 200)
	}
	s.ripe()
	id := s.one("/v2/shops/{value}").ID

	e, err := s.Pin(id, Pin{Template: "/v2/shops/{shop}", Pinned: true})
	if err != nil || e.Path != "/v2/shops/{shop}" || e.Count != 60 {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := s.Pin(e.ID, Pin{Template: "/v2/shops/nearby", Pinned: true}); err != nil {
		t.Fatal(err)
	}
	s.call(1, "v2", "/v2/shops/nearby", 200)
	s.call(1, "v2", "/v2/shops/417", 200)
	s.ripe()
	if got, want := s.paths(), []string{"/v2/shops/nearby", "/v2/shops/{shop}"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	s.load(orders())
	s.call(1, "v2", "/v2/shops/nearby", 200)
	if e := s.one("/v2/shops/nearby"); e.Count != 2 {
		t.Errorf("after a reload: %+v", e)
	}
	if _, err := s.Pin(e.ID, Pin{Template: "/v2/shops/nearby"}); err != nil {
		t.Fatal(err)
	}
	if got, want := s.paths(), []string{"/v2/shops/{shop}"}; !slices.Equal(got, want) {
		t.Errorf("taken back: %q, want %q", got, want)
	}
}

func TestWhatIsWrongWithAPinIsSaid(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.call(1, "v2", "/v2/shops/nearby", 200)
	id := s.one("/v2/shops/nearby").ID
	documented := s.one("/v1/orders/{id}").ID
	for _, tt := range []struct{ id, template, want string }{
		{"aaaaaaaaaaaaaaaa", "/v2/shops/{x}", "no route with that id"},
		{documented, "/v1/orders/{x}", "documented"},
		{id, "v2/shops/{x}", "is no path"},
		{id, "/v2/shops/{x}?a", "query"},
		{id, "/v2/shops", "neither stands for"},
		{id, "/v2/cars/{x}", "neither stands for"},
		{id, "/v2/shops/{x", "cannot be read"},
		{id, "/v2/shops/{}", "cannot be read"},
		{id, "/v2/shops/a}{b", "cannot be read"},
		{id, "/v2/shops/**", "cannot be read"},
		{id, "/v2/shops/{a b}", `write "/v2/shops/{a%20b}"`},
		{id, "/" + strings.Repeat("x", maxPath), "at most"},
	} {
		if _, err := s.Pin(tt.id, Pin{Template: tt.template, Pinned: true}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: %v, want %q", tt.template, err, tt.want)
		}
	}
	if _, err := s.Pin(id, Pin{Template: "/v2/shops/{x}"}); err == nil || !strings.Contains(err.Error(), "not pinned") {
		t.Error(err)
	}
}

func TestFoldsAndPinsAreKept(t *testing.T) {
	s := newScene(t, Options{}, orders())
	for i := range 60 {
		s.call(i, "v2", "/v2/shops/"+word(i), 200)
		s.call(i, "v2", "/v2/shops/best-rated", 200)
	}
	s.ripe()
	if _, err := s.Pin(s.one("/v2/shops/{value}").ID, Pin{Template: "/v2/shops/nearby", Pinned: true}); err != nil {
		t.Fatal(err)
	}
	next := newScene(t, Options{}, orders())
	for _, part := range []struct {
		save func(bool, func(key, value []byte))
		load func(key, value []byte) error
	}{{s.saveFolds, next.loadFold}, {s.savePins, next.loadPin}} {
		n := 0
		part.save(false, func(key, value []byte) {
			n++
			if err := part.load(key, value); err != nil {
				t.Error(err)
			}
			if err := part.load([]byte("another"), value); err == nil {
				t.Error("another key is taken")
			}
		})
		if n != 1 {
			t.Errorf("%d were saved, want 1", n)
		}
		part.save(false, func([]byte, []byte) { t.Error("saved twice") })
	}
	for _, name := range []string{"someone", "best-rated", "nearby"} {
		next.call(1, "v2", "/v2/shops/"+name, 200)
	}
	if got, want := next.paths(), []string{"/v2/shops/best-rated", "/v2/shops/nearby", "/v2/shops/{value}"}; !slices.Equal(got, want) {
		t.Errorf("after a restart: %q, want %q", got, want)
	}
}

func TestManyValuesAtManyPlacesBecomeFew(t *testing.T) {
	s := newScene(t, Options{}, orders())
	for i := range 9_000 {
		s.call(i, "v2", fmt.Sprintf("/v2/%s/%s/x", word(i%50), word(i)), 200)
	}
	s.ripe()
	if n := len(s.paths()); n > 100 {
		t.Errorf("%d entries are left", n)
	}
	if s.templates.count > maxFolds {
		t.Errorf("%d folds", s.templates.count)
	}
}

// What was accepted is one path: a template over it would accept what nobody has seen.
func TestARouteWithAReviewKeepsItsPathUnderAPin(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.call(1, "v2", "/v2/shops/nearby", 200)
	id := s.one("/v2/shops/nearby").ID
	if _, err := s.Review(id, Review{Review: ReviewAccepted}); err != nil {
		t.Fatal(err)
	}
	pin := Pin{Template: "/v2/shops/{shop}", Pinned: true}
	if e, err := s.Pin(id, pin); err != nil || e.Path != "/v2/shops/nearby" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := s.Review(id, Review{Review: ReviewOpen}); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Pin(id, pin); err != nil || e.Path != "/v2/shops/{shop}" || e.Count != 1 {
		t.Errorf("without the review: %+v, %v", e, err)
	}
}
