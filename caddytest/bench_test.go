package caddytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(new(idle))
	caddy.RegisterModule(new(done))
}

// idle is a handler that does nothing but call the next one: what the guard is
// measured against, since having a handler at all has a price in Caddy.
type idle struct{}

func (*idle) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_idle", New: func() caddy.Module { return new(idle) }}
}

func (*idle) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}

// done is the end of the chain. It reads the body, as an upstream would, and
// answers with a status that the document has and a few bytes.
type done struct{}

func (*done) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_done", New: func() caddy.Module { return new(done) }}
}

func (*done) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if r.Body != nil {
		var buf [512]byte
		for {
			if _, err := r.Body.Read(buf[:]); err != nil {
				break
			}
		}
	}
	h := w.Header()
	h["Content-Type"], h["Content-Length"] = plainText, twoBytes
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(okay)
	return err
}

var plainText, twoBytes, okay = []string{"text/plain"}, []string{"2"}, []byte("ok")

// benchGuard has three limits, parameters and the inventory. Two limits are token
// buckets that never run dry; the third binds the operation. The API full has one more
// that is used up by the first request.
const benchGuard = `{
	api_guard {
		policy {
			limit per_client {
				key {client_ip}
				rate 1000000/1s
				algorithm bucket
			}
			limit all {
				key {http.request.host}
				rate 1000000/1s
				algorithm bucket
			}
			limit orders {
				operations getOrder createOrder
				key {client_ip}
				rate 1000000/1s
				algorithm bucket
			}
		}
		api orders {
			version v2 {
				hosts api.example.com
				path /v2
				spec orders.yaml
			}
		}
		api full {
			limit once {
				key all
				rate 1/31d
			}
			version v1 {
				hosts api.example.com
				path /full
				spec orders.yaml
			}
		}
	}
}
`

// chains are two servers that differ by one handler.
type chains struct{ idle, guard http.Handler }

// loadBench runs a Caddy in this process with two pairs of servers. Those of the first
// end in a handler of Caddy's that answers, those of the second in one that reads the
// body as well, as an upstream would. The guard does not know that one, and at each
// request asks about what such a handler may have done.
func loadBench(b *testing.B) (plain, reading chains) {
	b.Helper()
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "orders.yaml"), []byte(ordersDocument), 0o600); err != nil {
		b.Fatal(err)
	}
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(benchGuard), map[string]any{"filename": filepath.Join(dir, "Caddyfile")})
	if err != nil {
		b.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(adapted, &config); err != nil {
		b.Fatal(err)
	}
	servers := map[string]any{}
	for end, answer := range map[string]map[string]any{
		"plain":   {"handler": "static_response", "body": "ok", "headers": map[string]any{"Content-Type": plainText}},
		"reading": {"handler": "bench_done"},
	} {
		for _, handler := range []string{"bench_idle", "api_guard"} {
			servers[handler+" "+end] = map[string]any{
				"listen":          []string{"unix/" + filepath.Join(dir, handler+end)},
				"automatic_https": map[string]any{"disable": true},
				"routes": []any{map[string]any{
					"match":  []any{map[string]any{"host": []string{"api.example.com"}}},
					"handle": []any{map[string]any{"handler": handler}, answer},
				}},
			}
		}
	}
	config["admin"] = map[string]any{"disabled": true, "config": map[string]any{"persist": false}}
	config["logging"] = map[string]any{"logs": map[string]any{"default": map[string]any{"level": "ERROR"}}}
	config["apps"].(map[string]any)["http"] = map[string]any{"servers": servers}
	text, err := json.Marshal(config)
	if err != nil {
		b.Fatal(err)
	}
	if err := caddy.Load(text, true); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = caddy.Stop() })
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		b.Fatal(err)
	}
	of := app.(*caddyhttp.App).Servers
	pair := func(end string) chains { return chains{of["bench_idle "+end], of["api_guard "+end]} }
	return pair("plain"), pair("reading")
}

// sink is a response writer that keeps nothing but the status. It takes deadlines, as
// that of a connection does: Caddy makes an error of each that it cannot set.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

func (s *sink) SetReadDeadline(time.Time) error  { return nil }
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// body is a request body that can be read again.
type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

// requests makes requests of one kind, of which each may be changed on its way.
func requests(b *testing.B, method, target, text string) (next func() *http.Request) {
	content := body{bytes.NewReader([]byte(text))}
	template, err := http.NewRequest(method, "http://api.example.com"+target, content)
	if err != nil {
		b.Fatal(err)
	}
	template.URL.Scheme, template.URL.Host = "", ""
	template.RequestURI, template.RemoteAddr = target, "192.0.2.1:4711"
	if text == "" {
		template.Body = http.NoBody
	} else {
		template.Header.Set("Content-Type", "application/json")
		template.ContentLength = int64(len(text))
	}
	return func() *http.Request {
		r := *template
		u := *template.URL
		r.URL = &u
		content.Seek(0, 0)
		return &r
	}
}

// BenchmarkChain measures a whole pass through a Caddy server's chain, with the
// guard and with a handler that does nothing in its place: the difference is
// what the guard costs. No socket is involved.
func BenchmarkChain(b *testing.B) {
	plain, reading := loadBench(b)
	order := fmt.Sprintf(`{"sku":"ABC-1234","quantity":2,"note":%q}`, strings.Repeat("n", 980))
	for _, call := range []struct {
		name, method, target, body string
		refused                    int // with what status; 0: it passes
	}{
		{"GET", "GET", "/v2/orders/7", "", 0},
		{"POST 1 KB", "POST", "/v2/orders", order, 0},
		{"GET refused", "GET", "/v2/orders/seven", "", http.StatusBadRequest},
		{"GET over quota", "GET", "/full/orders/7", "", http.StatusTooManyRequests},
	} {
		pair := plain
		if call.body != "" {
			pair = reading
		}
		for _, chain := range []struct {
			name   string
			server http.Handler
		}{{"idle", pair.idle}, {"guard", pair.guard}} {
			b.Run(call.name+"/"+chain.name, func(b *testing.B) {
				next := requests(b, call.method, call.target, call.body)
				w := &sink{header: make(http.Header)}
				chain.server.ServeHTTP(w, next()) // which uses up what is there once
				b.ReportAllocs()
				for b.Loop() {
					clear(w.header)
					chain.server.ServeHTTP(w, next())
				}
				want := http.StatusOK
				if chain.name == "guard" && call.refused != 0 {
					want = call.refused
				}
				if w.status != want {
					b.Fatalf("status %d, want %d", w.status, want)
				}
			})
		}
	}
}

// BenchmarkRefusedChain holds what is refused against the GET of BenchmarkChain, in
// turns: a machine that is slower for a while is so for both. It reports the median of
// the ratios, and that of all the time that each took, garbage collection and whatever
// came between included. Nothing else of its figures means anything.
func BenchmarkRefusedChain(b *testing.B) {
	plain, _ := loadBench(b)
	for _, call := range []struct{ name, target string }{{"400", "/v2/orders/seven"}, {"429", "/full/orders/7"}} {
		b.Run(call.name, func(b *testing.B) {
			pass, refuse := requests(b, "GET", "/v2/orders/7", ""), requests(b, "GET", call.target, "")
			w := &sink{header: make(http.Header)}
			took := func(next func() *http.Request) time.Duration {
				began := time.Now()
				for range 50 {
					clear(w.header)
					plain.guard.ServeHTTP(w, next())
				}
				return time.Since(began)
			}
			took(refuse) // which uses up what is there once
			var passed, refused time.Duration
			var ratios []float64
			for i := 0; b.Loop(); i++ {
				var p, r time.Duration
				if i%2 == 0 {
					p, r = took(pass), took(refuse)
				} else {
					r, p = took(refuse), took(pass)
				}
				passed, refused, ratios = passed+p, refused+r, append(ratios, float64(r)/float64(p))
			}
			took(refuse)
			if got := fmt.Sprint(w.status); got != call.name {
				b.Fatalf("status %s, want %s", got, call.name)
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "of-a-pass")
			b.ReportMetric(float64(refused)/float64(passed), "of-all-time")
		})
	}
}

// BenchmarkColdChain is the GET of BenchmarkChain as a proxy meets it: between two
// requests the system calls of one, and whoever else runs, have taken the caches. It
// reports the median of what the chain alone took, in ns/request, and nothing else of
// its figures means anything.
func BenchmarkColdChain(b *testing.B) {
	plain, _ := loadBench(b)
	others := make([]byte, 2<<20) // twice the second level of a processor's caches
	for _, chain := range []struct {
		name   string
		server http.Handler
	}{{"idle", plain.idle}, {"guard", plain.guard}} {
		b.Run(chain.name, func(b *testing.B) {
			next := requests(b, "GET", "/v2/orders/7", "")
			w := &sink{header: make(http.Header)}
			var took []time.Duration
			for b.Loop() {
				clear(w.header)
				r := next()
				for i := 0; i < len(others); i += 64 {
					others[i]++
				}
				began := time.Now()
				chain.server.ServeHTTP(w, r)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2]), "ns/request")
		})
	}
}

var (
	_ caddyhttp.MiddlewareHandler = (*idle)(nil)
	_ caddyhttp.MiddlewareHandler = (*done)(nil)
)
