package inventory

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

func TestWhatIsNotSeenForTheRetentionGoes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	s := newScene(t, Options{}, orders())
	s.Retain(48 * time.Hour)
	s.open(file)
	call := func(path string, client byte) {
		o := answered(200)
		o.BodyLength = int64(client)
		o.Caller = &Caller{Addr: netip.AddrFrom4([4]byte{192, 0, 2, client})}
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", path, o)
	}
	call("/v2/old", 1)
	call("/v2/still", 2)
	s.miss(catalogue.UnknownHost, "", "old.test", "GET", "/", answered(200))
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/scanned", answered(404))
	s.hit("api.example.com", "GET", "/v2/orders", answered(200))
	s.settle()
	s.tick()
	s.Settle(context.Background())
	s.clock.advance(47 * time.Hour)
	call("/v2/still", 2)
	s.settle()
	s.tick()
	s.one("/v2/old")
	s.clock.advance(2 * time.Hour)
	s.tick()

	check := func(t *testing.T, s *scene) {
		t.Helper()
		if n := len(s.list(RouteQuery{Path: []string{"/v2/old"}}).Items) + len(s.list(RouteQuery{Path: []string{"/v2/scanned"}}).Items); n != 0 {
			t.Errorf("%d old routes are still there", n)
		}
		s.one("/v2/still")
		if e := s.list(RouteQuery{Path: []string{"/v2/orders"}, Method: []string{"GET"}, Host: []string{"api.example.com"}}).Items[0]; e.Count != 1 {
			t.Errorf("a documented operation is %+v", e)
		}
		if hosts, _ := s.Hosts(HostQuery{Host: []string{"old.test"}}); len(hosts.Items) != 0 {
			t.Errorf("the old host is still there: %+v", hosts.Items)
		}
		if list, _ := s.Consumers(ConsumerQuery{}); len(list.Items) != 1 || list.Items[0].Count != 2 {
			t.Errorf("consumers %+v", list.Items)
		}
	}
	check(t, s)
	again := newScene(t, Options{}, orders())
	again.clock.set(s.clock.now())
	again.Retain(48 * time.Hour)
	again.open(s.crash(file))
	check(t, again)

	t.Run("and can come back", func(t *testing.T) {
		call("/v2/old", 1)
		s.settle()
		if e := s.one("/v2/old"); e.Count != 1 {
			t.Errorf("the entry is %+v", e)
		}
		if list, _ := s.Consumers(ConsumerQuery{}); len(list.Items) != 2 {
			t.Errorf("consumers %+v", list.Items)
		}
	})
}

func TestConsumersComeAndGoForEver(t *testing.T) {
	s := newScene(t, Options{MaxConsumers: 50}, orders())
	s.Retain(time.Hour)
	for round := range 40 {
		for i := range 50 {
			o := answered(200)
			o.Caller = &Caller{User: fmt.Sprint("u", round, "-", i)}
			s.hit("api.example.com", "GET", "/v2/orders", o)
		}
		s.settle()
		if list, _ := s.Consumers(ConsumerQuery{Limit: 1000}); len(list.Items) != 50 || !list.Complete {
			t.Fatalf("round %d: %d consumers, complete %v", round, len(list.Items), list.Complete)
		}
		s.clock.advance(2 * time.Hour)
		s.tick()
	}
	for i := range s.Inventory.consumers.slots {
		if s.Inventory.consumers.slots[i].key.Load() != 0 {
			t.Errorf("slot %d is taken", i)
		}
	}
}

func TestFlowsAndPlacesOfDataGoAfterTheRetention(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.Retain(10 * 24 * time.Hour)
	s.sampled(orderRoute, exchanged{integration: "acme", answer: `{"email":"a@example.com"}`})
	held := func() int {
		list, err := s.Flows(FlowQuery{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items) + len(s.orderEntry().Data)
	}
	for _, step := range []struct{ days, want int }{{9, 2}, {2, 0}} {
		s.clock.advance(time.Duration(step.days) * 24 * time.Hour)
		s.hit("api.example.com", "POST", "/v2/orders", answered(200))
		s.lookAround(s.clock.now())
		if n := held(); n != step.want {
			t.Errorf("after %d days more %d flows and places are held, want %d", step.days, n, step.want)
		}
	}
}
