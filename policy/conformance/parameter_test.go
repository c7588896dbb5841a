package conformance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/internal/allocs"
)

// The types of the style table's parameters.
const (
	anInteger = `{"type":"integer"}`
	aString   = `{"type":"string"}`
	integers  = `{"type":"array","items":{"type":"integer"},"minItems":2}`
	texts     = `{"type":"array","items":{"type":"string"},"minItems":2,"maxItems":2}`
	point     = `{"type":"object","properties":{"x":{"type":"integer"},"y":{"type":"integer"}},"required":["x","y"],"additionalProperties":false}`
)

func TestStylesOfParameters(t *testing.T) {
	for _, c := range []struct {
		in, style, explode, schema string
		pass, fail                 []string
	}{
		{"path", "simple", "false", anInteger, []string{"5", "-5", "1.0", "1e2"}, []string{"a", "+5", "05", "0x1", "1.5", "5,6"}},
		{"path", "simple", "false", integers, []string{"3,4,5", "3,%34"}, []string{"3%2C4", "3", "3,", "3;4"}},
		{"path", "simple", "true", integers, []string{"3,4,5"}, []string{"3.4"}},
		{"path", "simple", "false", texts, []string{"a,b", "a%2Cb,c", "%C3%A9,x"}, []string{"a%2Cb", "a,b,c"}},
		{"path", "simple", "false", point, []string{"x,1,y,2", "y,2,x,1"}, []string{"x,1", "x,1,y", "x=1,y=2", "x,1,y,2,z,3", "x,1,x,2,y,1"}},
		{"path", "simple", "true", point, []string{"x=1,y=2"}, []string{"x,1,y,2", "x=1,y=a", "x=1,y=2,z=3"}},
		{"path", "label", "false", anInteger, []string{".5"}, []string{"5", "..5", ".a"}},
		{"path", "label", "false", integers, []string{".3,4"}, []string{"3,4", ".3.4x"}},
		{"path", "label", "true", integers, []string{".3.4"}, []string{".3,4", "3.4"}},
		{"path", "label", "false", point, []string{".x,1,y,2"}, []string{".x=1,y=2"}},
		{"path", "label", "true", point, []string{".x=1.y=2"}, []string{".x,1,y,2"}},
		{"path", "matrix", "false", anInteger, []string{";p=5"}, []string{"5", ";q=5", ";p=a", "p=5", ";p"}},
		{"path", "matrix", "false", integers, []string{";p=3,4"}, []string{";p=3;p=4", "3,4"}},
		{"path", "matrix", "true", integers, []string{";p=3;p=4"}, []string{";p=3,4", ";p=3;q=4"}},
		{"path", "matrix", "false", point, []string{";p=x,1,y,2"}, []string{";x=1;y=2"}},
		{"path", "matrix", "true", point, []string{";x=1;y=2"}, []string{";p=x,1,y,2", ";x=1"}},

		{"query", "form", "true", anInteger, []string{"p=5", "%70=5", "p=%35"}, []string{"p=a", "p", "p=", "p=5&p=6", "p=5&%70=6", "p=+5", "p=0x1p4", "p=5%00"}},
		{"query", "form", "true", aString, []string{"p=a", "p=", "p=a+b", "p=%F0%9F%98%80"}, []string{"p=a&p=b", "p=%FF", "p=%zz", "p=%"}},
		{"query", "form", "true", integers, []string{"p=3&p=4", "p=3&%70=4"}, []string{"p=3,4", "p=3&p=a", "p=3"}},
		{"query", "form", "false", integers, []string{"p=3,4"}, []string{"p=3&p=4", "p=3%2C4", "p=3"}},
		{"query", "form", "false", texts, []string{"p=a%2Cb,c"}, []string{"p=a%2Cb"}},
		{"query", "form", "true", point, []string{"x=1&y=2", "y=2&x=1"}, []string{"x=1", "x=1&y=a", "x=1&y=2&y=3", "x=1&y=2&x=1"}},
		{"query", "form", "false", point, []string{"p=x,1,y,2"}, []string{"x=1&y=2&p=", "p=x,1", "p=x,1,y"}},
		{"query", "spaceDelimited", "false", integers, []string{"p=3%204", "p=3+4"}, []string{"p=3,4", "p=3"}},
		{"query", "spaceDelimited", "true", integers, []string{"p=3&p=4"}, []string{"p=3%204"}},
		{"query", "spaceDelimited", "false", point, []string{"p=x%201%20y%202"}, []string{"p=x,1,y,2"}},
		{"query", "pipeDelimited", "false", integers, []string{"p=3|4", "p=3%7C4", "p=3%7c4"}, []string{"p=3,4", "p=3"}},
		{"query", "pipeDelimited", "true", integers, []string{"p=3&p=4"}, []string{"p=3|4"}},
		{"query", "pipeDelimited", "false", point, []string{"p=x|1|y|2"}, []string{"p=x|1"}},
		{"query", "deepObject", "true", point, []string{"p[x]=1&p[y]=2", "p%5Bx%5D=1&p%5By%5D=2"}, []string{"p[x]=1", "p[x]=1&p[y]=a", "p[x]=1&p[y]=2&p[z]=3", "p[x]=1&p[y]=2&p[x]=1"}},

		{"header", "simple", "false", anInteger, []string{"5", " 5 "}, []string{"a", "5,6", "", "%35"}},
		{"header", "simple", "false", integers, []string{"3,4", "3, 4", "3 ,4"}, []string{"3", "3 4"}},
		{"header", "simple", "true", integers, []string{"3,4"}, []string{"3"}},
		{"header", "simple", "false", point, []string{"x,1,y,2"}, []string{"x=1,y=2"}},
		{"header", "simple", "true", point, []string{"x=1,y=2", "x=1, y=2"}, []string{"x,1,y,2"}},

		{"cookie", "form", "true", anInteger, []string{"p=5", "a=b; p=5", `p="5"`, "p=%35"}, []string{"p=a", "p=5; p=6", "p="}},
		{"cookie", "form", "false", integers, []string{"p=3,4"}, []string{"p=3; p=4", "p=3"}},
		{"cookie", "form", "true", integers, []string{"p=3; p=4"}, []string{"p=3,4"}},
		{"cookie", "form", "false", point, []string{"p=x,1,y,2"}, []string{"p=x,1"}},
		{"cookie", "form", "true", point, []string{"x=1; y=2", "session=s; x=1; y=2"}, []string{"x=1; y=a"}},
	} {
		template := "/x"
		if c.in == "path" {
			template = "/x/{p}"
		}
		o := parameterOperation(t, "3.0.3", template, `[{"name":"p","in":"`+c.in+`","required":true,"style":"`+c.style+
			`","explode":`+c.explode+`,"schema":`+c.schema+`}]`)
		for i, values := range [][]string{c.pass, c.fail} {
			for _, v := range values {
				r := o.Parameters(styled(c.in, v))
				if (r.Reason == OK) != (i == 0) {
					t.Errorf("%s %s explode=%s %s: %q: got %+v", c.in, c.style, c.explode, c.schema, v, r)
				}
				if r.Reason == OK && (len(r.Undeclared) > 0 || r.Unchecked != "") {
					t.Errorf("%s %s explode=%s: %q: got %+v", c.in, c.style, c.explode, v, r)
				}
			}
		}
		if p := o.Problems(); len(p) > 0 {
			t.Errorf("%s %s: problems %v", c.in, c.style, p)
		}
	}
}

func styled(in, value string) *Request {
	switch in {
	case "path":
		return get("/x/"+value, "", nil)
	case "query":
		return get("/x", value, nil)
	case "header":
		return get("/x", "", http.Header{"P": {value}})
	default:
		return get("/x", "", http.Header{"Cookie": {value}})
	}
}

func TestQueryParameters(t *testing.T) {
	for _, c := range []struct {
		name, parameters string
		pass, fail       []string
	}{
		{"a number is written as in JSON", `[{"name":"n","in":"query","schema":{"type":"number"}}]`,
			[]string{"n=1", "n=-1.5", "n=1e3", "n=1E-3", ""}, []string{"n=.5", "n=1.", "n=NaN", "n=Inf", "n=0x10", "n=1_000", "n=1e999"}},
		{"a boolean is true or false", `[{"name":"b","in":"query","schema":{"type":"boolean"}}]`,
			[]string{"b=true", "b=false"}, []string{"b=1", "b=T", "b=TRUE", "b=yes", "b="}},
		{"large integers are compared exactly", `[{"name":"n","in":"query","schema":{"type":"integer","maximum":9007199254740992}}]`,
			[]string{"n=9007199254740992"}, []string{"n=9007199254740993"}},
		{"int64 has its range", `[{"name":"n","in":"query","schema":{"type":"integer","format":"int64"}}]`,
			[]string{"n=9223372036854775807"}, []string{"n=9223372036854775808", "n=-9223372036854775809"}},
		{"an integer without a format has no range", `[{"name":"n","in":"query","schema":{"type":"integer"}}]`,
			[]string{"n=123456789012345678901234567890"}, []string{"n=" + strings.Repeat("9", 65)}},
		{"a parameter without a type takes any text", `[{"name":"q","in":"query","schema":{}}]`,
			[]string{"q=a", "q=5", "q=true"}, []string{"q=a&q=b"}},
		{"an untyped enum of numbers takes numbers", `[{"name":"q","in":"query","schema":{"enum":[1,2]}}]`,
			[]string{"q=1"}, []string{"q=3", "q=a"}},
		{"an untyped enum of both takes both", `[{"name":"q","in":"query","schema":{"enum":[1,"a"]}}]`,
			[]string{"q=1", "q=a"}, []string{"q=b"}},
		{"not is judged", `[{"name":"q","in":"query","schema":{"type":"string","not":{"enum":["admin"]}}}]`,
			[]string{"q=user"}, []string{"q=admin"}},
		{"oneOf takes whichever reading holds", `[{"name":"q","in":"query","schema":{"oneOf":[{"type":"integer"},{"type":"boolean"}]}}]`,
			[]string{"q=5", "q=true"}, []string{"q=a"}},
		{"anyOf of a text and a list takes both", `[{"name":"q","in":"query","schema":{"anyOf":[{"type":"string","maxLength":3},{"type":"array","items":{"type":"string","maxLength":3}}]}}]`,
			[]string{"q=abc", "q=a&q=b"}, []string{"q=abcd", "q=a&q=abcd"}},
		{"a pattern is judged on the decoded value", `[{"name":"q","in":"query","schema":{"type":"string","pattern":"^[a-z]+$"}}]`,
			[]string{"q=abc", "q=%61bc"}, []string{"q=a%0A", "q=A", "q=abc%2e"}},
		{"lengths count characters", `[{"name":"q","in":"query","schema":{"type":"string","maxLength":2}}]`,
			[]string{"q=%C3%A9%C3%A9"}, []string{"q=abc"}},
		{"an empty value passes where the document allows it", `[{"name":"q","in":"query","allowEmptyValue":true,"schema":{"type":"integer"}},{"name":"r","in":"query","schema":{"type":"integer"}}]`,
			[]string{"q=", "q", "q=5"}, []string{"r=", "r", "q=a"}},
		{"JSON content is judged", `[{"name":"q","in":"query","content":{"application/json":{"schema":{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}}}}]`,
			[]string{"q=%7B%22a%22:1%7D"}, []string{"q=%7B%22a%22:%22x%22%7D", "q=%7B%7D", "q={", "q=%7B%22a%22:1%7D1", "q=%7B%22a%22:1,%22a%22:1%7D"}},
		{"reserved characters pass where the document allows them", `[{"name":"q","in":"query","allowReserved":true,"schema":{"type":"string","pattern":"^[:/?@!,;]+$"}}]`,
			[]string{"q=:/?@!,;", "q=%3A%2F"}, []string{"q=a"}},
		{"a required parameter must be there", `[{"name":"q","in":"query","required":true,"schema":{"type":"string"}}]`,
			[]string{"q=", "q=a"}, []string{"", "r=a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := parameterOperation(t, "3.0.3", "/x", c.parameters)
			for _, q := range c.pass {
				if r := o.Parameters(get("/x", q, nil)); r.Reason != OK || len(r.Undeclared) > 0 {
					t.Errorf("%q: got %+v, want it to pass", q, r)
				}
			}
			for _, q := range c.fail {
				if r := o.Parameters(get("/x", q, nil)); r.Reason != Invalid || len(r.Errors) == 0 {
					t.Errorf("%q: got %+v, want it refused", q, r)
				}
			}
		})
	}
}

func TestUndeclaredQueryParametersAreReportedWithoutTheirNames(t *testing.T) {
	o := operation(t, document(t, `{"openapi":"3.0.3","info":{"title":"t","version":"1"},
		"components":{"securitySchemes":{"k":{"type":"apiKey","in":"query","name":"api_key"}}},
		"paths":{"/x":{"get":{"parameters":[
			{"name":"q","in":"query","schema":{"type":"string"}},
			{"name":"filter","in":"query","style":"deepObject","explode":true,"schema":{"type":"object"}}],
		"responses":{"200":{"description":"ok"}}}}}}`), "GET", "/x", Config{})
	for _, query := range []string{"q=1", "filter[a]=1", "api_key=s", "", "&", "filter%5Ba%5D=1&q=2"} {
		if r := o.Parameters(get("/x", query, nil)); len(r.Undeclared) > 0 || r.Reason != OK {
			t.Errorf("%q: got %+v, want nothing undeclared", query, r)
		}
	}
	for _, query := range []string{"secret=1", "Q=1", "q[]=1", "filter=1", "filte[r]=1", "=1", "%73ecret"} {
		r := o.Parameters(get("/x", query, nil))
		if len(r.Undeclared) != 1 || r.Reason != OK {
			t.Errorf("%q: got %+v, want one undeclared", query, r)
			continue
		}
		if e := r.Undeclared[0]; e.Keyword != "unknown-parameter" || e.In != InQuery || e.Name != "" || strings.Contains(e.Detail, "secret") {
			t.Errorf("%q: got %+v", query, e)
		}
	}
}

func TestExplodedObjectsClaimWhatTheirSchemaLetsIn(t *testing.T) {
	open := parameterOperation(t, "3.0.3", "/x", `[{"name":"o","in":"query","schema":{"type":"object","additionalProperties":{"type":"string","maxLength":2}}}]`)
	if r := open.Parameters(get("/x", "any=ab", nil)); r.Reason != OK || len(r.Undeclared) > 0 {
		t.Errorf("open: got %+v", r)
	}
	if r := open.Parameters(get("/x", "any=abc", nil)); r.Reason != Invalid || r.Errors[0].Pointer != "/*" {
		t.Errorf("open, too long: got %+v", r)
	}
	closed := parameterOperation(t, "3.0.3", "/x", `[{"name":"o","in":"query","schema":`+point+`}]`)
	if r := closed.Parameters(get("/x", "x=1&y=2&z=3", nil)); len(r.Undeclared) != 1 {
		t.Errorf("closed: got %+v", r)
	}
}

func TestHeaderParameters(t *testing.T) {
	o := parameterOperation(t, "3.0.3", "/x", `[
		{"name":"X-Scalar","in":"header","schema":{"type":"string"}},
		{"name":"x-list","in":"header","schema":{"type":"array","items":{"type":"integer"}}},
		{"name":"Accept","in":"header","required":true,"schema":{"enum":["never"]}},
		{"name":"content-type","in":"header","required":true,"schema":{"enum":["never"]}},
		{"name":"Authorization","in":"header","required":true,"schema":{"enum":["never"]}}]`)
	for _, h := range []http.Header{
		nil, {"X-Scalar": {"a"}}, {"X-List": {"1", "2, 3"}}, {"Accept": {"text/html"}}, {"X-Other": {"a", "b"}},
	} {
		if r := o.Parameters(get("/x", "", h)); r.Reason != OK {
			t.Errorf("%v: got %+v, want it to pass", h, r)
		}
	}
	for _, h := range []http.Header{{"X-Scalar": {"a", "b"}}, {"X-List": {"1", "a"}}} {
		if r := o.Parameters(get("/x", "", h)); r.Reason != Invalid {
			t.Errorf("%v: got %+v, want it refused", h, r)
		}
	}
	if r := o.Parameters(get("/x", "", http.Header{"X-Scalar": {"a", "b"}})); keywords(r) != "repeated" {
		t.Errorf("got %+v, want the keyword repeated", r)
	}
}

func TestParametersOfThePathItemHoldUnlessOverridden(t *testing.T) {
	o := operation(t, document(t, `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/x":{
		"parameters":[{"name":"a","in":"query","required":true,"schema":{"type":"integer"}},{"name":"b","in":"query","schema":{"type":"integer"}}],
		"get":{"parameters":[{"name":"a","in":"query","schema":{"type":"string"}}],"responses":{"200":{"description":"ok"}}}}}}`), "GET", "/x", Config{})
	for query, want := range map[string]Reason{"": OK, "a=x": OK, "b=1": OK, "b=x": Invalid} {
		if r := o.Parameters(get("/x", query, nil)); r.Reason != want {
			t.Errorf("%q: got %+v, want %d", query, r, want)
		}
	}
}

func TestErrorsOfParametersNameTheParameterAndNotTheValue(t *testing.T) {
	o := parameterOperation(t, "3.0.3", "/x", `[{"name":"n","in":"query","schema":{"type":"integer","maximum":100}},
		{"name":"l","in":"query","explode":false,"schema":{"type":"array","items":{"type":"integer"}}}]`)
	r := o.Parameters(get("/x", "n=4711&l=1,4712x", nil))
	want := []Error{
		{In: InQuery, Name: "n", Keyword: "maximum", Detail: "must be at most 100"},
		{In: InQuery, Name: "l", Pointer: "/1", Keyword: "type", Detail: "must be of the type integer"},
	}
	if len(r.Errors) != 2 || r.Errors[0] != want[0] || r.Errors[1] != want[1] {
		t.Errorf("got %+v, want %+v", r.Errors, want)
	}
}

func TestAMalformedNameIsNoOtherName(t *testing.T) {
	o := parameterOperation(t, "3.0.3", "/x", `[{"name":"n","in":"query","required":true,"schema":{"type":"integer"}}]`)
	if r := o.Parameters(get("/x", "n%zz=5", nil)); keywords(r) != "required" || len(r.Undeclared) != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestArraysWithinExplodedObjectsAreUnchecked(t *testing.T) {
	o := parameterOperation(t, "3.0.3", "/x", `[{"name":"o","in":"query","schema":{"type":"object","properties":{
		"tags":{"type":"array","items":{"type":"string"}},"n":{"type":"integer"}}}}]`)
	if r := o.Parameters(get("/x", "tags=a&tags=b", nil)); r.Reason != OK || r.Unchecked != uncheckedNested {
		t.Errorf("got %+v", r)
	}
	if r := o.Parameters(get("/x", "n=x", nil)); r.Reason != Invalid {
		t.Errorf("got %+v, want it refused", r)
	}
}

func TestWhatOpenAPILeavesUndefinedInDeepObjectsIsUnchecked(t *testing.T) {
	o := parameterOperation(t, "3.0.3", "/x", `[{"name":"f","in":"query","style":"deepObject","explode":true,"schema":{"type":"object","properties":{"a":{"type":"object"},"b":{"type":"integer"}}}}]`)
	if r := o.Parameters(get("/x", "f[a][b]=1", nil)); r.Reason != OK || r.Unchecked != uncheckedNested || len(r.Undeclared) > 0 {
		t.Errorf("got %+v", r)
	}
	if r := o.Parameters(get("/x", "f[b]=x", nil)); r.Reason != Invalid {
		t.Errorf("got %+v, want it refused", r)
	}
}

func TestPlainParametersAllocateNothing(t *testing.T) {
	o, r := plainGet(t)
	if got := o.Parameters(r); got.Reason != OK || got.Unchecked != "" || got.Undeclared != nil {
		t.Fatalf("got %+v", got)
	}
	if n := allocs.PerRun(200, func() { o.Parameters(r) }); n != 0 && !raceDetector {
		t.Errorf("%v allocations, want 0", n)
	}
}

// plainGet is a request with the usual parameters: a path, two paging numbers,
// an enum, a pattern, an escaped text, a header.
func plainGet(t testing.TB) (*Operation, *Request) {
	o := parameterOperation(t, "3.0.3", "/x/{id}", `[
		{"name":"id","in":"path","required":true,"schema":{"type":"string","format":"uuid"}},
		{"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":100}},
		{"name":"offset","in":"query","schema":{"type":"integer","minimum":0}},
		{"name":"sort","in":"query","schema":{"type":"string","enum":["name","-name","created","-created"]}},
		{"name":"cursor","in":"query","schema":{"type":"string","pattern":"^[A-Za-z0-9_-]{4,64}$"}},
		{"name":"q","in":"query","schema":{"type":"string","maxLength":100}},
		{"name":"X-Request-Id","in":"header","schema":{"type":"string","maxLength":64}}]`)
	return o, get("/x/123e4567-e89b-42d3-a456-426614174000", "limit=50&offset=100&sort=-created&cursor=abcDEF_123&q=caf%C3%A9+au+lait",
		http.Header{"X-Request-Id": {"0f8fad5b"}})
}

func FuzzQueryParameters(f *testing.F) {
	o := parameterOperation(f, "3.0.3", "/x", `[
		{"name":"n","in":"query","schema":{"type":"integer","maximum":10}},
		{"name":"a","in":"query","schema":{"type":"array","items":{"type":"number"},"uniqueItems":true}},
		{"name":"s","in":"query","style":"spaceDelimited","explode":false,"schema":{"type":"array","items":{"type":"string"}}},
		{"name":"d","in":"query","style":"deepObject","schema":`+point+`},
		{"name":"o","in":"query","schema":`+point+`},
		{"name":"j","in":"query","content":{"application/json":{"schema":{"type":"object"}}}}]`)
	for _, s := range []string{"n=1&a=1&a=2", "s=a%20b+c", "d[x]=1&d%5By%5D=2", "x=1&y=2", "j=%7B%7D", "%", "%zz=%", "n=&&=&;", "d[", "d[]=", "d[x]]=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := o.Parameters(get("/x", query, nil))
		if r.Reason == Internal {
			t.Fatalf("%q: a panic", query)
		}
		if (r.Reason == Invalid) != (len(r.Errors) > 0) || len(r.Errors) > MaxErrors {
			t.Fatalf("%q: %+v", query, r)
		}
		if again := o.Parameters(get("/x", query, nil)); again.Reason != r.Reason || len(again.Errors) != len(r.Errors) {
			t.Fatalf("%q: %+v, then %+v", query, r, again)
		}
	})
}
