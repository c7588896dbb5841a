package conformance

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The program and the general engine must agree on every schema and value. The
// schemas are small and the values are drawn near them, so that both verdicts
// happen.

var (
	somePatterns = []string{"^a", "^[ab]+$", "b$", "^.{1,2}$", "[^a]", "é"}
	someNames    = []string{"a", "b", "ab", "é", ""}
	someTexts    = []string{"", "a", "b", "ab", "aab", "é", "2026-02-28", "2026-02-30", "😀a"}
	someNumbers  = []json.Number{"0", "-0", "1", "1.0", "1e0", "2", "-1", "0.5", "3.5", "100", "1e2", "9007199254740993", "12345678901234567890123", "0.1", "1e-3"}
)

func drawSchema(t *rapid.T, depth int) any {
	if depth == 0 {
		return rapid.SampledFrom([]any{
			map[string]any{}, map[string]any{"type": "string"}, map[string]any{"type": "integer"}, true, false,
			map[string]any{"$ref": "#/components/schemas/R"},
		}).Draw(t, "leaf")
	}
	m := map[string]any{}
	for range rapid.IntRange(1, 4).Draw(t, "keywords") {
		drawKeyword(t, m, depth)
	}
	return m
}

func drawKeyword(t *rapid.T, m map[string]any, depth int) {
	inner := func() any { return drawSchema(t, depth-1) }
	small := func() any { return rapid.IntRange(0, 3).Draw(t, "count") }
	number := func() any {
		return json.Number(rapid.SampledFrom([]string{"0", "1", "2", "0.5", "100"}).Draw(t, "limit"))
	}
	some := func() any {
		var list []any
		for range rapid.IntRange(1, 3).Draw(t, "branches") {
			list = append(list, inner())
		}
		return list
	}
	named := func(names []string) any {
		out := map[string]any{}
		for range rapid.IntRange(1, 3).Draw(t, "members") {
			out[rapid.SampledFrom(names).Draw(t, "name")] = inner()
		}
		return out
	}
	names := func() any {
		return rapid.SliceOfDistinct(rapid.SampledFrom(someNames), rapid.ID[string]).Draw(t, "names")
	}
	switch k := rapid.SampledFrom([]string{
		"type", "types", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
		"minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems", "items", "prefixItems", "contains",
		"minContains", "maxContains", "properties", "required", "additionalProperties", "patternProperties", "propertyNames",
		"minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "allOf", "anyOf", "oneOf", "not", "if", "tagged", "inherited",
	}).Draw(t, "keyword"); k {
	case "type":
		m["type"] = rapid.SampledFrom([]string{"null", "boolean", "integer", "number", "string", "array", "object"}).Draw(t, k)
	case "types":
		m["type"] = rapid.SampledFrom([]any{[]any{"string", "null"}, []any{"integer", "array"}, []any{"object", "number"}}).Draw(t, k)
	case "enum":
		m[k] = []any{drawValue(t, 1), drawValue(t, 1)}
	case "const":
		if v := drawValue(t, 1); v != nil { // the loader drops a null
			m[k] = v
		}
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		m[k] = number()
	case "multipleOf":
		m[k] = json.Number(rapid.SampledFrom([]string{"1", "2", "0.5", "0.1"}).Draw(t, k))
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties":
		m[k] = small()
	case "minContains", "maxContains":
		m[k] = small()
		m["contains"] = inner()
	case "pattern":
		m[k] = rapid.SampledFrom(somePatterns).Draw(t, k)
	case "format":
		m[k] = rapid.SampledFrom([]string{"date", "int32", "uuid", "byte"}).Draw(t, k)
	case "uniqueItems":
		m[k] = true
	case "prefixItems", "allOf", "anyOf", "oneOf":
		m[k] = some()
	case "tagged":
		drawTagged(t, m, named)
	case "inherited":
		var parts []any
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			parts = append(parts, map[string]any{"type": "object", "properties": named(someNames), "required": names()})
		}
		m["allOf"] = parts
	case "properties", "dependentSchemas":
		m[k] = named(someNames)
	case "patternProperties":
		m[k] = named(somePatterns)
	case "required":
		m[k] = names()
	case "dependentRequired":
		m[k] = map[string]any{rapid.SampledFrom(someNames).Draw(t, "name"): names()}
	case "if":
		m["if"], m["then"], m["else"] = inner(), inner(), inner()
	default: // items, contains, additionalProperties, propertyNames, not
		m[k] = inner()
	}
}

// drawTagged draws alternatives as descriptions have them that know a
// discriminator, which may also be wrong.
func drawTagged(t *rapid.T, m map[string]any, named func([]string) any) {
	var parts []any
	for range rapid.IntRange(1, 3).Draw(t, "alternatives") {
		properties := named(someNames).(map[string]any)
		if rapid.Bool().Draw(t, "fixed") {
			properties["a"] = map[string]any{"enum": []any{rapid.SampledFrom(someTexts).Draw(t, "tag"), drawValue(t, 0)}}
		}
		parts = append(parts, map[string]any{"type": "object", "properties": properties})
	}
	if rapid.Bool().Draw(t, "recursive") {
		parts = append(parts, map[string]any{"$ref": "#/components/schemas/R"})
	}
	m[rapid.SampledFrom([]string{"oneOf", "anyOf"}).Draw(t, "combinator")] = parts
	if rapid.Bool().Draw(t, "hinted") {
		mapping := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "mapped") {
			mapping[rapid.SampledFrom(someTexts).Draw(t, "tag")] = "#/components/schemas/R"
		}
		m["discriminator"] = map[string]any{"propertyName": rapid.SampledFrom(someNames).Draw(t, "property"), "mapping": mapping}
	}
}

func drawValue(t *rapid.T, depth int) any {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "boolean")
	case 2:
		return rapid.SampledFrom(someNumbers).Draw(t, "number")
	case 3:
		return rapid.SampledFrom(someTexts).Draw(t, "text")
	case 4:
		list := []any{}
		for range rapid.IntRange(0, 4).Draw(t, "items") {
			list = append(list, drawValue(t, depth-1))
		}
		return list
	default:
		m := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "members") {
			m[rapid.SampledFrom(someNames).Draw(t, "name")] = drawValue(t, depth-1)
		}
		return m
	}
}

func TestTheEnginesAgree(t *testing.T) {
	rapid.Check(t, engines)
}

func FuzzEnginesAgree(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(engines))
}

func engines(t *rapid.T) {
	text, err := json.Marshal(map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": "t", "version": "1"},
		"components": map[string]any{"schemas": map[string]any{"R": map[string]any{
			"properties": map[string]any{"a": map[string]any{"oneOf": []any{
				map[string]any{"$ref": "#/components/schemas/R"}, map[string]any{"type": "integer"},
			}}},
		}}},
		"paths": map[string]any{"/": map[string]any{"post": map[string]any{
			"requestBody": map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": drawSchema(t, 3)}}},
			"responses":   map[string]any{"200": map[string]any{"description": "ok"}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := load(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	o := New(specOperation(d, "/"), nil, Config{})
	if p := o.Problems(); len(p) > 0 {
		t.Fatalf("%q\n%s", p, text)
	}
	for range 5 {
		value, err := json.Marshal(drawValue(t, 3))
		if err != nil {
			t.Fatal(err)
		}
		p := o.Body(jsonHeader, true)
		r := p.Check(value)
		if r.Reason == Internal {
			t.Fatalf("a panic for %s\n%s", value, text)
		}
		if general := generalVerdict(t, o, value); general != (r.Reason == OK) {
			t.Fatalf("the engines disagree on %s: program %+v, general %v\n%s", value, r, general, text)
		}
		if (r.Reason == Invalid) != (len(r.Errors) > 0) || keywords(r) == "complexity" {
			t.Fatalf("%s: %+v\n%s", value, r, text)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-2.5e3,null,true,false,"\u00e9\ud83d\ude00"],"b":{}}`, `{"a":1,"a":2}`, "\"\xff\"", `"\ud800"`, `1e400`, `1e401`, `[[[]]]`,
		`{"aaaaaaaaaaaaaaaa":"aaaaaaaaaaaaaaaaaaaaaaaaaaaa"}`, "\"aaaaaaa\x01\"", " 1 ", "1 2", "\xef\xbb\xbf1", strings.Repeat("[", 70),
	} {
		f.Add([]byte(s))
	}
	none := noFault
	f.Fuzz(func(t *testing.T, text []byte) {
		first, again := &tape{}, &tape{}
		got := first.read(text)
		valid := json.Valid(text)
		if got == none && !valid {
			t.Fatalf("%q: accepted, but it is no JSON", text)
		}
		if valid && got == faultSyntax {
			t.Fatalf("%q: refused as syntax, but it is JSON", text)
		}
		if got != none {
			return
		}
		var want any
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.UseNumber()
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if value := first.value(0); mustJSON(t, value) != mustJSON(t, want) {
			t.Fatalf("%q: read as %v, want %v", text, value, want)
		}
		if again.read(text) != none || !first.equal(0, again, 0) || first.hash(0) != again.hash(0) {
			t.Fatalf("%q: a value that is not itself", text)
		}
	})
}
