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

// net/http has the host apart from the other fields. Over HTTP/2 a second one may stand
// beside :authority, in whatever words.
func TestAKeyOfTheFieldHostIsTheHost(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Key: keyOf(t, "{http.request.header.host}")}))
	refused := func(line string, header http.Header) bool {
		return f.ask(t, call{line: line, header: header}).Rule == RuleLimit
	}
	if refused("GET api.example /v2/orders", nil) || !refused("GET API.example:80 /v2/orders", http.Header{"Host": {"other"}}) {
		t.Error("a host has two buckets")
	}
	if refused("GET beta.example /v2/orders", nil) {
		t.Error("two hosts have one bucket")
	}
}
