package apiguard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWhatTheAdminAPIDoesNotHaveIsToldTheNearestName(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	ask := func(name string) string {
		w := httptest.NewRecorder()
		if err := app.serveAdmin(w, httptest.NewRequest(http.MethodGet, adminPrefix+name, nil)); err != nil {
			return err.Error()
		}
		return w.Body.String()
	}
	for _, name := range adminNames {
		if got := ask(name); strings.Contains(got, "there are") {
			t.Errorf("%s is listed and is not there: %s", name, got)
		}
	}
	for name, says := range map[string]string{
		"routs":      `there is no "/api_guard/routs" (did you mean routes?); there are apis, hosts, routes, `,
		"overrides":  "(did you mean override?)",
		"nonsense":   `there is no "/api_guard/nonsense"; there are apis`,
		"":           `there is no "/api_guard/"; there are apis`,
		"limits/own": `there is no "/api_guard/limits/own"; there are apis`,
	} {
		if got := ask(name); !strings.Contains(got, says) {
			t.Errorf("%q: %s, want %s", name, got, says)
		}
	}
	if got := ask("routes/{id}"); !strings.Contains(got, "no route with the id") {
		t.Errorf("the twin that is there: %s", got)
	}
}
