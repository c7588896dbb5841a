package caddytest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/google/go-cmp/cmp"
)

// bareSites are the sites of the fleet as they are without the guard.
const bareSites = `
http://:<http> {
	log
	reverse_proxy 127.0.0.1:<upstream>
}
https://api.example.com:<https> {
	tls internal
	log
	reverse_proxy 127.0.0.1:<upstream>
}
https://:<https> {
	tls internal
	log
	reverse_proxy 127.0.0.1:<upstream>
}
`

// wire is what a call came to: what the upstream got and what the client got,
// without what differs by the connection or the moment.
type wire struct {
	Upstream []string // the head, a line each, sorted but for the first
	Body     string
	Status   int
	Header   http.Header
	Answer   string
	Trailer  http.Header
	Interim  []int
}

func wireOf(t *testing.T, do harness.Do, up *harness.Upstream, call harness.Call) wire {
	t.Helper()
	call, trace := as(call)
	got := do(t, call)
	w := wire{Status: got.Status, Header: got.Header, Answer: string(got.Body), Trailer: got.Trailer, Interim: got.Interim}
	for _, varying := range []string{"Date", "Alt-Svc"} {
		w.Header.Del(varying)
	}
	seen := up.Requests("X-Trace", trace)
	if len(seen) != 1 {
		return w
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(seen[0].Head), trace, "<client>")), "\r\n")
	slices.Sort(lines[1:])
	w.Upstream, w.Body = lines, string(seen[0].Body)
	return w
}

func TestInMonitorNothingOnTheWireIsOtherThanWithoutTheGuard(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	guarded := harness.Start(t, harness.Config{
		Guard:    "mode monitor\n" + strings.Replace(fleet, "unknown_route enforce\n", "", 1),
		Sites:    sites,
		Upstream: up, Untrusted: true,
		Files: map[string]string{"orders.yaml": ordersDocument},
	})
	bare := harness.Start(t, harness.Config{Guard: oneVersion, Sites: bareSites, Upstream: up, Untrusted: true, Files: map[string]string{"orders.yaml": ordersDocument}})

	calls := make(map[string]harness.Call)
	for _, row := range verdicts {
		calls[row.name] = row.call
	}
	for _, spelling := range spellings {
		calls["a guess "+spelling.String()] = spelling
	}
	calls["a method override"] = post("api.example.com", "/v2/orders", "{}").With("X-HTTP-Method-Override", "DELETE")
	calls["an original URL"] = get("api.example.com", "/v2/orders").With("X-Original-URL", "/v2/debug").With("X-Rewrite-URL", "/v2/debug")
	calls["a chosen client address"] = get("api.example.com", "/v2/orders").With("X-Real-IP", "10.0.0.1").With("True-Client-IP", "10.0.0.1")
	calls["a coded body"] = post("api.example.com", "/v2/orders", "\x1f\x8bnot gzip").With("Content-Encoding", "gzip")

	undisturbed := protocols(bare)
	for protocol, do := range protocols(guarded) {
		for name, call := range calls {
			t.Run(protocol+" "+name, func(t *testing.T) {
				with, without := wireOf(t, do, up, call), wireOf(t, undisturbed[protocol], up, call)
				if diff := cmp.Diff(without, with); diff != "" {
					t.Errorf("(-without the guard +with it):\n%.2000s", diff)
				}
				if without.Upstream == nil {
					t.Error("even without the guard it does not reach the upstream")
				}
			})
		}
	}
}
