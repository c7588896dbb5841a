package conformance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// layers are n schemas that each name the next one, in the words of each: twice makes
// 2^n ways from the first to the last.
func layers(n int, each, last string) string {
	var b strings.Builder
	for i := range n {
		next := fmt.Sprintf(`{"$ref":"#/components/schemas/L%d"}`, i+1)
		fmt.Fprintf(&b, `"L%d":%s,`, i, strings.NewReplacer("NEXT", next, "NUMBER", fmt.Sprintf("n%d", i)).Replace(each))
	}
	return fmt.Sprintf(`{%s"L%d":%s}`, b.String(), n, last)
}

// A document of a few kilobytes whose schemas name one another again and again has more
// ways through it than can be gone, and few schemas.
func TestSchemasThatNameEachOtherAgainAreReadOnce(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat("NEXT,", 60), ",")
	plain, readOnly := `{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}`, `{"type":"object","properties":{"a":{"readOnly":true}}}`
	anchored := `{"type":"object","$dynamicAnchor":"NUMBER","required":["a"],"allOf":[%s]}`
	for name, c := range map[string]struct{ components, good, bad string }{
		"allOf":                              {layers(60, `{"allOf":[NEXT,NEXT]}`, plain), `{"a":1}`, `{"a":""}`},
		"required":                           {layers(8, `{"type":"object","required":["a"],"allOf":[`+many+`]}`, plain), `{"a":1}`, `{}`},
		"required of what is read only":      {layers(8, `{"type":"object","required":["a"],"allOf":[`+many+`]}`, readOnly), `{}`, `1`},
		"dynamic anchors, too many to judge": {layers(8, fmt.Sprintf(anchored, many), plain), "", ""},
		"unevaluated, too many to judge":     {layers(40, `{"unevaluatedProperties":true,"anyOf":[NEXT,NEXT]}`, plain), "", ""},
		"unevaluated":                        {layers(8, `{"unevaluatedProperties":true,"anyOf":[NEXT,NEXT]}`, plain), `{"a":1}`, `{}`},
		"dynamic anchors of two":             {layers(2, fmt.Sprintf(anchored, "NEXT,NEXT"), plain), `{"a":1}`, `{}`},
		"a name beside what is read only": {`{"L1":` + readOnly + `,"L0":{"type":"object","$dynamicAnchor":"n","required":["a"],
			"allOf":[{"$ref":"#/components/schemas/L1","properties":{"b":{}}},{"$ref":"#/components/schemas/L1"}]}}`, `{}`, `1`},
		"dynamic anchors of what is read only": {layers(2, fmt.Sprintf(anchored, "NEXT,NEXT"), readOnly), `{}`, `1`},
	} {
		within(t, name, func() {
			d, err := spec.Load("d.json", fmt.Appendf(nil, `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"components":{"schemas":%s},
				"paths":{"/":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/L0"}}}},"responses":{"200":{"description":"ok"}}}}}}`, c.components), spec.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			o := operation(t, d, "POST", "/", Config{})
			if c.good == "" {
				if problems := fmt.Sprint(o.Problems()); !strings.Contains(problems, "ways through") {
					t.Errorf("%s: the problems are %s", name, problems)
				}
				return
			}
			if len(o.Problems()) > 0 {
				t.Errorf("%s: it is not judged: %v", name, o.Problems())
			}
			if got := judgeBody(t, o, c.good); got.Reason != OK {
				t.Errorf("%s: %s is refused: %+v", name, c.good, got)
			}
			if got := judgeBody(t, o, c.bad); got.Reason == OK {
				t.Errorf("%s: %s passes", name, c.bad)
			}
		})
	}
	within(t, "hints", func() {
		properties := `"a":{"type":"integer"}`
		for i := range 400 {
			properties += fmt.Sprintf(`,"p%d":{"$ref":"#/components/schemas/W"}`, i)
		}
		d := document(t, `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{},"components":{"schemas":{"W":{"type":"object","properties":{`+properties+`}}}}}`)
		h := hintOf(d.Root.Components.Schemas["W"], maxHintDepth)
		if h.propTypes([]byte("a")) != typeInteger || h.props["p0"].props["p1"].propTypes([]byte("a")) != typeInteger {
			t.Errorf("the hints are %+v", h)
		}
	})
}

// within fails where f takes so long that it may never end.
func within(t *testing.T, name string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("%s: it takes more than a minute", name)
	}
}

// Which of two schemas is met first is up to chance, and no matter for what is judged.
func TestWhatIsTooManyToJudgeIsSoWhicheverIsMetFirst(t *testing.T) {
	for _, c := range []struct {
		name, schemas string
		judged        bool
	}{
		{"recursive, by few ways to each part", `"X":{"anyOf":[MANY]},"Y":{"properties":{"x":{"$ref":"#/components/schemas/X"}}},"R":{"anyOf":[MANY]}`, true},
		{"recursive, by many", `"X":{"anyOf":[MANY]},"Y":{"properties":{"x":{"$ref":"#/components/schemas/R"}}},"R":{"anyOf":[AGAIN]}`, false},
	} {
		many := strings.TrimSuffix(strings.Repeat(`{"$ref":"#/components/schemas/Y"},`, 300), ",")
		schemas := strings.NewReplacer("MANY", many, "AGAIN", strings.ReplaceAll(many, "/Y", "/X")).Replace(c.schemas)
		for range 12 {
			d, err := spec.Load("d.json", fmt.Appendf(nil, `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"components":{"schemas":{%s}},
				"paths":{"/":{"post":{"requestBody":{"content":{"application/json":{"schema":{"unevaluatedProperties":true,
				"properties":{"a":{"$ref":"#/components/schemas/X"},"b":{"$ref":"#/components/schemas/R"}}}}}},"responses":{"200":{"description":"ok"}}}}}}`, schemas), spec.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if problems := operation(t, d, "POST", "/", Config{}).Problems(); (len(problems) == 0) != c.judged {
				t.Fatalf("%s: the problems are %v", c.name, problems)
			}
		}
	}
}
