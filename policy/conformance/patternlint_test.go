package conformance

import (
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

func TestADocumentWithMultiSegmentIsNotSearchedForPatternsAgain(t *testing.T) {
	d := document(t, `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{},"components":{"schemas":{"a":{"type":"string","pattern":"(a)\\1"}}}}`)
	first := UnsupportedPatterns(d)
	if len(first) != 1 {
		t.Fatalf("%v: want the one that refers back", first)
	}
	spanning := *d
	if again := UnsupportedPatterns(&spanning); len(again) != 1 || &again[0] != &first[0] {
		t.Errorf("%v: want the answer that was found before", again)
	}
	if none := UnsupportedPatterns(&spec.Document{}); none != nil {
		t.Errorf("%v in a document without contents", none)
	}
}
