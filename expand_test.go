package apiguard

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestPlaceholdersOfTheEnvironmentAndOfFilesAreExpandedWhenTheConfigurationIsLoaded(t *testing.T) {
	app := smallApp(t)
	file := filepath.Join(t.TempDir(), "rate")
	if err := os.WriteFile(file, []byte("7/1h"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GUARD_HOST", "env.example")
	t.Setenv("GUARD_SPEC", app.API[0].Version[0].Spec[0])
	v := app.API[0].Version[0]
	v.Hosts, v.Spec, v.UnknownRoute = []string{"{env.GUARD_HOST}"}, []string{"/etc/caddy/{env.GUARD_SPEC}"}, "{env.GUARD_MODE}"
	app.Policy = &Policy{Rules: Rules{Limit: []*Limit{{Name: "all", Rate: "{file." + file + "}", Key: []string{"{env.GUARD_HOST}"}}}}}
	t.Setenv("GUARD_MODE", "enforce")
	running := mustProvision(t, app)
	cat := running.now.Load().policy.Catalogue()
	if h := cat.HostOf("env.example"); h == nil || len(cat.Routes) != 2 {
		t.Errorf("the host or the document is not that of the environment: %v, %d operations", h, len(cat.Routes))
	}
	limit := running.now.Load().policy.Limits()[0]
	if limit.Rate != "7/1h" || strings.Join(limit.Key, "") != "{env.GUARD_HOST}" {
		t.Errorf("the limit is %+v", limit)
	}
}

func TestValuesOfPlaceholdersStandInNoError(t *testing.T) {
	for name, spoil := range map[string]func(*App){
		"a host":     func(app *App) { app.API[0].Version[0].Hosts = []string{"{env.GUARD_SECRET}"} },
		"a date":     func(app *App) { app.API[0].Version[0].Sunset = "{env.GUARD_SECRET}" },
		"a document": func(app *App) { app.API[0].Version[0].Spec = []string{"/nowhere/{env.GUARD_SECRET}.yaml"} },
		"a rate": func(app *App) {
			app.Policy = &Policy{Rules: Rules{Limit: []*Limit{{Name: "x", Rate: "{env.GUARD_SECRET}"}}}}
		},
	} {
		t.Setenv("GUARD_SECRET", "hunter2 and more")
		app := smallApp(t)
		spoil(app)
		_, err := provision(t, app)
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "{env.GUARD_SECRET}") {
			t.Errorf("%s: %v", name, err)
		}
		os.Unsetenv("GUARD_SECRET")
		if _, err := provision(t, app); err == nil || !strings.Contains(err.Error(), "{env.GUARD_SECRET} has no value") {
			t.Errorf("%s that is not set: %v", name, err)
		}
	}
}

func TestACaddyfileWithPlaceholdersIsCheckedWhereTheyAreKnown(t *testing.T) {
	adapt := func(text string) error {
		_, err := parseGlobalOption(caddyfile.NewTestDispenser(text), nil)
		return err
	}
	const text = "api_guard {\n\tapi a {\n\t\tversion v1 {\n\t\t\thosts {env.GUARD_HOST}\n\t\t\tdeprecated {env.GUARD_DATE}\n\t\t}\n\t}\n}"
	if err := adapt(text); err != nil {
		t.Errorf("for another machine: %v", err)
	}
	t.Setenv("GUARD_HOST", "api.example")
	t.Setenv("GUARD_DATE", "some day")
	if err := adapt(text); err == nil || !strings.Contains(err.Error(), `"{env.GUARD_DATE}"`) || !strings.Contains(err.Error(), ":5") {
		t.Errorf("a date that is none: %v", err)
	}
	t.Setenv("GUARD_DATE", "2027-01-01")
	if err := adapt(text); err != nil {
		t.Error(err)
	}
}
