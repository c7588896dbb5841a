package caddytest

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() { caddy.RegisterModule(new(eventRecorder)) }

// eventRecorder is an event handler that writes what it gets to a file, a line
// each.
type eventRecorder struct {
	File string `json:"file"`
}

// CaddyModule returns the Caddy module information.
func (*eventRecorder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.record", New: func() caddy.Module { return new(eventRecorder) }}
}

// UnmarshalCaddyfile reads `record <file>`.
func (h *eventRecorder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&h.File) {
		return d.ArgErr()
	}
	return nil
}

// Handle implements caddyevents.Handler.
func (h *eventRecorder) Handle(_ context.Context, e caddy.Event) error {
	line, err := json.Marshal(map[string]any{"name": e.Name(), "origin": e.Origin().CaddyModule().ID, "data": e.Data})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(h.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(append(line, '\n'))
	return err
}

func TestDiscoveriesAreCaddyEventsOfTheFeedsNames(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up, "unknown_route enforce", "unknown_route monitor")
	cfg.Globals = "events {\non route_discovered record <dir>/events\n}\n"
	caddy := harness.Start(t, cfg)
	for _, target := range []string{"/v2/hidden", "/v2/orders"} {
		call, _ := as(get("api.example.com", target))
		caddy.Do1(t, call)
	}
	harness.Await(t, "the event", func() (string, bool) {
		text, _ := os.ReadFile(filepath.Join(caddy.Dir, "events"))
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		return string(text), len(lines) == 1 && strings.Contains(lines[0], `"route_discovered"`) &&
			strings.Contains(lines[0], `"/v2/hidden"`) && strings.Contains(lines[0], `"origin":"api_guard"`)
	})
	if status, body := caddy.Reload(t, fleetConfig(up)); status != 200 {
		t.Fatalf("%s", body)
	}
	if status, body := caddy.Reload(t, cfg); status != 200 {
		t.Fatalf("%s", body)
	}
	harness.Await(t, "the event after a reload", func() (string, bool) {
		// Caddy may cut a connection that was made while its listeners changed
		// hands, without the guard too: then it is made again.
		req, err := http.NewRequest("GET", "http://"+caddy.HTTP+"/v2/other", nil)
		if err != nil {
			return err.Error(), false
		}
		req.Host, req.Close = "api.example.com", true
		res, err := client.Do(req)
		if err != nil {
			return err.Error(), false
		}
		_ = res.Body.Close()
		text, _ := os.ReadFile(filepath.Join(caddy.Dir, "events"))
		return string(text), strings.Contains(string(text), `"/v2/other"`)
	})
}
