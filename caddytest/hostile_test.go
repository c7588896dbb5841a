package caddytest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"golang.org/x/net/http2/hpack"
)

// heapRoom is how much more the heap may hold after hostile traffic than before.
const heapRoom = 32 << 20

func TestAHugeBodyIsRefusedInBoundedMemory(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	body := bytes.Repeat([]byte(`{"sku":"ABC-1234"},`), 20<<20/19)
	warm, _ := as(post("api.example.com", "/v2/orders", bigOrder(1<<19)))
	caddy.Do1(t, warm)
	before := caddy.Heap(t)
	for protocol, do := range protocols(caddy) {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprint(protocol, " chunked ", chunked), func(t *testing.T) {
				call, trace := as(harness.Call{Method: "POST", Host: "api.example.com", Target: "/v2/orders", Body: body, Chunked: chunked})
				refused(t, do(t, call.With("Content-Type", "application/json")), 413, "body-too-large")
				if n := len(up.Requests("X-Trace", trace)); n != 0 {
					t.Errorf("%d requests reached the upstream", n)
				}
			})
		}
	}
	if grown := caddy.Heap(t) - before; grown > heapRoom {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// randomCalls is a walk over paths and hosts that nobody declared.
func randomCalls(seed uint64, n int) func(yield func(harness.Call) bool) {
	r := rand.New(rand.NewPCG(seed, 1))
	word := func() string {
		b := make([]byte, 3+r.IntN(12))
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyz0123456789-_"[r.IntN(38)]
		}
		return string(b)
	}
	return func(yield func(harness.Call) bool) {
		for i := range n {
			call := harness.Call{Host: "api.example.com", Target: "/v2"}
			if i%4 == 0 {
				call.Host = word() + ".example.net"
			}
			for range 1 + r.IntN(4) {
				call.Target += "/" + word()
			}
			if !yield(call) {
				return
			}
		}
	}
}

func TestAHundredThousandUnknownPathsAndHostsCostNothingThatLasts(t *testing.T) {
	t.Parallel()
	n := 100_000
	if testing.Short() || raceEnabled {
		n = 10_000 // the detector makes every request ten times as dear
	}
	caddy, up := startFleet(t, "unknown_route enforce", "unknown_route monitor")
	up.Answer(func(r harness.Recorded) string {
		if strings.Contains(r.Target(), "/v2/orders") || strings.Contains(r.Target(), "/v2/hidden") {
			return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
		}
		return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
	})
	hidden, _ := as(get("api.example.com", "/v2/hidden"))
	documented, _ := as(get("api.example.com", "/v2/orders"))
	caddy.Do1(t, hidden)
	caddy.Do1(t, documented)
	const confirmed = "/api_guard/routes?host=api.example.com&evidence=confirmed"
	first := awaitRoute(t, caddy, confirmed, "api.example.com", "GET", "/v2/hidden")
	series := strings.Count(caddy.Metrics(t), "\ncaddy_api_guard_")
	before := caddy.Heap(t)

	const clients = 4
	var sent sync.WaitGroup
	for c := range clients {
		sent.Go(func() {
			caddy.KeepAlive(t, randomCalls(uint64(c), n/clients), func(call harness.Call, status int) {
				want := http.StatusNotFound
				if call.Host != "api.example.com" {
					want = http.StatusMisdirectedRequest
				}
				if status != want {
					t.Errorf("%v: status %d, want %d", call, status, want)
				}
			})
		})
	}
	sent.Wait()
	up.Forget()

	if grown := caddy.Heap(t) - before; grown > heapRoom {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if grown := strings.Count(caddy.Metrics(t), "\ncaddy_api_guard_") - series; grown > 1 {
		t.Errorf("%d new metric series", grown)
	}
	if last := awaitRoute(t, caddy, confirmed, "api.example.com", "GET", "/v2/hidden"); last.ID != first.ID || last.Count < first.Count {
		t.Errorf("the shadow route was %+v and is %+v", first, last)
	}
	awaitRoute(t, caddy, confirmed, "api.example.com", "GET", "/v2/orders")
	var hosts listing[struct {
		Host string `json:"host"`
	}]
	caddy.Query(t, "/api_guard/hosts?limit=1000", &hosts)
	if len(hosts.Items) > 300 {
		t.Errorf("the inventory lists %d hosts; 256 is its cap", len(hosts.Items))
	}
	if len(hosts.Gaps) == 0 {
		t.Error("hosts beyond the cap are in no gap of the answer")
	}
	if got := caddy.Do1(t, documented); got.Status != 200 {
		t.Errorf("a documented call afterwards: %v", got)
	}
}

func TestAMalformedMessageNeverReachesTheUpstream(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	for name, request := range map[string]string{
		"two Host fields":                    "GET /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nHost: beta.example.com\r\nX-Trace: malformed\r\nConnection: close\r\n\r\n",
		"no Host field":                      "GET /v2/orders HTTP/1.1\r\nX-Trace: malformed\r\nConnection: close\r\n\r\n",
		"a Connection that removes a field":  "GET /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nX-Trace: malformed\r\nConnection: close, X-Forwarded-For\r\n\r\n",
		"a second Connection field":          "GET /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nX-Trace: malformed\r\nConnection: close\r\nConnection: authorization\r\n\r\n",
		"announced trailers":                 "POST /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nX-Trace: malformed\r\nConnection: close\r\nContent-Type: application/json\r\nTrailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: x\r\n\r\n",
		"an asterisk target":                 "GET * HTTP/1.1\r\nHost: api.example.com\r\nX-Trace: malformed\r\nConnection: close\r\n\r\n",
		"an authority target":                "CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\nX-Trace: malformed\r\nConnection: close\r\n\r\n",
		"an absolute target of another kind": "GET ftp://api.example.com/v2/orders HTTP/1.1\r\nHost: api.example.com\r\nX-Trace: malformed\r\nConnection: close\r\n\r\n",
		"a target without a slash":           "GET v2/orders HTTP/1.1\r\nHost: api.example.com\r\nX-Trace: malformed\r\nConnection: close\r\n\r\n",
		"user information in the target":     "GET http://a@api.example.com/v2/orders HTTP/1.1\r\nHost: api.example.com\r\nX-Trace: malformed\r\nConnection: close\r\n\r\n",
		"an undeclared absolute target":      "GET http://shadow.example.com/v2/orders HTTP/1.1\r\nHost: api.example.com\r\nX-Trace: malformed\r\nConnection: close\r\n\r\n",
		"length and chunks at once":          "POST /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nX-Trace: malformed\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			method, _, _ := strings.Cut(request, " ")
			got := caddy.Raw(t, []byte(request), method)
			if got.Status < 400 || got.Status > 499 {
				t.Errorf("got %v, want a refusal", got)
			}
		})
	}
	if seen := up.Requests("X-Trace", "malformed"); len(seen) > 0 {
		t.Errorf("the upstream got %q", seen[0].Head)
	}
	// The twin: an absolute target is judged, and sent, as what it names.
	call, trace := as(get("wrong.example.com", "http://api.example.com/v2/orders?limit=5"))
	if got := caddy.Do1(t, call); got.Status != 200 {
		t.Fatalf("an absolute target: %v", got)
	}
	if seen := up.Requests("X-Trace", trace); len(seen) != 1 || seen[0].Target() != "/v2/orders?limit=5" || seen[0].Values("Host")[0] != "api.example.com" {
		t.Errorf("the upstream got %v", seen)
	}
}

func TestMalformedHTTP2NeverReachesTheUpstream(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	right := []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "api.example.com"}, {Name: ":path", Value: "/v2/orders"},
		{Name: "x-trace", Value: "malformed"},
	}
	with := func(name, value string) []hpack.HeaderField {
		fields := append([]hpack.HeaderField{}, right...)
		for i := range fields {
			if fields[i].Name == name {
				fields[i].Value = value
				return fields
			}
		}
		return append(fields, hpack.HeaderField{Name: name, Value: value})
	}
	for name, fields := range map[string][]hpack.HeaderField{
		"no path":                     append(append([]hpack.HeaderField{}, right[:3]...), right[4]),
		"an empty path":               with(":path", ""),
		"an asterisk path":            with(":path", "*"),
		"an absolute path":            with(":path", "https://api.example.com/v2/orders"),
		"a path with a space":         with(":path", "/v2/orders x"),
		"a path with a dot segment":   with(":path", "/v2/x/../orders"),
		"a path with raw non-ASCII":   with(":path", "/v2/ördërs"),
		"a path with a fragment":      with(":path", "/v2/orders#x"),
		"two paths":                   append([]hpack.HeaderField{right[3]}, right...),
		"a pseudo-field at the end":   append(append([]hpack.HeaderField{}, right...), hpack.HeaderField{Name: ":path", Value: "/v2/debug"}),
		"an upper-case field":         with("X-Upper", "1"),
		"a connection field":          with("connection", "x-forwarded-for"),
		"a transfer-encoding":         with("transfer-encoding", "chunked"),
		"a field with a line break":   with("x-broken", "a\r\nx-injected: 1"),
		"an undeclared authority":     with(":authority", "shadow.example.com"),
		"an authority with user":      with(":authority", "a@api.example.com"),
		"a method with a line break":  with(":method", "GET /v2/orders HTTP/1.1\r\nx"),
		"a CONNECT":                   with(":method", "CONNECT"),
		"a method in lower case":      with(":method", "get"),
		"an extended CONNECT":         append([]hpack.HeaderField{{Name: ":protocol", Value: "websocket"}}, with(":method", "CONNECT")...),
		"an announced trailer":        with("trailer", "authorization"),
		"an authority without a name": with(":authority", ":443"),
	} {
		t.Run(name, func(t *testing.T) {
			h := caddy.Dial2(t, caddy.ServerName)
			defer h.Close()
			got, err := h.Await(t, h.SendFields(t, fields, nil))
			if err == nil && (got.Status < 400 || got.Status > 499) {
				t.Errorf("got %v, want a refusal or a reset", got)
			}
		})
	}
	if seen := up.Requests("X-Trace", "malformed"); len(seen) > 0 {
		t.Errorf("the upstream got %q", seen[0].Head)
	}
	// The twins: the fields as they are, and a host that contradicts them, which
	// must not be what is judged or sent.
	for _, fields := range [][]hpack.HeaderField{right, with("host", "shadow.example.com")} {
		fields = append([]hpack.HeaderField{}, fields...)
		fields[4].Value = "well-formed"
		h := caddy.Dial2(t, caddy.ServerName)
		if got, err := h.Await(t, h.SendFields(t, fields, nil)); err == nil && got.Status != 200 && got.Status != 400 {
			t.Errorf("%v: %v", fields, got)
		}
		h.Close()
	}
	seen := up.Requests("X-Trace", "well-formed")
	if len(seen) == 0 {
		t.Error("the well-formed request did not reach the upstream")
	}
	for _, r := range seen {
		if host := r.Values("Host"); len(host) != 1 || host[0] != "api.example.com" {
			t.Errorf("the upstream got Host %q", host)
		}
	}
}
