package apiguard

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// trace adds what the guard knows to the span that Caddy's handler `tracing` has
// made around it, as api_guard.api, .version, .operation, .verdict, .rule and
// .reason; what is empty is left out.
func (x *exchange) trace() {
	span := trace.SpanFromContext(x.r.Context())
	if !span.IsRecording() {
		return
	}
	f := x.facts
	attributes := make([]attribute.KeyValue, 0, 6)
	for _, a := range [...]struct {
		key   attribute.Key
		value string
	}{
		{"api_guard.api", f.api}, {"api_guard.version", f.version}, {"api_guard.operation", f.operation},
		{"api_guard.verdict", f.verdict}, {"api_guard.rule", f.rule}, {"api_guard.reason", f.reason},
	} {
		if a.value != "" {
			attributes = append(attributes, a.key.String(a.value))
		}
	}
	span.SetAttributes(attributes...)
}
