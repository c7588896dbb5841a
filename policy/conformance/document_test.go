package conformance

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

func TestEveryOperationOfRealDocumentsCompiles(t *testing.T) {
	for _, name := range []string{"box/v2024.0.json", "box/v2025.0.json", "box/v2026.0.json", "vampi/openapi3.yml"} {
		operations := 0
		for _, o := range operationsOf(t, filepath.Join("specs", name)) {
			operations++
			if p := o.Problems(); len(p) > 0 {
				t.Errorf("%s: %s %s: %q", name, o.op.Method, o.op.Template, p)
			}
		}
		if operations == 0 {
			t.Errorf("%s: no operations", name)
		}
	}
}

// operationsOf makes the operations of a document that stands beside the
// repository.
func operationsOf(t testing.TB, name string) []*Operation {
	t.Helper()
	text, err := os.ReadFile(shared(t, name))
	if err != nil {
		t.Fatal(err)
	}
	d, err := load(text)
	if err != nil {
		t.Fatal(err)
	}
	var list []*Operation
	for template, item := range d.Root.Paths.Map() {
		for method, op := range item.Operations() {
			list = append(list, New(&spec.Operation{
				Document: d, Method: method, Template: template, Path: item, Op: op,
			}, templateParams(template), Config{}))
		}
	}
	return list
}
