package apiguard

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// extendedPlaces are documents with %s where an extension may stand, by what stands
// there, with where it is told.
var extendedPlaces = map[string]struct{ at, text string }{
	"the document": {"", `"paths":{},%s`},
	"the info":     {"/info", `"paths":{}`},
	"a path item":  {"/paths/~1orders", `"paths":{"/orders":{%s,"get":{"responses":{}}}}`},
	"an operation": {"/paths/~1orders/get", `"paths":{"/orders":{"get":{%s,"responses":{}}}}`},
	"a parameter": {"/paths/~1orders/get/parameters/0",
		`"paths":{"/orders":{"get":{"parameters":[{%s,"name":"q","in":"query","schema":{}}],"responses":{}}}}`},
	"a schema": {"/paths/~1orders/post/requestBody/content/application~1json/schema/properties/mail",
		`"paths":{"/orders":{"post":{"requestBody":{"content":{"application/json":{"schema":{"properties":{"mail":{%s}}}}}},"responses":{}}}}`},
	"a schema within one": {"/components/schemas/A/allOf/0/additionalProperties/items",
		`"components":{"schemas":{"A":{"allOf":[{"additionalProperties":{"items":{%s}}}]}}},"paths":{"/orders":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}},"responses":{}}}}`},
	"a media type": {"/paths/~1orders/get/responses/200/content/application~1json",
		`"paths":{"/orders":{"get":{"responses":{"200":{"description":"ok","content":{"application/json":{%s,"schema":{}}}}}}}}`},
	"a header": {"/paths/~1orders/get/responses/200/headers/X-A",
		`"paths":{"/orders":{"get":{"responses":{"200":{"description":"ok","headers":{"X-A":{%s,"schema":{}}}}}}}}`},
	"a response": {"/paths/~1orders/get/responses/200",
		`"paths":{"/orders":{"get":{"responses":{"200":{"description":"ok",%s}}}}}`},
	"beside a $ref": {"/paths/~1orders/get/parameters/0/schema",
		`"components":{"schemas":{"A":{"type":"string"}}},"paths":{"/orders":{"get":{"parameters":[{"name":"q","in":"query","schema":{%s,"$ref":"#/components/schemas/A"}}],"responses":{}}}}`},
}

// extendedAt is a document with an extension somewhere.
func extendedAt(t *testing.T, version, place, extension string) *spec.Document {
	t.Helper()
	text, info := extendedPlaces[place].text, ""
	if place == "the info" {
		info = "," + extension
	}
	text = strings.ReplaceAll(text, "%s", extension)
	d, err := spec.Load("orders.json", fmt.Appendf(nil, `{"openapi":%q,"info":{"title":"orders","version":"1"%s},%s}`, version, info, text), spec.Options{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

func TestAnExtensionThatIsNotReadIsTold(t *testing.T) {
	places := []string{}
	for place := range extendedPlaces {
		places = append(places, place)
	}
	slices.Sort(places)
	for _, row := range []struct {
		extension string
		value     string
		read      []string // places
		says      string   // anywhere else
	}{
		{"x-api-guard-cost", "1", []string{"an operation"}, "operation"},
		{"x-api-guard-upgrade", `"websocket"`, []string{"an operation"}, "operation"},
		{"x-data-class", `"email"`, []string{"a parameter", "a schema", "a schema within one"}, "schema or parameter"},
		{"x-api-guard-cots", "1", nil, "x-api-guard-cost"},
		{"x-api-guard-upgrades", "1", nil, "x-api-guard-upgrade"},
		{"x-api-gaurd-cost", "1", nil, "x-api-guard-cost"},
		{"x-apiguard-cost", "1", nil, "x-api-guard-cost"},
		{"x-api-guard-rate", "1", nil, "x-api-guard-cost and x-api-guard-upgrade"},
		{"x-dataclass", `"email"`, nil, "x-data-class"},
		{"x-data-clas", `"email"`, nil, "x-data-class"},
		{"x-data_class", `"email"`, nil, "x-data-class"},
		{"x-data-classes", `["email"]`, nil, "x-data-class"},
		// Those of others, and what the guard itself writes.
		{"x-data-classification", `"x"`, places, ""},
		{"x-database", `"x"`, places, ""},
		{"x-class", `"x"`, places, ""},
		{"x-guard", `"x"`, places, ""},
		{"x-api-guard", `{"seen":1}`, places, ""},
		{"x-api-id", `"x"`, places, ""},
		{"x-amazon-apigateway-integration", `{"x-data-clas":1}`, places, ""},
	} {
		for _, place := range places {
			for _, version := range []string{"3.0.3", "3.1.0"} {
				made, err := buildFrom(extendedAt(t, version, place, fmt.Sprintf("%q:%s", row.extension, row.value)))
				if err != nil {
					t.Fatal(err)
				}
				var told []Lint
				for _, l := range made.lint {
					if strings.Contains(l.Detail, row.extension) {
						told = append(told, l)
					}
				}
				want := "orders.json: " + extendedPlaces[place].at + "/" + row.extension
				switch {
				case slices.Contains(row.read, place):
					if len(told) > 0 {
						t.Errorf("%s at %s in %s is told off: %+v", row.extension, place, version, told)
					}
				case len(told) != 1 || told[0].Kind != lintDocument || told[0].Where != want:
					t.Errorf("%s at %s in %s: %+v, want one at %s", row.extension, place, version, told, want)
				case place == "beside a $ref" && ownExtensions[row.extension] != nil:
					if !strings.Contains(told[0].Detail, "$ref") {
						t.Errorf("%s beside a $ref: %s", row.extension, told[0].Detail)
					}
				case !strings.Contains(told[0].Detail, row.says):
					t.Errorf("%s at %s: %s", row.extension, place, told[0].Detail)
				}
			}
		}
	}
}

// A start tells what stands at operations, and the command what stands in schemas
// too; a name that is misspelt throughout is told once.
func TestAMisspeltExtensionIsToldOnceForADocument(t *testing.T) {
	d := extendedAt(t, "3.1.0", "a schema", `"x-dataclass":"email","properties":{"a":{"x-dataclass":"email"},"b":{"x-dataclass":"email"}}`)
	count := func(deep bool) (where []string) {
		lintExtensions(d, deep, func(at, _ string) { where = append(where, at) })
		return where
	}
	if got := count(false); len(got) > 0 {
		t.Errorf("a start looks into schemas: %q", got)
	}
	if got := count(true); len(got) != 1 || !strings.HasSuffix(got[0], "/mail/x-dataclass and 2 more") {
		t.Errorf("told %q", got)
	}
	d = extendedAt(t, "3.1.0", "an operation", `"x-api-guard-cots":1`)
	if got := count(false); len(got) != 1 {
		t.Errorf("a start tells %q", got)
	}
}

// What really stands in documents of others is none of ours.
func TestExtensionsOfOthersAreNotToldOff(t *testing.T) {
	files, extended := 0, 0
	for _, pattern := range []string{"*.json", "*.yaml", "*.yml", "*/*.json", "*/*.yaml", "*/*.yml"} {
		names, err := filepath.Glob(filepath.Join(sharedSpecs(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			d, err := spec.Load(filepath.Base(name), text, spec.Options{Dir: filepath.Dir(name)})
			if err != nil {
				continue // it is here for another test
			}
			files++
			d.Extended(func(string) bool { return true }, func(spec.Extended) { extended++ })
			for _, deep := range []bool{false, true} {
				lintExtensions(d, deep, func(where, detail string) { t.Errorf("%s: %s: %s", name, where, detail) })
			}
		}
	}
	if files < 3 || extended < 100 {
		t.Errorf("%d documents with %d objects that have extensions: the test sees too little", files, extended)
	}
	t.Logf("%d documents, %d objects with extensions", files, extended)
}
