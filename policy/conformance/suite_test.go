package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

type suiteGroup struct {
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"`
	Tests       []struct {
		Description string          `json:"description"`
		Data        json.RawMessage `json:"data"`
		Valid       bool            `json:"valid"`
	} `json:"tests"`
}

// rewriter turns a schema of the suite into components of an OpenAPI document:
// a reference to a place within the schema becomes one to a component, since
// OpenAPI resolves `#` against the whole document.
type rewriter struct {
	root       any
	components map[string]any
	names      map[string]string
}

func (w *rewriter) schema(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			ref, isText := value.(string)
			switch {
			case key == "$schema" && isText:
			case key == "$ref" && isText && strings.HasPrefix(ref, "#") && (ref == "#" || ref[1] == '/'):
				out[key] = "#/components/schemas/" + w.component(ref)
			case key == "enum" || key == "const":
				out[key] = value
			default:
				out[key] = w.schema(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = w.schema(value)
		}
		return out
	default:
		return v
	}
}

func (w *rewriter) component(ref string) string {
	if name, ok := w.names[ref]; ok {
		return name
	}
	name := fmt.Sprintf("S%d", len(w.names))
	w.names[ref] = name
	target := w.root
	for _, segment := range strings.Split(ref, "/")[1:] {
		segment = strings.NewReplacer("~1", "/", "~0", "~", "%25", "%", "%22", `"`).Replace(segment)
		switch v := target.(type) {
		case map[string]any:
			target = v[segment]
		case []any:
			var i int
			if _, err := fmt.Sscan(segment, &i); err == nil && i < len(v) {
				target = v[i]
			}
		}
	}
	w.components[name] = w.schema(target)
	return name
}

// runSuite runs a folder of the JSON Schema Test Suite through OpenAPI documents
// of the version. exceptions names "file/group" or "file/group/test".
// It returns how many tests held; it fails for each of the others.
func runSuite(t *testing.T, folder, version string, cfg Config, skip []string, exceptions map[string]string) int {
	files, err := filepath.Glob(filepath.Join(shared(t, "json-schema-test-suite"), folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", folder, err)
	}
	used := map[string]bool{}
	excepted := func(names ...string) bool {
		for _, name := range names {
			if _, ok := exceptions[name]; ok {
				used[name] = true
				return true
			}
		}
		return false
	}
	ran, held, dir := 0, 0, remotes(t)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if slices.Contains(skip, name) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var groups []suiteGroup
		if err := json.Unmarshal(text, &groups); err != nil {
			t.Fatal(err)
		}
		for _, g := range groups {
			group := name + "/" + g.Description
			if excepted(group) {
				continue
			}
			o, err := suiteOperation(g.Schema, version, dir, cfg)
			if err != nil {
				t.Errorf("%s: %v", group, err)
				continue
			}
			for _, test := range g.Tests {
				ran++
				p := o.Body(jsonHeader, true)
				r := p.Check(test.Data)
				if p.media.schema.err != nil {
					t.Errorf("%s: %v", group, p.media.schema.err)
					break
				}
				if (r.Reason == OK) == test.Valid {
					held++
				} else if !excepted(group + "/" + test.Description) {
					t.Errorf("%s/%s: got %+v, want valid %v", group, test.Description, r, test.Valid)
				}
				if r.Reason == Invalid && len(r.Errors) == 0 {
					t.Errorf("%s/%s: refused without an error", group, test.Description)
				}
				if general := generalVerdict(t, o, test.Data); general != (r.Reason == OK) {
					t.Errorf("%s/%s: the engines disagree: program %v, general %v", group, test.Description, r.Reason == OK, general)
				}
			}
		}
	}
	for name := range exceptions {
		if !used[name] {
			t.Errorf("the exception %q is not needed", name)
		}
	}
	t.Logf("%d of %d tests hold", held, ran)
	return held
}

// fataler is what tests and drawn properties have in common.
type fataler interface{ Fatalf(string, ...any) }

// generalVerdict judges a JSON body by the general engine alone.
func generalVerdict(t fataler, o *Operation, body []byte) bool {
	l := o.library()
	l.mu.Lock()
	s, err := l.general(l.root(o.body.entries[0].entry.Schema))
	l.mu.Unlock()
	if err != nil {
		t.Fatalf("compiling for the general engine: %v", err)
	}
	r := newRun()
	defer r.release()
	if f := r.t.read(body); f != noFault {
		return false
	}
	return r.holds(s, 0)
}

func suiteOperation(schema json.RawMessage, version, dir string, cfg Config) (*Operation, error) {
	w := rewriter{components: map[string]any{}, names: map[string]string{}}
	text := []byte(schema)
	whole := version != "3.0.3" && namesSchemas.Match(schema)
	if whole {
		text = local(text)
	}
	if err := json.Unmarshal(text, &w.root); err != nil {
		return nil, err
	}
	body := w.root
	if m, ok := body.(map[string]any); ok && whole {
		if m["$id"] == nil {
			m["$id"] = "schema.json"
		}
	} else {
		body = w.schema(w.root)
	}
	text, err := json.Marshal(map[string]any{
		"openapi": version, "info": map[string]any{"title": "t", "version": "1"},
		"components": map[string]any{"schemas": w.components},
		"paths": map[string]any{"/": map[string]any{"post": map[string]any{
			"requestBody": map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": body}}},
			"responses":   map[string]any{"200": map[string]any{"description": "ok"}},
		}}},
	})
	if err != nil {
		return nil, err
	}
	d, err := spec.Load("openapi.json", text, spec.Options{Dir: dir})
	if err != nil {
		return nil, fmt.Errorf("loading: %w", err)
	}
	return New(specOperation(d, "/"), nil, cfg), nil
}

// namesSchemas finds schemas that the suite's document has as they are: with an
// `$id`, they are resources of their own, whatever document they stand in.
var namesSchemas = regexp.MustCompile(`"\$(id|anchor|dynamicRef|dynamicAnchor)"|"\$schema": *"http:|"\$ref": *"[^#]`)

// local makes the suite's server the folder of the document, since nothing is
// read from elsewhere.
func local(text []byte) []byte {
	return bytes.ReplaceAll(text, []byte("http://localhost:1234/"), []byte("/"))
}

// remotes is a folder with the documents that the suite's server has.
func remotes(t *testing.T) string {
	t.Helper()
	to, from := t.TempDir(), filepath.Join(shared(t, "json-schema-test-suite"), "remotes")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(to, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, local(text), 0o644)
	}); err != nil {
		t.Fatal(err)
	}
	return to
}

// whole202012 is how many tests the suite requires of draft 2020-12.
const whole202012 = 1299

func TestOfficialSuiteOf202012HoldsInOpenAPI31(t *testing.T) {
	if held := runSuite(t, "draft2020-12", "3.1.0", Config{}, nil, exceptions(excepted202012)); held != whole202012-10 {
		t.Errorf("%d tests hold, want %d", held, whole202012-10)
	}
}

func TestOfficialSuiteOf202012HoldsWholeWithFormatsAsAnnotations(t *testing.T) {
	off := map[string]string{}
	for _, name := range (*Formats)(nil).names() {
		off[name] = FormatOff
	}
	formats, err := NewFormats(off)
	if err != nil {
		t.Fatal(err)
	}
	if held := runSuite(t, "draft2020-12", "3.1.0", Config{Formats: formats}, nil, nil); held != whole202012 {
		t.Errorf("%d tests hold, want %d", held, whole202012)
	}
}

func TestOfficialSuiteOfDraft4HoldsInOpenAPI30WhereTheDialectsMeet(t *testing.T) {
	runSuite(t, "draft4", "3.0.3", Config{}, skippedDraft4, exceptions(exceptedDraft4))
}

func TestOfficialSuiteOfFormatsHoldsForTheAssertedFormats(t *testing.T) {
	runSuite(t, "draft2020-12/optional/format", "3.1.0", Config{}, skippedFormats, exceptions(exceptedFormats))
}

func TestOfficialSuiteOfECMA262PatternsHolds(t *testing.T) {
	runSuite(t, "draft2020-12/optional", "3.1.0", Config{}, skippedOptional, nil)
}
