package apiguard

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// quiet is a response writer that costs nothing.
type quiet struct{ header http.Header }

func (w quiet) Header() http.Header         { return w.header }
func (w quiet) Write(p []byte) (int, error) { return len(p), nil }
func (w quiet) WriteHeader(int)             {}

func answer(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusOK)
	return nil
}

func limited(t testing.TB) *App {
	app := smallApp(t)
	app.API[0].Limit = []*Limit{
		{Name: "client", Rate: "10000000/1s", Algorithm: "bucket", Headers: "off"},
		{Name: "all", Rate: "10000000/1s", Key: []string{"all"}, Algorithm: "bucket", Headers: "off"},
		{Name: "read", Rate: "10000000/1s", Operations: []string{"getThing"}, Headers: "off"},
	}
	return app
}

// BenchmarkHandlerGET is what the guard adds to a request in process: three
// limits, parameters and the inventory, against the same call without it.
func BenchmarkHandlerGET(b *testing.B) {
	for _, c := range []struct {
		name string
		app  *App
	}{{"none", nil}, {"no limits", smallApp(b)}, {"3 limits", limited(b)}} {
		b.Run(c.name, func(b *testing.B) {
			var h caddyhttp.MiddlewareHandler = passing{}
			if c.app != nil {
				h = &Handler{app: mustProvision(b, c.app)}
			}
			w := quiet{http.Header{}}
			r := caddyhttp.PrepareRequest(get("/v1/things/7?q=abc"), caddy.NewReplacer(), w, new(caddyhttp.Server))
			caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, "192.0.2.1")
			next := caddyhttp.HandlerFunc(answer)
			b.ReportAllocs()
			for b.Loop() {
				// A replacer of its own for each request, as servers make one.
				repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
				*repl = fresh
				_ = h.ServeHTTP(w, r, next)
			}
		})
	}
}

var fresh = *caddy.NewReplacer()

type passing struct{}

func (passing) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}

func BenchmarkHandlerRefuses(b *testing.B) {
	app := mustProvision(b, limited(b))
	h := &Handler{app: app}
	for name, target := range map[string]string{"400": "/v1//x", "404": "/v1/x"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				r := caddyhttp.PrepareRequest(get(target), caddy.NewReplacer(), w, new(caddyhttp.Server))
				_ = h.ServeHTTP(w, r, caddyhttp.HandlerFunc(answer))
			}
		})
	}
}
