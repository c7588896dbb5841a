package conformance

import (
	"testing"

	"pgregory.net/rapid"
)

// What the quick way takes the general way takes too, and it takes most.
func TestTheQuickWayAgreesWithTheGeneralOne(t *testing.T) {
	schemas := []string{
		`{"type":"string","maxLength":3}`, `{"type":"string","minLength":2}`, `{"type":"string","enum":["a","b","5"]}`, `{"type":"string","pattern":"^[a-z]{1,3}$"}`,
		`{"type":"string","format":"date"}`, `{"type":"integer","minimum":-2,"maximum":100}`, `{"type":"integer","format":"int32"}`, `{"type":"integer","exclusiveMinimum":0.5}`,
		`{"type":"number","multipleOf":0.5}`, `{"type":"number","exclusiveMaximum":3}`, `{"type":"boolean"}`, `{}`, `{"type":"integer","not":{"enum":[1]}}`, `{"type":"number"}`,
	}
	operations := make([]*Operation, len(schemas))
	for i, s := range schemas {
		operations[i] = parameterOperation(t, "3.1.0", "/x", `[{"name":"p","in":"query","schema":`+s+`}]`)
	}
	texts := []string{"", "a", "b", "5", "abc", "abcd", "%61", "a+b", "%zz", "%FF", "é", "%C3%A9%C3%A9", "1", "-1", "01", "1.0", "1e2", "2.5", "3.2", "99999999999", "123456789012345678901", "true", "True", "null", "2026-02-28", "1e500"}
	took := 0
	rapid.Check(t, func(t *rapid.T) {
		o := rapid.SampledFrom(operations).Draw(t, "schema")
		text := rapid.SampledFrom(texts).Draw(t, "text")
		rules := o.prepareParameters()
		p := &rules.query[0]
		quickly := judge{r: newRun(), rules: rules}
		defer quickly.r.release()
		slowly := judge{r: newRun(), rules: rules}
		defer slowly.r.release()
		slowly.read(p, source{text: text})
		yes := p.quick != nil && p.quick.takes(&quickly, text, p.enc)
		if yes {
			took++
		}
		if yes && slowly.result.Reason != OK {
			t.Fatalf("%q: taken quickly, refused by %+v", text, slowly.result)
		}
	})
	if took == 0 {
		t.Error("nothing was taken quickly")
	}
}

func TestTextIsLiteralWhereNothingStandsForAnotherCharacter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte("aZ09-_.~%+$&,\x24\x26\x2a\x2c\x7f\x80\xa5\xab\xff")), 0, 20).Draw(t, "text")
		want := map[encoding]bool{encodedNot: true, encodedForm: true}
		for _, c := range b {
			want[encodedNot] = want[encodedNot] && c < 0x80
			want[encodedForm] = want[encodedForm] && c < 0x80 && c != '%' && c != '+'
		}
		for enc, want := range want {
			if got := literally(b, enc); got != want {
				t.Fatalf("%q in encoding %d: %v", b, enc, got)
			}
		}
	})
}
