package conformance

import (
	"net/http"
	"strings"
	"testing"
)

var formHeader = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}

func formOperation(t testing.TB, entry string) *Operation {
	t.Helper()
	return operation(t, document(t, `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/":{"post":{"requestBody":{"content":{
		"application/x-www-form-urlencoded":`+entry+`}},"responses":{"200":{"description":"ok"}}}}}}`), "POST", "/", Config{})
}

func TestFormsAreJudgedAsObjects(t *testing.T) {
	o := formOperation(t, `{"schema":{"type":"object","required":["name"],"additionalProperties":false,"properties":{
		"name":{"type":"string","maxLength":10},"age":{"type":"integer","minimum":0},"ok":{"type":"boolean"},
		"ids":{"type":"array","items":{"type":"integer"},"maxItems":2},"code":{"type":"string","enum":["1","2"]}}}}`)
	for _, body := range []string{"name=a", "name=a+b&age=5", "n%61me=%C3%A9", "name=a%3Bb", "name=5&ok=true", "ids=1&name=a&ids=2", "name=a&code=1", "&name=a&"} {
		p := o.Body(formHeader, true)
		if r := p.Check([]byte(body)); p.Action != Judge || r.Reason != OK || r.Unchecked != "" {
			t.Errorf("%q: got %+v, want it to pass", body, r)
		}
	}
	for body, keyword := range map[string]string{
		"age=5": "required", "name=a&name=b": "repeated", "name=a&n%61me=b": "repeated", "name=a&age=x": "type", "name=a&age=-1": "minimum",
		"name=a&role=admin": "additionalProperties", "name=a&ids=1&ids=2&ids=3": "maxItems", "name=a&ids=x": "type",
		"name=a&ids=1&ids%zz=x": "encoding", "name=%FF": "encoding", "name=a;age=5": "encoding", "name=%zz": "encoding", "name=a&ok=1": "type", "name=a&code=3": "enum", `{"name":"a"}`: "additionalProperties",
	} {
		p := o.Body(formHeader, true)
		if r := p.Check([]byte(body)); r.Reason != Invalid || r.Errors[0].Keyword != keyword {
			t.Errorf("%q: got %+v, want it refused for %s", body, r, keyword)
		}
	}
}

func TestFieldsOfFormsAreWrittenAsEncodingSays(t *testing.T) {
	object := `{"type":"object","required":["n"],"properties":{"n":{"type":"integer"},"s":{"type":"string"}}}`
	numbers := `{"type":"array","items":{"type":"integer"},"minItems":2}`
	for _, c := range []struct {
		name, field, encoding, good, bad, keyword string
	}{
		{"an object is JSON", object, ``, `a=%7B%22n%22%3A1%7D`, `a=%7B%22n%22%3A%22x%22%7D`, "type"},
		{"JSON is read strictly", object, ``, `a={"n":1}`, `a={"n":1,"n":2}`, "duplicate-name"},
		{"a second value is refused", object, ``, `a={"n":1}`, `a={"n":1}&a={"n":2}`, "repeated"},
		{"objects in a list", `{"type":"array","items":` + object + `}`, ``, `a={"n":1}&a={"n":2}`, `a={"n":1}&a={}`, "required"},
		{"a list as one JSON", `{"type":"array","items":` + object + `}`, ``, `a=[{"n":1}]`, `a=[{}]`, "required"},
		{"JSON by contentType", `{"type":"integer"}`, `{"contentType":"application/json"}`, `a=+5+`, `a=x`, "json"},
		{"a list with commas", numbers, `{"style":"form","explode":false}`, `a=1,2`, `a=1%2C2`, "minItems"},
		{"a list with spaces", numbers, `{"style":"spaceDelimited","explode":false}`, `a=1+2`, `a=1`, "minItems"},
		{"a list with pipes", numbers, `{"style":"pipeDelimited","explode":false}`, `a=1|2`, `a=1|x`, "type"},
		{"a list, repeated", numbers, `{"style":"form"}`, `a=1&a=2`, `a=1`, "minItems"},
		{"an object in brackets", object, `{"style":"deepObject","explode":true}`, `a[n]=1&a%5Bs%5D=x`, `a[s]=x`, "required"},
		{"an object's members side by side", object, `{"style":"form","explode":true}`, `n=1&s=x`, `n=x`, "type"},
		{"an object with commas", object, `{"style":"form","explode":false}`, `a=n,1,s,x`, `a=n,x`, "type"},
		{"null or an object", `{"type":["object","string"],"required":["n"],"maxLength":2}`, ``, `a={"n":1}`, `a=abc`, "maxLength"},
		{"text or an object", `{"type":["object","string"],"required":["n"],"maxLength":2}`, ``, `a=ab`, `a={"x":1}`, "maxLength"},
	} {
		entry := `{"schema":{"type":"object","required":["a"],"properties":{"a":` + c.field + `}}`
		if c.encoding != "" {
			entry += `,"encoding":{"a":` + c.encoding + `}`
		}
		o := operation(t, document(t, `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/":{"post":{"requestBody":{"content":{
			"application/x-www-form-urlencoded":`+entry+`}}},"responses":{"200":{"description":"ok"}}}}}}`), "POST", "/", Config{})
		p := o.Body(formHeader, true)
		if r := p.Check([]byte(c.good)); p.Action != Judge || r.Reason != OK || r.Unchecked != "" {
			t.Errorf("%s: %q: got %+v, want it to pass", c.name, c.good, r)
		}
		if r := p.Check([]byte(c.bad)); r.Reason != Invalid || r.Errors[0].Keyword != c.keyword {
			t.Errorf("%s: %q: got %+v, want it refused for %s", c.name, c.bad, r, c.keyword)
		}
	}
}

func TestUndeclaredFieldsAreReadAsAdditionalPropertiesSay(t *testing.T) {
	o := formOperation(t, `{"schema":{"type":"object","additionalProperties":{"type":"integer"}}}`)
	for body, want := range map[string]Reason{"x=1&y=2": OK, "x=1&y=z": Invalid} {
		p := o.Body(formHeader, true)
		if r := p.Check([]byte(body)); r.Reason != want {
			t.Errorf("%q: got %+v", body, r)
		}
	}
}

func TestFormsWithMoreFieldsThanAnyoneSendsAreRefused(t *testing.T) {
	o := formOperation(t, `{"schema":{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}}}}}`)
	p := o.Body(formHeader, true)
	if r := p.Check([]byte(strings.Repeat("a=1&", 10_000))); r.Reason != OK {
		t.Errorf("got %+v", r)
	}
	if r := p.Check([]byte(strings.Repeat("a=1&", 10_001))); keywords(r) != "form-size" {
		t.Errorf("got %+v", r)
	}
}

func TestFormsThatOpenAPIDoesNotDefineStreamUnchecked(t *testing.T) {
	for _, entry := range []string{
		`{"schema":{"type":"object","properties":{"a":{"type":"object"}}},"encoding":{"a":{"contentType":"application/xml"}}}`,
		`{"schema":{"type":"object","properties":{"a":{"type":"string"}}},"encoding":{"a":{"style":"matrix"}}}`,
		`{"schema":{"type":"string"}}`,
	} {
		o := formOperation(t, entry)
		if p := o.Body(formHeader, true); p.Action != Stream || p.Result.Unchecked != uncheckedForm {
			t.Errorf("%s: got %+v", entry, p)
		}
		if len(o.Problems()) != 1 {
			t.Errorf("%s: problems %q", entry, o.Problems())
		}
	}
}

func FuzzForm(f *testing.F) {
	o := formOperation(f, `{"schema":{"type":"object","properties":{"a":{"type":"array","items":{"type":"integer"}},"b":{"type":"number"}}}}`)
	for _, s := range []string{"a=1&a=2&b=3", "%61=1", "a", "=", "&&", "b=%", "x=1&x=2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		p := o.Body(formHeader, true)
		if r := p.Check([]byte(body)); r.Reason == Internal || (r.Reason == Invalid) != (len(r.Errors) > 0) {
			t.Fatalf("%q: %+v", body, r)
		}
	})
}
