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

// What a guard refuses is no failure, to a guard around it neither, whichever way the
// refusal takes. What upstream refuses is one.
func TestARefusalBehindARewriteIsNoFailure(t *testing.T) {
	for _, refusals := range []string{"direct", refusalsHandleErrors} {
		app := smallApp(t)
		app.Refusals = refusals
		app.Policy = &Policy{Rules: Rules{UnknownRoute: "enforce"}}
		app.API[0].Limit = []*Limit{{Name: "guesses", Key: []string{"{http.request.header.X-Case}"}, Rate: "9/1h", Count: "failures", Statuses: []int{404, 502}}}
		app = mustProvision(t, app)
		guard := func(w http.ResponseWriter, r *http.Request, target string, next caddyhttp.HandlerFunc) error {
			r.RequestURI, r.URL.Path = target, target
			return (&Handler{app: app}).ServeHTTP(w, r, next)
		}
		says := func(status int) caddyhttp.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(status); return nil }
		}
		fails := func(http.ResponseWriter, *http.Request) error { return caddyhttp.Error(http.StatusNotFound, nil) }
		inErrorRoute := func(next caddyhttp.HandlerFunc) func(http.ResponseWriter, *http.Request, error) error {
			return func(w http.ResponseWriter, r *http.Request, err error) error {
				r = r.WithContext(context.WithValue(r.Context(), caddyhttp.ErrorCtxKey, err))
				return guard(w, r, r.RequestURI, next)
			}
		}
		for name, c := range map[string]struct {
			target string
			next   caddyhttp.HandlerFunc
			failed func(http.ResponseWriter, *http.Request, error) error // an error route within the outer guard
			left   string
		}{
			"the guard":                          {"/v1/nothing", says(200), nil, "9"},
			"the guard, in an error route":       {"/v1/nothing", says(200), inErrorRoute(says(200)), "9"},
			"upstream":                           {"/v1/things/8", says(404), nil, "8"},
			"a handler, by an error":             {"/v1/things/8", fails, nil, "8"},
			"upstream, of an error route":        {"/v1/things/8", fails, inErrorRoute(says(404)), "8"},
			"an unguarded upstream, after a 404": {"/v1/nothing", says(200), func(w http.ResponseWriter, r *http.Request, _ error) error { return says(404)(w, r) }, "8"},
		} {
			if refusals == "direct" && c.target == "/v1/nothing" && c.failed != nil {
				continue // it never gets to the error route
			}
			ask := func(target string, next caddyhttp.HandlerFunc) *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				r := caddyhttp.PrepareRequest(get(target), caddy.NewReplacer(), w, new(caddyhttp.Server))
				r.Header.Set("X-Case", refusals+name)
				_ = guard(w, r, target, next)
				return w
			}
			ask("/v1/things/7", func(w http.ResponseWriter, r *http.Request) error {
				err := guard(w, r, c.target, c.next)
				if err != nil && c.failed != nil {
					err = c.failed(w, r, err)
				}
				return err
			})
			if got := ask("/v1/things/7", says(200)).Header().Get("Ratelimit"); !strings.HasPrefix(got+";", `"guesses";r=`+c.left+";") {
				t.Errorf("%s: refused by %s: the limit is %s, want %s of 9", refusals, name, got, c.left)
			}
		}
	}
}
