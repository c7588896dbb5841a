package caddytest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spans is a receiver of traces (OTLP over HTTP) that keeps the guard's attributes
// by the path of the request.
type spans struct {
	mu     sync.Mutex
	byPath map[string]map[string]string
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &request) != nil {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range request.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				attributes, path := map[string]string{}, ""
				for _, a := range span.Attributes {
					switch key := a.Key; {
					case key == "url.path":
						path = a.Value.GetStringValue()
					case len(key) > 10 && key[:10] == "api_guard.":
						attributes[key] = a.Value.GetStringValue()
					}
				}
				s.byPath[path] = attributes
			}
		}
	}
}

// Not parallel: where traces go is in the environment.
func TestSpansOfCaddysTracingTellWhatTheGuardDecided(t *testing.T) {
	received := &spans{byPath: map[string]map[string]string{}}
	receiver := httptest.NewServer(received)
	defer receiver.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", receiver.URL+"/v1/traces")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")

	up := harness.NewUpstream(t)
	cfg := fleetConfig(up)
	cfg.Sites = `
http://:<http> {
	log
	tracing {
		span request
	}
	api_guard
	reverse_proxy 127.0.0.1:<upstream>
}
`
	caddy := harness.Start(t, cfg)
	want := map[string]map[string]string{
		"/v2/orders/1": {"api_guard.api": "orders", "api_guard.version": "v2", "api_guard.operation": "getOrder", "api_guard.verdict": "allow"},
		"/v2/orders/0": {
			"api_guard.api": "orders", "api_guard.version": "v2", "api_guard.operation": "getOrder",
			"api_guard.verdict": "refuse", "api_guard.rule": "request", "api_guard.reason": "request-invalid",
		},
		"/v2/nothing": {
			"api_guard.api": "orders", "api_guard.version": "v2",
			"api_guard.verdict": "refuse", "api_guard.rule": "unknown_route", "api_guard.reason": "unknown-route",
		},
	}
	for path := range want {
		call, _ := as(get("api.example.com", path))
		caddy.Do1(t, call)
	}
	harness.Await(t, "the spans", func() (string, bool) {
		received.mu.Lock()
		defer received.mu.Unlock()
		diff := cmp.Diff(want, received.byPath)
		return diff, diff == ""
	})
}
