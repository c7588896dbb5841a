package rivals

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
	"github.com/getkin/kin-openapi/openapi3filter"
)

const testdata = "../../policy/conformance/testdata"

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// in31 is the document of the benchmarks, which is of 3.0, in 3.1: its one nullable
// schema is a string or null.
func in31(t testing.TB, text []byte) []byte {
	var d map[string]any
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	d["openapi"] = "3.1.0"
	withoutNullable(d)
	out, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func withoutNullable(v any) {
	switch v := v.(type) {
	case map[string]any:
		if v["nullable"] == true {
			v["type"] = []any{v["type"], "null"}
			delete(v, "nullable")
		}
		for _, child := range v {
			withoutNullable(child)
		}
	case []any:
		for _, child := range v {
			withoutNullable(child)
		}
	}
}

// inline is a schema of the document with all that it refers to, as JSON Schema.
func inline(t testing.TB, text []byte, name string) string {
	var d struct {
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	defs, err := json.Marshal(d.Components.Schemas)
	if err != nil {
		t.Fatal(err)
	}
	return `{"$ref":"#/$defs/` + name + `","$defs":` + strings.ReplaceAll(string(defs), "#/components/schemas/", "#/$defs/") + `}`
}

func BenchmarkJSONBody(b *testing.B) {
	old := file(b, "orders.json")
	modern := in31(b, old)
	for _, c := range []struct{ name, path, schema, body string }{
		{"1KB", "/orders", "Order", "order-1k.json"},
		{"100KB", "/orders", "Order", "order-100k.json"},
		{"oneOf1KB", "/payments", "Payment", "payment-1k.json"},
	} {
		body := file(b, c.body)
		run := func(name string, judge func() error) {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					if err := judge(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		for version, text := range map[string][]byte{"3.0": old, "3.1": modern} {
			o, op := guarded(b, text, "POST", c.path)
			run("guard-"+version, func() error {
				p := o.Body(jsonHeader, true)
				if r := p.Check(body); r.Reason != conformance.OK {
					return errorf("%+v", r)
				}
				return nil
			})
			run("openapi3filter-"+version, func() error {
				r := post(c.path, body)
				return openapi3filter.ValidateRequestBody(context.Background(), filterInput(op, r, nil), op.Op.RequestBody.Value)
			})
			v := libopenapiOf(b, text)
			run("libopenapi-validator-"+version, func() error {
				if ok, errs := v.ValidateHttpRequest(post(c.path, body)); !ok {
					return errorf("%v", errs)
				}
				return nil
			})
		}
		s := schemaOf(b, inline(b, modern, c.schema))
		run("jsonschema-v6", func() error {
			v, err := decoded(body)
			if err != nil {
				return err
			}
			return s.Validate(v)
		})
		run("json.Unmarshal", func() error {
			var v any
			return json.Unmarshal(body, &v)
		})
		run("json.Valid", func() error {
			if !json.Valid(body) {
				return errorf("not valid")
			}
			return nil
		})
	}
}

const searchDocument = `{"openapi":"VERSION","info":{"title":"t","version":"1"},"servers":[{"url":"http://api.example.com"}],"paths":{"/x/{id}":{"get":{"parameters":[
	{"name":"id","in":"path","required":true,"schema":{"type":"string","format":"uuid"}},
	{"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":100}},
	{"name":"offset","in":"query","schema":{"type":"integer","minimum":0}},
	{"name":"sort","in":"query","schema":{"type":"string","enum":["name","-name","created","-created"]}},
	{"name":"cursor","in":"query","schema":{"type":"string","pattern":"^[A-Za-z0-9_-]{4,64}$"}},
	{"name":"q","in":"query","schema":{"type":"string","maxLength":100}},
	{"name":"X-Request-Id","in":"header","schema":{"type":"string","maxLength":64}}],"responses":{"200":{"description":"ok"}}}}}}`

func BenchmarkGETParameters(b *testing.B) {
	const id, query = "123e4567-e89b-42d3-a456-426614174000", "limit=50&offset=100&sort=-created&cursor=abcDEF_123&q=caf%C3%A9+au+lait"
	header := http.Header{"X-Request-Id": {"0f8fad5b"}}
	for _, version := range []string{"3.0.3", "3.1.0"} {
		text := []byte(strings.Replace(searchDocument, "VERSION", version, 1))
		o, op := guarded(b, text, "GET", "/x/{id}", "id")
		r := &conformance.Request{Path: "/x/" + id, RawQuery: query, Header: header, Params: &[catalogue.MaxParams]catalogue.Range{{Start: 3, End: uint32(3 + len(id))}}}
		request, err := http.NewRequest("GET", "http://api.example.com/x/"+id+"?"+query, bytes.NewReader(nil))
		if err != nil {
			b.Fatal(err)
		}
		request.Header = header
		b.Run("guard-"+version[:3], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := o.Parameters(r); got.Reason != conformance.OK {
					b.Fatal(got)
				}
			}
		})
		b.Run("openapi3filter-"+version[:3], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := openapi3filter.ValidateRequest(context.Background(), filterInput(op, request, map[string]string{"id": id})); err != nil {
					b.Fatal(err)
				}
			}
		})
		v := libopenapiOf(b, text)
		b.Run("libopenapi-validator-"+version[:3], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if ok, errs := v.ValidateHttpRequest(request); !ok {
					b.Fatal(errs)
				}
			}
		})
	}
}
