package apiguard

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// extendedDocument has an extension in its info, an operation, a path parameter and a
// schema: %[1]s is its name and %[2]s its value.
const extendedDocument = `{"openapi":"3.1.0","info":{"title":"orders","version":"1",%[1]q:%[2]s},"paths":{"/orders/{id}":{
"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"},%[1]q:%[2]s}],
"post":{"operationId":"change",%[1]q:%[2]s,"requestBody":{"content":{"application/json":{"schema":{"type":"object",%[1]q:%[2]s,"properties":{"mail":{"type":"string",%[1]q:%[2]s}}}}}},
"responses":{"200":{"description":"ok"}}}}}}`

// readExtensions are those that documents may have and something reads.
var readExtensions = []string{
	"x-api-guard-cost", "x-api-guard-upgrade", "x-api-guard-schema", "x-api-guard", "x-multi-segment", "x-ratelimit",
	"x-sunset", "x-deprecated", "x-audience", "x-stability-level", "x-data-class",
}

// built is all that is made of a document: what is in force and what is wrong with it.
type built struct {
	document *spec.Document
	catalog  *catalogue.Catalogue
	lint     []Lint
}

// buildFrom builds a configuration whose one version has the document.
func buildFrom(document *spec.Document) (*built, error) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	app := &App{logger: zap.NewNop(), API: []*API{{Name: "orders", Version: []*Version{{Name: "v2", Hosts: []string{"api.example.com"}, Path: "/v2", Spec: []string{"orders.json"}}}}}}
	b := &builder{app: app, load: func(string) (*spec.Document, error) { return document, nil }}
	cfg, err := b.build()
	if err != nil {
		return nil, err
	}
	cfg.Table = ratelimit.NewTable(ratelimit.TableConfig{Slots: 1})
	compiled, err := policy.New(cfg)
	if err != nil {
		return nil, err
	}
	cat := compiled.Catalogue()
	cat.Problems = append(cat.Problems, b.problems...)
	return &built{document, cat, slices.Concat(lint(app, &cfg, cat, now), lintOperations(&cfg, cat))}, nil
}

// An extension of somebody else's document is in force, or an error or lint says
// where it is and why not; whatever it is, the document that is served is one again.
func FuzzDocumentExtensions(f *testing.F) {
	for i := range readExtensions {
		for _, value := range []string{
			`null`, `true`, `"websocket"`, `["websocket","h2c"]`, `["",1,null]`, `{}`, `{"seen":1}`, `{"seen":["x"]}`, `5`, `0`, `-1`, `1e300`, `1.5`,
			`"2027-03-31"`, `"2027-03-31T14:00:00Z"`, `"0000-00-00"`, `"5/1m"`, `{"rate":"5/1m","key":["{http.request.header.X}"]}`, `{"rate":5}`, `{"rate":"1/1m","name":"x"}`,
			`"internal"`, `"beta"`, `"email"`, `["email","none"]`, `"urn:x#/a"`, `"\u0000\n"`,
		} {
			f.Add(uint8(i), value)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		if !json.Valid([]byte(value)) || len(value) > 1<<12 {
			return
		}
		name := readExtensions[int(which)%len(readExtensions)]
		document, err := spec.Load("orders.json", fmt.Appendf(nil, extendedDocument, name, value), spec.Options{})
		if err != nil {
			if !strings.Contains(err.Error(), "orders.json") {
				t.Fatalf("%s: %s: the error names no file: %v", name, value, err)
			}
			return
		}
		made, err := buildFrom(document)
		if err != nil {
			if !strings.Contains(err.Error(), name) {
				t.Fatalf("%s: %s: the error does not name it: %v", name, value, err)
			}
			return
		}
		for _, l := range made.lint {
			if l.Where == "" && l.Kind == lintDocument || l.Detail == "" || len(l.Detail) > 20*len(value)+2000 {
				t.Fatalf("%s: %s: lint %+v", name, value, l)
			}
		}
		for _, op := range document.Operations {
			for _, d := range dataclass.Operation(op.Path, op.Op) {
				if !d.None && d.Class.String() == "" {
					t.Fatalf("%s: %s: a class without a name: %+v", name, value, d)
				}
			}
		}
		view := inventory.New(inventory.Options{})
		view.Activate(view.Bind(made.catalog))
		served, err := view.Served("orders", "v2", "", func(*catalogue.Route) map[string]any { return map[string]any{} })
		if err != nil {
			t.Fatalf("%s: %s: serving it: %v", name, value, err)
		}
		text, err := json.Marshal(served)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spec.Load("served.json", text, spec.Options{}); err != nil {
			t.Fatalf("%s: %s: what is served is no document: %v\n%s", name, value, err, text)
		}
	})
}

// What says nothing, or says it in a way that cannot be used, is not passed over in
// silence, and what can be used is not told off.
func TestExtensionsThatCannotBeUsedAreNamed(t *testing.T) {
	for name, values := range map[string]struct{ good, bad []string }{
		"x-api-guard-cost":    {[]string{`1`, `5`, `2.0`}, []string{`0`, `-1`, `1.5`, `"5"`, `[]`, `1e300`}},
		"x-api-guard-upgrade": {[]string{`"websocket"`, `"websocket TLS/1.3"`, `["websocket"]`}, []string{`""`, `1`, `[]`, `["websocket",2]`, `"websocket, h2c"`, `{}`, `true`}},
		"x-multi-segment":     {[]string{`true`, `false`}, []string{`"true"`, `1`, `[]`}},
		"x-ratelimit":         {[]string{`"5/1m"`, `{"rate":"5/1m"}`}, []string{`5`, `"often"`, `{}`, `{"rate":"5/1m","speed":1}`, `true`}},
		"x-sunset":            {[]string{`"2099-03-31"`, `"2099-03-31T14:00:00Z"`}, []string{`"soon"`, `20990331`, `[]`}},
		"x-deprecated":        {[]string{`"2026-03-31"`}, []string{`"soon"`, `[]`}},
		"x-audience":          {[]string{`"public"`}, []string{`"nobody-declared-it"`, `["public"]`}},
		"x-data-class":        {[]string{`"email"`, `"none"`, `["email","payment_card"]`, `null`}, []string{`"emial"`, `"E-Mail"`, `["email","card"]`, `["none",1]`, `""`, `[]`, `{}`, `5`, `true`}},
	} {
		told := func(value string) bool {
			document, err := spec.Load("orders.json", fmt.Appendf(nil, extendedDocument, name, value), spec.Options{})
			if err != nil {
				t.Fatal(err)
			}
			made, err := buildFrom(document)
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(made.lint, func(l Lint) bool {
				elsewhere := strings.Contains(l.Detail, "it is read at") // the document has it everywhere
				return l.Kind == lintDocument && !elsewhere && (strings.Contains(l.Detail, name) || strings.Contains(l.Where, name))
			})
		}
		for _, value := range values.good {
			if told(value) {
				t.Errorf("%s: %s is told off", name, value)
			}
		}
		for _, value := range values.bad {
			if !told(value) {
				t.Errorf("%s: %s is passed over in silence", name, value)
			}
		}
	}
}
