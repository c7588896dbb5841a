package apiguard

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/tracing"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// span records the attributes that it is given.
type span struct {
	noop.Span
	attributes map[string]string
}

func (s *span) IsRecording() bool { return true }

func (s *span) SetAttributes(all ...attribute.KeyValue) {
	for _, a := range all {
		s.attributes[string(a.Key)] = a.Value.AsString()
	}
}

func TestSpansTellWhatWasDecided(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	for _, c := range []struct {
		target string
		want   map[string]string
	}{
		{"/v1/things/7", map[string]string{
			"api_guard.api": "things", "api_guard.version": "v1", "api_guard.operation": "getThing", "api_guard.verdict": "allow",
		}},
		{"/v1/things/x", map[string]string{
			"api_guard.api": "things", "api_guard.version": "v1", "api_guard.operation": "getThing",
			"api_guard.verdict": "refuse", "api_guard.rule": "request", "api_guard.reason": "request-invalid",
		}},
		{"/v1/nothing", map[string]string{
			"api_guard.api": "things", "api_guard.version": "v1",
			"api_guard.verdict": "would_refuse", "api_guard.rule": "unknown_route", "api_guard.reason": "unknown-route",
		}},
	} {
		s := &span{attributes: map[string]string{}}
		r := get(c.target)
		r = r.WithContext(trace.ContextWithSpan(r.Context(), s))
		_ = serve(app, httptest.NewRecorder(), r, func(http.ResponseWriter, *http.Request) error { return nil })
		if diff := cmp.Diff(c.want, s.attributes); diff != "" {
			t.Errorf("%s: %s", c.target, diff)
		}
	}
}

func TestSpansAreLookedForWhereSomethingMayMakeThem(t *testing.T) {
	server := func(handlers ...caddyhttp.MiddlewareHandler) *caddyhttp.Server {
		return &caddyhttp.Server{Routes: caddyhttp.RouteList{{Handlers: handlers}}}
	}
	spans := caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{new(tracing.Tracing)}}}
	guard := new(Handler)
	nested := server(&caddyhttp.Subroute{Routes: spans}, guard)
	named := server(guard)
	named.NamedRoutes = map[string]*caddyhttp.Route{"traced": &spans[0]}
	failing := server(guard)
	failing.Errors = &caddyhttp.HTTPErrorConfig{Routes: spans}
	for name, c := range map[string]struct {
		server *caddyhttp.Server
		want   bool
	}{
		"nothing but a proxy":          {server(guard, new(reverseproxy.Handler), new(headers.Handler)), false},
		"a subroute without":           {server(&caddyhttp.Subroute{Routes: caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{guard}}}}), false},
		"tracing":                      {server(new(tracing.Tracing), guard), true},
		"tracing in a subroute":        {nested, true},
		"tracing in a named route":     {named, true},
		"tracing in error routes":      {failing, true},
		"tracing on a proxy's answers": {server(guard, &reverseproxy.Handler{HandleResponse: []caddyhttp.ResponseHandler{{Routes: spans}}}), true},
		"a handler that is not known":  {server(caddyhttp.MiddlewareHandler(stranger{}), guard), true},
		"no server":                    {nil, true},
	} {
		if got := (&Handler{server: c.server}).mayBeTraced(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// stranger is a handler of a plugin.
type stranger struct{}

func (stranger) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { return nil }
