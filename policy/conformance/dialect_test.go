package conformance

import (
	"regexp"
	"strings"
	"testing"
)

func TestSchemasOfTheDialects(t *testing.T) {
	for _, c := range []struct {
		name, version, schema, components string
		pass, fail                        []string
	}{
		{"nullable adds null to a type", "3.0.3", `{"type":"string","nullable":true}`, "", []string{`null`, `"a"`}, []string{`1`}},
		{"null needs nullable", "3.0.3", `{"type":"string"}`, "", []string{`"a"`}, []string{`null`}},
		{"nullable adds nothing to an enum without null", "3.0.3", `{"type":"string","nullable":true,"enum":["a"]}`, "", []string{`"a"`}, []string{`null`, `"b"`}},
		{"nullable leaves an enum with null alone", "3.0.3", `{"type":"string","nullable":true,"enum":["a",null]}`, "", []string{`"a"`, `null`}, []string{`"b"`}},
		{"a schema without a type takes null", "3.0.3", `{"minLength":2}`, "", []string{`null`, `"ab"`, `1`}, []string{`"a"`}},
		{"nullable without a type changes nothing", "3.0.3", `{"nullable":true,"allOf":[{"type":"object"}]}`, "", []string{`{}`}, []string{`null`}},
		{"exclusive bounds are booleans in 3.0", "3.0.3", `{"minimum":1,"exclusiveMinimum":true,"maximum":5,"exclusiveMaximum":false}`, "", []string{`1.01`, `5`}, []string{`1`, `5.01`}},
		{"exclusive bounds are numbers in 3.1", "3.1.0", `{"exclusiveMinimum":1,"exclusiveMaximum":5}`, "", []string{`1.01`, `4.99`}, []string{`1`, `5`}},
		{"siblings of $ref do not count in 3.0", "3.0.3", `{"type":"object","properties":{"a":{"$ref":"#/components/schemas/S","maxLength":1}}}`, `{"S":{"type":"string","maxLength":3}}`,
			[]string{`{"a":"abc"}`}, []string{`{"a":"abcd"}`}},
		{"siblings of $ref count in 3.1", "3.1.0", `{"type":"object","properties":{"a":{"$ref":"#/components/schemas/S","maxLength":1}}}`, `{"S":{"type":"string","maxLength":3}}`,
			[]string{`{"a":"a"}`}, []string{`{"a":"ab"}`, `{"a":1}`}},
		{"a required readOnly property may be left out", "3.0.3", `{"type":"object","required":["id","n"],"properties":{"id":{"type":"integer","readOnly":true},"n":{"type":"string"}}}`, "",
			[]string{`{"n":"a"}`, `{"n":"a","id":1}`}, []string{`{"id":1}`, `{"n":"a","id":"x"}`}},
		{"also where allOf declares it", "3.0.3", `{"required":["id"],"allOf":[{"$ref":"#/components/schemas/B"}]}`, `{"B":{"type":"object","properties":{"id":{"type":"integer","readOnly":true}}}}`,
			[]string{`{}`}, []string{`{"id":"x"}`, `1`}},
		{"writeOnly stays required in requests", "3.0.3", `{"type":"object","required":["p"],"properties":{"p":{"type":"string","writeOnly":true}}}`, "", []string{`{"p":"a"}`}, []string{`{}`}},
		{"discriminator does not pick the branch", "3.0.3", `{"oneOf":[{"$ref":"#/components/schemas/A"},{"$ref":"#/components/schemas/B"}],"discriminator":{"propertyName":"t","mapping":{"b":"#/components/schemas/A"}}}`,
			`{"A":{"type":"object","required":["a"],"properties":{"t":{"type":"string"}}},"B":{"type":"object","required":["b"],"properties":{"t":{"type":"string"}}}}`,
			[]string{`{"t":"b","b":1}`, `{"t":"b","a":1}`}, []string{`{"t":"b"}`, `{"a":1,"b":1}`}},
		{"nor does it where the general engine judges", "3.1.0", `{"anyOf":[{"$ref":"#/components/schemas/A"},{"$ref":"#/components/schemas/B"}],"discriminator":{"propertyName":"t","mapping":{"b":"A"}},"unevaluatedProperties":false}`,
			`{"A":{"type":"object","required":["a"],"properties":{"a":{},"t":{}}},"B":{"type":"object","required":["b"],"properties":{"b":{},"t":{}}}}`,
			[]string{`{"t":"b","b":1}`, `{"t":"b","a":1}`, `{"a":1,"b":1}`}, []string{`{"t":"b"}`, `{"a":1,"c":1}`}},
		{"alternatives are told apart by what they fix, wherever it stands", "3.0.3", `{"oneOf":[{"$ref":"#/components/schemas/A"},{"$ref":"#/components/schemas/B"},{"$ref":"#/components/schemas/C"}],"discriminator":{"propertyName":"t"}}`,
			`{"A":{"type":"object","properties":{"t":{"enum":["a"]},"n":{"type":"integer"}}},"B":{"allOf":[{"type":"object","required":["t"]},{"properties":{"t":{"enum":["b"]}}}]},"C":{"type":"object","required":["c"]}}`,
			[]string{`{"t":"a"}`, `{"n":1,"t":"a"}`, `{"n":"x","t":"b"}`, `{"t":"b"}`, `{"n":1}`, `{"\u0074":"b"}`, `{"t":"\u0062"}`, `{"t":1,"c":1}`, `{"t":"x","c":1}`},
			[]string{`{"t":"a","c":1}`, `{"t":"a","n":"x"}`, `{"t":"x"}`, `{"t":1}`, `{"c":1}`, `{"t":"\u0061","n":"x"}`}},
		{"schemas of allOf that share a property both count", "3.0.3", `{"type":"object","required":["y"],"allOf":[{"$ref":"#/components/schemas/A"},{"type":"object","properties":{"x":{"maximum":5},"z":{"type":"string"}},"maxProperties":3}]}`,
			`{"A":{"type":"object","required":["x"],"properties":{"x":{"type":"integer"}},"minProperties":2}}`,
			[]string{`{"x":5,"y":1}`, `{"y":1,"x":1,"z":""}`}, []string{`{"x":6,"y":1}`, `{"x":1.5,"y":1}`, `{"x":1}`, `{"y":1}`, `{"x":1,"y":1,"z":1}`, `{"x":1,"y":1,"a":1,"b":1}`, `[]`}},
		{"not with nothing forbids", "3.0.3", `{"type":"object","properties":{"a":{"not":{}}}}`, "", []string{`{}`, `{"b":1}`}, []string{`{"a":1}`}},
		{"const and type lists in 3.1", "3.1.0", `{"type":["string","null"],"not":{"const":"x"}}`, "", []string{`null`, `"a"`}, []string{`"x"`, `1`}},
		{"an integer may be written 1.0", "3.0.3", `{"type":"integer"}`, "", []string{`1`, `1.0`, `1e2`, `-0.0`}, []string{`1.5`, `1e-1`, `"1"`}},
		{"large integers are exact", "3.1.0", `{"type":"integer","maximum":9007199254740992}`, "", []string{`9007199254740992`}, []string{`9007199254740993`, `9007199254740992.5`}},
		{"multiples are exact", "3.0.3", `{"multipleOf":0.01}`, "", []string{`4.35`, `19.99`, `0`, `1e300`, `123456789012345678901234567890`}, []string{`0.001`, `4.355`, `1e-300`}},
		{"equal numbers are no unique items", "3.1.0", `{"uniqueItems":true}`, "", []string{`[1,"1",true,[1],{"a":1}]`, `[1,2,3,4,5,6,7,8,9,10,11,12,13,14]`},
			[]string{`[1,1.0]`, `[{"a":1,"b":2},{"b":2.0,"a":1}]`, `[1,2,3,4,5,6,7,8,9,10,11,12,13,1e0]`, `["é","\u00e9"]`}},
		{"int32 has its range", "3.0.3", `{"type":"integer","format":"int32"}`, "", []string{`2147483647`, `-2147483648`}, []string{`2147483648`, `1.5`}},
		{"float has its range", "3.0.3", `{"type":"number","format":"float"}`, "", []string{`3.4e38`}, []string{`3.5e38`}},
		{"dates are days of the calendar", "3.0.3", `{"type":"string","format":"date"}`, "", []string{`"2026-02-28"`, `"2024-02-29"`}, []string{`"2026-02-30"`, `"2026-2-1"`, `"2026-02-28T00:00:00Z"`}},
		{"a format of another type does not count", "3.0.3", `{"format":"date"}`, "", []string{`1`, `null`}, []string{`"x"`}},
		{"unknown formats are annotations", "3.0.3", `{"type":"string","format":"x-mine"}`, "", []string{`"anything"`}, []string{`1`}},
		{"byte is base64", "3.0.3", `{"type":"string","format":"byte"}`, "", []string{`"aGk="`, `""`, `"aGkh"`}, []string{`"aGk"`, `"a==="`, `"a-b_"`, `"aGk=aGk="`}},
		{"lengths count characters", "3.0.3", `{"type":"string","minLength":2,"maxLength":2}`, "", []string{`"é😀"`, `"\u00e9\ud83d\ude00"`, `"ab"`}, []string{`"é"`, `"abc"`}},
		{"additionalProperties false", "3.0.3", `{"type":"object","properties":{"a":{}},"additionalProperties":false}`, "", []string{`{"a":1}`, `{"\u0061":1}`, `{}`}, []string{`{"b":1}`, `{"A":1}`, `{"a":1,"":2}`}},
		{"patterns see names whose spelling has escapes", "3.1.0", `{"properties":{"ab":{"type":"object","properties":{"c":{}}}},"patternProperties":{"^ab$":{"minProperties":1}},"additionalProperties":false}`, "",
			[]string{`{"\u0061b":{"\u0063":1}}`}, []string{`{"\u0061b":{}}`, `{"\u0061":1}`}},
		{"more than eight properties", "3.0.3", `{"type":"object","required":["i"],"additionalProperties":false,"properties":{"a":{},"b":{},"c":{},"d":{},"e":{},"f":{},"g":{},"h":{},"i":{"type":"integer"}}}`, "",
			[]string{`{"i":1,"a":2}`}, []string{`{"a":1}`, `{"i":"x"}`, `{"i":1,"j":1}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := bodyOperation(t, c.version, c.schema, c.components)
			for _, body := range c.pass {
				if r := judgeBody(t, o, body); r.Reason != OK || r.Unchecked != "" {
					t.Errorf("%s: got %+v, want it to pass", body, r)
				}
			}
			for _, body := range c.fail {
				if r := judgeBody(t, o, body); r.Reason != Invalid {
					t.Errorf("%s: got %+v, want it refused", body, r)
				}
			}
			for _, body := range append(c.pass, c.fail...) {
				if got, want := generalVerdict(t, o, []byte(body)), judgeBody(t, o, body).Reason == OK; got != want {
					t.Errorf("%s: the general engine says %v, the program %v", body, got, want)
				}
			}
		})
	}
}

func TestPatternsMeanWhatTheyMeanInECMA262(t *testing.T) {
	for _, c := range []struct {
		pattern    string
		pass, fail []string
	}{
		{`^[a-z]+$`, []string{"abc"}, []string{"", "abc\n", "Abc", "é"}},
		{`^[A-Z]{2,3}$`, []string{"AB", "ABC"}, []string{"A", "ABCD"}},
		{`^\d{4}$`, []string{"2026"}, []string{"20260", "٢٠٢٦"}},
		{`^[a-z0-9-]*$`, []string{"", "a-b"}, []string{"a_b"}},
		{`a.c`, []string{"abc", "xaéc"}, []string{"a\nc", "a\u2028c"}},
		{`^\s$`, []string{" ", "\t", "\u00a0", "\u2003", "\ufeff"}, []string{"x", "\u200b"}},
		{`^[\s\S]$`, []string{"\n", "x", "😀"}, []string{""}},
		{`^\u00e9\x41\cA$`, []string{"éA\x01"}, []string{"eA\x01"}},
		{`^\ud83d\ude00$`, []string{"😀"}, []string{"x"}},
		{`^[[]$`, []string{"["}, []string{"a"}},
		{`^[a\-c]$`, []string{"-", "a"}, []string{"b"}},
		{`^\p{L}+$`, []string{"éa"}, []string{"1"}},
		{`^\p{Letter}\p{Script=Greek}$`, []string{"aα"}, []string{"1α"}},
		{`^(?<year>\d+)$`, []string{"1"}, []string{"x"}},
		{`^(?=.*\d)(?=.*[A-Z)|])(?!.*\s).{4,}$`, []string{"Abc1", "1)ab"}, []string{"abc1", "Abcd", "Ab 1", "A1"}},
		{`^(?!admin$|root$)[a-z]+$`, []string{"user", "adminx"}, []string{"admin", "root", "Admin"}},
		{`^$`, []string{""}, []string{"\n"}},
		{`^(a|b)\/c$`, []string{"a/c"}, []string{"c/c"}},
		{`^.{1,1500}$`, []string{"x", strings.Repeat("é", 1500)}, []string{"", strings.Repeat("x", 1501), "a\nb"}},
	} {
		p, err := newPattern(c.pattern)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		for i, list := range [][]string{c.pass, c.fail} {
			for _, s := range list {
				if p.match([]byte(s)) != (i == 0) {
					t.Errorf("%s: %.30q: got %v", c.pattern, s, i != 0)
				}
			}
		}
	}
}

func TestAPatternThatCannotBeCheckedDegradesAlone(t *testing.T) {
	o := bodyOperation(t, "3.1.0", `{"type":"string","pattern":"^(?=.*\\d)(?!x)(.)\\1$","maxLength":5}`, "")
	if r := judgeBody(t, o, `"aaa"`); r.Reason != OK || r.Unchecked != uncheckedPattern {
		t.Errorf("got %+v", r)
	}
	if r := judgeBody(t, o, `"aaaaaa"`); r.Reason != Invalid {
		t.Errorf("the rest must hold: got %+v", r)
	}
	if p := o.Problems(); len(p) != 1 || !strings.Contains(p[0], "pattern") {
		t.Errorf("problems: %q", p)
	}
}

func TestLookaroundThatIsNoConditionOnTheStartIsNotCompiled(t *testing.T) {
	for _, source := range []string{`(?=a)b`, `^(?=a)b|c`, `a(?=b)`, `(?<=a)b`, `(?<!a)b`, `^(?=a)*b`, `^(?=a`, `(a)\1`, `\k<a>`, `(`, `a\`, `[`} {
		if _, err := newPattern(source); err == nil {
			t.Errorf("%s compiles", source)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{`^[a-z]+$`, `^SKU-[0-9]{5}$`, `^\d{2,3}\.\w?$`, `^(?=.*\d).{8,}$`, `\u{1F600}`, `\ud83d`, `[\s\S]`, `\p{`, `\c`, `(?<n>a)`, `\x`, `[^]`, `[]`} {
		f.Add(s, "text")
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		p, err := newPattern(source)
		if err != nil {
			return
		}
		got := p.match([]byte(text))
		if translated, err := ecma(source); err == nil && p.order != nil {
			if re, err := regexp.Compile(translated); err == nil && re.MatchString(text) != got {
				t.Fatalf("%s on %q: %v", source, text, got)
			}
		}
	})
}

func TestErrorsSayWhatWasExpectedAndNothingThatWasSent(t *testing.T) {
	o := bodyOperation(t, "3.0.3", `{"type":"object","required":["name"],"properties":{
		"name":{"type":"string"},
		"qty":{"type":"integer","minimum":1,"maximum":100},
		"tags":{"type":"array","items":{"type":"string","enum":["a","b"]}},
		"meta":{"type":"object","additionalProperties":{"type":"integer"}},
		"a/b":{"type":"string"},
		"pay":{"oneOf":[{"type":"object","required":["iban"],"properties":{"kind":{"enum":["sepa"]}}},{"type":"object","required":["pan"],"properties":{"kind":{"enum":["card"]}}}]}}}`, "")
	for body, want := range map[string]Error{
		`{}`:                                 {Keyword: "required", Detail: "must have the property name"},
		`{"name":"n","qty":4711}`:            {Pointer: "/qty", Keyword: "maximum", Detail: "must be at most 100"},
		`{"name":"n","tags":["a","secret"]}`: {Pointer: "/tags/1", Keyword: "enum", Detail: `must be one of "a", "b"`},
		`{"name":"n","meta":{"secret":"secret"}}`: {Pointer: "/meta/*", Keyword: "type", Detail: "must be of the type integer"},
		`{"name":"n","a/b":1}`:                    {Pointer: "/a~1b", Keyword: "type", Detail: "must be of the type string"},
		`{"name":"n","pay":{"kind":"card"}}`:      {Pointer: "/pay", Keyword: "required", Detail: "must have the property pan"},
		`{"name":"n","pay":{"kind":"cash"}}`:      {Pointer: "/pay", Keyword: "oneOf", Detail: "must match one of the schema's alternatives"},
	} {
		want.In = InBody
		r := judgeBody(t, o, body)
		if len(r.Errors) != 1 || r.Errors[0] != want {
			t.Errorf("%s: got %+v, want %+v", body, r.Errors, want)
		}
	}
}

func TestAtMostTenErrorsAreReported(t *testing.T) {
	o := bodyOperation(t, "3.0.3", `{"type":"array","items":{"type":"integer"}}`, "")
	if r := judgeBody(t, o, `["a"`+strings.Repeat(`,"a"`, 50)+`]`); len(r.Errors) != MaxErrors {
		t.Errorf("got %d errors", len(r.Errors))
	}
}

func TestErrorsOfTheGeneralEngineHideTheNamesOfMembers(t *testing.T) {
	o := bodyOperation(t, "3.1.0", `{"properties":{"a":{"type":"integer"}},"unevaluatedProperties":false}`, "")
	r := judgeBody(t, o, `{"a":"secret","secret":1}`)
	if r.Reason != Invalid || len(r.Errors) == 0 || strings.Contains(mustJSON(t, r), "secret") {
		t.Errorf("got %+v", r)
	}
}
