package catalogue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// sharedSpec loads one of the real documents that stand beside the repository.
func sharedSpec(t testing.TB, name string) *spec.Document {
	t.Helper()
	root := os.Getenv("API_GUARD_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			if dir == filepath.Dir(dir) {
				t.Skip("the real documents are not here: no go.mod above the package; set API_GUARD_SHARED")
			}
			dir = filepath.Dir(dir)
		}
		root = filepath.Join(dir, "..", "shared")
	}
	path := filepath.Join(root, "specs", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the real documents are not here (%v); set API_GUARD_SHARED to their folder", err)
	}
	doc, err := spec.LoadFile(path, spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// pathFor makes a path that a template covers, with values that no literal of
// the real documents has.
func pathFor(template string) string {
	if i := strings.IndexAny(template, "#?"); i >= 0 {
		template = template[:i]
	}
	var b strings.Builder
	for template != "" {
		open := strings.IndexByte(template, '{')
		if open < 0 {
			b.WriteString(template)
			break
		}
		b.WriteString(template[:open])
		b.WriteString("zz9")
		template = template[open+strings.IndexByte(template[open:], '}')+1:]
	}
	return b.String()
}

// matchAll matches each operation of a document by a path of its own template
// and returns how many were matched to another operation.
func matchAll(t *testing.T, c *Catalogue, v *Version, doc *spec.Document, host, base string, header map[string][]string) (others int) {
	t.Helper()
	for _, op := range doc.Operations {
		at := base
		if base == "*" {
			at = op.Servers[0].Base
			host = op.Servers[0].Host
		}
		q := Query{Host: host, Method: op.Method, Path: at + pathFor(op.Template), Header: header}
		var m Match
		c.Match(&q, &m)
		if m.Outcome != Found || m.Version != v {
			t.Errorf("%s %s: outcome %d, version %v", op.Method, q.Path, m.Outcome, m.Version)
			continue
		}
		if m.Route.Operation == op {
			continue
		}
		others++
		found := false
		for _, o := range m.Route.Alternatives {
			found = found || o == op
		}
		if !found {
			t.Errorf("%s %s became %s", op.Method, op.Template, m.Route.Operation.Template)
		}
	}
	return others
}

func TestEveryOperationOfGitHubIsMatchedByItsOwnPath(t *testing.T) {
	doc := sharedSpec(t, "github/api.github.com.json")
	v := &Version{Name: "v3", Documents: []*spec.Document{doc}}
	c, err := New(Config{APIs: []*API{{Name: "github", Versions: []*Version{v}}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Operations) != 1223 || len(c.Routes) != 1223 {
		t.Fatalf("%d operations, %d routes; want 1223 of both", len(doc.Operations), len(c.Routes))
	}
	if others := matchAll(t, c, v, doc, "", "*", nil); others != 0 {
		t.Errorf("%d operations were taken for others", others)
	}
	if len(c.Problems) != 0 {
		t.Errorf("problems: %v", c.Problems)
	}
	// Two templates of one shape with different methods are one path item.
	var m Match
	c.Match(&Query{Host: "api.github.com", Method: "PUT", Path: "/orgs/o/attestations/x"}, &m)
	if m.Outcome != NoMethod || m.Allow != "DELETE, GET, HEAD" {
		t.Errorf("outcome %d, Allow %q", m.Outcome, m.Allow)
	}
}

func TestEveryOperationOfVAmPIIsMatchedByItsOwnPath(t *testing.T) {
	doc := sharedSpec(t, "vampi/openapi3.yml")
	v := &Version{Name: "v1", Hosts: []string{"vampi.test"}, Documents: []*spec.Document{doc}}
	c, err := New(Config{APIs: []*API{{Name: "vampi", Versions: []*Version{v}}}})
	if err != nil {
		t.Fatal(err)
	}
	if others := matchAll(t, c, v, doc, "vampi.test", "", nil); others != 0 || len(c.Problems) != 0 {
		t.Errorf("%d taken for others, problems %v", others, c.Problems)
	}
}

func TestEveryOperationOfThreeBoxVersionsOnOneHostIsMatchedByItsHeader(t *testing.T) {
	names := []string{"2024.0", "2025.0", "2026.0"}
	api := &API{Name: "box"}
	for i, name := range names {
		api.Versions = append(api.Versions, &Version{
			Name:      name,
			Hosts:     []string{"box.test"},
			Claims:    []Claim{{Path: "/2.0", Select: &Selector{Kind: SelectHeader, Name: "box-version", Value: name}}},
			Default:   i == 0,
			Documents: []*spec.Document{sharedSpec(t, "box/v"+name+".json")},
		})
	}
	c, err := New(Config{APIs: []*API{api}})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		v := api.Versions[i]
		header := map[string][]string{"Box-Version": {name}}
		others := matchAll(t, c, v, v.Documents[0], "box.test", "/2.0", header)
		if i == 0 {
			// 18 operations of 2024.0 differ from others by a fragment only; of
			// those, some have a method of their own.
			if others == 0 || others != len(c.Problems) {
				t.Errorf("%d operations were taken for their alternatives, %d problems", others, len(c.Problems))
			}
			matchAll(t, c, v, v.Documents[0], "box.test", "/2.0", nil)
			continue
		}
		if others != 0 {
			t.Errorf("%s: %d operations were taken for others", name, others)
		}
	}
	var m Match
	c.Match(&Query{Host: "box.test", Method: "GET", Path: "/2.0/users/me", Header: map[string][]string{"Box-Version": {"2099.0"}}}, &m)
	if m.Outcome != Unclaimed || m.API != api || m.Base != "/2.0" {
		t.Errorf("an unknown version: outcome %d, API %v, base %q", m.Outcome, m.API, m.Base)
	}
}

func TestBoxServesItsOperationsOnTheServersThatOverrideTheDocuments(t *testing.T) {
	doc := sharedSpec(t, "box/v2024.0.json")
	v := &Version{Name: "2024.0", Documents: []*spec.Document{doc}}
	c, err := New(Config{APIs: []*API{{Name: "box", Versions: []*Version{v}}}})
	if err != nil {
		t.Fatal(err)
	}
	matchAll(t, c, v, doc, "", "*", nil)
	for _, tt := range []struct {
		host, method, path string
		want               Outcome
	}{
		{"upload.box.com", "POST", "/api/2.0/files/content", Found},
		{"api.box.com", "POST", "/2.0/files/content", NoMethod}, // GET and others of /files/{file_id}
		{"account.box.com", "GET", "/api/oauth2/authorize", Found},
		{"api.box.com", "GET", "/2.0/authorize", NoRoute},
		{"other.box.com", "GET", "/2.0/users/me", UnknownHost},
	} {
		var m Match
		c.Match(&Query{Host: tt.host, Method: tt.method, Path: tt.path}, &m)
		if m.Outcome != tt.want {
			t.Errorf("%s %s%s: outcome %d, want %d", tt.method, tt.host, tt.path, m.Outcome, tt.want)
		}
	}
}
