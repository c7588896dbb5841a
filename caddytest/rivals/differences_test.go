package rivals

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
	"pgregory.net/rapid"
)

// difference is why another engine judges otherwise, and when: schema and body are
// what was judged, refused says whether the guard refuses it.
type difference struct {
	why   string
	holds func(schema, body string, refused bool) bool
}

// The differences that are known. The oracle, jsonschema/v6, has none.
var (
	ofKin = []difference{
		rounding,
		{"openapi3filter judges null by a schema without a type only if it is nullable; JSON Schema takes every value there", func(schema, body string, refused bool) bool {
			return !refused && strings.Contains(body, "null")
		}},
	}
	ofLibopenapi = []difference{rounding}

	rounding = difference{"it reads numbers as float64, so that 9007199254740993 is 9007199254740992", func(_, body string, _ bool) bool {
		return strings.Contains(body, beyond)
	}}
)

// The largest integer up to which float64 has all of them, and the next one.
const exactly, beyond = "9007199254740992", "9007199254740993"

func drawSchema(t *rapid.T, depth int) map[string]any {
	m := map[string]any{"type": rapid.SampledFrom([]string{"string", "integer", "number", "boolean", "array", "object"}).Draw(t, "type")}
	small := func() int { return rapid.IntRange(0, 3).Draw(t, "limit") }
	switch m["type"] {
	case "string":
		switch rapid.IntRange(0, 4).Draw(t, "keyword") {
		case 0:
			m["minLength"] = small()
		case 1:
			m["maxLength"] = small()
		case 2:
			m["pattern"] = rapid.SampledFrom([]string{"^a", "b$", "^[ab]+$"}).Draw(t, "pattern")
		case 3:
			m["enum"] = []any{"a", "ab"}
		}
	case "integer", "number":
		switch rapid.IntRange(0, 4).Draw(t, "keyword") {
		case 0:
			m["minimum"] = small()
		case 1:
			m["maximum"] = small()
		case 2:
			m["multipleOf"] = 2
		case 3:
			m["maximum"] = json.Number(exactly)
		}
	case "array":
		m["items"] = inner(t, depth)
		if rapid.Bool().Draw(t, "bounded") {
			m["maxItems"] = small()
		} else {
			m["uniqueItems"] = rapid.Bool().Draw(t, "unique")
		}
	case "object":
		m["properties"] = map[string]any{"a": inner(t, depth), "b": inner(t, depth)}
		if rapid.Bool().Draw(t, "required") {
			m["required"] = []any{"a"}
		}
		if rapid.Bool().Draw(t, "closed") {
			m["additionalProperties"] = false
		}
	}
	return m
}

func inner(t *rapid.T, depth int) any {
	if depth == 0 {
		return map[string]any{"type": "string"}
	}
	switch rapid.IntRange(0, 7).Draw(t, "form") {
	case 6:
		return map[string]any{"not": drawSchema(t, depth-1)}
	case 7:
		return map[string]any{"enum": []any{"a", 1, nil}}
	case 0:
		return map[string]any{"oneOf": []any{drawSchema(t, depth-1), drawSchema(t, depth-1)}}
	case 1:
		return map[string]any{"anyOf": []any{drawSchema(t, depth-1), drawSchema(t, depth-1)}}
	default:
		return drawSchema(t, depth-1)
	}
}

func drawValue(t *rapid.T, depth int) any {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]any{nil, true, false}).Draw(t, "literal")
	case 1:
		return json.Number(rapid.SampledFrom([]string{"0", "1", "2", "3", "4", "-1", "0.5", "2.0", beyond}).Draw(t, "number"))
	case 2, 3:
		return rapid.SampledFrom([]string{"", "a", "b", "ab", "aba", "é"}).Draw(t, "text")
	case 4:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			list = append(list, drawValue(t, depth-1))
		}
		return list
	default:
		m := map[string]any{}
		for _, name := range []string{"a", "b", "c"} {
			if rapid.Bool().Draw(t, name) {
				m[name] = drawValue(t, depth-1)
			}
		}
		return m
	}
}

func TestEveryDifferenceIsExplained(t *testing.T) {
	seen := map[string]int{}
	judgedBodies, refusedBodies := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		text, err := json.Marshal(drawSchema(t, 2))
		if err != nil {
			t.Fatal(err)
		}
		schema := string(text)
		s := schemaOf(t, schema)
		old, oldOp := guarded(t, documentOf("3.0.3", schema), "POST", "/")
		modern, modernOp := guarded(t, documentOf("3.1.0", schema), "POST", "/")
		lib := libopenapiOf(t, documentOf("3.1.0", schema))
		for range 5 {
			body, err := json.Marshal(drawValue(t, 2))
			if err != nil {
				t.Fatal(err)
			}
			value, err := decoded(body)
			if err != nil {
				t.Fatal(err)
			}
			want := s.Validate(value) == nil
			judgedBodies++
			if !want {
				refusedBodies++
			}
			if judged(old, body) != want || judged(modern, body) != want {
				t.Fatalf("the guard says %v in 3.0 and %v in 3.1, jsonschema/v6 %v: %s for %s", judged(old, body), judged(modern, body), want, body, schema)
			}
			explain := func(engine string, known []difference, got bool) {
				if got == want {
					return
				}
				for _, d := range known {
					if d.holds(schema, string(body), !want) {
						seen[engine+": "+d.why]++
						return
					}
				}
				t.Fatalf("%s says %v, the guard %v, and nobody knows why: %s for %s", engine, got, want, body, schema)
			}
			r := post("/", body)
			explain("openapi3filter 3.0", ofKin, openapi3filter.ValidateRequestBody(context.Background(), filterInput(oldOp, r, nil), oldOp.Op.RequestBody.Value) == nil)
			r = post("/", body)
			explain("openapi3filter 3.1", ofKin, openapi3filter.ValidateRequestBody(context.Background(), filterInput(modernOp, r, nil), modernOp.Op.RequestBody.Value) == nil)
			ok, _ := lib.ValidateHttpRequest(post("/", body))
			explain("libopenapi-validator", ofLibopenapi, ok)
		}
	})
	t.Logf("%d bodies, %d of them refused", judgedBodies, refusedBodies)
	for why, n := range seen {
		t.Logf("%d times %s", n, why)
	}
	if refusedBodies == 0 || refusedBodies == judgedBodies {
		t.Error("one verdict only")
	}
}
