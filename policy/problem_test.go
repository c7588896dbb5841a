package policy

import (
	"encoding/json"
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
