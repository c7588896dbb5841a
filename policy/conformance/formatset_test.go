package conformance

import (
	"strings"
	"testing"
)

func formatOperation(t *testing.T, version, schema string, defined map[string]string) *Operation {
	t.Helper()
	formats, err := NewFormats(defined)
	if err != nil {
		t.Fatal(err)
	}
	return operation(t, document(t, `{"openapi":"`+version+`","info":{"title":"t","version":"1"},"paths":{"/":{"post":{
		"parameters":[{"name":"p","in":"query","schema":{"type":"string","format":"order-number"}}],
		"requestBody":{"content":{"application/json":{"schema":`+schema+`}}},"responses":{"200":{"description":"ok"}}}}}}`), "POST", "/", Config{Formats: formats})
}

func TestAPolicyDefinesFormatsOfItsOwn(t *testing.T) {
	defined := map[string]string{"order-number": "^ORD-[0-9]{2}$", "email": FormatOff, "uuid": "^u", "int32": FormatOff, "password": `^(?=.*\d)(?=.*[A-Z]).{8,}$`}
	for _, general := range []string{"", `,"unevaluatedProperties":false`} { // both engines
		for format, values := range map[string][2]string{
			"order-number": {`"ORD-12"`, `"ORD-1"`},
			"uuid":         {`"u"`, `"123e4567-e89b-42d3-a456-426614174000"`},
			"password":     {`"Passw0rd"`, `"password"`},
			"date":         {`"2026-02-28"`, `"2026-02-30"`},
			"email":        {`"no address"`, ``},
			"int32":        {`3000000000`, ``},
			"unheard-of":   {`"x"`, ``},
		} {
			o := formatOperation(t, "3.1.0", `{"format":"`+format+`"`+general+`}`, defined)
			if r := judgeBody(t, o, values[0]); r.Reason != OK || r.Unchecked != "" {
				t.Errorf("%s: %s: got %+v, want it to pass", format, values[0], r)
			}
			if values[1] == "" {
				continue
			}
			if r := judgeBody(t, o, values[1]); keywords(r) != "format" || !strings.Contains(r.Errors[0].Detail, format) {
				t.Errorf("%s: %s: got %+v, want it refused", format, values[1], r)
			}
		}
	}
	o := formatOperation(t, "3.0.3", `{}`, defined)
	for query, want := range map[string]Reason{"p=ORD-12": OK, "p=ORD-x": Invalid} {
		if r := o.Parameters(get("/", query, nil)); r.Reason != want {
			t.Errorf("%s: got %+v", query, r)
		}
	}
}

func TestOneDocumentUnderTwoSetsOfFormats(t *testing.T) {
	d := document(t, `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/":{"post":{"requestBody":{"content":{"application/json":{"schema":{"type":"string","format":"x"}}}},"responses":{"200":{"description":"ok"}}}}}}`)
	for _, defined := range []map[string]string{nil, {"x": "^a$"}, {"x": "^b$"}, {"x": FormatOff}} {
		formats, err := NewFormats(defined)
		if err != nil {
			t.Fatal(err)
		}
		o := operation(t, d, "POST", "/", Config{Formats: formats})
		for _, value := range []string{"a", "b"} {
			want := OK
			if p := defined["x"]; p != "" && p != FormatOff && p != "^"+value+"$" {
				want = Invalid
			}
			if r := judgeBody(t, o, `"`+value+`"`); r.Reason != want {
				t.Errorf("%v: %s: got %+v", defined, value, r)
			}
		}
	}
}

func TestFormatsThatCannotBeChecked(t *testing.T) {
	for name, source := range map[string]string{"x": "(", "y": "a(?=b)", "z": `(a)\1`, "int64": "^1"} {
		if _, err := NewFormats(map[string]string{name: source}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s %s: %v", name, source, err)
		}
	}
}
