package policy

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/apiguard/caddy-api-guard/policy/conformance"
	"pgregory.net/rapid"
)

// Errors stand in a problem as encoding/json writes them, whatever their names are.
func TestErrorsAreWrittenAsEncodingJSONDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,20}`), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }))
		errs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) conformance.Error {
			return conformance.Error{
				In: conformance.InQuery, Pointer: text.Draw(t, "pointer"), Name: text.Draw(t, "name"),
				Keyword: text.Draw(t, "keyword"), Detail: text.Draw(t, "detail"),
			}
		}), 1, conformance.MaxErrors).Draw(t, "errors")
		want, err := json.Marshal(errs)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendErrors(nil, errs)); got != `,"errors":`+string(want) {
			t.Fatalf("%s\nwant %s", got, want)
		}
	})
}

// Whatever was refused before, a document is that of its own refusal.
func TestAProblemIsWrittenAfterAnyOtherAsTheFirstWouldBe(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	reasons := []Reason{ReasonUnknownHost, ReasonQuotaExceeded, ReasonRequestInvalid, ReasonInternalError}
	bases := []string{TypeBase, "https://example.com/problems/"}
	var p Problem
	for i := range 5000 {
		var v Verdict
		reason := reasons[random.IntN(len(reasons))]
		v.Object(RuleRequest, Enforce, reason, []int{reasonText[reason].status, 422}[random.IntN(2)])
		if reason == ReasonRequestInvalid {
			v.Errors = make([]conformance.Error, random.IntN(3))
		}
		base, instance := bases[random.IntN(2)], []string{"", strconv.Itoa(i)}[random.IntN(2)]
		if got, want := string(p.Of(&v, base, instance)), string(v.AppendProblem(nil, base, instance)); got != want {
			t.Fatalf("after others it is\n%s\nwant\n%s", got, want)
		}
	}
}
