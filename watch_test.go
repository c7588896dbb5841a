package apiguard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// lookedAt is when tests look at documents.
var lookedAt = time.Now()

// watchedApp is an app with unknown routes refused, whose one document and the
// file that it refers to may be rewritten.
func watchedApp(t *testing.T) (app *App, look func(), file, part string) {
	t.Helper()
	config := smallApp(t)
	config.API[0].UnknownRoute = "enforce"
	file = config.API[0].Version[0].Spec[0]
	part = filepath.Join(filepath.Dir(file), "part.json")
	rewrite(t, part, `{"type":"integer"}`)
	rewrite(t, file, strings.Replace(smallDocument, `{"n":{"type":"integer"}}`, `{"n":{"$ref":"part.json"}}`, 1))
	app = mustProvision(t, config)
	seen := watched{app: app, now: func() time.Time { return lookedAt }}
	seen.look()
	return app, seen.look, file, part
}

// rewrite gives a file other contents at another time.
func rewrite(t *testing.T, file, text string) {
	t.Helper()
	info, err := os.Stat(file)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		// Two writes within one tick of the file system's clock would bear one time.
		later := info.ModTime().Add(time.Second)
		if err := os.Chtimes(file, later, later); err != nil {
			t.Fatal(err)
		}
	}
}

func statusOf(t *testing.T, app *App, r *http.Request) int {
	t.Helper()
	w := httptest.NewRecorder()
	if err := serve(app, w, r, func(http.ResponseWriter, *http.Request) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return w.Code
}

func TestWatchedDocumentComesIntoForceByItself(t *testing.T) {
	app, look, file, part := watchedApp(t)
	before := app.now.Load()
	first := documentKey{file, documentOf(app).Hash}
	look()
	if app.now.Load() != before {
		t.Fatal("nothing changed, and another policy is in force")
	}
	if statusOf(t, app, get("/v1/things/7")) != 200 || statusOf(t, app, get("/v1/stuff/7")) != 404 {
		t.Fatal("the first document is not in force")
	}
	rewrite(t, file, strings.Replace(smallDocument, "/things/", "/stuff/", 1))
	look()
	if statusOf(t, app, get("/v1/things/7")) != 404 || statusOf(t, app, get("/v1/stuff/7")) != 200 {
		t.Error("the changed document is not in force")
	}
	if n := references(app); n != 1 {
		t.Errorf("%d references to the new document", n)
	}
	if n, there := documentPool.References(first); there {
		t.Errorf("%d references to the old document", n)
	}
	now := app.now.Load()
	rewrite(t, part, `{"type":"string"}`)
	look()
	if app.now.Load() != now {
		t.Error("a file that nothing refers to any more counts")
	}
}

// A file that is new is read once more, since a further write need not show in its time:
// what is wrong with it was logged twice.
func TestABrokenDocumentIsLoggedOnceForEachChange(t *testing.T) {
	app, look, file, _ := watchedApp(t)
	core, logs := observer.New(zap.ErrorLevel)
	app.logger = zap.New(core)
	written := lookedAt.Add(-time.Second)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, written, written); err != nil {
			t.Fatal(err)
		}
	}
	for n, change := range []func(){
		func() { write("{}") },
		func() { write("[]") }, // as long and as old
		func() { written = written.Add(time.Millisecond); write("[]") },                        // as wrong, and changed
		func() { write(smallDocument + " "); look(); look(); written = lookedAt; write("[]") }, // wrong again
	} {
		change()
		look()
		look()
		look()
		if entries := logs.TakeAll(); len(entries) != 1 || !strings.Contains(entries[0].Message, "not put into force") {
			t.Errorf("change %d is logged as %v", n+1, entries)
		}
	}
}

func TestAChangeThatShowsInNeitherTimeNorSizeIsNoticed(t *testing.T) {
	other := strings.Replace(smallDocument, "/things/", "/stuffs/", 1)
	if len(other) != len(smallDocument) {
		t.Fatal("the documents differ in size")
	}
	for name, c := range map[string]struct {
		written time.Time
		change  func(file string) error
	}{
		"written twice within one step of the clock": {lookedAt.Add(-time.Second), func(file string) error { return os.WriteFile(file, []byte(other), 0o600) }},
		"replaced by another with the fixed time of images": {time.Unix(1, 0), func(file string) error {
			if err := os.WriteFile(file+".new", []byte(other), 0o600); err != nil {
				return err
			}
			return os.Rename(file+".new", file)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			app, look, file, _ := watchedApp(t)
			rewrite(t, file, smallDocument)
			if err := os.Chtimes(file, c.written, c.written); err != nil {
				t.Fatal(err)
			}
			look() // another document, which refers to no file
			look()
			if statusOf(t, app, get("/v1/things/7")) != 200 {
				t.Fatal("the first document is not in force")
			}
			if err := c.change(file); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, c.written, c.written); err != nil {
				t.Fatal(err)
			}
			look()
			if statusOf(t, app, get("/v1/stuffs/7")) != 200 {
				t.Error("the changed document is not in force")
			}
			if n := references(app); n != 1 {
				t.Errorf("%d references to what is in force", n)
			}
		})
	}
}

func TestFileThatAWatchedDocumentRefersToIsWatchedToo(t *testing.T) {
	app, look, _, part := watchedApp(t)
	if statusOf(t, app, put("/v1/things/7", `{"n":1}`)) != 200 || statusOf(t, app, put("/v1/things/7", `{"n":"a"}`)) != 400 {
		t.Fatal("the first one is not in force")
	}
	rewrite(t, part, `{"type":"string"}`)
	look()
	if statusOf(t, app, put("/v1/things/7", `{"n":1}`)) != 400 || statusOf(t, app, put("/v1/things/7", `{"n":"a"}`)) != 200 {
		t.Error("the changed one is not in force")
	}
}

func TestBrokenWatchedDocumentKeepsTheOneBeforeItAndSaysSo(t *testing.T) {
	app, look, file, _ := watchedApp(t)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := app.now.Load()
	for name, broken := range map[string]struct {
		breaks func()
		why    string
	}{
		"cut short":           {func() { rewrite(t, file, smallDocument[:60]) }, "unexpected"},
		"gone":                {func() { _ = os.Remove(file) }, "no such file"},
		"with a long mistake": {func() { rewrite(t, file, strings.Repeat("é ", 2000)) }, ""},
	} {
		broken.breaks()
		look()
		if app.now.Load() != before || statusOf(t, app, get("/v1/things/7")) != 200 {
			t.Errorf("%s: the document before it is not in force", name)
		}
		gaps := app.shared.inventory.Health().Gaps
		if len(gaps) != 1 || gaps[0].Kind != inventory.GapDocument || !strings.Contains(gaps[0].Detail, filepath.Base(file)) ||
			!strings.Contains(gaps[0].Detail, broken.why) || len(gaps[0].Detail) > 700 || strings.Contains(gaps[0].Detail, "\n") || !utf8.ValidString(gaps[0].Detail) {
			t.Errorf("%s: the gaps are %+v", name, gaps)
		}
		if n := references(app); n != 1 {
			t.Errorf("%s: %d references to the document in force", name, n)
		}
	}
	rewrite(t, file, string(good))
	look()
	if gaps := app.shared.inventory.Health().Gaps; len(gaps) != 0 {
		t.Errorf("mended, and the gaps are %+v", gaps)
	}
}

func TestADefectThatADocumentMeetsWhileCaddyRunsIsAnErrorNotAnEnd(t *testing.T) {
	app, look, file, _ := watchedApp(t)
	before, apis := app.now.Load(), app.API
	app.API = append(slices.Clone(apis), nil) // nothing that a file of configuration can bring
	rewrite(t, file, strings.Replace(smallDocument, "/things/", "/stuff/", 1))
	look()
	if app.now.Load() != before || statusOf(t, app, get("/v1/things/7")) != 200 {
		t.Error("the document before it is not in force")
	}
	if gaps := app.shared.inventory.Health().Gaps; len(gaps) != 1 || gaps[0].Kind != inventory.GapDocument {
		t.Errorf("the gaps are %+v", gaps)
	}
	if n := references(app); n != 1 {
		t.Errorf("%d references to the document in force", n)
	}
	app.API = apis
	rewrite(t, file, strings.Replace(smallDocument, "/things/", "/others/", 1))
	look()
	if statusOf(t, app, get("/v1/others/7")) != 200 {
		t.Error("the next document is not in force")
	}
}

func TestWatchingEndsWithItsConfiguration(t *testing.T) {
	config := smallApp(t)
	config.Watch = true
	app := mustProvision(t, config)
	done := app.watching.done
	select {
	case <-done:
		t.Fatal("it ended before")
	default:
	}
	if err := app.Cleanup(); err != nil { // waits for it: Caddy cancels no context that would end it
		t.Fatal(err)
	}
	select {
	case <-done:
	default:
		t.Error("it goes on")
	}
}

func TestWatchLooksAtEveryTick(t *testing.T) {
	config := smallApp(t)
	app := mustProvision(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	ticks, done := make(chan time.Time), make(chan struct{})
	go func() {
		defer close(done)
		watch(ctx, app, ticks)
	}()
	before := app.now.Load()
	ticks <- time.Time{}
	rewrite(t, config.API[0].Version[0].Spec[0], smallDocument+" ")
	ticks <- time.Time{}
	ticks <- time.Time{} // taken only when the look before it is over
	if app.now.Load() == before {
		t.Error("the changed document is not in force")
	}
	cancel()
	<-done
}
