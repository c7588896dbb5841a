//go:build !race

// The race detector makes sync.Pool drop what it is given, so that allocations
// can be counted without it only.

package apiguard

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/internal/allocs"
	"github.com/apiguard/caddy-api-guard/policy"
)

func TestADocumentedGetAllocatesNothing(t *testing.T) {
	if n := allocationsOfAGet(t, mustProvision(t, smallApp(t))); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

// The fields are made anew for each request, and room for many at once.
func TestLimitsThatShowThemselvesCostAnAllowedGetNoAllocation(t *testing.T) {
	app := limitedApp(t, &Limit{Name: "a", Rate: "100000/1h"}, &Limit{Name: "b", Rate: "100000/1h", Algorithm: "bucket"})
	if n := allocationsOf(t, app, func(w http.ResponseWriter, _ *http.Request) error {
		h := w.Header()
		w.WriteHeader(http.StatusOK)
		if len(h["Ratelimit"]) != 1 || len(h["Ratelimit-Policy"]) != 1 {
			t.Errorf("the fields are %q and %q", h["Ratelimit"], h["Ratelimit-Policy"])
		}
		clear(h)
		return nil
	}); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestALimitOnFailuresCostsAnAllowedGetNoAllocation(t *testing.T) {
	app := limitedApp(t, &Limit{Name: "guesses", Rate: "5/1h", Count: "failures", Concurrency: 9, Headers: "off"})
	if n := allocationsOfAGet(t, app); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

// One that may be refused costs the context that it may be given up by, and how that is done.
func TestAnAnswerThatIsJudgedAllocatesNothing(t *testing.T) {
	body := []byte(`{"n":1}`)
	for mode, most := range map[string]float64{"monitor": 0, "enforce": 2} {
		if n := allocationsOf(t, answeringApp(t, mode), func(w http.ResponseWriter, _ *http.Request) error {
			w.Header()["Content-Type"] = jsonType
			_, err := w.Write(body)
			return err
		}); n >= most+1 {
			t.Errorf("%s: %v allocations, at most %v", mode, n, most)
		}
	}
}

var jsonType = []string{"application/json"}

func allocationsOfAGet(t *testing.T, app *App) float64 {
	t.Helper()
	return allocationsOf(t, app, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	})
}

func allocationsOf(t *testing.T, app *App, next caddyhttp.HandlerFunc) float64 {
	t.Helper()
	w := &discarding{header: http.Header{}}
	repl := caddy.NewReplacer()
	r := caddyhttp.PrepareRequest(get("/v1/things/7?q=abc"), repl, w, new(caddyhttp.Server))
	h := &Handler{app: app}
	for range 100 { // so that the replacer's list of providers has room
		_ = h.ServeHTTP(w, r, next)
	}
	whole := r.Context()
	return allocs.PerRun(100, func() {
		*r = *r.WithContext(whole)
		_ = h.ServeHTTP(w, r, next)
	})
}

// discarding is a response writer that keeps nothing.
type discarding struct{ header http.Header }

func (d *discarding) Header() http.Header         { return d.header }
func (d *discarding) WriteHeader(int)             {}
func (d *discarding) Write(p []byte) (int, error) { return len(p), nil }

// A refusal is made of what is made once, but for what names this one: its errors and,
// where somebody may ask for it, its UUID.
func TestARefusalCostsFewAllocations(t *testing.T) {
	often := &Limit{Name: "a", Rate: "100000/1h"}
	open, full := limitedApp(t, often), limitedApp(t, often, &Limit{Name: "once", Rate: "1/31d"})
	// alone is a guard that no handler stands before; of the other ones that is not known.
	alone := func(app *App) *Handler {
		h := &Handler{app: app, server: new(caddyhttp.Server)}
		h.server.Routes = caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{h}}}
		return h
	}
	w := &discarding{header: http.Header{}}
	for _, c := range []struct {
		guard  *Handler
		target string
		most   float64
	}{
		{alone(full), "/v1/things/7", 0},
		{&Handler{app: full}, "/v1/things/7", 1},
		{alone(open), "/v1/things/seven", 1},
		{&Handler{app: open}, "/v1/things/seven", 2},
		{alone(open), "/v1//x", 3}, // two for its spelling, one for the inventory
		{&Handler{app: open}, "/v1//x", 4},
	} {
		repl := caddy.NewReplacer()
		r := caddyhttp.PrepareRequest(get(c.target), repl, w, new(caddyhttp.Server))
		refuse := func() {
			clear(w.header)
			_ = c.guard.ServeHTTP(w, r, caddyhttp.HandlerFunc(answer))
		}
		for range 100 {
			refuse()
		}
		if w.header.Get("Content-Type") != policy.MediaTypeProblem {
			t.Fatalf("%s is not refused: %v", c.target, w.header)
		}
		if n := allocs.PerRun(100, refuse); n > c.most {
			t.Errorf("%s: %v allocations, at most %v", c.target, n, c.most)
		}
	}
}
