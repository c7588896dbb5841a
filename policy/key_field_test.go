package policy

import (
	"net/http"
	"testing"
	"time"
)

// Upstream reads one line of a field that came in several: a guesser who keeps that
// one and changes the others must not get a fresh bucket for each guess.
func TestAKeyFieldInSeveralLinesBuysNoBucket(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Operations: []string{"resetPassword"}, Key: keyOf(t, "{http.request.header.X-Api-Key}")}))
	guess := func(lines ...string) bool {
		return f.ask(t, call{line: "POST api.example /v2/reset", header: http.Header{"X-Api-Key": lines}}).Rule == RuleLimit
	}
	if guess("a") || guess("b") {
		t.Fatal("two clients share a bucket")
	}
	if !guess("a") {
		t.Fatal("the first client's second guess passes")
	}
	if guess("a", "1") {
		t.Fatal("the shared bucket is used up already")
	}
	for _, lines := range [][]string{{"a", "2"}, {"3", "a"}, {"a", "a"}, {""}, nil} {
		if !guess(lines...) {
			t.Errorf("%q has a bucket of its own", lines)
		}
	}
}
