package apiguard

import (
	"context"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// BenchmarkHandlerAnswers is what a rule for answers costs a GET that passes, in each mode:
// one of whose answer only the head is judged, and one of whose body too.
func BenchmarkHandlerAnswers(b *testing.B) {
	body := []byte(`{"n":1}`)
	for _, mediaType := range []string{"text/plain", "application/json"} {
		contentType := []string{mediaType}
		for _, mode := range []string{"off", "monitor", "enforce"} {
			b.Run(mediaType+"/"+mode, func(b *testing.B) {
				h := &Handler{app: answeringApp(b, mode)}
				w := quiet{http.Header{"Server": {"Caddy"}, "Alt-Svc": {`h3=":443"; ma=2592000`}}}
				r := caddyhttp.PrepareRequest(get("/v1/things/7?q=abc"), caddy.NewReplacer(), w, new(caddyhttp.Server))
				caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, "192.0.2.1")
				next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
					_, giveUp := context.WithCancel(r.Context())
					defer giveUp()
					w.Header()["Content-Type"] = contentType
					_, err := w.Write(body)
					return err
				})
				whole := r.Context()
				b.ReportAllocs()
				for b.Loop() {
					// Its context has an end, as a server's requests have one, for which who
					// answers waits, as a transport does.
					ctx, end := context.WithCancel(whole)
					*r = *r.WithContext(ctx)
					repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
					*repl = fresh
					delete(w.header, "Content-Type")
					_ = h.ServeHTTP(w, r, next)
					end()
				}
			})
		}
	}
}
