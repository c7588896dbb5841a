package inventory

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// With the store open and its goroutines running: 10^5 different paths, hosts,
// methods and consumers in one flood cost no more memory, lines and disk than there
// are bounds for, and push out nothing that was there.
func TestFloodOfEverythingIsBoundedWithAStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	lines := 0
	inv := New(Options{Feed: func(Event) { lines++ }})
	s := &scene{t: t, clock: &clock{t: time.Now()}, Inventory: inv}
	s.load(orders())
	inv.keeper.patience = time.Minute
	inv.OpenStore(StoreOptions{File: file})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		inv.Run(ctx)
	}()
	began := time.Now()
	observe := func(host, method, path string, o Outcome) {
		for len(inv.queue) > queueLength/2 {
			time.Sleep(time.Millisecond) // so that nothing is dropped, and all is weighed
		}
		o.Time = time.Now().UnixNano()
		m := catalogue.Match{Outcome: catalogue.UnknownHost}
		if host == "api.example.com" {
			m = catalogue.Match{Outcome: catalogue.NoRoute, Host: s.rec.hosts[host], API: s.cat.APIs[0], Version: s.cat.APIs[0].Versions[1], Base: "/v2"}
		}
		s.rec.Observe(&m, host, method, path, o)
	}
	seen := answered(200)
	seen.Caller = &Caller{Addr: netip.MustParseAddr("192.0.2.1")}
	observe("api.example.com", "GET", "/v2/seen/before", seen)
	observe("seen.example.org", "GET", "/", answered(200))
	s.hit("api.example.com", "GET", "/v2/orders", answered(200))
	inv.Settle(ctx)
	for len(inv.queue)+len(inv.consumers.arrivals) > 0 {
		time.Sleep(time.Millisecond)
	}
	before := heap()
	many := flood
	if underRace {
		many /= 10
	}
	for i := range many {
		o := Outcome{Status: 200, Forwarded: true, BodyLength: int64(i)}
		if i%3 == 0 {
			o = answered(404)
		}
		o.Caller = &Caller{Addr: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), RawQuery: fmt.Sprintf("q%d=1", i)}
		observe("api.example.com", "GET", "/v2/flood/"+word(i), o)
		observe(word(i)+".example.net", "M"+strings.ToUpper(word(i)), "/", o)
	}
	for len(inv.queue)+len(inv.consumers.arrivals) > 0 {
		time.Sleep(time.Millisecond)
	}
	// What waits to be written is let go once it is.
	inv.Settle(ctx)
	grown := int64(heap()) - int64(before)
	if grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	inv.Settle(ctx)
	if e := s.one("/v2/seen/before"); e.Evidence != EvidenceConfirmed || e.Count != 1 {
		t.Errorf("a route seen before is now %+v", e)
	}
	if hosts, _ := s.Hosts(HostQuery{Host: []string{"seen.example.org"}}); len(hosts.Items) != 1 {
		t.Error("a host seen before is gone")
	}
	cancel()
	<-done
	took := time.Since(began)
	inv.CloseStore()
	if most := int(10 * (took.Seconds() + 1)); lines > most {
		t.Errorf("%d lines in %v", lines, took)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 128<<20 {
		t.Errorf("the file has %d MiB", info.Size()>>20)
	}
	t.Logf("in %v the heap grew by %d KiB, the file is %d KiB, %d lines left", took, grown>>10, info.Size()>>10, lines)
}
