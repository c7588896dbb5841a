package inventory

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

func TestARouteTellsItsAnswersByDay(t *testing.T) {
	s := newScene(t, Options{}, api("orders", version("v1", "api.example.com", "/v1", "GET /orders")))
	call := func(n, status int) {
		for range n {
			s.hit("api.example.com", "GET", "/v1/orders", answered(status))
			s.miss(catalogue.NoRoute, "v1", "api.example.com", "GET", "/v1/extra", answered(status))
		}
	}
	call(2, 200)
	s.clock.advance(24 * time.Hour)
	s.tick()
	call(3, 200)
	call(1, 500)
	s.clock.advance(48 * time.Hour)
	s.tick()
	call(4, 200)
	want := map[string]map[int]uint64{"2xx": {0: 4, 2: 3, 3: 2}, "5xx": {2: 1}}
	check := func(when string, in *Inventory, id string) {
		t.Helper()
		days, ok := in.RouteDays(id)
		if !ok || len(days) != len(want) {
			t.Errorf("%s: %v", when, days)
			return
		}
		for class, list := range days {
			for i, n := range list {
				if ago := planWindow - 1 - i; n != want[class][ago] {
					t.Errorf("%s: %s %d days ago: %d, want %d", when, class, ago, n, want[class][ago])
				}
			}
		}
	}
	for _, path := range []string{"/v1/orders", "/v1/extra"} {
		e := s.one(path)
		check(path, s.Inventory, e.ID)

		// As the store has it, read by another process.
		id, _ := parseRouteID(e.ID)
		text, err := json.Marshal(s.routes[id].save())
		if err != nil {
			t.Fatal(err)
		}
		next := newScene(t, Options{}, api("orders", version("v1", "api.example.com", "/v1", "GET /orders")))
		next.clock.advance(72 * time.Hour)
		if err := next.loadRoute(id[:], text); err != nil {
			t.Fatal(err)
		}
		next.loaded()
		check(path+" after a restart", next.Inventory, e.ID)
	}
}

func TestRoutesThatBecomeOneKeepTheirDays(t *testing.T) {
	today := int32(20_000)
	var a, b history
	a.begin(today)
	b.begin(today)
	counts := [numClasses]uint64{2: 5}
	a.roll(&counts, today+1)
	other := [numClasses]uint64{2: 7}
	b.roll(&other, today+1)
	other[2] = 9
	a.join(&b, &other, today+1)
	counts[2] += other[2]
	w := a.window(&counts, today+1)["2xx"]
	if w[planWindow-2] != 12 || w[planWindow-1] != 2 {
		t.Errorf("yesterday %d and today %d, want 12 and 2", w[planWindow-2], w[planWindow-1])
	}
}
