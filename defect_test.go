package apiguard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// Whatever panics while a request or its answer is judged, the log has the place, and
// what finds the request in the access log.
func TestADefectIsInTheLogWithItsRequest(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	core, logs := observer.New(zap.ErrorLevel)
	app.logger = zap.New(core)
	ask := func(h *Handler) (uuid string, code int) {
		w, repl := httptest.NewRecorder(), caddy.NewReplacer()
		r := caddyhttp.PrepareRequest(get("/v1/things/7"), repl, w, h.server)
		if err := h.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })); err != nil {
			t.Error(err)
		}
		uuid, _ = repl.GetString(requestUUID)
		return uuid, w.Code
	}
	h := &Handler{app: app, server: &caddyhttp.Server{Logs: new(caddyhttp.ServerLogConfig)}}
	if _, code := ask(h); code != 200 || logs.Len() != 0 {
		t.Errorf("a request that is judged well is answered %d, and the log has %v", code, logs.All())
	}
	broken := *app.now.Load()
	broken.policy = nil
	app.now.Store(&broken)
	uuid, code := ask(h)
	if code != 500 || logs.Len() != 1 {
		t.Fatalf("answered %d, and the log has %v", code, logs.All())
	}
	entry := logs.All()[0].ContextMap()
	facts, _ := entry["api_guard"].(map[string]any)
	stack, _ := entry["stack"].(string)
	if entry["uuid"] != uuid || facts["reason"] != "internal-error" || entry["panic"] == "" || !strings.Contains(stack, "(*exchange).match") {
		t.Errorf("the log says %v", entry)
	}

	// One of the engine that judges is told in the same way, a monitored answer's as well.
	x := &exchange{course: course{app: &broken}}
	x.verdict.Defect = conformance.Recovered("an engine's")
	x.tellDefect()
	if logs.Len() != 2 || logs.All()[1].ContextMap()["panic"] != "an engine's" {
		t.Errorf("the log has %v", logs.All())
	}
}
