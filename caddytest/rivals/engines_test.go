package rivals

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"net/http"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// fataler is what tests and drawn properties have in common.
type fataler interface{ Fatalf(string, ...any) }

var jsonHeader = http.Header{"Content-Type": {"application/json"}}

// guarded is an operation of a document as the guard judges it.
func guarded(t fataler, text []byte, method, template string, params ...string) (*conformance.Operation, *spec.Operation) {
	d, err := spec.Load("document.json", text, spec.Options{})
	if err != nil {
		t.Fatalf("loading: %v\n%s", err, text)
	}
	for _, op := range d.Operations {
		if op.Method == method && op.Template == template {
			return conformance.New(op, params, conformance.Config{}), op
		}
	}
	t.Fatalf("no %s %s", method, template)
	return nil, nil
}

// filterInput is what openapi3filter judges, without its router.
func filterInput(op *spec.Operation, r *http.Request, params map[string]string) *openapi3filter.RequestValidationInput {
	return &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params,
		Route:   &routers.Route{Spec: op.Document.Root, Path: op.Template, PathItem: op.Path, Method: op.Method, Operation: op.Op},
		Options: &openapi3filter.Options{SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
}

// libopenapi is libopenapi-validator over a document.
func libopenapiOf(t fataler, text []byte) validator.Validator {
	d, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatalf("libopenapi: %v\n%s", err, text)
	}
	v, errs := validator.NewValidator(d)
	if len(errs) > 0 {
		t.Fatalf("libopenapi: %v\n%s", errors.Join(errs...), text)
	}
	return v
}

func post(path string, body []byte) *http.Request {
	r, err := http.NewRequest("POST", "http://api.example.com"+path, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header = jsonHeader
	return r
}

// schemaOf compiles a schema for jsonschema/v6.
func schemaOf(t fataler, schema string) *jsonschema.Schema {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatalf("%v", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema:///s", value); err != nil {
		t.Fatalf("%v", err)
	}
	s, err := c.Compile("schema:///s")
	if err != nil {
		t.Fatalf("%v\n%s", err, schema)
	}
	return s
}

func decoded(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// documentOf is a document of one operation whose JSON body has the schema.
func documentOf(version, schema string) []byte {
	return fmt.Appendf(nil, `{"openapi":%q,"info":{"title":"t","version":"1"},"servers":[{"url":"http://api.example.com"}],"paths":{"/":{"post":{
		"requestBody":{"required":true,"content":{"application/json":{"schema":%s}}},"responses":{"200":{"description":"ok"}}}}}}`, version, schema)
}

func judged(o *conformance.Operation, body []byte) bool {
	p := o.Body(jsonHeader, true)
	return p.Check(body).Reason == conformance.OK
}

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }
