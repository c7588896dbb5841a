package inventory

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Whoever asks while the store writes what requests count meanwhile reads nothing that
// is being written: the race detector is the judge. What the process before had called
// is asked for too.
func TestEverythingIsAskedForWhileTheStoreWrites(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	call := func(s *scene, i int) {
		o := answered(200)
		o.BodyLength, o.Caller = int64(i), &Caller{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 40)})}
		s.hit("api.example.com", "GET", "/v2/orders", o)
		m := catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[0], API: s.cat.APIs[0], Version: s.cat.APIs[0].Versions[0], Base: "/v1"}
		if i%3 == 0 {
			o = refused(404, "unknown_route", "unknown-route")
			o.Caller = &Caller{Addr: netip.AddrFrom4([4]byte{198, 51, 100, byte(i % 40)})}
		}
		s.rec.Observe(&m, "", "GET", "/v1/"+word(i%50), s.at(o))
	}
	before := newScene(t, Options{}, orders())
	before.open(file)
	for i := range 100 {
		call(before, i)
	}
	before.settle()
	before.CloseStore()

	s := newScene(t, Options{}, orders())
	s.open(file)
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	done := make(chan struct{})
	var asking sync.WaitGroup
	again := func(do func(i int)) {
		asking.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					do(i)
				}
			}
		})
	}
	again(func(i int) {
		call(s, i%20) // half of those who are known, so that the others have no slot
		<-time.After(time.Microsecond)
	})
	again(func(int) {
		_, _ = s.Consumers(ConsumerQuery{Limit: 1000})
		_, _ = s.Findings(FindingQuery{Limit: 1000})
		_, _ = s.Flows(FlowQuery{Limit: 1000})
		s.Plan(planAt(noon))
	})
	again(func(int) {
		list, _ := s.Routes(RouteQuery{Limit: 1000})
		for _, e := range list.Items {
			s.Detail(e.ID)
		}
		_, _ = s.Hosts(HostQuery{Limit: 1000})
		s.APIs()
		s.Draft(DraftQuery{})
		s.Health()
		s.FindingCounts()
		s.StateCounts()
	})
	again(func(i int) {
		if list, _ := s.Routes(RouteQuery{Path: []string{"/v1/"}}); len(list.Items) > 0 {
			_, _ = s.Review(list.Items[0].ID, Review{[]string{ReviewAccepted, ReviewOpen}[i%2], fmt.Sprint(i)})
		}
	})
	for range 8 {
		s.keeper.everything()
		s.Settle(t.Context())
	}
	close(done)
	asking.Wait()
	end()
	running.Wait()
	s.CloseStore()
}
