package caddytest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// unguarded is a Caddy that serves the same without the guard. <n> makes two of its
// configurations different, so that a reload takes place.
const unguarded = `{
	admin 127.0.0.1:<admin>
	persist_config off
	http_port <http>
	https_port <https>
	default_bind 127.0.0.1
	auto_https off
	grace_period 2s
	metrics
}
http://:<http> {
	log
	header X-Config %d
	reverse_proxy 127.0.0.1:<upstream>
}
`

// underReloads sends requests while the configuration changes and counts those
// that were sent, the connections that were cut and the requests that failed.
func underReloads(t *testing.T, caddy *harness.Caddy, next func(i int) harness.Config) (sent, cut, failed int64) {
	t.Helper()
	v := newVisitor()
	defer v.close()
	done := make(chan struct{})
	var load sync.WaitGroup
	for range 2 {
		load.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if status, _, ok := v.get("http://"+caddy.HTTP+"/v2/orders", "api.example.com", nil); ok && status != 200 {
					t.Errorf("an answer of %d", status)
				}
			}
		})
	}
	for i := range *reloads {
		if status, body := caddy.Reload(t, next(i)); status != 200 {
			t.Errorf("reload %d: %s", i, body)
		}
	}
	close(done)
	load.Wait()
	return v.sent.Load(), v.cut.Load(), v.failed.Load()
}

// Caddy closes a listener when the next configuration has one of its own, and the
// kernel resets what waits in its queue. The guard must not make that worse, and
// who sends again what was not answered must notice nothing of it.
func TestReloadsCutNoMoreConnectionsWithTheGuardThanWithout(t *testing.T) {
	up := harness.NewUpstream(t)
	plain := func(i int) harness.Config {
		return harness.Config{Caddyfile: fmt.Sprintf(unguarded, i), Upstream: up}
	}
	guarded := func(i int) harness.Config {
		return fleetConfig(up, "purpose \"create", fmt.Sprintf("purpose \"%d: create", i))
	}
	without, cutWithout, failedWithout := underReloads(t, harness.Start(t, plain(-1)), plain)
	with, cutWith, failedWith := underReloads(t, harness.Start(t, guarded(-1)), guarded)
	t.Logf("%d reloads each: with the guard %d of %d requests were cut, without %d of %d", *reloads, cutWith, with, cutWithout, without)
	if failedWith != 0 {
		t.Errorf("with the guard %d requests failed though they were sent again, without %d", failedWith, failedWithout)
	}
	// A cut belongs to a reload, not to a request: what is compared is cuts a reload.
	// Two connections can each be cut once by one.
	if cutWith > 2*cutWithout+int64(*reloads)/4+4 {
		t.Errorf("with the guard %d were cut in %d reloads, without %d", cutWith, *reloads, cutWithout)
	}
}
