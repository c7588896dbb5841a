package conformance

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBodiesJudgedByTheirHead(t *testing.T) {
	d := document(t, `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{
		"/none":{"post":{"responses":{"200":{"description":"ok"}}}},
		"/json":{"post":{"requestBody":{"required":true,"content":{
			"application/json":{"schema":{"type":"object"}},
			"application/vnd.x+json; version=1":{"schema":{"type":"array"}}}},"responses":{"200":{"description":"ok"}}}},
		"/optional":{"post":{"requestBody":{"content":{"application/json":{}}},"responses":{"200":{"description":"ok"}}}},
		"/ranges":{"post":{"requestBody":{"content":{"text/*":{},"application/json":{"schema":{"type":"object"}},"application/*":{"schema":{"type":"array"}}}},"responses":{"200":{"description":"ok"}}}},
		"/any":{"post":{"requestBody":{"content":{"*/*":{"schema":{"type":"object"}}}},"responses":{"200":{"description":"ok"}}}},
		"/named":{"post":{"requestBody":{"content":{"*/*":{"schema":{"type":"object"}},"application/jsonl":{"itemSchema":{"type":"object"}},"image/*":{"schema":{"type":"string","minLength":3}},
			"application/octet-stream":{"schema":{"type":"string","format":"binary","maxLength":9}},"text/plain":{"schema":{"type":"string","maxLength":9}}}},"responses":{"200":{"description":"ok"}}}},
		"/grpc":{"post":{"requestBody":{"content":{"application/grpc":{},"application/grpc-web+proto":{}}},"responses":{"200":{"description":"ok"}}}},
		"/file":{"post":{"requestBody":{"content":{"multipart/form-data":{},"application/octet-stream":{},"application/xml":{},"text/plain":{"schema":{"type":"string"}}}},"responses":{"200":{"description":"ok"}}}}}}`)
	type header = map[string][]string
	for _, c := range []struct {
		name, path string
		header     header
		absent     bool
		action     Action
		reason     Reason
		says       string // keyword, Accept or Unchecked
	}{
		{"no body where none is declared passes", "/none", nil, true, NoBody, OK, ""},
		{"a body where none is declared is refused", "/none", header{"Content-Type": {"application/json"}}, false, Refuse, Invalid, "undeclared-body"},
		{"a required body must be there", "/json", header{"Content-Type": {"application/json"}}, true, Refuse, Invalid, "required"},
		{"an optional body need not be there", "/optional", nil, true, NoBody, OK, ""},
		{"a declared type is judged", "/json", header{"Content-Type": {"application/json"}}, false, Judge, OK, ""},
		{"the case of a type does not count", "/json", header{"Content-Type": {"Application/JSON"}}, false, Judge, OK, ""},
		{"parameters of the document's type do not count", "/json", header{"Content-Type": {"application/vnd.x+json"}}, false, Judge, OK, ""},
		{"utf-8 may be named", "/json", header{"Content-Type": {`application/json; charset="UTF-8"`}}, false, Judge, OK, ""},
		{"other parameters do not count", "/json", header{"Content-Type": {`application/json;odata=verbose ; x="a;b"`}}, false, Judge, OK, ""},
		{"empty parameters do not count", "/json", header{"Content-Type": {"application/json; ;charset=utf-8;"}}, false, Judge, OK, ""},
		{"another charset is refused", "/json", header{"Content-Type": {"application/json; charset=utf-16"}}, false, Refuse, MediaTypeUnsupported, "application/json, application/vnd.x+json"},
		{"utf-7 is refused", "/json", header{"Content-Type": {"application/json; charset=utf-7"}}, false, Refuse, MediaTypeUnsupported, "application/json, application/vnd.x+json"},
		{"two charsets are refused", "/json", header{"Content-Type": {"application/json; charset=utf-8; charset=utf-7"}}, false, Refuse, MediaTypeUnsupported, "application/json, application/vnd.x+json"},
		{"an unlisted type is refused", "/json", header{"Content-Type": {"text/plain"}}, false, Refuse, MediaTypeUnsupported, "application/json, application/vnd.x+json"},
		{"a body without a type is refused", "/json", nil, false, Refuse, MediaTypeUnsupported, "application/json, application/vnd.x+json"},
		{"two types are refused", "/json", header{"Content-Type": {"application/json", "application/json"}}, false, Refuse, MediaTypeUnsupported, "application/json, application/vnd.x+json"},
		{"a list of types is refused", "/json", header{"Content-Type": {"application/json, text/plain"}}, false, Refuse, MediaTypeUnsupported, "application/json, application/vnd.x+json"},
		{"a malformed parameter is refused", "/json", header{"Content-Type": {"application/json; charset"}}, false, Refuse, MediaTypeUnsupported, "application/json, application/vnd.x+json"},
		{"an open quote is refused", "/json", header{"Content-Type": {`application/json; a="b`}}, false, Refuse, MediaTypeUnsupported, "application/json, application/vnd.x+json"},
		{"identity is no coding", "/json", header{"Content-Type": {"application/json"}, "Content-Encoding": {"identity"}}, false, Judge, OK, ""},
		{"gzip is decoded", "/json", header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, false, Judge, OK, ""},
		{"brotli is refused", "/json", header{"Content-Type": {"application/json"}, "Content-Encoding": {"br"}}, false, Refuse, MediaTypeUnsupported, "application/json, application/vnd.x+json"},
		{"two codings are refused", "/json", header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip, gzip"}}, false, Refuse, MediaTypeUnsupported, "application/json, application/vnd.x+json"},
		{"a range takes its types", "/ranges", header{"Content-Type": {"text/csv"}}, false, Stream, OK, ""},
		{"a JSON type of a range is judged", "/ranges", header{"Content-Type": {"application/hal+json"}}, false, Judge, OK, ""},
		{"a range takes no other types", "/ranges", header{"Content-Type": {"image/png"}}, false, Refuse, MediaTypeUnsupported, "application/*, application/json, text/*"},
		{"any type takes all", "/any", header{"Content-Type": {"image/png"}}, false, Stream, OK, uncheckedBinary},
		{"multipart streams", "/file", header{"Content-Type": {"multipart/form-data; boundary=x"}}, false, Stream, OK, ""},
		{"other multipart is unchecked", "/named", header{"Content-Type": {"multipart/mixed; boundary=x"}}, false, Stream, OK, uncheckedMultipart},
		{"a file of a bounded size is counted", "/named", header{"Content-Type": {"application/octet-stream"}}, false, Count, OK, ""},
		{"unless it is coded", "/named", header{"Content-Type": {"application/octet-stream"}, "Content-Encoding": {"gzip"}}, false, Stream, OK, uncheckedBinary},
		{"a file that must be more than bytes", "/named", header{"Content-Type": {"image/png"}}, false, Stream, OK, uncheckedBinary},
		{"YAML streams", "/named", header{"Content-Type": {"application/yaml"}}, false, Stream, OK, uncheckedYAML},
		{"protobuf streams", "/named", header{"Content-Type": {"application/x-protobuf"}}, false, Stream, OK, uncheckedProtobuf},
		{"gRPC by its longer name", "/grpc", header{"Content-Type": {"application/grpc+proto"}}, false, Stream, OK, uncheckedGRPC},
		{"gRPC-Web by its shorter name", "/grpc", header{"Content-Type": {"application/grpc-web"}}, false, Stream, OK, uncheckedGRPC},
		{"gRPC in another format is refused", "/grpc", header{"Content-Type": {"application/grpc+json"}}, false, Refuse, MediaTypeUnsupported, "application/grpc, application/grpc-web+proto"},
		{"gRPC-Web as text is another type", "/grpc", header{"Content-Type": {"application/grpc-web-text+proto"}}, false, Refuse, MediaTypeUnsupported, "application/grpc, application/grpc-web+proto"},
		{"gRPC streams", "/named", header{"Content-Type": {"application/grpc+proto"}}, false, Stream, OK, uncheckedGRPC},
		{"items of a stream are unchecked", "/named", header{"Content-Type": {"application/jsonl"}}, false, Stream, OK, uncheckedItems},
		{"another type by its own name", "/named", header{"Content-Type": {"application/x-tar"}}, false, Stream, OK, uncheckedOther},
		{"text with a bound is judged", "/named", header{"Content-Type": {"text/plain"}}, false, Judge, OK, ""},
		{"text in another charset is refused", "/named", header{"Content-Type": {"text/plain; charset=latin1"}}, false, Refuse, MediaTypeUnsupported, "*/*, application/jsonl, application/octet-stream, image/*, text/plain"},
		{"files stream", "/file", header{"Content-Type": {"application/octet-stream"}}, false, Stream, OK, ""},
		{"XML streams", "/file", header{"Content-Type": {"application/xml"}}, false, Stream, OK, uncheckedXML},
		{"text streams", "/file", header{"Content-Type": {"text/plain"}}, false, Stream, OK, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := operation(t, d, "POST", c.path, Config{}).Body(http.Header(c.header), !c.absent)
			says := p.Result.Accept + p.Result.Unchecked + keywords(p.Result)
			if p.Action != c.action || p.Result.Reason != c.reason || says != c.says {
				t.Errorf("got action %d, %+v", p.Action, p.Result)
			}
		})
	}
}

func TestTextIsJudgedAsOneScalar(t *testing.T) {
	for schema, bodies := range map[string][2]string{
		`{"type":"string","maxLength":3}`:             {"äöü", "äöüa"},
		`{"type":"string","pattern":"^a\\nb$"}`:       {"a\nb", "a b"},
		`{"type":"integer","minimum":5}`:              {"5", "4"},
		`{"type":"number"}`:                           {"5e3", "five"},
		`{"type":["integer","string"],"maxLength":2}`: {"123", "abc"},
		`{"enum":["a","b"]}`:                          {"a", "c"},
		`{"type":"string","format":"date"}`:           {"2026-02-28", "2026-02-30"},
		`{"type":"string","minLength":1}`:             {"\"", "\xff"},
	} {
		o := operation(t, document(t, `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/":{"post":{"requestBody":{"content":{
			"text/plain":{"schema":`+schema+`}}},"responses":{"200":{"description":"ok"}}}}}}`), "POST", "/", Config{})
		p := o.Body(http.Header{"Content-Type": {"text/plain"}}, true)
		if r := p.Check([]byte(bodies[0])); p.Action != Judge || r.Reason != OK || r.Unchecked != "" {
			t.Errorf("%s: %q: got %+v", schema, bodies[0], r)
		}
		if r := p.Check([]byte(bodies[1])); r.Reason != Invalid || len(r.Errors) == 0 {
			t.Errorf("%s: %q: got %+v", schema, bodies[1], r)
		}
	}
}

func TestTheExactMediaTypeGoesBeforeARange(t *testing.T) {
	o := operation(t, document(t, `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/":{"post":{"requestBody":{"content":{
		"*/*":{"schema":{"type":"boolean"}},"application/*":{"schema":{"type":"array"}},"application/json":{"schema":{"type":"object"}}}},
		"responses":{"200":{"description":"ok"}}}}}}`), "POST", "/", Config{})
	for mediaType, body := range map[string]string{"application/json": "{}", "application/a+json": "[]", "x/json": "true"} {
		for _, other := range []string{"{}", "[]", "true"} {
			p := o.Body(http.Header{"Content-Type": {mediaType}}, true)
			if r := p.Check([]byte(other)); (r.Reason == OK) != (other == body) {
				t.Errorf("%s: %s: got %+v", mediaType, other, r)
			}
		}
	}
}

func TestJSONIsReadStrictly(t *testing.T) {
	o := bodyOperation(t, "3.1.0", `{}`, "")
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, body := range []string{
		`{}`, ` [1 , 2]` + "\r\n\t", `"\ud83d\ude00 \u0000 \/"`, `{"a":{"a":1},"b":[{"a":1},{"a":2}]}`, `"é😀"`, `-0`, `0.5e-400`,
		`1e400`, strings.Repeat("9", 64), deep(64), `{"":1," ":2}`, `{"a":1,"A":2}`, `{"\u0061b":1,"ba":2}`, "\"\x7f\"",
	} {
		if r := judgeBody(t, o, body); r.Reason != OK {
			t.Errorf("%q: got %+v, want it to pass", body, r)
		}
	}
	for body, keyword := range map[string]string{
		``: "json", ` `: "json", `{`: "json", `{"a"}`: "json", `{"a":1,}`: "json", `[1,]`: "json", `{a:1}`: "json", `'a'`: "json",
		`01`: "json", `+1`: "json", `.5`: "json", `1.`: "json", `1e`: "json", `NaN`: "json", `nul`: "json", `True`: "json", `-`: "json",
		`{}{}`: "json", `{} x`: "json", `1 2`: "json", "\xef\xbb\xbf{}": "json", "{}\x00": "json", "\"\n\"": "json", `"\x"`: "json",
		`"\u12"`: "json", `"a`: "json", `"\`: "json", "\"\xff\"": "json", "\"\xc0\xaf\"": "json", "\"\xed\xa0\x80\"": "json",
		`"\ud800"`: "json", `"\udc00"`: "json", `"\ud800\u0041"`: "json", `"\ud800x"`: "json", `/**/1`: "json",
		`{"a":1,"a":1}`: "duplicate-name", `{"a":1,"\u0061":2}`: "duplicate-name", `[{"x":{"b":1,"c":2,"b":3}}]`: "duplicate-name",
		`{"é":1,"\u00e9":2}`: "duplicate-name", `{"":1,"":2}`: "duplicate-name",
		deep(65): "json-depth", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65): "json-depth", strings.Repeat("[", 1<<19): "json-depth",
		`1e401`: "json-number", `1e5000000`: "json-number", `1e-401`: "json-number", `1E+99999999999999999999`: "json-number",
		strings.Repeat("9", 65): "json-number", `0.` + strings.Repeat("0", 70) + `1`: "json-number",
	} {
		if r := judgeBody(t, o, body); r.Reason != Invalid || keywords(r) != keyword {
			t.Errorf("%.60q: got %+v, want it refused for %s", body, r, keyword)
		}
	}
}

func TestDuplicateNamesAreFoundInLargeObjects(t *testing.T) {
	o := bodyOperation(t, "3.1.0", `{}`, "")
	var b strings.Builder
	b.WriteString(`{"n0":0`)
	for i := 1; i < 5000; i++ {
		b.WriteString(`,"n` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + mustJSON(t, i) + `":0`)
	}
	if r := judgeBody(t, o, b.String()+"}"); r.Reason != OK {
		t.Errorf("got %+v, want it to pass", r)
	}
	if r := judgeBody(t, o, b.String()+`,"\u006e0":1}`); keywords(r) != "duplicate-name" {
		t.Errorf("got %+v, want it refused", r)
	}
}

func TestContentCodings(t *testing.T) {
	o := bodyOperation(t, "3.0.3", `{"type":"object","required":["a"]}`, "")
	zipped := func(s string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
		return b.Bytes()
	}
	flagged := func(flag byte, field string) []byte {
		b := zipped(`{"a":1}`)
		b[3] |= flag
		return slices.Concat(b[:10], []byte(field), b[10:])
	}
	deflated := func(s string) []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
		return b.Bytes()
	}
	long := strings.Repeat("a", 30<<10)
	for _, c := range []struct {
		name, coding string
		body         []byte
		reason       Reason
		keyword      string
	}{
		{"gzip that conforms", "gzip", zipped(`{"a":1}`), OK, ""},
		{"gzip that does not", "gzip", zipped(`{}`), Invalid, "required"},
		{"deflate that conforms", "deflate", deflated(`{"a":1}`), OK, ""},
		{"deflate that does not", "deflate", deflated(`{}`), Invalid, "required"},
		{"well compressed but small", "gzip", zipped(`{"a":"` + long + `"}`), OK, ""},
		{"no gzip at all", "gzip", []byte(`{"a":1}`), Invalid, "content-encoding"},
		{"gzip that is cut short", "gzip", zipped(`{"a":1}`)[:20], Invalid, "content-encoding"},
		{"gzip with a file's name", "gzip", flagged(0x08, "a\x00"), OK, ""},
		{"gzip with a flag that says nothing yet", "gzip", flagged(0x20, ""), Invalid, "content-encoding"},
		{"a second member", "gzip", append(zipped(`{"a":1}`), zipped(`{"b":1}`)...), Invalid, "content-encoding"},
		{"something after it", "gzip", append(zipped(`{"a":1}`), 'x'), Invalid, "content-encoding"},
		{"a bomb", "gzip", zipped(strings.Repeat(" ", 50<<20)), BodyTooLarge, ""},
		{"a ratio that no API has", "deflate", deflated(strings.Repeat(" ", 900<<10) + `{"a":1}`), BodyTooLarge, ""},
	} {
		p := o.Body(http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {c.coding}}, true)
		if r := p.Check(c.body); r.Reason != c.reason || keywords(r) != c.keyword {
			t.Errorf("%s: got %+v", c.name, r)
		}
	}
}

func TestBodiesOverTheLimitAreTooLarge(t *testing.T) {
	d := document(t, `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/":{"post":{"requestBody":{"content":{"application/json":{}}},"responses":{"200":{"description":"ok"}}}}}}`)
	o := operation(t, d, "POST", "/", Config{MaxBody: 10})
	for body, want := range map[string]Reason{`"12345678"`: OK, `"123456789"`: BodyTooLarge} {
		p := o.Body(jsonHeader, true)
		if r := p.Check([]byte(body)); p.MaxBody != 10 || r.Reason != want {
			t.Errorf("%s: got %+v", body, r)
		}
	}
}

// recursive is a schema with two alternatives that lead back to it: engines
// without a memory take 2^depth steps.
const recursive = `{"N":{"type":"object","additionalProperties":false,"properties":{"c":{"oneOf":[
	{"$ref":"#/components/schemas/N"},{"$ref":"#/components/schemas/N"}]}}}}`

func TestARecursiveSchemaWithAlternativesCostsNoMoreThanItsBody(t *testing.T) {
	o := bodyOperation(t, "3.0.3", `{"$ref":"#/components/schemas/N"}`, recursive)
	attack := strings.Repeat(`{"c":`, 18) + "1" + strings.Repeat("}", 18)
	deepest := strings.Repeat(`{"c":`, 64) + "1" + strings.Repeat("}", 64)
	for _, body := range []string{attack, deepest} {
		p := o.Body(jsonHeader, true)
		before := time.Now()
		r := p.Check([]byte(body))
		t.Logf("%d bytes: %v", len(body), time.Since(before))
		if r.Reason != Invalid {
			t.Errorf("got %+v, want it refused", r)
		}
	}
	run := newRun()
	defer run.release()
	if f := run.t.read([]byte(deepest)); f != noFault {
		t.Fatal(f)
	}
	s := o.body.entries[0].schema.schema
	run.holds(s, 0)
	if used := budget(run.t) - run.steps; used > 64*10 {
		t.Errorf("%d steps for 64 levels", used)
	}
}

func TestTheGeneralEngineRefusesDeepBodiesOfRecursiveSchemas(t *testing.T) {
	o := bodyOperation(t, "3.1.0", `{"$ref":"#/components/schemas/N"}`, `{"N":{"type":"object","unevaluatedProperties":false,
		"properties":{"c":{"anyOf":[{"$ref":"#/components/schemas/N"},{"type":"null"}]}}}}`)
	for depth, want := range map[int]Reason{1: OK, 9: OK, 18: Invalid, 60: Invalid} {
		body := strings.Repeat(`{"c":`, depth) + "null" + strings.Repeat("}", depth)
		if r := judgeBody(t, o, body); r.Reason != want {
			t.Errorf("depth %d: got %+v", depth, r)
		}
	}
}

func TestABudgetEndsWhatSchemasWithoutRecursionMultiply(t *testing.T) {
	components := map[string]any{"L0": map[string]any{"type": "integer"}}
	for i := 1; i < 30; i++ {
		ref := map[string]any{"$ref": "#/components/schemas/L" + mustJSON(t, i-1)}
		components["L"+mustJSON(t, i)] = map[string]any{"oneOf": []any{ref, ref}}
	}
	o := bodyOperation(t, "3.0.3", `{"$ref":"#/components/schemas/L29"}`, mustJSON(t, components))
	if r := judgeBody(t, o, `"x"`); keywords(r) != "complexity" {
		t.Errorf("got %+v, want it refused for its complexity", r)
	}
}

func TestASchemaThatOnlyRefersToItselfIsUncheckedAndAProblem(t *testing.T) {
	o := bodyOperation(t, "3.0.3", `{"$ref":"#/components/schemas/A"}`, `{"A":{"anyOf":[{"type":"string"},{"$ref":"#/components/schemas/B"}]},"B":{"allOf":[{"$ref":"#/components/schemas/A"}]}}`)
	if r := judgeBody(t, o, `1`); r.Reason != OK || r.Unchecked != uncheckedSchema {
		t.Errorf("got %+v", r)
	}
	if p := o.Problems(); len(p) != 1 || !strings.Contains(p[0], "refers to itself") {
		t.Errorf("problems: %q", p)
	}
	if r := judgeBody(t, o, `{"a":1,"a":2}`); r.Reason != Invalid {
		t.Errorf("a part that is unchecked must still be strict JSON: got %+v", r)
	}
}
