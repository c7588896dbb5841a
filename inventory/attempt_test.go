package inventory

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A defect in what is written degrades the store and says where; when it is gone all is
// written, also what was looked through when it came.
func TestAPanicWhileTheInventoryIsWrittenDegradesTheStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	s := newScene(t, Options{}, orders())
	var defect atomic.Bool
	s.Keep(Kept{
		Bucket: "quotas",
		Load:   func(key, value []byte) error { return nil },
		Save: func(bool, func(key, value []byte)) {
			if defect.Load() {
				panic("a defect")
			}
		},
	})
	s.OpenStore(StoreOptions{File: file})
	s.Settle(context.Background())
	defect.Store(true)
	s.hit("api.example.com", "GET", "/v2/orders", answered(200))
	s.settle()
	s.Settle(context.Background())
	if h := s.Health().Store; h.Status != StoreDegraded || !strings.Contains(h.Why, "a defect in attempt_test.go:") {
		t.Errorf("the store is %+v", h)
	}
	defect.Store(false)
	eventually(t, "the store", func() (string, bool) {
		s.Settle(context.Background())
		h := s.Health().Store
		return h.Why, h.Status == StoreOK
	})
	s.CloseStore()

	next := newScene(t, Options{}, orders())
	next.OpenStore(StoreOptions{File: file})
	defer next.CloseStore()
	if items := next.list(RouteQuery{Limit: 10}).Items; len(items) == 0 || items[0].Count != 1 {
		t.Errorf("the file has %+v", items)
	}
}

// What another node wrote and nobody here can read is left out and counted; the rest of
// it comes.
func TestAPanicOverWhatANodeToldCostsThatAlone(t *testing.T) {
	board := newTable()
	a := join(t, board, "a", "", orders())
	defer a.CloseStore()
	a.hit("api.example.com", "GET", "/v2/orders", answered(200))
	a.settle()

	b := &member{scene: newScene(t, Options{}, orders()), seat: &seat{table: board}}
	var met atomic.Int64
	b.Keep(Kept{
		Bucket: "routes",
		Load:   func(key, value []byte) error { return nil },
		Save:   func(bool, func(key, value []byte)) {},
		Peer: func(string, []byte, []byte) error {
			met.Add(1)
			panic("a defect")
		},
	})
	b.JoinFleet(FleetOptions{Board: b.seat, Name: "b", Key: []byte("the fleet's"), Every: 5 * time.Millisecond})
	b.OpenStore(StoreOptions{})
	defer b.CloseStore()
	eventually(t, "the sum", func() (string, bool) { return "", b.merged() == 1 && met.Load() > 0 })
	if c := b.Health().Cluster; c.Status != ClusterOK {
		t.Errorf("the cluster is %+v", c)
	}
}
