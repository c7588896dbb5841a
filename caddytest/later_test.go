package caddytest

import (
	"net"
	"net/http"
	"net/http/fcgi"
	"strings"
	"sync"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// php is an application behind FastCGI that records the targets it is given.
type php struct {
	listener net.Listener
	mu       sync.Mutex
	targets  []string
}

func newPHP(t *testing.T) *php {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &php{listener: l}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.targets = append(p.targets, r.URL.RequestURI()) // from the parameter REQUEST_URI
			w.WriteHeader(http.StatusOK)
		}))
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return p
}

func (p *php) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.targets
	p.targets = nil
	return taken
}

// laterSites are handlers behind the guard that change the target, or send the
// original one. <php> and <dead> are ports.
const laterSites = `
http://legacy.example.com:<http> {
	api_guard
	root * <dir>/php
	php_fastcgi 127.0.0.1:<php>
}
http://beta.example.com:<http> {
	api_guard
	reverse_proxy 127.0.0.1:1
	handle_errors {
		reverse_proxy 127.0.0.1:<upstream>
	}
}
http://api.example.com:<http> {
	api_guard
	handle_path /v2/orders/* {
		rewrite * /stripped{uri}
		reverse_proxy 127.0.0.1:<upstream>
	}
	handle /v2/files/* {
		uri strip_prefix /v2
		uri replace /files /f
		reverse_proxy 127.0.0.1:<upstream>
	}
	handle {
		rewrite * {http.request.orig_uri}
		reverse_proxy 127.0.0.1:<upstream> {
			header_up X-Was {http.request.orig_uri}
		}
	}
}
http://:<http> {
	import guarded
}
`

func startLater(t *testing.T, p *php, options string) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up)
	cfg.Untrusted = true
	cfg.Guard = options + cfg.Guard
	_, port, _ := net.SplitHostPort(p.listener.Addr().String())
	cfg.Sites = strings.ReplaceAll(laterSites, "<php>", port)
	cfg.Files["php/index.php"] = ""
	return harness.Start(t, cfg), up
}

// reopening are targets that a later handler could turn into another one.
var reopening = []string{
	"/v2/orders/../debug", "/v2/orders/%2e%2e/debug", "/v2/orders/..%2fdebug", "/v2/files/..;/debug", "/v2/files/%2e/x",
	"/v2/orders//debug", "//v2/orders/7", "/v2/orders/7%2F..%2F..", "/v2/orders/7;x", "/v2/orders/7%00", "/v2/orders/%252e%252e",
	"x:/v2/orders/7", "/v2\\orders\\7", "/v2/orders/7#/../debug", "/V2/orders/7",
}

func TestALaterHandlerCannotReopenWhatWasRefused(t *testing.T) {
	t.Parallel()
	caddy, up := startLater(t, newPHP(t), "")
	for _, spelling := range reopening {
		call, trace := as(get("api.example.com", spelling))
		if got := caddy.Do1(t, call); got.Status != 400 {
			t.Errorf("%s: got %v", spelling, got)
		}
		if seen := up.Requests("X-Trace", trace); len(seen) > 0 {
			t.Errorf("%s: the upstream got %q", spelling, seen[0].Line)
		}
	}
	for spelling, sent := range map[string]string{
		"/v2/orders/%37":                     "/stripped/7",
		"/v2/files/%61/b":                    "/f/a/b",
		"/v2/%6Frders?limit=5":               "/v2/orders?limit=5",
		"http://api.example.com/v2/%6frders": "/v2/orders",
	} {
		call, trace := as(get("api.example.com", spelling))
		if got := caddy.Do1(t, call); got.Status != 200 {
			t.Errorf("%s: got %v", spelling, got)
		}
		seen := up.Requests("X-Trace", trace)
		if len(seen) != 1 || seen[0].Target() != sent {
			t.Errorf("%s: the upstream got %v, want %s", spelling, seen, sent)
			continue
		}
		if was := seen[0].Values("X-Was"); len(was) > 0 && was[0] != sent {
			t.Errorf("%s: the original target is %q, want the canonical %q", spelling, was, sent)
		}
	}
}

func TestFastCGIGetsTheCanonicalTarget(t *testing.T) {
	t.Parallel()
	p := newPHP(t)
	caddy, _ := startLater(t, p, "")
	for spelling, want := range map[string]string{
		"/v1/orders?limit=5":                            "/v1/orders?limit=5",
		"/v1/%6frders/%37":                              "/v1/orders/7",
		"http://legacy.example.com/v1/%6Frders?limit=5": "/v1/orders?limit=5",
		"/internal/%c3%a9":                              "/internal/%C3%A9",
	} {
		if got := caddy.Do1(t, get("legacy.example.com", spelling)); got.Status != 200 {
			t.Errorf("%s: got %v", spelling, got)
		}
		if targets := p.take(); len(targets) != 1 || targets[0] != want {
			t.Errorf("%s: REQUEST_URI was %q, want %q", spelling, targets, want)
		}
	}
	for _, spelling := range []string{"/v1/../internal/x", "/v1/orders%2f7", "x:/v1/orders", "/v1/orders/7/index.php", "/v0/orders"} {
		if got := caddy.Do1(t, get("legacy.example.com", spelling)); got.Status < 400 || got.Status > 499 {
			t.Errorf("%s: got %v", spelling, got)
		}
		if targets := p.take(); len(targets) > 0 {
			t.Errorf("%s: REQUEST_URI was %q, want no request", spelling, targets)
		}
	}
}

func TestErrorRoutesGetTheCanonicalTarget(t *testing.T) {
	t.Parallel()
	caddy, up := startLater(t, newPHP(t), "")
	call, trace := as(get("BETA.example.com:80", "/v3/%6Frders?limit=5").With("X-Original-URL", "/x"))
	if got := caddy.Do1(t, call); got.Status != 200 {
		t.Errorf("got %v", got)
	}
	seen := up.Requests("X-Trace", trace)
	if len(seen) != 1 || seen[0].Target() != "/v3/orders?limit=5" || seen[0].Values("Host")[0] != "beta.example.com" || len(seen[0].Values("X-Original-URL")) > 0 {
		t.Errorf("the error route sent %q", seen)
	}
	// Refused directly, it gets to no error route.
	for _, spelling := range []string{"/v3/../v2", "/v3/admin", "x:/v3/orders"} {
		call, trace := as(get("beta.example.com", spelling))
		caddy.Do1(t, call)
		if seen := up.Requests("X-Trace", trace); len(seen) > 0 {
			t.Errorf("%s: the error route sent %q", spelling, seen[0].Line)
		}
	}
}

func TestARefusalThatAnErrorRouteProxiesIsHarmless(t *testing.T) {
	t.Parallel()
	caddy, up := startLater(t, newPHP(t), "refusals handle_errors\n")
	for spelling, want := range map[string]string{
		"/v3/../v2/orders":              "/",
		"x:http://beta.example.com/v3/": "/",
		"/v3/orders;x":                  "/",
		"/v3/%61dmin?a=%41":             "/v3/admin?a=%41",
	} {
		call, trace := as(get("beta.example.com", spelling).With("X-Original-URL", "/x"))
		caddy.Do1(t, call.With("Upgrade", "h2c"))
		seen := up.Requests("X-Trace", trace)
		if len(seen) != 1 || seen[0].Target() != want || len(seen[0].Values("X-Original-URL"))+len(seen[0].Values("Upgrade")) > 0 {
			t.Errorf("%s: the error route sent %q, want %s and no listed field", spelling, seen, want)
		}
	}
}

// An intercept around the guard sees its refusals as it sees any answer.
func TestARefusalThatAnInterceptProxiesIsHarmless(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up)
	cfg.Untrusted = true
	cfg.Sites = `
http://api.example.com:<http>, https://api.example.com:<https> {
	tls internal
	route {
		intercept {
			@refused status 4xx
			handle_response @refused {
				header -Content-Length
				reverse_proxy 127.0.0.1:<upstream>
			}
		}
		api_guard
		reverse_proxy 127.0.0.1:<upstream>
	}
}
`
	caddy := harness.Start(t, cfg)
	for name, do := range protocols(caddy) {
		for spelling, want := range map[string]string{
			"/v2/x/../orders":    "/",
			"//orders":           "/",
			"/v2/%6frders?limit": "/v2/orders?limit",
			"/v2/%61dmin?a=%41":  "/v2/admin?a=%41",
			"/v2/%6Frders/%37":   "/v2/orders/7", // which is not refused
		} {
			call, trace := as(get("api.example.com", spelling).With("X-Original-URL", "/x"))
			do(t, call)
			seen := up.Requests("X-Trace", trace)
			if len(seen) != 1 || seen[0].Target() != want || len(seen[0].Values("X-Original-URL")) > 0 {
				t.Errorf("%s, %s: the upstream got %q, want %s and no listed field", name, spelling, seen, want)
			}
		}
	}
}

func TestAListenerWithoutAGuardedCatchAllIsNamedAtTheStart(t *testing.T) {
	t.Parallel()
	const warning = "add a catch-all site with api_guard"
	up := harness.NewUpstream(t)
	start := func(sites string) string {
		cfg := fleetConfig(up)
		cfg.Sites = sites
		return harness.Start(t, cfg).Log()
	}
	const site = "http://api.example.com:<http> {\nimport guarded\n}\n"
	for name, gap := range map[string]string{
		"no catch-all":                    site,
		"a catch-all without the guard":   site + "http://:<http> {\nreverse_proxy 127.0.0.1:<upstream>\n}\n",
		"a guard behind a matcher":        site + "http://:<http> {\nroute /v2/* {\napi_guard\n}\nreverse_proxy 127.0.0.1:<upstream>\n}\n",
		"a wildcard, which is not all":    site + "http://*.example.com:<http> {\nimport guarded\n}\n",
		"a site that the guard is not in": "http://api.example.com:<http> {\nreverse_proxy 127.0.0.1:<upstream>\n}\n",
	} {
		log := start(gap)
		if strings.Count(log, warning) != 1 || !strings.Contains(log, "http://:") {
			t.Errorf("%s: the log has no warning that says what to add, or more than one:\n%s", name, log)
		}
	}
	for name, closed := range map[string]string{
		"guarded":                    site + "http://:<http> {\nimport guarded\n}\n",
		"the catch-all alone":        "http://:<http> {\nimport guarded\n}\n",
		"in a route block":           site + "http://:<http> {\nroute {\napi_guard\nreverse_proxy 127.0.0.1:<upstream>\n}\n}\n",
		"nothing but static answers": "http://:<http> {\nimport guarded\n}\nhttps://status.example.com:<https> {\ntls internal\nheader X-A 1\nrespond 204\n}\n",
	} {
		if log := start(closed); strings.Contains(log, warning) {
			t.Errorf("%s: warned all the same:\n%s", name, log)
		}
	}
}
