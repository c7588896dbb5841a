package conformance

import (
	"net/http"
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

func TestFormsThatOpenAPIWritesInOtherWaysStreamUnchecked(t *testing.T) {
	for _, entry := range []string{
		`{"schema":{"type":"object","properties":{"a":{"type":"object"}}}}`,
		`{"schema":{"type":"object","properties":{"a":{"type":"array","items":{"type":"object"}}}}}`,
		`{"schema":{"type":"object","properties":{"a":{"type":"string"}}},"encoding":{"a":{"style":"form"}}}`,
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
