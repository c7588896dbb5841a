package spec

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// sharedPath is where a real document stands beside the repository.
func sharedPath(t testing.TB, name string) string {
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
	return path
}

// write makes files in a fresh folder and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const minimal = "openapi: 3.0.3\ninfo: {title: T, version: '7'}\npaths:\n  /a:\n    get: {operationId: readA, responses: {'200': {description: ok}}}\n"

func TestADocumentIsReadFromYAMLAndJSON(t *testing.T) {
	json := `{"openapi":"3.1.0","info":{"title":"T","version":"7"},"paths":{"/a":{"get":{"operationId":"readA","responses":{"200":{"description":"ok"}}}}}}`
	for name, text := range map[string]string{"d.yaml": minimal, "d.json": json} {
		doc, err := LoadFile(filepath.Join(write(t, map[string]string{name: text}), name), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if doc.Title != "T" || doc.Version != "7" || len(doc.Operations) != 1 || len(doc.Problems) != 0 {
			t.Errorf("%s: %+v", name, doc)
		}
		op := doc.Operations[0]
		if op.ID != "readA" || op.Method != "GET" || op.Template != "/a" || op.Document != doc || op.Op == nil || op.Path == nil {
			t.Errorf("%s: %+v", name, op)
		}
		if len(op.Servers) != 1 || op.Servers[0] != (Server{}) {
			t.Errorf("%s: servers %v; want the one that the specification assumes", name, op.Servers)
		}
		if doc.Hash != sha256.Sum256([]byte(text)) {
			t.Errorf("%s: the hash of a single file is not its SHA-256", name)
		}
	}
}

func TestWhatIsNoDocumentSaysSo(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"empty":              {"", "empty"},
		"white space":        {" \n\t\n", "empty"},
		"swagger":            {"swagger: '2.0'\ninfo: {title: T, version: '1'}\npaths: {}\n", "convert it to OpenAPI 3"},
		"swagger with refs":  {"swagger: '2.0'\npaths: {/a: {get: {responses: {'200': {schema: {$ref: '#/definitions/A'}}}, parameters: [{in: body, name: b, schema: {$ref: '#/definitions/A'}}]}}}\n", "Swagger"},
		"swagger in JSON":    {`{"swagger":"2.0","paths":{"/a":{"get":{"parameters":[{"$ref":"#/parameters/x"}]}}}}`, "convert it"},
		"another YAML":       {"services:\n  web:\n    image: x\n", `no "openapi" field`},
		"a list":             {"- a\n- b\n", "YAML"},
		"a scalar":           {"hello", "YAML"},
		"an unquoted number": {"openapi: 3.1\ninfo: {title: T, version: '1'}\npaths: {}\n", "in quotes"},
		"a later version":    {"openapi: 4.0.0\ninfo: {title: T, version: '1'}\npaths: {}\n", "3.0, 3.1 and 3.2"},
		"broken JSON":        {"{\n  \"openapi\": \"3.0.0\",\n  \"paths\": {\"a\": ]}\n", "line 3"},
		"broken YAML":        {"openapi: 3.0.0\n  x: [\n", "YAML"},
		"an alias bomb":      {bomb, ""},
		"binary":             {"\x00\x01\x02\xff\xfe", ""},
		"a missing component beside the document's own name": {"openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths: {/a: {get: {parameters: [{$ref: 'x.yaml#/components/parameters/P'}, {$ref: '#/components/parameters/No'}]}}}\ncomponents: {parameters: {P: {name: p, in: query, schema: {type: string}}}}\n", "No"},
		"a page":                {"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "it is HTML or XML"},
		"a page behind a mark":  {"\ufeff  <html>", "it is HTML or XML"},
		"a pointer of Git LFS":  {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"},
		"a missing schema":      {"openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths: {/a: {get: {responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/No'}}}}}}}}\n", `"#/components/schemas/No" (line 3) leads to nothing`},
		"what another kind has": {"openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths: {/a: {get: {parameters: [{$ref: '#/parameters/No'}]}}}\n", `"#/parameters/No" (line 3) leads to nothing`},
		"a missing component":   {"openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths: {/a: {get: {parameters: [{$ref: '#/components/parameters/No'}]}}}\n", "No"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load("specs/x.yaml", []byte(tt.text), Options{})
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), `"specs/x.yaml"`) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error %q names not the file or %q", err, tt.want)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestWhatIsNoFileSaysSo(t *testing.T) {
	dir := write(t, map[string]string{"d.yaml": minimal})
	if _, err := LoadFile(filepath.Join(dir, "no.yaml"), Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := LoadFile(dir, Options{}); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := LoadFile(os.DevNull, Options{}); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("a device: %v", err)
	}
}

// A reference to a file that is not there says which, and where it is looked for.
func TestAMissingReferenceSaysWhereItIsLookedFor(t *testing.T) {
	dir := write(t, map[string]string{"d.yaml": "openapi: 3.0.3\ninfo: {title: T, version: '1'}\npaths:\n  /a: {$ref: 'other.yaml'}\n"})
	_, err := LoadFile(filepath.Join(dir, "d.yaml"), Options{})
	if err == nil || !strings.Contains(err.Error(), `reading the referenced file "other.yaml": there is none in the document's folder`) {
		t.Errorf("a reference to a file that is not there: %v", err)
	}
}

func TestTheSizeIsLimitedWithAllReferences(t *testing.T) {
	main := "openapi: 3.0.3\ninfo: {title: T, version: '1'}\npaths:\n  /a: {$ref: 'a.yaml'}\n"
	other := "get: {responses: {'200': {description: ok}}}\n"
	path := filepath.Join(write(t, map[string]string{"d.yaml": main, "a.yaml": other}), "d.yaml")
	if _, err := LoadFile(path, Options{MaxBytes: int64(len(main) + len(other))}); err != nil {
		t.Errorf("just within: %v", err)
	}
	for _, limit := range []int{len(main) + len(other) - 1, len(main) - 1} {
		if _, err := LoadFile(path, Options{MaxBytes: int64(limit)}); err == nil || !strings.Contains(err.Error(), fmt.Sprint(limit)) {
			t.Errorf("%d bytes: %v", limit, err)
		}
	}
}

func TestReferencesStayInTheDocumentsFolder(t *testing.T) {
	main := func(ref string) string {
		return "openapi: 3.0.3\ninfo: {title: T, version: '1'}\npaths:\n  /a: {$ref: '" + ref + "'}\n"
	}
	item := "get: {operationId: a, responses: {'200': {description: ok}}}\n"
	dir := write(t, map[string]string{
		"specs/good.yaml": main("paths/a.yaml"), "specs/paths/a.yaml": item, "outside.yaml": item,
		"specs/up.yaml": main("../outside.yaml"), "specs/sneaky.yaml": main("paths/../../outside.yaml"), "specs/link.yaml": main("link-out.yaml"),
		"specs/web.yaml": main("http://127.0.0.1:1/a.yaml"), "specs/scheme.yaml": main("file:///etc/hostname"), "specs/folder.yaml": main("paths"),
		"specs/gone.yaml": main("gone-away.yaml"),
	})
	if err := os.WriteFile(filepath.Join(dir, "specs/abs.yaml"), []byte(main(filepath.Join(dir, "outside.yaml"))), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../outside.yaml", filepath.Join(dir, "specs/link-out.yaml")); err != nil {
		t.Fatal(err)
	}
	doc, err := LoadFile(filepath.Join(dir, "specs/good.yaml"), Options{})
	if err != nil || len(doc.Operations) != 1 {
		t.Fatalf("a reference inside the folder: %v", err)
	}
	for _, name := range []string{"up", "sneaky", "link", "web", "scheme", "abs", "folder", "gone"} {
		_, err := LoadFile(filepath.Join(dir, "specs", name+".yaml"), Options{})
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if !strings.Contains(err.Error(), name+".yaml") {
			t.Errorf("%s: the error %q does not name the file", name, err)
		}
	}
	if _, err := Load("specs/good.yaml", []byte(main("paths/a.yaml")), Options{}); err == nil || !strings.Contains(err.Error(), "bundle") {
		t.Errorf("a reference from memory: %v", err)
	}
	before := doc.Hash
	if err := os.WriteFile(filepath.Join(dir, "specs/paths/a.yaml"), []byte(item+"# changed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if doc, err = LoadFile(filepath.Join(dir, "specs/good.yaml"), Options{}); err != nil || doc.Hash == before {
		t.Errorf("a change of a referenced file does not change the hash (%v)", err)
	}
}

func TestABrokenOperationDegradesAlone(t *testing.T) {
	doc, err := Load("d.yaml", []byte(`openapi: 3.2.0
info: {title: T, version: '1'}
servers: [{url: 'https://h/{broken/v1'}, {url: 'https://h/v1'}]
paths:
  /good/{id}: {get: {}, query: {}, additionalOperations: {COPY: {}, 'BAD METHOD': {}}}
  /twice/{id}/{id}: {get: {}}
  noslash: {get: {}}
  /open/{id: {get: {}}
  /files/{path}:
    parameters: [{name: path, in: path, required: true, schema: {type: string}, x-multi-segment: true}]
    get: {}
    put: {parameters: [{name: path, in: path, required: true, schema: {type: string}}]}
  /own: {servers: [{url: /item}], get: {servers: [{url: 'https://up.h/api/'}]}, put: {}, post: {deprecated: true, servers: [{url: 'https://a@b/'}]}}
  /null:
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var operations []string
	for _, op := range doc.Operations {
		operations = append(operations, fmt.Sprintf("%s %s %v %v %v", op.Method, op.Template, op.MultiSegment, op.Servers, op.Deprecated))
	}
	want := []string{
		"GET /files/{path} [path] [{h /v1}] false",
		"PUT /files/{path} [] [{h /v1}] false",
		"COPY /good/{id} [] [{h /v1}] false",
		"GET /good/{id} [] [{h /v1}] false",
		"QUERY /good/{id} [] [{h /v1}] false",
		"GET /own [] [{up.h /api}] false",
		"POST /own [] [{ /item}] true",
		"PUT /own [] [{ /item}] false",
	}
	if strings.Join(operations, "\n") != strings.Join(want, "\n") {
		t.Errorf("operations:\n%s\nwant:\n%s", strings.Join(operations, "\n"), strings.Join(want, "\n"))
	}
	var where []string
	for _, p := range doc.Problems {
		where = append(where, p.Where)
	}
	wantWhere := "/servers/0,BAD METHOD /good/{id},/paths/~1open~1{id,/paths/~1own/post/servers/0,/paths/~1twice~1{id}~1{id},/paths/noslash"
	if strings.Join(where, ",") != wantWhere {
		t.Errorf("problems %q, want %q", where, wantWhere)
	}
}

func TestTheRealDocumentsLoadWithoutProblems(t *testing.T) {
	for name, operations := range map[string]int{
		"box/v2024.0.json": 296, "box/v2025.0.json": 37, "box/v2026.0.json": 3, "vampi/openapi3.yml": 14, "github/api.github.com.json": 1223,
	} {
		doc, err := LoadFile(sharedPath(t, name), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(doc.Operations) != operations || len(doc.Problems) != 0 {
			t.Errorf("%s: %d operations, problems %v", name, len(doc.Operations), doc.Problems)
		}
	}
}

// Whatever a document has in it: it is read or an error that says something, and what is
// made of it is whole: hosts as requests are compared with them, and paths that can be
// cut into segments.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{
		minimal,
		"swagger: '2.0'",
		"openapi: 3.0.0\npaths: {/a: {$ref: '../../etc/passwd'}}",
		"openapi: 3.1.0\ninfo: &i {title: t, version: '1', x-sunset: 2027-03-31}\nx-i: {<<: *i, x-a: *i}\npaths: {/a: {get: {x-sunset: 2027-03-31T14:00Z, security: [{}]}}}",
		"openapi: 3.1\npaths:\n  /a: {get: {parameters: 5}}",
		`{"openapi":"3.1.0","paths":{"/{a}":{"get":{}}},"servers":[{"url":"https://{h}.x/{b}","variables":{"h":{"enum":["a","b"]}}}]}`,
		`{"openapi":"3.1.0","paths":{},"servers":[{"url":"https://{#}x"}]}`,
		`{"openapi":"3.0.3","paths":{"/{a}/b":{"servers":[{"url":"{s}/v1","variables":{"s":{"default":"https://h:{p}"}}},{"url":"./v1"},null],"get":{"servers":[{"url":"//[::1]:80/{a}-{b}","variables":{"a":{"default":"x"},"b":{"default":"%41"}}}]}}}}`,
		`{"openapi":"3.1.0","paths":{"/{p}/x":{"parameters":[{"name":"p","in":"path","x-multi-segment":true}],"get":{"x-api-guard-upgrade":["websocket","TLS/1.3"],"x-sunset":"2027-03-31","x-deprecated":1},"additionalOperations":{"COPY":{}}},"/{a}{b}":{"get":{}},"/%7e#f":{"query":{}}}}`,
		`{"openapi":"3.1.0","security":[{"k":[]}],"paths":{"/a":{"get":{"security":[{"k":[],"x":[]},{}]}}},"components":{"securitySchemes":{"k":{"type":"apiKey","in":"body"},"x":{"type":"http"}}}}`,
		`{"openapi":"3.1.0","paths":{},"components":{"schemas":{"A":{"$id":"a","$dynamicAnchor":"n","items":{"$dynamicRef":"#n"},"allOf":[{"$ref":"#/components/schemas/B/not"},{"$ref":"a#n"}]},"B":{"not":{"const":null}}}}}`,
		`{"openapi":"3.1.0","paths":{},"components":{"schemas":{"A":{"$anchor":"a","$schema":"m.json","properties":{"p":{"$ref":"#/components/schemas/A/properties/p"},"q~/":{"$ref":"#a"}},"$defs":{"d":{"$id":"https://h/d","$ref":"other#/0"}},"prefixItems":[true,{"enum":[1],"const":null}]}}}}`,
		`{"openapi":"3.1.0","paths":{"/a":{"$ref":"#/components/pathItems/P"}},"components":{"pathItems":{"P":{"post":{"callbacks":{"c":{"{$request.body#/u}":{"$ref":"#/components/pathItems/P"}}},"responses":{"2XX":{"$ref":"#/components/responses/R"}}}}},"responses":{"R":{"description":"","headers":{"H":{"$ref":"#/components/headers/H"}},"links":{"L":{"operationRef":"#/paths/~1a/post"}},"content":{"a/b":{"schema":{"$ref":"#/components/schemas/S"},"encoding":{"e":{"headers":null}}}}}},"headers":{"H":{"schema":{"type":["string","null"]}}},"schemas":{"S":{"discriminator":{"propertyName":"t","mapping":{"x":"#/components/schemas/S"}},"oneOf":[{"$ref":"#/components/schemas/S","description":"d"}]}}}}`,
		`{"openapi":"3.0.3","paths":{"/a":{"get":{"parameters":[{"$ref":"#/components/parameters/a"}]}}},"components":{"parameters":{"a":{"$ref":"#/components/parameters/b"},"b":{"$ref":"#/components/parameters/a"}}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := Load("f", data, Options{MaxBytes: 1 << 16})
		if err != nil {
			if text, ok := strings.CutPrefix(err.Error(), `loading spec "f": `); !ok || strings.TrimSpace(text) == "" {
				t.Fatalf("an error without words: %v", err)
			}
			return
		}
		if doc.Root == nil || len(doc.Servers) == 0 {
			t.Fatal("a document without its parts")
		}
		for _, p := range doc.Problems {
			if p.Where == "" || p.Reason == "" {
				t.Errorf("a problem without words: %+v", p)
			}
		}
		servers := slices.Clone(doc.Servers)
		for _, op := range doc.Operations {
			if _, err := ParseTemplate(op.Template, op.MultiSegment...); err != nil {
				t.Errorf("the template %q of an operation: %v", op.Template, err)
			}
			servers = append(servers, op.Servers...)
			op.AsksCredentials()
		}
		for _, s := range servers {
			if host, err := CanonicalHost(s.Host); s.Host != "" && (err != nil || host != s.Host) {
				t.Errorf("the host %q is %q: %v", s.Host, host, err)
			}
			if s.Base != "" && (s.Base[0] != '/' || strings.HasSuffix(s.Base, "/")) {
				t.Errorf("the base %q", s.Base)
			}
		}
		doc.Extended(func(string) bool { return true }, func(e Extended) {
			if e.Kind == "" || len(e.Names) == 0 {
				t.Errorf("an object without words: %+v", e)
			}
		})
	})
}

// BenchmarkLoad compares with what kin-openapi alone needs for the same bytes.
func BenchmarkLoad(b *testing.B) {
	data, err := os.ReadFile(sharedPath(b, "github/api.github.com.json"))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("kin-openapi", func(b *testing.B) {
		for b.Loop() {
			if _, err := openapi3.NewLoader().LoadFromData(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("spec", func(b *testing.B) {
		for b.Loop() {
			if _, err := Load("github.json", data, Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkLoadAgainstLoadFromData takes turns, so that both meet the same load of
// the machine, and reports the quotient: at most 1.4.
func BenchmarkLoadAgainstLoadFromData(b *testing.B) {
	data, err := os.ReadFile(sharedPath(b, "github/api.github.com.json"))
	if err != nil {
		b.Fatal(err)
	}
	var kin, own time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := openapi3.NewLoader().LoadFromData(data); err != nil {
			b.Fatal(err)
		}
		kin += time.Since(began)
		began = time.Now()
		if _, err := Load("github.json", data, Options{}); err != nil {
			b.Fatal(err)
		}
		own += time.Since(began)
	}
	b.ReportMetric(float64(own)/float64(kin), "of-LoadFromData")
}
