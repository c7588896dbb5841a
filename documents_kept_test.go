package apiguard

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/inventory/spec/remote"
)

// nowhere is a URL that nobody answers.
const nowhere = "https://127.0.0.1:1/specs/things.json"

// pinNowhere puts a version's document at a URL that nobody answers, with a copy in a
// data directory of the test's own.
func pinNowhere(t testing.TB, v *Version) {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	text, err := os.ReadFile(v.Spec[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	store := remote.Store{Dir: copiesDir()}
	if err := store.Keep(sum, text, time.Now()); err != nil {
		t.Fatal(err)
	}
	v.Spec[0] = nowhere + " sha256:" + hex.EncodeToString(sum[:])
}

// keptApp is smallApp with such a document.
func keptApp(t *testing.T, text string) *App {
	t.Helper()
	config := smallApp(t)
	config.API[0].UnknownRoute = "enforce"
	config.API[0].Version[0].Spec[0] = writeDocument(t, text)
	pinNowhere(t, config.API[0].Version[0])
	return config
}

func TestADocumentByURLIsSharedOverAReloadThatHasNeitherHostNorCopy(t *testing.T) {
	config := keptApp(t, smallDocument)
	before := mustProvision(t, config)
	if d := documentOf(before); d.Name != nowhere || statusOf(t, before, get("/v1/things/7")) != 200 || statusOf(t, before, get("/v1/stuff/7")) != 404 {
		t.Fatalf("%s is not in force", d.Name)
	}
	if err := os.RemoveAll(copiesDir()); err != nil {
		t.Fatal(err)
	}
	after := mustProvision(t, config)
	if documentOf(after) != documentOf(before) || references(after) != 2 {
		t.Errorf("it was parsed again; %d references", references(after))
	}
	if text, err := os.ReadFile(copiesDir() + "/" + hex.EncodeToString(documentOf(after).Hash[:])); err != nil || string(text) != smallDocument {
		t.Errorf("the start did not keep a copy again: %v", err)
	}
	other := copyOf(t, config)
	other.API[0].Version[0].Spec[0] = nowhere + " sha256:" + strings.Repeat("0", 64)
	if _, err := provision(t, other); err == nil || !strings.Contains(err.Error(), "no copy") || references(after) != 2 {
		t.Errorf("what runs was taken for another hash: %v", err)
	}
}

func TestALowerMaxDocumentIsAskedOfWhatRunsToo(t *testing.T) {
	large := smallDocument + strings.Repeat(" ", 1<<10)
	byURL := keptApp(t, large)
	byFile := smallApp(t)
	byFile.API[0].Version[0].Spec = []string{writeDocument(t, large)}
	for name, config := range map[string]*App{"by URL": byURL, "a file": byFile} {
		running := mustProvision(t, config)
		lower := copyOf(t, config)
		lower.MaxDocument = 1 << 10
		if _, err := provision(t, lower); err == nil || !strings.Contains(err.Error(), "max_document") || !strings.Contains(err.Error(), "1024 bytes") {
			t.Errorf("%s: %v", name, err)
		}
		lower.MaxDocument = Size(len(large))
		if documentOf(mustProvision(t, lower)) != documentOf(running) {
			t.Errorf("%s: one that fits was parsed again", name)
		}
	}
}

func TestATokenInAURLIsShownAsItsPlaceholder(t *testing.T) {
	config := keptApp(t, smallDocument)
	t.Setenv("TOKEN", "s3cret-token")
	v := config.API[0].Version[0]
	v.Spec[0] = strings.Replace(v.Spec[0], "things.json ", "things.json?token={env.TOKEN} ", 1)
	app := mustProvision(t, config)
	if name := documentOf(app).Name; name != nowhere+"?token={env.TOKEN}" || references(app) != 1 {
		t.Errorf("it is called %s; %d references", name, references(app))
	}
}

func TestNoFolderForCopiesStopsNoStart(t *testing.T) {
	config := keptApp(t, smallDocument)
	mustProvision(t, config)
	if err := os.RemoveAll(copiesDir()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copiesDir(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if app := mustProvision(t, config); statusOf(t, app, get("/v1/things/7")) != 200 {
		t.Error("it is not in force")
	}
}

func TestWatchReadsFilesBesideADocumentByURLAndFetchesNothing(t *testing.T) {
	config := keptApp(t, strings.Replace(smallDocument, "Thing\"", "Other\"", 2))
	v := config.API[0].Version[0]
	file := writeDocument(t, strings.ReplaceAll(smallDocument, "/things/", "/stuff/"))
	v.Spec = append(v.Spec, file)
	app := mustProvision(t, config)
	if err := os.RemoveAll(copiesDir()); err != nil {
		t.Fatal(err)
	}
	seen := watched{app: app, now: func() time.Time { return lookedAt }}
	seen.look()
	before, stamps := documentOf(app), map[string]stamp{}
	if stampFiles(before, stamps); len(stamps) != 0 {
		t.Errorf("it looks for files of a URL: %v", stamps)
	}
	rewrite(t, file, strings.ReplaceAll(smallDocument, "/things/", "/goods/"))
	seen.look()
	if statusOf(t, app, get("/v1/goods/7")) != 200 || statusOf(t, app, get("/v1/stuff/7")) != 404 || statusOf(t, app, get("/v1/things/7")) != 200 {
		t.Error("the changed file is not in force")
	}
	if documentOf(app) != before || references(app) != 1 {
		t.Errorf("the document by URL was read again; %d references", references(app))
	}
}

func TestADocumentIsServedAsWhatItIs(t *testing.T) {
	for _, tt := range []struct {
		name string
		json bool
		want string
	}{
		{"specs/a.json", true, "application/json"},
		{"specs/a.YML", true, "application/yaml"}, // of YAML's flow form
		{"https://a.example/openapi?as=x.yaml", true, "application/json"},
		{"https://a.example/openapi", false, "application/yaml"},
		{"https://a.example/a.json?ref=v1", true, "application/json"},
	} {
		if got := mediaTypeOf(&spec.Document{Name: tt.name, JSON: tt.json}); got != tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}
