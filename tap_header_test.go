package apiguard

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestAHeaderIsRestoredToWhatItWas(t *testing.T) {
	var k keptHeader // one for all, as it is used again
	names := []string{"A", "B", "C", "Date", http.TrailerPrefix + "A", http.TrailerPrefix + "D"}
	lists := rapid.SampledFrom([][]string{nil, {}, {""}, {"1"}, {"2"}, {"1", "2"}})
	draw := func(t *rapid.T, h http.Header, label string) {
		for _, name := range rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, label) {
			h[name] = slices.Clone(lists.Draw(t, name))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		h := http.Header{}
		draw(t, h, "before")
		before := h.Clone()
		k.keep(h)
		for _, values := range h {
			for i := range values { // where they stand
				values[i] = rapid.SampledFrom([]string{values[i], "3"}).Draw(t, "replaced")
			}
		}
		for _, name := range rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "deleted") {
			delete(h, name)
		}
		draw(t, h, "after")
		want, trailers := before.Clone(), rapid.Bool().Draw(t, "trailers stay")
		for _, name := range names[4:] {
			_, kept := before[name]
			if values, ok := h[name]; trailers && !kept && ok {
				want[name] = slices.Clone(values)
			}
		}
		k.restore(h, trailers)
		if diff := cmp.Diff(want, h, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}
