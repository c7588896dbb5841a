package caddytest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// Who runs a command when something is wrong is told what to do.
func TestACommandThatCannotAskSaysWhatToDo(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "admin.sock")
	bare := harness.Start(t, harness.Config{Caddyfile: "{\n\tadmin 127.0.0.1:<admin>\n}\nhttp://:<http> {\n\trespond \"a site\"\n}\n"})
	empty := harness.Config{Caddyfile: "{\n}\n"}
	// What Caddy's admin API answers where no module has the route, and where one has
	// it and not the entry.
	older := answering(t, http.StatusNotFound, "404 page not found\n")
	unknown := answering(t, http.StatusNotFound, "{\"error\":\"there is no such route\"}\n")
	for name, c := range map[string]struct {
		cfg  harness.Config
		args []string
		says string
	}{
		"nobody there":          {empty, []string{"routes", "--address", "127.0.0.1:1"}, "Is Caddy running"},
		"nobody there, feed":    {empty, []string{"feed", "--follow", "--address", "127.0.0.1:1"}, "Is Caddy running"},
		"no socket":             {empty, []string{"findings", "--address", "unix/" + socket}, "Is Caddy running"},
		"a Caddy without guard": {empty, []string{"routes", "--address", bare.Admin}, "add the global option api_guard"},
		"a site":                {empty, []string{"routes", "--address", bare.HTTP}, "and not a site"},
		"a site, feed":          {empty, []string{"feed", "--address", bare.HTTP}, "and not a site"},
		"remote administration": {empty, []string{"plan", "--address", "https://127.0.0.1:2021"}, "run it on the server itself"},
		"no such command":       {empty, []string{"routs"}, "there is no command \"routs\" (routes"},
		"nor with flags":        {empty, []string{"nothing", "--address", "127.0.0.1:1"}, "there is no command \"nothing\":"},
		"flags alone":           {empty, []string{"--address", "127.0.0.1:1"}, "write the command first"},
		"flags first":           {empty, []string{"--strict", "findings"}, "write the command first"},
		"a word too many":       {empty, []string{"openapi", "orders", "--address", bare.Admin}, "\"orders\": what caddy api-guard openapi is to look at is said with flags"},
		"an admin without it":   {empty, []string{"routes", "--address", older}, "restart it with the new one"},
		"an entry it has not":   {empty, []string{"show", "abc", "--address", unknown}, unknown + " says: there is no such route\n"},
		"no such file":          {empty, []string{"lint", "--config", "none.Caddyfile"}, "none.Caddyfile"},
		"a file without guard":  {empty, []string{"lint", "--config", "CADDYFILE", "--adapter", "caddyfile"}, "add the global option api_guard"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, ok := harness.Command(t, c.cfg, append([]string{"api-guard"}, c.args...)...)
			if ok || !strings.Contains(text, c.says) {
				t.Errorf("success %v, want %q: %s", ok, c.says, text)
			}
		})
	}
}

// answering is the address of a server that has one answer to everything.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
