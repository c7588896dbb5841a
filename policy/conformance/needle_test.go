package conformance

import (
	"net/http"
	"strings"
	"testing"
)

// What a client sends never comes back in an error, wherever it stands: as a value,
// as the name of a member, in a path, query, header, cookie or part.
func TestErrorsNeverHaveWhatWasSubmitted(t *testing.T) {
	const needle = "Needle7f3a"
	schema := `{"type":"object","required":["a"],"additionalProperties":false,"propertyNames":{"maxLength":3},"minProperties":9,"properties":{
		"a":{"type":"integer"},"b":{"type":"string","maxLength":2,"pattern":"^x$","format":"date"},"c":{"enum":["p","q"]},"d":{"const":1},
		"e":{"type":"array","uniqueItems":true,"maxItems":1,"items":{"type":"string","maxLength":1}},"f":{"oneOf":[{"type":"integer"},{"type":"boolean"}]},
		"g":{"anyOf":[{"type":"object","required":["k"],"properties":{"k":{"const":"v"}}}]},"h":{"not":{}},"i":{"type":"object","patternProperties":{"^N":{"type":"integer"}}},
		"j":{"type":"object","additionalProperties":{"type":"integer"}}}}`
	values := []string{`"` + needle + `"`, `["` + needle + `","` + needle + `"]`, `{"` + needle + `":"` + needle + `"}`, `{"k":"` + needle + `"}`}
	said := 0
	check := func(where string, r Result) {
		t.Helper()
		if r.Reason == OK || len(r.Errors) == 0 || len(r.Errors) > MaxErrors {
			t.Errorf("%s: got %+v, want 1 to %d errors", where, r, MaxErrors)
		}
		for _, e := range r.Errors {
			said++
			if strings.Contains(e.Pointer+e.Name+e.Keyword+e.Detail, needle) {
				t.Errorf("%s: %+v", where, e)
			}
			if e.In == "" || e.Keyword == "" || e.Detail == "" {
				t.Errorf("%s: an error that does not say all: %+v", where, e)
			}
		}
	}
	for _, engine := range []string{"", `,"unevaluatedProperties":false`} {
		o := bodyOperation(t, "3.1.0", strings.TrimSuffix(schema, "}")+engine+"}", "")
		for _, v := range values {
			check("a body", judgeBody(t, o, v))
			for _, name := range strings.Split("abcdefghij", "") {
				check("member "+name, judgeBody(t, o, `{"`+name+`":`+v+`}`))
			}
			check("a name", judgeBody(t, o, `{"`+needle+`":`+v+`}`))
		}
	}
	o := bodyOperation(t, "3.1.0", `{}`, "")
	for _, text := range []string{`{"` + needle + `":1,"` + needle + `":2}`, needle, `"` + needle, `"` + needle + `"` + needle, `["` + needle + `\ud800"]`, "\"" + needle + "\xff\""} {
		check("JSON that is none", judgeBody(t, o, text))
	}
	form := formOperation(t, `{"schema":`+schema+`}`)
	parts := partsOperation(t, "3.1.0", `{"schema":`+schema+`}`)
	for _, name := range append(strings.Split("abcdefij", ""), needle) {
		p := form.Body(formHeader, true)
		check("a form", p.Check([]byte(name+"="+needle)))
		q := parts.Body(partsHeader, true)
		check("a part", q.Check([]byte(partsOf(`"`+name+"\"\n\n"+needle))))
		check("a part that passes", watched(&q, partsOf(`"`+name+"\"\n\n"+needle), 10))
	}
	params := parameterOperation(t, "3.1.0", "/x/{p}", `[{"name":"p","in":"path","required":true,"schema":{"type":"integer"}},
		{"name":"q","in":"query","schema":{"type":"array","items":{"enum":["a"]}}},{"name":"d","in":"query","style":"deepObject","schema":{"type":"object","additionalProperties":false,"properties":{"x":{"type":"integer"}}}},
		{"name":"j","in":"query","content":{"application/json":{"schema":{"type":"integer"}}}},{"name":"X-H","in":"header","schema":{"type":"integer"}},{"name":"c","in":"cookie","schema":{"type":"integer"}}]`)
	check("parameters", params.Parameters(get("/x/"+needle, "q="+needle+"&d["+needle+"]="+needle+"&j="+needle,
		http.Header{"X-H": {needle}, "Cookie": {"c=" + needle}})))
	if said < 100 {
		t.Errorf("only %d errors were looked at", said)
	}
}
