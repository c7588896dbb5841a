package conformance

import (
	"strings"
	"testing"
)

func TestATypeThatIsNoneRefusesNobodyAndIsAProblem(t *testing.T) {
	for name, schema := range map[string]string{
		"a type":                `{"type":"int"}`,
		"one of a list":         `{"type":["string","int64"]}`,
		"of a property":         `{"type":"object","properties":{"a":{"type":"date"}}}`,
		"an alternative":        `{"oneOf":[{"type":"int"},{"type":"string"}]}`,
		"beside what forbids":   `{"not":{"type":"any"}}`,
		"in what it refers to":  `{"$ref":"#/components/schemas/A"}`,
		"with a capital letter": `{"type":"String"}`,
	} {
		for _, version := range []string{"3.0.3", "3.1.0"} {
			o := bodyOperation(t, version, schema, `{"A":{"type":"file"}}`)
			for _, body := range []string{`1`, `"a"`, `{"a":"2027-03-31"}`} {
				if r := judgeBody(t, o, body); r.Reason != OK || r.Unchecked != uncheckedSchema {
					t.Errorf("%s in %s: %s is %+v, want it to pass unchecked", name, version, body, r)
				}
			}
			if p := o.Problems(); len(p) != 1 || !strings.Contains(p[0], "is none: write null") {
				t.Errorf("%s in %s: problems %q", name, version, p)
			}
		}
	}
}

// Of what is left out the rest holds, but not where a looser schema refuses more.
func TestAPatternThatCannotBeCheckedRefusesNobodyWithinOneOfAndNot(t *testing.T) {
	const bad = `{"type":"string","pattern":"(?<!a)b"}`
	for name, schema := range map[string]string{
		"oneOf":            `{"oneOf":[` + bad + `,{"type":"string","pattern":"^x"}]}`,
		"oneOf, by $ref":   `{"oneOf":[{"$ref":"#/components/schemas/A"},{"type":"string","pattern":"^x"}]}`,
		"deep below oneOf": `{"oneOf":[{"anyOf":[{"$ref":"#/components/schemas/B"}]},{"type":"string"}]}`,
		"not":              `{"not":` + bad + `}`,
		"if":               `{"if":` + bad + `,"then":false}`,
		"maxContains":      `{"type":"string","contains":` + bad + `,"maxContains":0}`,
	} {
		o := bodyOperation(t, "3.1.0", schema, `{"A":`+bad+`,"B":{"allOf":[{"$ref":"#/components/schemas/A"}]}}`)
		if r := judgeBody(t, o, `"xyz"`); r.Reason != OK || r.Unchecked != uncheckedSchema {
			t.Errorf("%s: got %+v, want it to pass unchecked", name, r)
		}
		if p := o.Problems(); len(p) != 1 || !strings.Contains(p[0], "(?<!") {
			t.Errorf("%s: problems %q", name, p)
		}
	}
	o := bodyOperation(t, "3.1.0", `{"type":"object","properties":{"a":`+bad+`,"b":{"oneOf":[{"type":"string"},{"type":"integer"}]}}}`, "")
	if r := judgeBody(t, o, `{"a":"x","b":true}`); r.Reason != Invalid {
		t.Errorf("a pattern elsewhere: got %+v, want the rest to hold", r)
	}
}
