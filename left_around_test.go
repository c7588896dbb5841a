package apiguard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// A guard behind another one refuses what a rewrite between them has made of a request, and
// the error route makes a third one of it: what both have said of limits does not hold then.
func TestAnErrorRouteThatRewritesTellsOfALimitOnceBehindTwoGuards(t *testing.T) {
	app := smallApp(t)
	app.Refusals = refusalsHandleErrors
	app.Policy = &Policy{Rules: Rules{UnknownRoute: "enforce", Request: &RequestRule{Mode: "monitor"}, Limit: []*Limit{{Name: "each", Rate: "9/1h"}}}}
	app.API[0].Limit = []*Limit{{Name: "once", Rate: "9/1h", Operations: []string{"getThing"}}, {Name: "put", Rate: "9/1h", Operations: []string{"PUT /things/{id}"}}}
	app = mustProvision(t, app)
	guard := func(w http.ResponseWriter, r *http.Request, line string, next caddyhttp.HandlerFunc) error {
		method, target, _ := strings.Cut(line, " ")
		r.Method, r.RequestURI, r.URL.Path = method, target, target
		return (&Handler{app: app}).ServeHTTP(w, r, next)
	}
	for _, within := range []string{"GET /v1/nothing", "GET /v1/things/8", "PUT /v1/things/8"} {
		w := httptest.NewRecorder()
		r := caddyhttp.PrepareRequest(get("/v1/things/7"), caddy.NewReplacer(), w, new(caddyhttp.Server))
		err := guard(w, r, "GET /v1/things/7", func(w http.ResponseWriter, r *http.Request) error {
			return guard(w, r, within, func(http.ResponseWriter, *http.Request) error { return caddyhttp.Error(http.StatusTeapot, nil) })
		})
		if err == nil || len(w.Header()["Ratelimit"]) == 0 {
			t.Fatalf("%s: %v, %v", within, err, w.Header())
		}
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.ErrorCtxKey, err))
		if err := guard(w, r, "GET /v1/things/9", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusOK)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Ratelimit", "Ratelimit-Policy"} {
			all := strings.Join(w.Header()[name], ", ")
			if strings.Count(all, `"each"`) != 1 || strings.Count(all, `"once"`) != 1 || strings.Contains(all, `"put"`) {
				t.Errorf("%s: %s is %s", within, name, all)
			}
		}
	}
}
