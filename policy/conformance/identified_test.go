package conformance

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// identifiersDocument is a document as people write them from OpenAPI 3.1 on:
// schemas with names of their own, in components, beside plain ones.
const identifiersDocument = `openapi: 3.1.0
info: {title: Catalogue, version: '1'}
paths:
  /categories:
    post: {requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Category'}}}}}
  /strict:
    post: {requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/StrictCategory'}}}}}
  /orders:
    post: {requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}}
  /pages:
    post: {requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/PageOfOrders'}}}}}
  /amounts:
    post: {requestBody: {required: true, content: {application/json: {schema: {type: object, properties: {fee: {$ref: '#/components/schemas/Order/properties/total', maxProperties: 1}}}}}}}
  /files:
    post: {requestBody: {required: true, content: {application/json: {schema: {$id: bundled.json, properties: {part: {$ref: 'schemas/part.yaml#sku'}}}}}}}
  /plain:
    post: {requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Plain'}}}}}
  /broken:
    post: {requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Broken'}}}}}
  /gone:
    post: {requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Gone'}}}}}
components:
  schemas:
    Category:
      $id: https://api.example.com/schemas/category
      $dynamicAnchor: node
      type: object
      required: [id, name]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string, maxLength: 5, format: x-name}
        children: {type: array, items: {$dynamicRef: '#node'}}
    StrictCategory:
      $id: https://api.example.com/schemas/strict-category
      $dynamicAnchor: node
      $ref: category
      unevaluatedProperties: false
    Money:
      $anchor: money
      type: object
      required: [value]
      properties: {value: {type: number, multipleOf: 0.01}, currency: {$ref: '#/components/schemas/Currency'}}
    Currency: {type: string, pattern: '^(?!XXX)[A-Z]{3}$'}
    Order:
      $defs: {line: {$anchor: line, type: object, required: [sku], properties: {sku: {type: string, pattern: '^[A-Z]{3}$'}, gone: {const: null}}}}
      type: object
      properties:
        lines: {type: array, minItems: 1, items: {$ref: '#line'}}
        total: {$ref: '#money'}
    Page:
      $id: https://api.example.com/schemas/page
      type: object
      required: [items]
      properties: {items: {type: array, items: {$dynamicRef: '#item'}}}
      $defs: {any: {$dynamicAnchor: item}}
    PageOfOrders:
      $id: https://api.example.com/schemas/page-of-orders
      $ref: page
      $defs: {order: {$dynamicAnchor: item, $ref: '#/components/schemas/Order'}}
    Plain: {$id: https://api.example.com/schemas/plain, type: object, properties: {currency: {$ref: '#/components/schemas/Currency'}}}
    Broken: {$id: https://api.example.com/schemas/broken, $ref: 'category', properties: {code: {type: string, pattern: '(a)\1'}}}
    Gone: {type: object, properties: {v: {const: null}, w: {enum: [1, null], const: null}, x: {enum: [1], const: null}}}
`

func identified(t *testing.T) *spec.Document {
	t.Helper()
	dir := t.TempDir()
	part := "$defs: {sku: {$anchor: sku, type: string, minLength: 3, allOf: [{$ref: 'length.json'}, {$ref: '../openapi.yaml#/components/schemas/Currency'}]}}\n"
	for name, text := range map[string]string{"openapi.yaml": identifiersDocument, "schemas/part.yaml": part, "schemas/length.json": `{"maxLength": 3}`} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d, err := spec.LoadFile(filepath.Join(dir, "openapi.yaml"), spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(d.References, " ") != "schemas/length.json schemas/part.yaml" {
		t.Errorf("references %q", d.References)
	}
	return d
}

func TestSchemasThatNameThemselvesAreJudgedByTheirNames(t *testing.T) {
	d := identified(t)
	deep := strings.Repeat(`{"name":"a","children":[`, 25) + `{"name":"a"}` + strings.Repeat(`]}`, 25)
	for _, c := range []struct {
		path       string
		pass, fail []string
	}{
		{"/categories", []string{`{"name":"a"}`, `{"name":"a","children":[{"name":"b","more":1}],"more":1}`, deep},
			[]string{`{}`, `{"name":"a","children":[{"name":"toolong"}]}`, `{"name":"a","children":[{"name":"b","children":[1]}]}`}},
		{"/strict", []string{`{"name":"a"}`, `{"name":"a","children":[{"name":"b","id":3}]}`, deep},
			[]string{`{"name":"a","more":1}`, `{"name":"a","children":[{"name":"b","children":[{"name":"c","more":1}]}]}`}},
		{"/orders", []string{`{"lines":[{"sku":"ABC"}],"total":{"value":1.25,"currency":"EUR"}}`, `{"lines":[{"sku":"ABC","gone":null}]}`},
			[]string{`{"lines":[{"sku":"abc"}]}`, `{"lines":[]}`, `{"total":{"value":1.255}}`, `{"total":{"value":1,"currency":"XXX"}}`, `{"lines":[{"sku":"ABC","gone":0}]}`}},
		{"/pages", []string{`{"items":[{"lines":[{"sku":"ABC"}]}]}`}, []string{`{}`, `{"items":[{"lines":[]}]}`, `{"items":[1]}`}},
		{"/amounts", []string{`{"fee":{"value":1}}`}, []string{`{"fee":{}}`, `{"fee":{"value":"1"}}`, `{"fee":{"value":1,"currency":"EUR"}}`}},
		{"/files", []string{`{"part":"ABC"}`}, []string{`{"part":"ABCD"}`, `{"part":"AB"}`, `{"part":"XXX"}`, `{"part":1}`}},
		{"/plain", []string{`{"currency":"EUR"}`}, []string{`{"currency":"XXX"}`}},
		{"/gone", []string{`{"v":null}`, `{"w":null}`}, []string{`{"v":0}`, `{"w":1}`, `{"x":null}`, `{"x":1}`}},
	} {
		o := New(specOperation(d, c.path), nil, Config{MaxBody: 1 << 20})
		if p := o.Problems(); len(p) > 0 {
			t.Errorf("%s: problems %q", c.path, p)
		}
		for i, list := range [][]string{c.pass, c.fail} {
			for _, body := range list {
				r := judgeBody(t, o, body)
				if (r.Reason == OK) != (i == 0) || r.Unchecked != "" {
					t.Errorf("%s: %.80s: got %+v", c.path, body, r)
				}
				if r.Reason != OK && len(r.Errors) == 0 {
					t.Errorf("%s: %s: refused without an error", c.path, body)
				}
			}
		}
	}
}

func TestOnlyWhatNeedsTheNamesLeavesTheProgram(t *testing.T) {
	d := identified(t)
	for path, want := range map[string]bool{"/plain": true, "/gone": true, "/orders": false, "/strict": false} {
		o := New(specOperation(d, path), nil, Config{})
		p := o.Body(http.Header{"Content-Type": {"application/json"}}, true)
		if _, ok := p.media.schema.schema.(program); ok != want {
			t.Errorf("%s: judged by the program: %v", path, ok)
		}
	}
}

func TestAMarkedSchemaThatCannotBeCheckedDegradesAlone(t *testing.T) {
	d := identified(t)
	o := New(specOperation(d, "/broken"), nil, Config{MaxBody: 1 << 20})
	if r := judgeBody(t, o, `{}`); r.Reason != OK || r.Unchecked != uncheckedSchema {
		t.Errorf("got %+v", r)
	}
	if p := o.Problems(); len(p) != 1 || !strings.Contains(p[0], "(a)") {
		t.Errorf("problems: %q", p)
	}
}

func TestWhatIsReadOnlyMustBeInResponsesOfMarkedSchemas(t *testing.T) {
	text := strings.Replace(identifiersDocument, "  /files:", "  /read:\n    get: {responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Category'}}}}}}\n  /files:", 1)
	text = strings.Replace(text, "$ref: 'schemas/part.yaml#sku'", "type: string", 1)
	d, err := spec.Load("openapi.yaml", []byte(text), spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := libraryOf(d, true, nil)
	c := l.compile(d.Root.Paths.Value("/read").Get.Responses.Status(200).Value.Content["application/json"].Schema)
	if c.err != nil {
		t.Fatal(c.err)
	}
	for body, want := range map[string]bool{`{"id":1,"name":"a"}`: true, `{"name":"a"}`: false} {
		r := newRun()
		if f := r.t.read([]byte(body)); f != noFault {
			t.Fatal(f)
		}
		if got := r.holds(c.schema, 0); got != want {
			t.Errorf("%s: got %v", body, got)
		}
		r.release()
	}
}

func TestRecursionWithAlternativesByNameIsBounded(t *testing.T) {
	d, err := spec.Load("openapi.yaml", []byte(`openapi: 3.1.0
info: {title: T, version: '1'}
paths: {/: {post: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}}}}}
components: {schemas: {A: {$anchor: a, properties: {c: {oneOf: [{$ref: '#a'}, {$ref: '#a'}]}}}}}
`), spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := New(specOperation(d, "/"), nil, Config{MaxBody: 1 << 20})
	body := strings.Repeat(`{"c":`, 40) + "1" + strings.Repeat("}", 40)
	r := judgeBody(t, o, body)
	if r.Reason != Invalid || len(r.Errors) != 1 || r.Errors[0].Keyword != "json-depth" {
		t.Errorf("got %+v", r)
	}
}

func TestReferencesByNameStayInTheDocumentsFolder(t *testing.T) {
	for ref, want := range map[string]string{
		"https://elsewhere.example/x.json": "copy it there", "https://elsewhere.example/x.json#a": "copy it there", "gone.json#a": "gone.json",
	} {
		text := "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {}\ncomponents: {schemas: {A: {$dynamicAnchor: n, properties: {a: {$ref: '" + ref + "'}}}}}\n"
		_, err := spec.Load(filepath.Join(t.TempDir(), "openapi.yaml"), []byte(text), spec.Options{Dir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestTextOfMarkedSchemasIsNeverGuessedAt(t *testing.T) {
	d, err := spec.Load("openapi.yaml", []byte(`openapi: 3.1.0
info: {title: T, version: '1'}
paths:
  /:
    post:
      parameters: [{name: n, in: query, schema: {$ref: '#n'}}, {name: m, in: query, schema: {type: integer}}]
      requestBody:
        content:
          application/x-www-form-urlencoded: {schema: {type: object, properties: {n: {$ref: '#n'}}}}
          multipart/form-data: {schema: {type: object, properties: {n: {$ref: '#n'}, f: {type: string, format: binary}}}}
          text/plain: {schema: {$ref: '#n'}}
          application/octet-stream: {schema: {$ref: '#n'}}
          application/json: {schema: {$ref: '#n'}}
components: {schemas: {N: {$anchor: n, type: integer}}}
`), spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := New(specOperation(d, "/"), nil, Config{MaxBody: 1 << 20})
	for mediaType, want := range map[string]string{
		"application/x-www-form-urlencoded": uncheckedForm, "multipart/form-data; boundary=b": uncheckedMultipart,
		"text/plain": uncheckedText, "application/octet-stream": uncheckedBinary, "application/json": "",
	} {
		p := o.Body(http.Header{"Content-Type": {mediaType}}, true)
		if r := p.Check([]byte("5")); r.Reason != OK || r.Unchecked != want || p.Watches() {
			t.Errorf("%s: got %+v, watched %v", mediaType, r, p.Watches())
		}
	}
	if r := judgeBody(t, o, `"5"`); r.Reason != Invalid {
		t.Errorf("JSON: got %+v", r)
	}
	if p := o.Problems(); len(p) < 3 {
		t.Errorf("problems: %q", p)
	}
}
