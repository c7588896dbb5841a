package apiguard

import (
	"net/http"
	"net/http/httptest"
	"testing"

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
