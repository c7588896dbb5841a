package conformance

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/getkin/kin-openapi/openapi3"
)

// document loads an OpenAPI document from its text, JSON or YAML.
func document(t testing.TB, text string) *spec.Document {
	t.Helper()
	d, err := load([]byte(text))
	if err != nil {
		t.Fatalf("loading the document: %v\n%s", err, text)
	}
	return d
}

func load(text []byte) (*spec.Document, error) {
	root, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	return &spec.Document{OpenAPI: root.OpenAPI, Root: root}, nil
}

// operation makes an Operation of one method of a document.
func operation(t testing.TB, d *spec.Document, method, template string, cfg Config) *Operation {
	t.Helper()
	item := d.Root.Paths.Value(template)
	if item == nil || item.GetOperation(method) == nil {
		t.Fatalf("the document has no %s %s", method, template)
	}
	op := &spec.Operation{Document: d, Method: method, Template: template, Path: item, Op: item.GetOperation(method)}
	return New(op, templateParams(template), cfg)
}

// specOperation is the POST operation of a path.
func specOperation(d *spec.Document, template string) *spec.Operation {
	item := d.Root.Paths.Value(template)
	return &spec.Operation{Document: d, Method: "POST", Template: template, Path: item, Op: item.Post}
}

func templateParams(template string) []string {
	var names []string
	for _, part := range strings.Split(template, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		names = append(names, name)
	}
	return names
}

// bodyOperation makes a POST operation whose JSON body has the schema given as
// JSON text; components are added to the document's schemas.
func bodyOperation(t testing.TB, version, schema, components string) *Operation {
	t.Helper()
	if components == "" {
		components = "{}"
	}
	return operation(t, document(t, `{"openapi":"`+version+`","info":{"title":"t","version":"1"},
		"components":{"schemas":`+components+`},
		"paths":{"/":{"post":{"requestBody":{"required":true,"content":{"application/json":{"schema":`+schema+`}}},
		"responses":{"200":{"description":"ok"}}}}}}`), "POST", "/", Config{})
}

var jsonHeader = http.Header{"Content-Type": {"application/json"}}

// judgeBody judges a JSON body.
func judgeBody(t testing.TB, o *Operation, body string) Result {
	t.Helper()
	p := o.Body(jsonHeader, true)
	if p.Action != Judge {
		t.Fatalf("Body() = action %d, result %+v, want Judge", p.Action, p.Result)
	}
	return p.Check([]byte(body))
}

// parameterOperation makes a GET operation on /x (or /x/{name} for a path
// parameter) with the parameters given as JSON text of one array.
func parameterOperation(t testing.TB, version, template, parameters string) *Operation {
	t.Helper()
	return operation(t, document(t, `{"openapi":"`+version+`","info":{"title":"t","version":"1"},
		"paths":{"`+template+`":{"get":{"parameters":`+parameters+`,"responses":{"200":{"description":"ok"}}}}}}`),
		"GET", template, Config{})
}

// get makes the head of a request; a path below /x/ is one path parameter.
func get(path, query string, header http.Header) *Request {
	r := &Request{Path: path, RawQuery: query, Header: header, Params: &[catalogue.MaxParams]catalogue.Range{}}
	if strings.HasPrefix(path, "/x/") {
		r.Params[0] = catalogue.Range{Start: 3, End: uint32(len(path))}
	}
	return r
}

func keywords(r Result) string {
	var list []string
	for _, e := range r.Errors {
		list = append(list, e.Keyword)
	}
	return strings.Join(list, " ")
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// shared finds a folder of documents that is no part of the repository.
func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("API_GUARD_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for !exists(filepath.Join(dir, "go.mod")) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
		}
		root = filepath.Join(filepath.Dir(dir), "shared")
	}
	path := filepath.Join(root, name)
	if !exists(path) && os.Getenv("API_GUARD_REQUIRE_SHARED") != "" {
		t.Fatalf("%s is not here, and API_GUARD_REQUIRE_SHARED asks for it", path)
	}
	if !exists(path) {
		t.Skipf("%s is not here: set API_GUARD_SHARED to the folder that has it", path)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
