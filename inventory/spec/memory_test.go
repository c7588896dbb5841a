package spec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADocumentByURLIsWhole(t *testing.T) {
	const name = "https://docs.example.com/v1/orders.yaml?ref=a/b"
	for ref, want := range map[string]string{
		"https://other.example.com/part.yaml": "https://other.example.com/part.yaml",
		"part.yaml":                           "part.yaml",
		"/etc/passwd":                         "/etc/passwd",
		"../part.yaml#/a":                     "../part.yaml",
	} {
		text := "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /a: {$ref: '" + ref + "'}\n"
		_, err := Load(name, []byte(text), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "bundle it") {
			t.Errorf("%s: %v", ref, err)
		}
		schema := "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {}\ncomponents: {schemas: {A: {$anchor: a, $ref: '" + ref + "'}}}\n"
		if _, err := Load(name, []byte(schema), Options{}); err == nil || !strings.Contains(err.Error(), "bundle it") {
			t.Errorf("%s in a schema: %v", ref, err)
		}
	}
	own := "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /a: {get: {responses: {'200': {$ref: 'orders.yaml#/components/responses/ok'}}}}\ncomponents: {responses: {ok: {description: ok}}}\n"
	if d, err := Load(name, []byte(own), Options{}); err != nil || len(d.Operations) != 1 {
		t.Errorf("one that names itself: %v", err)
	}
}

func TestTheSourceOfADocumentIsWhatWasLoaded(t *testing.T) {
	text := []byte(minimal)
	memory, err := Load("https://docs.example.com/orders?ref=v1", text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := memory.Source(Options{}); !ok || string(got) != minimal {
		t.Errorf("from memory: %q, %v", got, ok)
	}
	if !memory.Unchanged(Options{}) || memory.Unchanged(Options{MaxBytes: int64(len(text)) - 1}) {
		t.Error("one from memory changes with the limit alone")
	}
	file := filepath.Join(write(t, map[string]string{"orders.yaml": minimal}), "orders.yaml")
	fromFile, err := LoadFile(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := fromFile.Source(Options{}); !ok || string(got) != minimal || fromFile.Text != nil {
		t.Errorf("from a file: %q, %v", got, ok)
	}
	if err := os.WriteFile(file, append(text, '#'), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, ok := fromFile.Source(Options{}); ok {
		t.Errorf("from a file that was written since: %q", got)
	}
	if memory.Base() != "orders" || fromFile.Base() != "orders.yaml" || memory.JSON {
		t.Errorf("%s, %s, JSON: %v", memory.Base(), fromFile.Base(), memory.JSON)
	}
}
