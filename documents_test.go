package apiguard

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/getkin/kin-openapi/openapi3"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// documentOf is the document that an app has in force.
func documentOf(app *App) *spec.Document {
	return app.now.Load().policy.Catalogue().APIs[0].Versions[0].Documents[0]
}

// references is how many configurations hold what is in force in app.
func references(app *App) int {
	document := documentOf(app)
	n, _ := documentPool.References(documentKey{document.Name, document.Hash})
	return n
}

func TestUnchangedDocumentIsSharedOverAReload(t *testing.T) {
	config := smallApp(t)
	before := mustProvision(t, config)
	after := mustProvision(t, config)
	if documentOf(after) != documentOf(before) {
		t.Error("it was parsed again")
	}
	if n := references(after); n != 2 {
		t.Errorf("%d references while both configurations are there", n)
	}
	_ = before.Cleanup()
	_ = before.Cleanup() // idempotent
	if n := references(after); n != 1 {
		t.Errorf("%d references after the first one ended", n)
	}
	third := mustProvision(t, config)
	if documentOf(third) != documentOf(after) {
		t.Error("it was parsed again after the first configuration ended")
	}
}

func TestChangedDocumentIsReadByAReload(t *testing.T) {
	config := smallApp(t)
	before := mustProvision(t, config)
	changed := `{"openapi":"3.0.3","info":{"title":"t","version":"2"},"paths":{"/other":{"get":{"responses":{"200":{"description":"ok"}}}}}}`
	if err := os.WriteFile(config.API[0].Version[0].Spec[0], []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	after := mustProvision(t, config)
	if documentOf(after) == documentOf(before) || documentOf(after).Version != "2" {
		t.Error("the old document is in force")
	}
	if documentOf(before).Version != "1" {
		t.Error("the running configuration changed")
	}
}

func TestRejectedConfigurationTakesNoDocumentFromTheRunningOne(t *testing.T) {
	config := smallApp(t)
	running := mustProvision(t, config)
	for name, break_ := range map[string]func(*App){
		// Provision fails after the document was acquired, and before.
		"a second document is missing": func(a *App) {
			a.API[0].Version = append(a.API[0].Version, &Version{Name: "v2", Hosts: []string{"b.example"}, Spec: []string{"gone.json"}})
		},
		"a limit names an operation that nobody has": func(a *App) {
			a.API[0].Limit = []*Limit{{Name: "l", Rate: "1/m", Operations: []string{"nothing"}}}
		},
		"a mode is unknown": func(a *App) { a.Mode = "nonsense" },
	} {
		broken := copyOf(t, config)
		break_(broken)
		if _, err := provision(t, broken); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if n := references(running); n != 1 {
			t.Errorf("%s: %d references to the running configuration's document", name, n)
		}
	}
	if documentOf(mustProvision(t, config)) != documentOf(running) {
		t.Error("the next good configuration parses the document again")
	}
}

// copyOf is the same configuration anew.
func copyOf(t *testing.T, app *App) *App {
	t.Helper()
	text, err := json.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	again := new(App)
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	return again
}

// sharedSpecs is the folder of real API descriptions.
func sharedSpecs(t testing.TB) string {
	t.Helper()
	folder := os.Getenv("API_GUARD_SHARED")
	if folder == "" {
		folder = filepath.Join("..", "shared")
	}
	folder, err := filepath.Abs(filepath.Join(folder, "specs"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); os.IsNotExist(err) && os.Getenv("API_GUARD_REQUIRE_SHARED") == "" {
		t.Skip("the real API descriptions are not beside the repository; set API_GUARD_SHARED to their folder")
	}
	return folder
}

// githubApp is one API with GitHub's document of 13 MB and 1,223 operations.
func githubApp(t testing.TB) *App {
	t.Helper()
	file := filepath.Join(sharedSpecs(t), "github", "api.github.com.json")
	return &App{API: []*API{{Name: "github", Version: []*Version{{Name: "v3", Hosts: []string{"api.github.com"}, Spec: []string{file}}}}}}
}

// BenchmarkReloadWithGitHubUnchanged is a reload from the configuration's JSON to
// its policy being in force, with the one before it running: at most 50 ms. On a
// machine that does other work, cpu-ms/op says what of it is ours.
func BenchmarkReloadWithGitHubUnchanged(b *testing.B) {
	for name, change := range map[string]func(testing.TB, *Version){
		"plain":         func(testing.TB, *Version) {},
		"multi_segment": func(_ testing.TB, v *Version) { v.MultiSegment = map[string][]string{"repos/get-content": {"path"}} },
		"by URL":        pinNowhere,
	} {
		b.Run(name, func(b *testing.B) {
			config := githubApp(b)
			change(b, config.API[0].Version[0])
			mustProvision(b, config)
			text, err := json.Marshal(config)
			if err != nil {
				b.Fatal(err)
			}
			var cpu time.Duration
			for b.Loop() {
				began := cpuTime(b)
				app := reload(b, text)
				cpu += cpuTime(b) - began
				b.StopTimer()
				_ = app.Cleanup()
				b.StartTimer()
			}
			b.ReportMetric(cpu.Seconds()*1e3/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkStartWithGitHubAgainstLoadFromData is a first load, from the
// configuration's JSON to its policy being in force, and what kin-openapi alone needs
// for the document, in turns: at most 1.4 times as long.
func BenchmarkStartWithGitHubAgainstLoadFromData(b *testing.B) {
	config := githubApp(b)
	text, err := json.Marshal(config)
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(config.API[0].Version[0].Spec[0])
	if err != nil {
		b.Fatal(err)
	}
	var kin, own time.Duration
	for b.Loop() {
		runtime.GC()
		began := time.Now()
		if _, err := openapi3.NewLoader().LoadFromData(data); err != nil {
			b.Fatal(err)
		}
		kin += time.Since(began)
		runtime.GC()
		began = time.Now()
		app := reload(b, text)
		own += time.Since(began)
		_ = app.Cleanup() // and so the document is read again
	}
	b.ReportMetric(float64(own)/float64(kin), "of-LoadFromData")
}

// reload puts a configuration's JSON into force.
func reload(t testing.TB, config []byte) *App {
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true},
		AppsRaw: caddy.ModuleMap{"api_guard": config},
	})
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.AppIfConfigured("api_guard")
	if err != nil {
		t.Fatal(err)
	}
	if err := app.(*App).Start(); err != nil {
		t.Fatal(err)
	}
	return app.(*App)
}

// cpuTime is what this process has used so far.
func cpuTime(t testing.TB) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
