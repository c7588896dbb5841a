package spec

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const referring = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"responses":{"200":{
"description":"ok","content":{"application/json":{"schema":{"$ref":"parts/a.json"}}}}}}}}}`

// referringFile is a document in a folder of the test's own that refers to
// parts/a.json.
func referringFile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "parts", "a.json"), `{"type":"integer"}`)
	file := filepath.Join(dir, "api.json")
	put(t, file, referring)
	return file
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDocumentIsUnchangedAsLongAsItsFilesHaveTheSameBytes(t *testing.T) {
	for _, c := range []struct {
		name      string
		change    func(t *testing.T, file, part string)
		unchanged bool
	}{
		{"nothing was done", func(*testing.T, string, string) {}, true},
		{"both were written again as they are", func(t *testing.T, file, part string) {
			put(t, file, referring)
			put(t, part, `{"type":"integer"}`)
		}, true},
		{"the file has a byte more", func(t *testing.T, file, _ string) { put(t, file, referring+" ") }, false},
		{"what it refers to is another", func(t *testing.T, _, part string) { put(t, part, `{"type":"string"}`) }, false},
		{"what it refers to is gone", func(t *testing.T, _, part string) { _ = os.Remove(part) }, false},
		{"the file is gone", func(t *testing.T, file, _ string) { _ = os.Remove(file) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := referringFile(t)
			doc, err := LoadFile(file, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(doc.References, []string{"parts/a.json"}) {
				t.Fatalf("it refers to %q", doc.References)
			}
			c.change(t, file, filepath.Join(filepath.Dir(file), "parts", "a.json"))
			if got := doc.Unchanged(Options{}); got != c.unchanged {
				t.Errorf("unchanged: %v", got)
			}
		})
	}
}
