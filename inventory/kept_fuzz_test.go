package inventory

import (
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// What a file or another node of a fleet has may be anything: it is taken or told
// off, and every question is answered after it, what is written again included.
func FuzzStoredRecord(f *testing.F) {
	s := newScene(f, Options{}, orders())
	s.hit("legacy.example.com", "GET", "/v1/orders", refused(410, "lifecycle", "version-retired"))
	s.miss(catalogue.NoRoute, "v2", "beta.example.com", "PATCH", "/v2/extra", answered(200))
	s.miss(catalogue.UnknownHost, "", "rogue.test", "GET", "/x", refused(421, "unknown_host", "unknown-host"))
	for i, part := range s.ownParts() {
		f.Add(uint8(i), []byte("key"), []byte(`{"api":"a","first":1,"last":-1,"count":[1,2]}`))
		part.Save(true, func(key, value []byte) { f.Add(uint8(i), key, value) })
	}
	f.Fuzz(func(t *testing.T, bucket uint8, key, value []byte) {
		inv := New(Options{Now: func() time.Time { return noon }, MaxRoutes: 50, MaxHosts: 8, MaxConsumers: 64})
		inv.fleet.peers = make(map[string]*peer) // as in a fleet
		cat := declare(orders())
		inv.Activate(inv.Bind(cat))
		parts := inv.ownParts()
		part := parts[int(bucket)%len(parts)]
		_ = part.Load(key, value)
		if part.Peer != nil {
			_ = part.Peer("node", key, value)
		}
		for _, p := range parts {
			if p.Loaded != nil {
				p.Loaded()
			}
		}
		for _, answer := range []func() error{
			func() error { _, err := inv.Routes(RouteQuery{}); return err },
			func() error { _, err := inv.Hosts(HostQuery{}); return err },
			func() error { _, err := inv.Consumers(ConsumerQuery{}); return err },
			func() error { _, err := inv.Findings(FindingQuery{}); return err },
			func() error { _, err := inv.Flows(FlowQuery{}); return err },
		} {
			if err := answer(); err != nil {
				t.Errorf("after %q: %q: %v", part.Bucket, value, err)
			}
		}
		inv.APIs()
		for _, p := range parts {
			p.Save(true, func([]byte, []byte) {})
		}
		if part.Peer != nil {
			_ = part.Peer("node", key, nil)
		}
	})
}
