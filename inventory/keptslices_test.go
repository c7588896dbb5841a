package inventory

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Consumers are written in transactions of their own after everything else. A process
// that is killed between any two of them leaves a file in which all else is, and of the
// consumers those that were written, known by the same key.
func TestACrashBetweenTwoTransactionsLeavesAWholeInventory(t *testing.T) {
	const consumers = 3 * sliceLength
	file := filepath.Join(t.TempDir(), "inventory.db")
	s := newScene(t, Options{}, orders())
	s.open(file)
	s.Settle(context.Background())
	var left []string // the file before each transaction of consumers
	var sizes []int
	s.keeper.mu.Lock() // nothing is written until it is let go
	parts := s.keeper.parts
	for i := range parts {
		slice := parts[i].saveSlice
		if slice == nil {
			continue
		}
		parts[i].saveSlice = func(n, of int, put func(key, value []byte)) {
			b, err := os.ReadFile(file)
			copied := filepath.Join(t.TempDir(), "left.db")
			if err == nil {
				err = os.WriteFile(copied, b, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
			left, sizes = append(left, copied), append(sizes, 0)
			slice(n, of, func(key, value []byte) {
				sizes[len(sizes)-1]++
				put(key, value)
			})
		}
	}
	call := func(n int) {
		o := answered(200)
		o.Caller = &Caller{Addr: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})}
		s.hit("api.example.com", "GET", "/v2/orders", o)
	}
	for n := range consumers {
		call(n)
		if n%256 == 0 {
			s.settle()
		}
	}
	s.asked(1<<16-1, "/v2/extra")
	s.settle()
	s.keeper.mu.Unlock()
	s.Settle(context.Background())

	if len(left) < 3 || len(left) > 8 {
		t.Fatalf("%d transactions of %d", len(left), sizes)
	}
	written := 0
	for i, copied := range left {
		again := newScene(t, Options{}, orders())
		again.clock.set(s.clock.now())
		again.OpenStore(StoreOptions{File: copied})
		again.AwaitStore(context.Background(), time.Minute)
		if p := again.Health().Store; p.Status != StoreOK {
			t.Fatalf("before transaction %d the store is %+v", i, p)
		}
		again.one("/v2/extra")
		if e := again.list(RouteQuery{Path: []string{"/v2/orders"}, Method: []string{"GET"}, Host: []string{"api.example.com"}}).Items[0]; e.Count != consumers {
			t.Errorf("before transaction %d it counts %d requests", i, e.Count)
		}
		if n := len(again.Inventory.consumers.records); n != written {
			t.Errorf("before transaction %d there are %d consumers, want %d", i, n, written)
		}
		if again.Inventory.consumers.key.Load().names != s.Inventory.consumers.key.Load().names {
			t.Errorf("before transaction %d consumers are hashed with another key", i)
		}
		again.CloseStore()
		if sizes[i] == 0 || sizes[i] > sliceLength*5/4 {
			t.Errorf("transaction %d has %d consumers", i, sizes[i])
		}
		written += sizes[i]
	}
	again := newScene(t, Options{}, orders())
	again.clock.set(s.clock.now())
	again.open(s.crash(file))
	list, err := again.Consumers(ConsumerQuery{Limit: 1000})
	if err != nil || len(again.Inventory.consumers.records) != consumers+1 {
		t.Errorf("in the end there are %d consumers: %v", len(again.Inventory.consumers.records), err)
	}
	for _, c := range list.Items {
		if c.Count != 1 {
			t.Fatalf("%+v", c)
		}
	}
}
