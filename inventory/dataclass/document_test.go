package dataclass

import (
	"fmt"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// A class that is misspelt is as if nothing were said, and is named, once.
func TestWhatIsNoClassIsAProblemAndNotInForce(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(`
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /users/{id}:
    parameters: [{name: id, in: path, required: true, x-data-class: nationalid, schema: {type: string}}]
    post:
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/User"}}, application/x-www-form-urlencoded: {schema: {$ref: "#/components/schemas/User"}}}}
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/User"}}}}}
    put:
      parameters: [{name: ref, in: header, x-data-class: [national_id, email], schema: {type: string}}]
      requestBody: {content: {application/json: {schema: {type: object, properties: {note: {type: string, x-data-class: none}, code: {type: string, x-data-class: secret}}}}}}
      responses: {"200": {description: ok}}
components:
  schemas:
    User:
      type: object
      properties:
        mail: {type: string, x-data-class: emial}
        phone: {type: string, x-data-class: [fone, 7, location]}
        note: {type: string, x-data-class: []}
        code: {type: string, x-data-class: null}
`))
	if err != nil {
		t.Fatal(err)
	}
	item := doc.Paths.Value("/users/{id}")
	var has []string
	for _, problem := range Problems(item, item.Post) {
		what, rest, ok := strings.Cut(problem, ", which is no class of data")
		if !ok || !strings.Contains(rest, "date_of_birth") {
			t.Errorf("%q does not say what to write", problem)
		}
		has = append(has, strings.TrimPrefix(what, "x-data-class has "))
	}
	if got, want := fmt.Sprintf("%q", has), `["\"emial\"" "\"fone\"" "\"nationalid\"" "a value that is no text" "an empty list"]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// By name, as without the extension; and what of a list is a class is one.
	classes := map[string]bool{}
	for _, d := range Operation(item, item.Post) {
		classes[d.Pointer+" "+d.Class.String()] = true
	}
	if !classes["/mail email"] || !classes["/phone location"] || classes["/phone phone"] {
		t.Errorf("in force are %v", classes)
	}
	item.Parameters = nil
	if problems := Problems(item, item.Put); len(problems) > 0 {
		t.Errorf("classes that are some are told off: %q", problems)
	}
}

// Thirty schemas that each name all others have more ways through them than can be gone.
// What stands near is found, and the look ends.
func TestSchemasThatAllNameEachOtherAreLookedAtForAWhile(t *testing.T) {
	var schemas strings.Builder
	for i := range 30 {
		fmt.Fprintf(&schemas, "    S%02d: {type: object, properties: {", i)
		if i == 0 {
			schemas.WriteString("aMail: {type: string, format: email}, ")
		}
		for j := range 30 {
			fmt.Fprintf(&schemas, `s%02d: {$ref: "#/components/schemas/S%02d"}, `, j, j)
		}
		schemas.WriteString("}}\n")
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(`
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /s:
    post:
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/S00"}}}}
      responses:
        "200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/S00"}}}}
components:
  schemas:
` + schemas.String()))
	if err != nil {
		t.Fatal(err)
	}
	item := doc.Paths.Value("/s")
	if found := fmt.Sprintf("%+v", Operation(item, item.Post)); found != "[{Found:{Class:email Pointer:/aMail} Answer:false In:body None:false} {Found:{Class:email Pointer:/aMail} Answer:true In:body None:false}]" {
		t.Errorf("found %s", found)
	}
}
